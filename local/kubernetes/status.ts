/** The `reason` of a Status and the HTTP status it travels with. */
const HTTP = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  UnsupportedMediaType: 415,
  Invalid: 422,
  InternalError: 500,
  ServiceUnavailable: 503,
} as const;

export type StatusReason = keyof typeof HTTP;

/** Thrown by the core; the API answers with it as a `Status` object, as the real server does. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly reason: StatusReason;
  readonly details: object | undefined;

  constructor(reason: StatusReason, message: string, details?: object) {
    super(message);
    this.reason = reason;
    this.details = details;
  }

  get httpStatus(): number {
    return HTTP[this.reason];
  }

  toStatus(): object {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      ...(this.details ? { details: this.details } : {}),
      code: this.httpStatus,
    };
  }
}

export function notFound(resource: string, name: string): KubeError {
  return new KubeError('NotFound', `${resource} "${name}" not found`, { name, kind: resource });
}

export function conflict(resource: string, name: string): KubeError {
  return new KubeError(
    'Conflict',
    `Operation cannot be fulfilled on ${resource} "${name}": the object has been modified; please apply your changes to the latest version and try again`,
    { name, kind: resource },
  );
}

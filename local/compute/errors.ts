import type { HttpReply } from '../http.ts';

const STATUS = {
  invalid: 400,
  notFound: 404,
  alreadyExists: 409,
  conditionNotMet: 412,
  notImplemented: 501,
} as const;

export type ComputeReason = keyof typeof STATUS;

/** Compute Engine has error bodies of its own: an HTTP status and a reason, no canonical code. */
export class ComputeError extends Error {
  override readonly name = 'ComputeError';
  readonly reason: ComputeReason;

  constructor(reason: ComputeReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

export function computeErrorReply({ reason, message }: ComputeError): HttpReply {
  const code = STATUS[reason];
  const location = reason === 'conditionNotMet' ? { location: 'If-Match', locationType: 'header' } : {};
  return {
    status: code,
    body: { error: { code, message, errors: [{ message, domain: 'global', reason, ...location }] } },
  };
}

export function resourceNotFound(path: string): ComputeError {
  return new ComputeError('notFound', `The resource '${path}' was not found`);
}

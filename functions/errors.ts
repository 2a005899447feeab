/** What went wrong, in one vocabulary, whoever said it first (gRPC, HTTP, Kubernetes or ourselves). */
export type ErrorCode =
  | 'InvalidArgument'
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'PermissionDenied'
  | 'Unauthenticated'
  | 'ResourceExhausted'
  | 'Unavailable'
  | 'DeadlineExceeded'
  | 'Internal'
  /** Somebody with a higher epoch owns the targets now: stop, change nothing, report no failure. */
  | 'Fenced';

export interface ErrorDetails {
  readonly code: ErrorCode;
  /** What was being done, as a verb and its object: `run.services.update hello in us-east4`. */
  readonly operation: string;
  readonly cause?: unknown;
  /** From a `Retry-After` header, where the other side sent one. */
  readonly retryAfterSeconds?: number | undefined;
}

const RETRYABLE: ReadonlySet<ErrorCode> = new Set([
  'Conflict',
  'ResourceExhausted',
  'Unavailable',
  'DeadlineExceeded',
]);

/** The only error that leaves an adapter. */
export class SlipwayError extends Error {
  override readonly name = 'SlipwayError';
  readonly code: ErrorCode;
  readonly operation: string;
  readonly retryAfterSeconds: number | undefined;

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.operation = details.operation;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }

  /** Whether the same call may succeed later without anybody changing anything. */
  get canRetry(): boolean {
    return RETRYABLE.has(this.code);
  }
}

export function isFenced(error: unknown): boolean {
  return error instanceof SlipwayError && error.code === 'Fenced';
}

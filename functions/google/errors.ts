import { type ErrorCode, SlipwayError } from '../errors.ts';
import { inSpan } from '../telemetry/scope.ts';
import type { SpanOptions } from '../telemetry/tracer.ts';

/**
 * UNKNOWN (2) and INTERNAL (13) are what an HTTP 500 becomes: trouble on the other side that may pass.
 * gRPC status codes, https://grpc.github.io/grpc/core/md_doc_statuscodes.html; gax 6 reports these over REST too.
 */
const GRPC: Readonly<Record<number, ErrorCode>> = {
  1: 'Unavailable',
  2: 'Unavailable',
  3: 'InvalidArgument',
  4: 'DeadlineExceeded',
  5: 'NotFound',
  6: 'AlreadyExists',
  7: 'PermissionDenied',
  8: 'ResourceExhausted',
  9: 'Conflict',
  10: 'Conflict',
  11: 'InvalidArgument',
  12: 'InvalidArgument',
  13: 'Unavailable',
  14: 'Unavailable',
  15: 'Internal',
  16: 'Unauthenticated',
};

export function codeOfHttpStatus(status: number): ErrorCode {
  if (status === 401) return 'Unauthenticated';
  if (status === 403) return 'PermissionDenied';
  if (status === 404 || status === 410) return 'NotFound';
  if (status === 408 || status === 504) return 'DeadlineExceeded';
  if (status === 409 || status === 412) return 'Conflict';
  if (status === 429) return 'ResourceExhausted';
  if (status >= 500) return status === 501 ? 'Internal' : 'Unavailable';
  if (status >= 400) return 'InvalidArgument';
  return 'Internal';
}

/**
 * One error for everything a Google or Kubernetes client throws. Clients disagree about `code`: gax 6 gives the gRPC
 * code, Kubernetes and older gax the HTTP status, node's sockets a string.
 */
export function normalise(error: unknown, operation: string): SlipwayError {
  if (error instanceof SlipwayError) return error;
  const { code, message, body } = describe(error);
  return new SlipwayError(`${operation}: ${message}`, {
    code,
    operation,
    cause: error,
    retryAfterSeconds: retryAfter(body),
  });
}

/**
 * Runs one client call and lets only {@link SlipwayError} out. In a trace it is a span.
 * @param span what it is there, if not just a call
 */
export async function calling<T>(
  operation: string,
  call: () => Promise<T>,
  span: Partial<SpanOptions> = {},
): Promise<T> {
  try {
    return await inSpan({ name: operation, kind: 'client', ...span }, call);
  } catch (error) {
    throw normalise(error, operation);
  }
}

interface Described {
  code: ErrorCode;
  message: string;
  body: unknown;
}

function describe(error: unknown): Described {
  if (!(error instanceof Error)) return { code: 'Internal', message: String(error), body: undefined };
  // Before `code`: a DOMException has a numeric one of its own.
  if (error.name === 'AbortError' || error.name === 'TimeoutError') {
    return { code: 'DeadlineExceeded', message: 'no answer in time', body: undefined };
  }
  const code: unknown = 'code' in error ? error.code : undefined;
  const body: unknown = 'body' in error ? error.body : undefined;
  const headers: unknown = 'headers' in error ? error.headers : undefined;
  if (typeof code === 'number') {
    const kind = code < 20 ? (GRPC[code] ?? 'Internal') : codeOfHttpStatus(code);
    return { code: kind, message: kubernetesMessage(body) ?? googleMessage(error.message), body: headers };
  }
  if (typeof code === 'string' || error.cause instanceof Error) {
    const reason = error.cause instanceof Error ? error.cause.message : error.message;
    return { code: 'Unavailable', message: reason, body: undefined };
  }
  return { code: 'Internal', message: error.message, body: undefined };
}

function kubernetesMessage(body: unknown): string | undefined {
  if (typeof body !== 'string') return undefined;
  const status = parseJson(body);
  return isRecord(status) && typeof status['message'] === 'string' ? status['message'] : undefined;
}

function googleMessage(message: string): string {
  const parsed = parseJson(message);
  const inner = isRecord(parsed) && isRecord(parsed['error']) ? parsed['error']['message'] : undefined;
  return typeof inner === 'string' ? inner : message;
}

/** Seconds, from headers as a plain object (Kubernetes) or as fetch has them (gaxios). */
function retryAfter(headers: unknown): number | undefined {
  if (!isRecord(headers)) return undefined;
  const value = headers instanceof Headers ? headers.get('retry-after') : headers['retry-after'];
  const seconds = Number(value);
  return Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

import { type IncomingHttp, type OutgoingHttp, SendError } from './host.ts';

/** What a workflow's `http.*` calls go through in a running local cloud. Redirects are followed. */
export async function sendByFetch(request: OutgoingHttp): Promise<IncomingHttp> {
  const { method, url, headers, body, signal } = request;
  try {
    const response = await fetch(url, {
      method,
      headers,
      signal,
      ...(body === undefined ? {} : { body: new Uint8Array(body) }),
    });
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: Buffer.from(await response.arrayBuffer()),
    };
  } catch (error) {
    throw asSendError(error, new URL(url).host);
  }
}

/** Errors before a connection stands; the request cannot have been delivered. */
const NEVER_CONNECTED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
]);

function asSendError(error: unknown, host: string): SendError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = codeOf(cause);
  const reason = cause instanceof Error ? cause.message || code : String(cause);
  const kind = NEVER_CONNECTED.has(code) ? 'ConnectionFailed' : 'ConnectionBroken';
  return new SendError(kind, `${host}: ${reason}`, error);
}

/** A name with several addresses fails with one error per address. */
function codeOf(cause: unknown): string {
  if (cause instanceof AggregateError) return codeOf(cause.errors[0]);
  return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
}

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';

/** A request, without its transport. `path` is percent-decoded by nobody: handlers split first and decode then. */
export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The body as it arrives, of requests that the server was told to stream; `body` is empty then. */
  readonly stream?: AsyncIterable<Uint8Array>;
}

export interface HttpReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Objects are sent as JSON. */
  readonly body?: string | Buffer | Readable | object | undefined;
}

/** A transport-free handler: the whole of a local API, to be called directly or served over HTTP. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpReply> | HttpReply;

export interface HttpServer {
  readonly port: number;
  /** `http://127.0.0.1:PORT`, no trailing slash. */
  readonly url: string;
  close(): Promise<void>;
}

/** Which requests have bodies that may be too large for memory. */
export type IsStreamed = (request: Pick<HttpRequest, 'method' | 'path'>) => boolean;

/** Serves a handler on a free loopback port (or the given one). */
export async function serve(handler: HttpHandler, port = 0, isStreamed?: IsStreamed): Promise<HttpServer> {
  const server = http.createServer((incoming, outgoing) => {
    answer(handler, incoming, outgoing, isStreamed).catch(error => {
      if (!outgoing.headersSent) outgoing.writeHead(500, { 'content-type': 'text/plain' });
      outgoing.end(String(error));
    });
  });
  server.requestTimeout = 0;
  server.keepAliveTimeout = 60_000;
  return listen(server, port);
}

/** Starts any HTTP(S) server on loopback and gives it a `close` that does not wait for idle connections. */
export async function listen(
  server: http.Server,
  port = 0,
  scheme: 'http' | 'https' = 'http',
): Promise<HttpServer> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    port: bound,
    url: `${scheme}://127.0.0.1:${bound}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export async function answer(
  handler: HttpHandler,
  incoming: http.IncomingMessage,
  outgoing: http.ServerResponse,
  isStreamed: IsStreamed = () => false,
): Promise<void> {
  const url = new URL(incoming.url ?? '/', 'http://localhost');
  const method = incoming.method ?? 'GET';
  const streamed = isStreamed({ method, path: url.pathname });
  const reply = await handler({
    method,
    path: url.pathname,
    query: url.searchParams,
    headers: singleHeaders(incoming.headers),
    body: streamed ? Buffer.alloc(0) : await readAll(incoming),
    ...(streamed ? { stream: incoming } : {}),
  });
  send(reply, incoming, outgoing);
}

async function readAll(incoming: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function send(reply: HttpReply, incoming: http.IncomingMessage, outgoing: http.ServerResponse): void {
  const { body } = reply;
  if (isStream(body)) {
    if (body.destroyed) {
      outgoing.destroy();
      return;
    }
    outgoing.writeHead(reply.status, reply.headers);
    // A watch may have nothing to say for long; its client waits for the headers.
    outgoing.flushHeaders();
    body.on('error', () => outgoing.destroy());
    outgoing.on('close', () => body.destroy());
    body.pipe(outgoing);
    return;
  }
  const isJson = typeof body === 'object' && !Buffer.isBuffer(body);
  const bytes = isJson ? Buffer.from(JSON.stringify(body)) : Buffer.from(body ?? '');
  const type = isJson ? { 'content-type': 'application/json; charset=UTF-8' } : {};
  outgoing.writeHead(reply.status, { ...type, 'content-length': String(bytes.length), ...reply.headers });
  outgoing.end(incoming.method === 'HEAD' ? undefined : bytes);
}

function isStream(body: HttpReply['body']): body is Readable {
  return typeof body === 'object' && body !== null && 'pipe' in body;
}

function singleHeaders(headers: http.IncomingHttpHeaders): Record<string, string> {
  const single: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) single[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return single;
}

/** Names of Google's canonical error codes and the HTTP status of each, https://cloud.google.com/apis/design/errors. */
const GOOGLE_STATUS = {
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ABORTED: 409,
  ALREADY_EXISTS: 409,
  RESOURCE_EXHAUSTED: 429,
  INTERNAL: 500,
  UNIMPLEMENTED: 501,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
} as const;

export type GoogleStatus = keyof typeof GOOGLE_STATUS;

/** Thrown by a local core; the HTTP handler of a Google API turns it into Google's error body. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: GoogleStatus;
  readonly details: readonly object[];

  constructor(status: GoogleStatus, message: string, details: readonly object[] = []) {
    super(message);
    this.status = status;
    this.details = details;
  }
}

export function googleError(error: ApiError): HttpReply {
  const code = GOOGLE_STATUS[error.status];
  return {
    status: code,
    body: { error: { code, message: error.message, status: error.status, details: error.details } },
  };
}

/** Turns what a core throws into Google's error bodies. */
export function googleApi(handler: HttpHandler): HttpHandler {
  return async request => {
    try {
      return await handler(request);
    } catch (error) {
      if (error instanceof ApiError) return googleError(error);
      return googleError(
        new ApiError('INTERNAL', error instanceof Error ? (error.stack ?? error.message) : String(error)),
      );
    }
  };
}

import http from 'node:http';
import { requestEntry, type WriteLog } from './log.ts';
import { answer, type Identity, isHealthPath } from './service.ts';
import type { Faults } from './settings.ts';

export interface Serving {
  readonly server: http.Server;
  /** Accepts nothing new, finishes what is in flight, and resolves when the last connection is closed. */
  drain(): Promise<void>;
}

export interface ServingOptions {
  readonly identity: Identity;
  readonly faults: Faults;
  readonly project: string | undefined;
  readonly writeLog: WriteLog;
  readonly random: () => number;
  /** Milliseconds from any origin, never going back. */
  readonly nowMs: () => number;
}

/** Google's load balancers keep idle connections for 600 s; the side that receives requests must outlast that. */
const KEEP_ALIVE_MS = 620_000;

export function createServing(options: ServingOptions): Serving {
  let draining = false;
  const server = http.createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    request.resume();
    serve(options, () => draining, request, response);
    response.on('close', () => {
      if (draining) server.closeIdleConnections();
    });
  });
  return {
    server,
    drain() {
      draining = true;
      return new Promise(resolve => {
        server.close(() => resolve());
      });
    },
  };
}

function serve(
  options: ServingOptions,
  isDraining: () => boolean,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): void {
  const startMs = options.nowMs();
  const method = request.method ?? 'GET';
  const url = request.url ?? '/';
  const path = url.split('?', 1)[0] ?? '/';
  const headers = firstValues(request.headers);
  const { identity, faults, random } = options;
  const reply = answer({ method, path, headers }, identity, faults, { draining: isDraining(), random });
  const body = `${JSON.stringify(reply.body)}\n`;
  const responseBytes = Buffer.byteLength(body);

  const send = () => {
    // A request that was waiting when SIGTERM came must not keep its connection open either.
    if (isDraining()) response.setHeader('connection', 'close');
    response.writeHead(reply.status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': responseBytes,
      ...reply.headers,
    });
    response.end(method === 'HEAD' ? undefined : body);
    if (isHealthPath(path)) return;
    const exchange = {
      method,
      url,
      status: reply.status,
      latencyMs: options.nowMs() - startMs,
      responseBytes,
      headers,
      remoteIp: request.socket.remoteAddress,
      protocol: `HTTP/${request.httpVersion}`,
    };
    options.writeLog(requestEntry(exchange, options.project));
  };
  if (reply.delayMs > 0) setTimeout(send, reply.delayMs);
  else send();
}

function firstValues(headers: http.IncomingHttpHeaders): Record<string, string | undefined> {
  const single: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(headers)) single[name] = Array.isArray(value) ? value[0] : value;
  return single;
}

import http from 'node:http';
import { GUIDE_PATH, type Guide } from './guide.ts';
import { requestEntry, type WriteLog } from './log.ts';
import {
  answer,
  type Identity,
  isHealthPath,
  isPlainHttp,
  isRead,
  type Reply,
  type Request,
  redirectToHttps,
} from './service.ts';
import type { Faults } from './settings.ts';

export interface Serving {
  readonly server: http.Server;
  /** Accepts nothing new, finishes what is in flight, and resolves when the last connection is closed. */
  drain(): Promise<void>;
}

export interface ServingOptions {
  readonly identity: Identity;
  readonly faults: Faults;
  readonly httpsRedirect: boolean;
  readonly guide: Guide;
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

async function serve(
  options: ServingOptions,
  isDraining: () => boolean,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const startMs = options.nowMs();
  const method = request.method ?? 'GET';
  const url = request.url ?? '/';
  const path = url.split('?', 1)[0] ?? '/';
  const headers = firstValues(request.headers);
  const reply = await replyTo(
    options,
    { method, path, query: url.slice(path.length), headers },
    isDraining(),
  );
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

/** For a year browsers then ask by HTTPS at once. Without an HTTPS front it would lock them out. */
const ONLY_HTTPS = { 'strict-transport-security': 'max-age=31536000' };

async function replyTo(options: ServingOptions, request: Request, draining: boolean): Promise<Reply> {
  const { httpsRedirect, guide, identity, faults, random } = options;
  if (httpsRedirect && isRead(request) && isPlainHttp(request)) return redirectToHttps(request);
  const isForGuide = request.path === GUIDE_PATH && isRead(request);
  const reply = isForGuide ? await guide(request) : answer(request, identity, faults, { draining, random });
  return httpsRedirect ? { ...reply, headers: { ...reply.headers, ...ONLY_HTTPS } } : reply;
}

function firstValues(headers: http.IncomingHttpHeaders): Record<string, string | undefined> {
  const single: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(headers)) single[name] = Array.isArray(value) ? value[0] : value;
  return single;
}

import http from 'node:http';
import type { Clock } from '../clock.ts';
import { ApiError, googleError, type HttpServer, listen } from '../http.ts';
import { chooseBackend, RoundRobin } from './choice.ts';
import type { Backend, ServedRequest } from './dataplane.ts';
import { type Outcome, proxy } from './proxy.ts';

export interface FrontRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

type Resolved = readonly Backend[] | undefined;

export interface FrontOptions {
  /** For error texts: `load balancer hello`. */
  readonly name: string;
  /** Asked anew for every request. Undefined: nothing is routed there. May throw ApiError to refuse the request. */
  readonly resolve: (request: FrontRequest) => Resolved | Promise<Resolved>;
  /** From 0 up to and without 1. */
  readonly random: () => number;
  readonly clock: Clock;
  /** Called once per request that belonged to a backend and was answered, by an instance or in its place. */
  readonly onServed: (served: ServedRequest) => void;
  readonly addHeaders?: (request: FrontRequest, backend: Backend) => Readonly<Record<string, string>>;
  /** Until an instance begins to answer; Cloud Run's default is five minutes. */
  readonly timeoutMs?: number;
  readonly port?: number;
}

const TIMEOUT_MS = 300_000;
const IDLE_MS = 610_000;

/**
 * A load balancer's front: real requests, split by weight over backends and in turn over their instances. Instances
 * that are no longer listed get nothing new, and what they are working on is finished.
 */
export async function startFront(options: FrontOptions): Promise<HttpServer> {
  const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 32 });
  const turns = new RoundRobin();
  const server = http.createServer({ keepAliveTimeout: IDLE_MS, requestTimeout: 0 }, (incoming, outgoing) => {
    serveOne(options, agent, turns, incoming, outgoing).catch(error => refuse(outgoing, error));
  });
  const listening = await listen(server, options.port);
  return {
    ...listening,
    async close() {
      await listening.close();
      agent.destroy();
    },
  };
}

async function serveOne(
  options: FrontOptions,
  agent: http.Agent,
  turns: RoundRobin,
  incoming: http.IncomingMessage,
  outgoing: http.ServerResponse,
): Promise<void> {
  const { clock, name } = options;
  const startMs = clock.nowMs();
  const request = frontRequest(incoming);
  const backends = await options.resolve(request);
  if (!backends) return answerText(outgoing, 404, `${name}: nothing is routed to ${request.path}`);
  const backend = chooseBackend(backends, options.random());
  if (!backend) return answerText(outgoing, 503, `${name}: no backend has any weight`);

  outgoing.once('finish', () => {
    const atMs = clock.nowMs();
    options.onServed({ atMs, by: backend.by, status: outgoing.statusCode, latencyMs: atMs - startMs });
  });
  const outcome = await proxy({
    incoming,
    outgoing,
    agent,
    urls: turns.order(backend),
    headers: { ...forwarded(incoming), ...options.addHeaders?.(request, backend) },
    clock,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
  });
  const answer = answerFor(outcome);
  if (answer) answerText(outgoing, answer.status, `${name}: ${answer.text}`);
}

function frontRequest(incoming: http.IncomingMessage): FrontRequest {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  const path = (incoming.url ?? '/').split('?', 1)[0] || '/';
  return { method: incoming.method ?? 'GET', path, headers };
}

function forwarded(incoming: http.IncomingMessage): Record<string, string> {
  const before = incoming.headers['x-forwarded-for'];
  const caller = incoming.socket.remoteAddress ?? 'unknown';
  return {
    'x-forwarded-for': before === undefined ? caller : `${before}, ${caller}`,
    'x-forwarded-proto': 'http',
    via: '1.1 google',
  };
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** What the caller is told in an instance's place; undefined when there is nobody left to tell. */
function answerFor(outcome: Outcome): Answer | undefined {
  switch (outcome.kind) {
    case 'answered':
    case 'abandoned':
      return undefined;
    case 'noInstance':
      return { status: 503, text: 'no instance is ready' };
    case 'unreachable':
      return { status: 503, text: `no instance accepts connections (${outcome.why})` };
    case 'broken':
      return { status: 502, text: `the instance broke off (${outcome.why})` };
    case 'late':
      return { status: 504, text: 'the instance did not answer in time' };
  }
}

function answerText(outgoing: http.ServerResponse, status: number, text: string): void {
  if (outgoing.headersSent) {
    outgoing.destroy();
    return;
  }
  outgoing.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  outgoing.end(`${text}\n`);
}

function refuse(outgoing: http.ServerResponse, error: unknown): void {
  if (error instanceof ApiError) answerText(outgoing, googleError(error).status, error.message);
  else answerText(outgoing, 500, String(error));
}

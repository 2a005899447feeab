import http from 'node:http';
import { pipeline } from 'node:stream';
import type { Clock } from '../clock.ts';

export interface ProxyTask {
  readonly incoming: http.IncomingMessage;
  readonly outgoing: http.ServerResponse;
  readonly agent: http.Agent;
  /** Instances, the preferred one first. */
  readonly urls: readonly string[];
  /** Set over what the caller sent. */
  readonly headers: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** Unless `answered`, nothing has been sent to the caller. */
export type Outcome =
  | { readonly kind: 'answered' }
  /** The caller went away. */
  | { readonly kind: 'abandoned' }
  | { readonly kind: 'noInstance' }
  | { readonly kind: 'unreachable'; readonly why: string }
  | { readonly kind: 'broken'; readonly why: string }
  | { readonly kind: 'late' };

type Attempt = Outcome | { readonly kind: 'staleConnection' };

/** https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1; `transfer-encoding` is Node's business on the way back only. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'expect',
]);
const REPEATABLE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/**
 * Passes one request on to an instance and its answer back, both as streams. A second attempt is made only where the
 * first instance cannot have seen the request, or where seeing it twice does no harm.
 */
export async function proxy(task: ProxyTask): Promise<Outcome> {
  const [first, second = first] = task.urls;
  if (first === undefined || second === undefined) return { kind: 'noInstance' };
  const attempt = await forward(task, first, task.agent);
  if (attempt.kind === 'unreachable' && second !== first)
    return final(await forward(task, second, task.agent));
  if (attempt.kind === 'staleConnection') return final(await forward(task, second, false));
  return attempt;
}

function final(attempt: Attempt): Outcome {
  return attempt.kind === 'staleConnection' ? { kind: 'broken', why: 'connection closed' } : attempt;
}

function forward(task: ProxyTask, url: string, agent: http.Agent | false): Promise<Attempt> {
  const { incoming, outgoing } = task;
  const { hostname, port } = new URL(url);
  const hasBody =
    incoming.headers['transfer-encoding'] !== undefined || Number(incoming.headers['content-length']) > 0;
  return new Promise(resolve => {
    const upstream = http.request({
      hostname,
      port,
      method: incoming.method,
      path: incoming.url,
      headers: requestHeaders(incoming, task.headers),
      setHost: false,
      agent,
    });
    let connected = false;
    const cancelTimeout = task.clock.after(task.timeoutMs, () => settle({ kind: 'late' }));
    const onCallerGone = () => settle({ kind: 'abandoned' });
    const settle = (attempt: Attempt) => {
      cancelTimeout();
      outgoing.off('close', onCallerGone);
      if (attempt.kind !== 'answered') upstream.destroy();
      resolve(attempt);
    };
    outgoing.once('close', onCallerGone);
    upstream.once('response', answer => {
      settle({ kind: 'answered' });
      passBack(answer, outgoing);
    });
    upstream.on('error', error => {
      const isStale = upstream.reusedSocket && !hasBody && REPEATABLE.has(incoming.method ?? '');
      if (!connected) settle({ kind: 'unreachable', why: error.message });
      else if (isStale) settle({ kind: 'staleConnection' });
      else settle({ kind: 'broken', why: error.message });
    });
    upstream.once('socket', socket => {
      // Nothing is taken from the caller before there is somebody to give it to: a refused body is still whole.
      const send = () => {
        connected = true;
        if (hasBody) incoming.pipe(upstream);
        else upstream.end();
      };
      if (socket.connecting) socket.once('connect', send);
      else send();
    });
  });
}

function passBack(answer: http.IncomingMessage, outgoing: http.ServerResponse): void {
  outgoing.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', responseHeaders(answer));
  if (answer.headers['content-length'] === undefined) outgoing.flushHeaders();
  // On an error of either side pipeline destroys both: a caller must see a broken answer as broken.
  pipeline(answer, outgoing, () => {});
}

function requestHeaders(
  incoming: http.IncomingMessage,
  added: Readonly<Record<string, string>>,
): http.OutgoingHttpHeaders {
  const headers: http.OutgoingHttpHeaders = {};
  const named = connectionHeaders(incoming);
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (!HOP_BY_HOP.has(name) && !named.has(name)) headers[name] = value;
  }
  return { ...headers, ...added };
}

/** As a flat list of names and values, so that repeated headers stay repeated. */
function responseHeaders(answer: http.IncomingMessage): string[] {
  const headers: string[] = [];
  const named = connectionHeaders(answer);
  const raw = answer.rawHeaders;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [name = '', value = ''] = raw.slice(at, at + 2);
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || named.has(lower) || lower === 'transfer-encoding') continue;
    headers.push(name, value);
  }
  return headers;
}

function connectionHeaders({ headers }: http.IncomingMessage): ReadonlySet<string> {
  return new Set(headers.connection?.split(',').map(name => name.trim().toLowerCase()));
}

import type { Faults } from './settings.ts';

/** Who answers: this goes into every body, so that a caller can tell revisions and regions apart. */
export interface Identity {
  readonly service: string;
  readonly version: string;
  readonly revision: string;
  readonly architecture: string;
  readonly region: string;
}

export interface Request {
  readonly method: string;
  readonly path: string;
  /** With its question mark, or empty. */
  readonly query: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object;
  /** To be waited before it is sent. */
  readonly delayMs: number;
}

export interface Conditions {
  /** SIGTERM has arrived: no longer ready, and connections are to be closed. */
  readonly draining: boolean;
  /** From 0 up to and without 1. */
  readonly random: () => number;
}

/** `/health` is the same as `/healthz`, which Cloud Run's frontend keeps from reaching a container. */
const HEALTH_PATHS: ReadonlySet<string> = new Set(['/healthz', '/health', '/readyz']);

export function isHealthPath(path: string): boolean {
  return HEALTH_PATHS.has(path);
}

export function isRead({ method }: Request): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** What the load balancer says about the caller, as `REGION,CITY`; null without one. */
export function clientLocation({ headers }: Request): string | null {
  return headers['x-client-geo-location'] || null;
}

/** The load balancer ends TLS and says in a header how the request came. Health checks come without, and stay. */
export function isPlainHttp({ path, headers }: Request): boolean {
  return headers['x-forwarded-proto']?.toLowerCase() === 'http' && !isHealthPath(path);
}

export function redirectToHttps({ path, query, headers }: Request): Reply {
  const host = /^([a-z0-9.-]+)(?::\d+)?$/i.exec(headers['host'] ?? '')?.[1];
  if (!host) {
    const error = 'use https: this request says no host to redirect to';
    return { status: 400, headers: {}, body: { error }, delayMs: 0 };
  }
  // A request line may hold a whole URL, which must not end up behind the host.
  const location = `https://${host}${path.startsWith('/') ? path : '/'}${query}`;
  return { status: 301, headers: { location }, body: { location }, delayMs: 0 };
}

export function answer(
  request: Request,
  identity: Identity,
  faults: Faults,
  { draining, random }: Conditions,
): Reply {
  const headers: Record<string, string> = draining ? { connection: 'close' } : {};
  const reply = (status: number, body: object, delayMs = 0): Reply => ({ status, headers, body, delayMs });

  if (!isRead(request)) {
    headers['allow'] = 'GET, HEAD';
    return reply(405, { error: `${request.method} is not supported here, use GET` });
  }
  if (request.path === '/readyz' && draining) return reply(503, { status: 'stopping' });
  if (isHealthPath(request.path)) return reply(200, { status: 'ok' });
  if (request.path !== '/') return reply(404, { error: `nothing at ${request.path}` });

  const body = { ...identity, clientLocation: clientLocation(request) };
  if (random() < faults.failRatio) {
    return reply(500, { ...body, error: 'failing on purpose (FAIL_RATIO)' }, faults.latencyMs);
  }
  return reply(200, body, faults.latencyMs);
}

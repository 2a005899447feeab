import { describe, expect, it } from 'vitest';
import { answer, type Conditions, isPlainHttp, type Request, redirectToHttps } from '../../../app/service.ts';
import type { Faults } from '../../../app/settings.ts';

const identity = {
  service: 'hello',
  version: 'v1.1.0',
  revision: 'hello-2',
  architecture: 'arm64',
  region: 'us-east4',
};

interface World {
  readonly request?: Partial<Request>;
  readonly faults?: Partial<Faults>;
  readonly conditions?: Partial<Conditions>;
}

function ask({ request, faults, conditions }: World = {}) {
  return answer(
    { method: 'GET', path: '/', query: '', headers: {}, ...request },
    identity,
    { failRatio: 0, latencyMs: 0, failStart: false, ...faults },
    { draining: false, random: () => 0.5, ...conditions },
  );
}

describe('/', () => {
  it('says who answers and where the client is', () => {
    const reply = ask({ request: { headers: { 'x-client-geo-location': 'USNY,New York' } } });
    expect(reply).toEqual({
      status: 200,
      headers: {},
      body: { ...identity, clientLocation: 'USNY,New York' },
      delayMs: 0,
    });
  });

  it('knows no client location without a load balancer', () => {
    expect(ask().body).toEqual({ ...identity, clientLocation: null });
  });

  it.each([
    [0.19, 500],
    [0.2, 200],
  ])('with FAIL_RATIO=0.2 and a draw of %d answers %d', (draw, status) => {
    const reply = ask({ faults: { failRatio: 0.2 }, conditions: { random: () => draw } });
    expect(reply.status).toBe(status);
  });

  it('says who failed', () => {
    const reply = ask({ faults: { failRatio: 1 } });
    expect(reply.status).toBe(500);
    expect(reply.body).toEqual({
      ...identity,
      clientLocation: null,
      error: 'failing on purpose (FAIL_RATIO)',
    });
  });

  it('takes longer with LATENCY_MS', () => {
    expect(ask({ faults: { latencyMs: 300 } }).delayMs).toBe(300);
    expect(ask({ faults: { latencyMs: 300, failRatio: 1 } }).delayMs).toBe(300);
  });
});

describe('health', () => {
  it.each(['/healthz', '/health', '/readyz'])('%s is well, whatever faults are on', path => {
    const reply = ask({ request: { path }, faults: { failRatio: 1, latencyMs: 300 } });
    expect(reply).toMatchObject({ status: 200, body: { status: 'ok' }, delayMs: 0 });
  });

  it('is alive but not ready while it stops', () => {
    const conditions = { draining: true };
    expect(ask({ request: { path: '/healthz' }, conditions }).status).toBe(200);
    expect(ask({ request: { path: '/readyz' }, conditions }).status).toBe(503);
  });
});

it('asks callers to close their connections while it stops', () => {
  expect(ask({ conditions: { draining: true } }).headers).toEqual({ connection: 'close' });
});

it('knows no other path and no other method', () => {
  expect(ask({ request: { path: '/favicon.ico' } })).toMatchObject({
    status: 404,
    body: { error: 'nothing at /favicon.ico' },
  });
  expect(ask({ request: { method: 'POST' } })).toMatchObject({
    status: 405,
    headers: { allow: 'GET, HEAD' },
    body: { error: 'POST is not supported here, use GET' },
  });
});

describe('behind a load balancer that ends TLS', () => {
  const asked = (path: string, headers: Request['headers'], query = ''): Request => ({
    method: 'GET',
    path,
    query,
    headers,
  });

  it.each([
    ['/', { 'x-forwarded-proto': 'http' }, true],
    ['/', { 'x-forwarded-proto': 'HTTP' }, true],
    ['/', { 'x-forwarded-proto': 'https' }, false],
    ['/', {}, false],
    ['/readyz', { 'x-forwarded-proto': 'http' }, false],
  ] as const)('%s with %o came by plain HTTP: %s', (path, headers, expected) => {
    expect(isPlainHttp(asked(path, headers))).toBe(expected);
  });

  it('sends what came by HTTP to the same place by HTTPS', () => {
    expect(redirectToHttps(asked('/guide', { host: 'hello.example.com:80' }, '?topic=tea'))).toMatchObject({
      status: 301,
      headers: { location: 'https://hello.example.com/guide?topic=tea' },
    });
  });

  it('never sends to another host than the one that was asked', () => {
    const absolute = asked('http://evil.example/', { host: 'hello.example.com' });
    expect(redirectToHttps(absolute).headers).toEqual({ location: 'https://hello.example.com/' });
    for (const host of [undefined, '', 'hello.example.com@evil.example', 'a b', 'a/b']) {
      expect(redirectToHttps(asked('/', { host })).status).toBe(400);
    }
  });
});

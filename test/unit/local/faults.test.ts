import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { realClock, VirtualClock } from '../../../local/clock.ts';
import { type Fault, Faults, Hold } from '../../../local/faults.ts';
import { type HttpHandler, type HttpServer, serve } from '../../../local/http.ts';

describe('faults', () => {
  let faults: Faults;
  let server: HttpServer;
  let handled: string[];

  beforeEach(async () => {
    handled = [];
    faults = new Faults(realClock, () => 0.5);
    server = await serve(faults.wrap(recording(handled)));
  });

  afterEach(async () => {
    faults.clear();
    await server.close();
  });

  test('nothing happens without rules', async () => {
    const response = await fetch(`${server.url}/a`);

    expect(response.status).toBe(200);
    expect(handled).toEqual(['GET /a']);
  });

  test('a status refuses the request with the error body of Google and is over after its times', async () => {
    faults.inject({ times: 1, fault: { kind: 'status', status: 429, retryAfterSeconds: 7 } });

    const refused = await fetch(`${server.url}/a`);
    const passed = await fetch(`${server.url}/a`);

    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('7');
    expect(await refused.json()).toMatchObject({ error: { code: 429, status: 'RESOURCE_EXHAUSTED' } });
    expect(passed.status).toBe(200);
    expect(handled).toEqual(['GET /a']);
  });

  test('a body of another API is answered as it is', async () => {
    const body = { kind: 'Status', reason: 'Conflict' };
    faults.inject({ fault: { kind: 'status', status: 409, body } });

    const response = await fetch(`${server.url}/a`);

    expect(response.status).toBe(409);
    expect(await response.json()).toEqual(body);
  });

  test('a lost answer is one to a request that was handled', async () => {
    faults.inject({ methods: ['POST'], fault: { kind: 'loseAnswer' } });

    await expect(fetch(`${server.url}/a`, { method: 'POST' })).rejects.toThrow('fetch failed');

    expect(handled).toEqual(['POST /a']);
  });

  test('a request that hangs is not handled, and its connection is cut when the faults are cleared', async () => {
    faults.inject({ fault: { kind: 'hang' } });
    const hanging = faults.wrap(recording(handled))(request('/a'));

    faults.clear();

    const { body } = await hanging;
    await expect(text(Readable.from(body as Readable))).rejects.toThrow('Premature close');
    expect(handled).toEqual([]);
  });

  test('method, path and skip choose the requests', async () => {
    faults.inject({ methods: ['GET'], path: /^\/b/, skip: 1, fault: { kind: 'status', status: 503 } });

    const answers = [];
    for (const path of ['/a', '/b', '/b', '/b']) answers.push((await fetch(`${server.url}${path}`)).status);

    expect(answers).toEqual([200, 200, 503, 503]);
  });

  test.each([
    [0.4, 200],
    [0.6, 503],
  ])('a probability of %f against a random 0.5 answers %i', async (probability, status) => {
    faults.inject({ probability, fault: { kind: 'status', status: 503 } });

    expect((await fetch(`${server.url}/a`)).status).toBe(status);
  });

  test('a rule is over when it is removed', async () => {
    const remove = faults.inject({ fault: { kind: 'status', status: 503 } });
    remove();

    expect((await fetch(`${server.url}/a`)).status).toBe(200);
  });
});

test('latency delays a request by time of the clock and lets it through', async () => {
  const clock = new VirtualClock();
  const handled: string[] = [];
  const faults = new Faults(clock);
  const latency: Fault = { kind: 'latency', ms: 200 };
  faults.inject({ fault: latency });
  faults.inject({ fault: latency });

  const reply = faults.wrap(recording(handled))(request('/a'));
  await clock.advance(399);
  expect(handled).toEqual([]);
  await clock.advance(1);

  expect((await reply).status).toBe(200);
  expect(handled).toEqual(['GET /a']);
});

function recording(handled: string[]): HttpHandler {
  return ({ method, path }) => {
    handled.push(`${method} ${path}`);
    return { status: 200, body: { ok: true } };
  };
}

function request(path: string) {
  return { method: 'GET', path, query: new URLSearchParams(), headers: {}, body: Buffer.alloc(0) };
}

test('a request that is held is handled when it is let go, and says how it was answered', async () => {
  const handled: string[] = [];
  const faults = new Faults(new VirtualClock());
  const hold = new Hold();
  faults.inject({ path: /^\/a$/, times: 1, fault: { kind: 'hold', hold } });
  const api = faults.wrap(recording(handled));
  const late = api(request('/a'));
  await hold.caught;
  await api(request('/a'));
  await api(request('/b'));
  expect(handled).toEqual(['GET /a', 'GET /b']);
  expect(await hold.release()).toBe(200);
  expect(handled).toEqual(['GET /a', 'GET /b', 'GET /a']);
  expect((await late).status).toBe(200);
});

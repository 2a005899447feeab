import http from 'node:http';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { realClock, VirtualClock } from '../../../../local/clock.ts';
import type { Backend, ServedRequest } from '../../../../local/dataplane/dataplane.ts';
import { type FrontOptions, startFront } from '../../../../local/dataplane/fronts.ts';
import { ApiError, type HttpServer } from '../../../../local/http.ts';
import { cloudRunBackend, gkeBackend, sequence, startInstance } from './fixtures/backends.ts';
import { eventually } from './fixtures/instances.ts';

const open: HttpServer[] = [];

afterEach(() => Promise.all(open.splice(0).map(server => server.close())));

async function instance(handler: http.RequestListener): Promise<HttpServer> {
  const server = await startInstance(handler);
  open.push(server);
  return server;
}

async function front(resolve: FrontOptions['resolve'], more: Partial<FrontOptions> = {}) {
  const served: ServedRequest[] = [];
  const server = await startFront({
    name: 'front',
    resolve,
    random: () => 0,
    clock: realClock,
    onServed: request => served.push(request),
    ...more,
  });
  open.push(server);
  return { url: server.url, served };
}

/** An address where nothing listens. */
async function deadUrl(): Promise<string> {
  const server = await startInstance(() => {});
  await server.close();
  return server.url;
}

async function named(name: string): Promise<string> {
  return (await instance((_request, response) => response.end(name))).url;
}

async function get(url: string): Promise<string> {
  return (await fetch(url)).text();
}

describe('splitting', () => {
  it('goes by weight', async () => {
    const backends = [
      cloudRunBackend('hello-1', 75, [await named('stable')]),
      cloudRunBackend('hello-2', 25, [await named('canary')]),
    ];
    const { url, served } = await front(() => backends, { random: sequence(0, 0.3, 0.74, 0.76) });
    const answers = [await get(url), await get(url), await get(url), await get(url)];
    expect(answers).toEqual(['stable', 'stable', 'stable', 'canary']);
    expect(served.map(({ by }) => (by.kind === 'cloudRun' ? by.revision : ''))).toEqual([
      'hello-1',
      'hello-1',
      'hello-1',
      'hello-2',
    ]);
  });

  it('takes the instances of a backend in turn', async () => {
    const backend = gkeBackend('hello', 1, [await named('one'), await named('two')]);
    const { url } = await front(() => [backend]);
    expect([await get(url), await get(url), await get(url)]).toEqual(['one', 'two', 'one']);
  });

  it('asks for the backends at each request', async () => {
    let backends = [gkeBackend('hello', 1, [await named('before')])];
    const { url } = await front(async () => backends);
    expect(await get(url)).toBe('before');
    backends = [gkeBackend('hello', 1, [await named('after')])];
    expect(await get(url)).toBe('after');
  });

  it('tells the resolver method, path and headers', async () => {
    const backend = gkeBackend('hello', 1, [await named('x')]);
    const requests: unknown[] = [];
    const { url } = await front(({ method, path, headers }) => {
      requests.push([method, path, headers['x-test']]);
      return [backend];
    });
    await fetch(`${url}/some/path?query=1`, { method: 'POST', headers: { 'x-test': 'yes' } });
    expect(requests).toEqual([['POST', '/some/path', 'yes']]);
  });
});

describe('passing on', () => {
  it('the request as it came, with what a load balancer adds', async () => {
    const seen = await instance(async (request, response) => {
      const { method, url, headers } = request;
      response.end(JSON.stringify({ method, url, headers, body: await text(request) }));
    });
    const backend = gkeBackend('hello', 1, [seen.url]);
    const { url } = await front(() => [backend], { addHeaders: () => ({ 'x-added': 'yes' }) });
    const response = await fetch(`${url}/a%20b?c=d`, {
      method: 'PUT',
      body: 'the body',
      headers: { host: 'hello.example', 'x-forwarded-for': '10.0.0.1', te: 'trailers', 'x-added': 'no' },
    });
    const got = JSON.parse(await response.text());
    expect(got).toMatchObject({ method: 'PUT', url: '/a%20b?c=d', body: 'the body' });
    expect(got.headers).toMatchObject({
      'x-forwarded-for': '10.0.0.1, 127.0.0.1',
      'x-forwarded-proto': 'http',
      via: '1.1 google',
      'x-added': 'yes',
    });
    expect(got.headers.te).toBeUndefined();
  });

  it('the answer as it came, repeated headers too', async () => {
    const answering = await instance((_request, response) => {
      response.writeHead(418, 'Short and stout', [
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2'],
        ['X-Other', 'kept'],
      ]);
      response.end('tea');
    });
    const { url, served } = await front(() => [gkeBackend('hello', 1, [answering.url])]);
    const response = await fetch(url);
    expect([response.status, response.statusText]).toEqual([418, 'Short and stout']);
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(response.headers.get('x-other')).toBe('kept');
    expect(await response.text()).toBe('tea');
    expect(served.map(({ status }) => status)).toEqual([418]);
  });

  it('bodies as streams, in both directions at a time', async () => {
    const echo = await instance((request, response) => request.pipe(response));
    const { url } = await front(() => [gkeBackend('hello', 1, [echo.url])]);
    const request = http.request(url, { method: 'POST' });
    const responded = new Promise<http.IncomingMessage>(resolve => request.once('response', resolve));
    request.write('first');
    const response = await responded;
    const first = await new Promise(resolve => response.once('data', chunk => resolve(String(chunk))));
    request.end('second');
    expect(first).toBe('first');
    expect(await text(response)).toBe('second');
  });

  it('large bodies whole', async () => {
    const echo = await instance((request, response) => request.pipe(response));
    const { url } = await front(() => [gkeBackend('hello', 1, [echo.url])]);
    const body = Buffer.alloc(3_000_000, 'slipway');
    const response = await fetch(url, { method: 'POST', body });
    expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true);
  });

  it('answers to HEAD without a body', async () => {
    const { url } = await front(async () => [gkeBackend('hello', 1, [await named('x')])]);
    const response = await fetch(url, { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
  });
});

describe('when there is nobody to answer', () => {
  it('503 in the name of a backend without ready instances', async () => {
    const { url, served } = await front(() => [gkeBackend('hello', 1, [])]);
    const response = await fetch(url);
    expect([response.status, await response.text()]).toEqual([503, 'front: no instance is ready\n']);
    await eventually(() => served.length === 1);
    expect(served[0]).toMatchObject({ status: 503, by: { service: 'hello' } });
  });

  it('404 where nothing is routed, and nobody is charged for it', async () => {
    const { url, served } = await front(() => undefined);
    const response = await fetch(`${url}/nowhere`);
    expect([response.status, await response.text()]).toEqual([404, 'front: nothing is routed to /nowhere\n']);
    expect(served).toEqual([]);
  });

  it('503 when no backend has any weight', async () => {
    const { url } = await front(async () => [gkeBackend('hello', 0, [await named('x')])]);
    expect((await fetch(url)).status).toBe(503);
  });

  it('what the resolver refuses with', async () => {
    const { url } = await front(() => {
      throw new ApiError('INVALID_ARGUMENT', 'no such place');
    });
    const response = await fetch(url);
    expect([response.status, await response.text()]).toEqual([400, 'no such place\n']);
  });
});

describe('trouble with an instance', () => {
  it('a refused connection is tried on the next instance, with the body still whole', async () => {
    const echo = await instance((request, response) => request.pipe(response));
    const { url, served } = await front(async () => [gkeBackend('hello', 1, [await deadUrl(), echo.url])]);
    const response = await fetch(url, { method: 'POST', body: 'hello' });
    expect([response.status, await response.text()]).toEqual([200, 'hello']);
    expect(served.map(({ status }) => status)).toEqual([200]);
  });

  it('503 when two instances refuse', async () => {
    const urls = [await deadUrl(), await deadUrl()];
    const { url } = await front(() => [gkeBackend('hello', 1, urls)]);
    const response = await fetch(url);
    expect(response.status).toBe(503);
    expect(await response.text()).toMatch(/no instance accepts connections \(connect ECONNREFUSED/);
  });

  it('502 when it breaks off before it answers, and no second try', async () => {
    let requests = 0;
    const breaking = await instance(request => {
      requests++;
      request.socket.destroy();
    });
    const { url } = await front(() => [gkeBackend('hello', 1, [breaking.url, breaking.url])]);
    expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(502);
    expect(requests).toBe(1);
  });

  it('an answer that breaks off in the middle is broken for the caller too', async () => {
    const breaking = await instance((request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => request.socket.destroy());
    });
    const { url } = await front(() => [gkeBackend('hello', 1, [breaking.url])]);
    await expect(get(url)).rejects.toThrow();
  });

  /** Answers the first request of each connection and resets it at the second, as if it had been closed meanwhile. */
  async function closingKeptConnections(): Promise<string> {
    const used = new WeakSet<object>();
    const closing = await instance((request, response) => {
      if (used.has(request.socket)) request.socket.resetAndDestroy();
      else response.end('fine');
      used.add(request.socket);
    });
    return closing.url;
  }

  it('a kept connection that was closed meanwhile costs a GET nothing', async () => {
    const closing = await closingKeptConnections();
    const { url } = await front(() => [gkeBackend('hello', 1, [closing])]);
    expect([await get(url), await get(url), await get(url)]).toEqual(['fine', 'fine', 'fine']);
  });

  it('but a POST is not sent twice, for it may have been heard', async () => {
    const closing = await closingKeptConnections();
    const { url } = await front(() => [gkeBackend('hello', 1, [closing])]);
    await get(url);
    expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(502);
  });

  it('504 when it does not answer in time', async () => {
    const clock = new VirtualClock();
    let arrived = false;
    const silent = await instance(() => {
      arrived = true;
    });
    const { url, served } = await front(() => [gkeBackend('hello', 1, [silent.url])], {
      clock,
      timeoutMs: 60_000,
    });
    const response = fetch(url);
    await eventually(() => arrived);
    await clock.advance(60_000);
    expect((await response).status).toBe(504);
    await eventually(() => served.length === 1);
    expect(served[0]).toMatchObject({ status: 504, latencyMs: 60_000 });
  });

  it('an instance is told when the caller goes away', async () => {
    let told = false;
    const waiting = await instance(request => {
      request.socket.once('close', () => {
        told = true;
      });
      caller.abort();
    });
    const { url, served } = await front(() => [gkeBackend('hello', 1, [waiting.url])]);
    const caller = new AbortController();
    await expect(fetch(url, { signal: caller.signal })).rejects.toThrow('abort');
    await eventually(() => told);
    expect(served).toEqual([]);
  });
});

it('reports when and how long, by the clock it was given', async () => {
  const clock = new VirtualClock(1_000_000);
  const slow = await instance(async (_request, response) => {
    await clock.advance(250);
    response.end('x');
  });
  const { url, served } = await front(() => [cloudRunBackend('hello-1', 1, [slow.url])], { clock });
  await get(url);
  await eventually(() => served.length === 1);
  expect(served).toEqual([
    { atMs: 1_000_250, by: cloudRunBackend('hello-1', 1, []).by, status: 200, latencyMs: 250 },
  ]);
});

it('keeps connections to instances open between requests', async () => {
  const sockets = new Set<unknown>();
  const counting = await instance((request, response) => {
    sockets.add(request.socket);
    response.end('x');
  });
  const { url } = await front(() => [gkeBackend('hello', 1, [counting.url])]);
  for (let request = 0; request < 5; request++) await get(url);
  expect(sockets.size).toBe(1);
});

it('loses nothing while instances are replaced, as long as they are unlisted first', async () => {
  const start = () =>
    startInstance((_request, response) => {
      setTimeout(() => response.end('x'), 2);
    });
  let current = await start();
  let backends: Backend[] = [gkeBackend('hello', 1, [current.url])];
  const { url } = await front(() => backends);
  const agent = new http.Agent({ keepAlive: true });
  const statuses: (number | undefined)[] = [];
  const caller = async () => {
    for (let request = 0; request < 60; request++) {
      const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
        http.get(url, { agent }, resolve).once('error', reject);
      });
      await buffer(response);
      statuses.push(response.statusCode);
    }
  };
  const callers = Promise.all([caller(), caller(), caller(), caller()]);
  for (let replacement = 0; replacement < 5; replacement++) {
    const next = await start();
    backends = [gkeBackend('hello', 1, [next.url])];
    const answeredBefore = statuses.length;
    await eventually(() => statuses.length >= answeredBefore + 8);
    await current.close();
    current = next;
  }
  await callers;
  agent.destroy();
  await current.close();
  expect(statuses).toEqual(Array(240).fill(200));
});

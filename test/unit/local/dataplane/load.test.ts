import type http from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { VirtualClock } from '../../../../local/clock.ts';
import { type Load, type LoadOptions, startLoad } from '../../../../local/dataplane/load.ts';
import type { HttpServer } from '../../../../local/http.ts';
import { startInstance } from './fixtures/backends.ts';
import { eventually } from './fixtures/instances.ts';

const servers: HttpServer[] = [];
const loads: Load[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map(server => server.close()));
  await Promise.all(loads.splice(0).map(load => load.stop()));
});

async function start(handler: http.RequestListener, more: Partial<LoadOptions> = {}) {
  const server = await startInstance(handler);
  servers.push(server);
  const clock = new VirtualClock();
  const load = startLoad({ url: server.url, ratePerSecond: 50, clock, ...more });
  loads.push(load);
  const ended = (count: number) =>
    eventually(() => {
      const { answered, failures } = load.snapshot();
      return answered + failures === count;
    });
  return { load, clock, ended };
}

function body(revision: string, architecture = 'amd64'): string {
  return JSON.stringify({ version: 'v1', revision, architecture, region: 'us-east4' });
}

it('sends at the rate it was given, neither more nor less', async () => {
  const { load, clock, ended } = await start((_request, response) => response.end(body('hello-1')));
  await clock.advance(2_000);
  await ended(101);
  expect(load.snapshot()).toMatchObject({
    sent: 101,
    answered: 101,
    bad: 0,
    failures: 0,
    skipped: 0,
    inFlight: 0,
  });
});

it('catches up after the clock jumped', async () => {
  const { clock, ended } = await start((_request, response) => response.end(body('hello-1')), {
    ratePerSecond: 1_000,
  });
  await clock.advance(100);
  await ended(101);
});

it('counts good and bad by who answered, errors with a body too', async () => {
  let count = 0;
  const { load, clock, ended } = await start((_request, response) => {
    const canary = count++ % 5 === 0;
    response.writeHead(canary ? 500 : 200);
    response.end(canary ? body('hello-2', 'arm64') : body('hello-1'));
  });
  await clock.advance(180);
  await ended(10);
  const snapshot = load.snapshot();
  expect(snapshot).toMatchObject({ answered: 10, bad: 2, failures: 0 });
  expect(snapshot.byRevision).toEqual(
    new Map([
      ['hello-2', { good: 0, bad: 2 }],
      ['hello-1', { good: 8, bad: 0 }],
    ]),
  );
  expect(snapshot.byArchitecture.get('arm64')).toEqual({ good: 0, bad: 2 });
  expect(snapshot.byRegion.get('us-east4')).toEqual({ good: 8, bad: 2 });
});

it('keeps the newest outcomes, with time, status and who answered', async () => {
  const { load, clock, ended } = await start((_request, response) => response.end(body('hello-1')), {
    keepRecent: 3,
  });
  await clock.advance(180);
  await ended(10);
  const { recent } = load.snapshot();
  expect(recent).toHaveLength(3);
  expect(recent[0]).toMatchObject({
    status: 200,
    revision: 'hello-1',
    region: 'us-east4',
    architecture: 'amd64',
    error: undefined,
  });
});

it('a request without an answer is a failure, with the reason', async () => {
  const { load, clock, ended } = await start(request => request.socket.destroy());
  await clock.advance(0);
  await ended(1);
  const snapshot = load.snapshot();
  expect(snapshot).toMatchObject({ sent: 1, answered: 0, bad: 0, failures: 1 });
  expect(snapshot.recent[0]).toMatchObject({ status: undefined, error: 'socket hang up' });
});

it('an answer without JSON counts, but for nobody', async () => {
  const { load, clock, ended } = await start((_request, response) => {
    response.writeHead(503);
    response.end('no instance is ready');
  });
  await clock.advance(0);
  await ended(1);
  const snapshot = load.snapshot();
  expect(snapshot).toMatchObject({ answered: 1, bad: 1 });
  expect(snapshot.byRevision.size).toBe(0);
});

it('leaves requests out rather than piling them up', async () => {
  const waiting: http.ServerResponse[] = [];
  const { load, clock, ended } = await start((_request, response) => waiting.push(response), {
    maxInFlight: 3,
  });
  await clock.advance(180);
  expect(load.snapshot()).toMatchObject({ sent: 3, skipped: 7, inFlight: 3 });
  await eventually(() => waiting.length === 3);
  for (const response of waiting) response.end('{}');
  await ended(3);
});

it('gives up on an answer after half a minute', async () => {
  let arrived = false;
  const { load, clock, ended } = await start(
    () => {
      arrived = true;
    },
    { maxInFlight: 1 },
  );
  await clock.advance(0);
  await eventually(() => arrived);
  await clock.advance(30_000);
  await ended(1);
  expect(load.snapshot().recent[0]?.error).toBe('no answer in time');
});

it('asks for headers and a path of its own for every request', async () => {
  const seen: string[] = [];
  let count = 0;
  const { clock, ended } = await start(
    (request, response) => {
      seen.push(`${request.url} ${request.headers['x-count']}`);
      response.end('{}');
    },
    { path: '/some/path', headers: () => ({ 'x-count': String(count++) }), ratePerSecond: 10 },
  );
  await clock.advance(100);
  await ended(2);
  expect(seen.sort()).toEqual(['/some/path 0', '/some/path 1']);
});

it('stop waits for what is in flight and sends nothing more', async () => {
  let waiting: http.ServerResponse | undefined;
  const { load, clock } = await start((_request, response) => {
    waiting = response;
  });
  await clock.advance(0);
  await eventually(() => waiting !== undefined);
  const stopped = load.stop();
  waiting?.end('{}');
  await stopped;
  await clock.advance(1_000);
  expect(load.snapshot()).toMatchObject({ sent: 1, answered: 1, inFlight: 0 });
});

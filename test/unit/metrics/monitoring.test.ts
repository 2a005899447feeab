import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type GoogleClients, googleClients } from '../../../functions/google/clients.ts';
import { type BlockOptions, readBlocks } from '../../../functions/metrics/blocks.ts';
import type { MetricTarget } from '../../../functions/metrics/reading.ts';
import { type HttpHandler, type HttpServer, serve } from '../../../local/http.ts';
import { monitoringApi } from '../../../local/monitoring/http.ts';
import { cloudRun, gke, world as monitoring } from '../local/monitoring/world.ts';
import { arm, NONE, total, us } from './targets.ts';

const eu: MetricTarget = { ...us, name: 'eu', region: 'europe-west1' };

let world: ReturnType<typeof monitoring>;
let handler: HttpHandler;
let api: HttpServer;
let clients: GoogleClients;
let requests: URLSearchParams[];

beforeAll(async () => {
  api = await serve(request => {
    requests.push(request.query);
    return handler(request);
  });
  clients = googleClients({ monitoring: api.url });
});

beforeEach(() => {
  world = monitoring();
  handler = monitoringApi(world.core);
  requests = [];
});

afterEach(() => world.core.stop());

afterAll(async () => {
  await (await clients.metrics()).close();
  await api.close();
});

function read(targets: readonly MetricTarget[], sinceMs: number, options: BlockOptions = {}) {
  const window = { sinceMs, untilMs: world.clock.nowMs() };
  return readBlocks(clients, targets, window, { periodMs: 1000, ...options });
}

test('counts canary and stable of every target, with one request for all Cloud Run regions and one for GKE', async () => {
  const sinceMs = world.clock.nowMs();
  world.serve(cloudRun('hello-1'), { good: 95, bad: 1 });
  world.serve(cloudRun('hello-2'), { good: 4, bad: 2 });
  world.serve(cloudRun('hello-2', { region: 'europe-west1' }), { good: 7 });
  world.serve(cloudRun('hello-2', { region: 'asia-northeast1' }), { bad: 100 });
  world.serve(cloudRun('other-2', { service: 'other' }), { bad: 100 });
  world.serve(gke('hello'), { good: 50 });
  world.serve(gke('hello-canary'), { good: 3, bad: 3 });
  world.serve(gke('hello-canary', { namespace: 'elsewhere' }), { bad: 100 });
  world.serve(gke('hello-canary', { location: 'europe-west4', cluster: 'second' }), { bad: 100 });
  await world.clock.advance(1000);
  const endMs = world.clock.nowMs();

  expect(await read([us, eu, arm], sinceMs)).toEqual({
    targets: {
      us: [{ endMs, canary: { good: 4, bad: 2 }, stable: { good: 95, bad: 1 } }],
      eu: [{ endMs, canary: { good: 7, bad: 0 }, stable: NONE }],
      arm: [{ endMs, canary: { good: 3, bad: 3 }, stable: { good: 50, bad: 0 } }],
    },
    newestPointMs: endMs,
    warnings: [],
  });
  expect(requests).toHaveLength(2);
});

test('without points there are no blocks and no newest point', async () => {
  await world.clock.advance(60_000);
  const reading = await read([us], world.clock.nowMs() - 60_000);
  expect(reading).toEqual({ targets: { us: [] }, newestPointMs: undefined, warnings: [] });
});

test('the newest point shows how far the metrics lag behind', async () => {
  const sinceMs = world.clock.nowMs();
  await world.serveFor(5, cloudRun('hello-2'), { good: 1 });
  await world.clock.advance(240_000);
  expect((await read([us], sinceMs)).newestPointMs).toBe(sinceMs + 5000);
});

test('a target without stable has none counted', async () => {
  const sinceMs = world.clock.nowMs();
  await world.serveFor(1, cloudRun('hello-2'), { good: 1 });
  const { targets } = await read([{ ...us, stable: undefined }], sinceMs);
  expect(targets['us']).toEqual([{ endMs: sinceMs + 1000, canary: { good: 1, bad: 0 }, stable: NONE }]);
});

describe('the window', () => {
  test('leaves out points that reach over its start', async () => {
    await world.serveFor(1, cloudRun('hello-2'), { bad: 10 });
    const sinceMs = world.clock.nowMs() - 500;
    await world.serveFor(2, cloudRun('hello-2'), { good: 1 });
    const { targets } = await read([us], sinceMs);
    expect(total(targets['us'], 'canary')).toEqual({ good: 2, bad: 0 });
  });

  test('that is empty is not asked for', async () => {
    const reading = await read([us], world.clock.nowMs());
    expect(reading.newestPointMs).toBeUndefined();
    expect(requests).toEqual([]);
  });

  test('of a day comes with two requests per metric type, and neither loses nor repeats a request', async () => {
    world.core.stop();
    world = monitoring({ samplePeriodMs: 60_000 });
    handler = monitoringApi(world.core);
    world.core.stop();
    await world.clock.advance(12_345);
    const sinceMs = world.clock.nowMs();
    for (let minute = 0; minute < 24 * 60; minute++) {
      world.serve(cloudRun('hello-2'), { good: 2, bad: 1 });
      world.serve(gke('hello'), { good: 1 });
      await world.clock.advance(60_000);
    }

    const { targets, newestPointMs } = await read([us, arm], sinceMs, { periodMs: 60_000 });

    // Of the first two minutes the points begin before the window, or could have; that of the last is not over yet.
    expect(total(targets['us'], 'canary')).toEqual({ good: 2 * 1438, bad: 1438 });
    expect(total(targets['arm'], 'stable')).toEqual({ good: 1438, bad: 0 });
    expect(newestPointMs).toBeGreaterThan(world.clock.nowMs() - 60_000);
    expect(targets['us']?.length).toBeLessThan(220);
    expect(requests).toHaveLength(4);
  });
});

test('with a latency threshold slow answers are bad too, and errors are bad once', async () => {
  const sinceMs = world.clock.nowMs();
  for (const by of [cloudRun('hello-2'), gke('hello-canary')]) {
    world.serve(by, { good: 10, latencyMs: 20 });
    world.serve(by, { good: 3, latencyMs: 2000 });
    world.serve(by, { bad: 2, latencyMs: 2000 });
    world.serve(by, { bad: 1, latencyMs: 1 });
  }
  await world.clock.advance(1000);

  const { targets } = await read([us, arm], sinceMs, { latencyThresholdMs: 500 });

  expect(total(targets['us'], 'canary')).toEqual({ good: 10, bad: 6 });
  expect(total(targets['arm'], 'canary')).toEqual({ good: 10, bad: 6 });
  expect(requests).toHaveLength(2);
});

test('names that GKE would cut are refused with what to do', async () => {
  const long = { ...arm, namespace: 'payments', stable: 'access-advisor-middleware', canary: 'x' };
  await expect(read([long], world.clock.nowMs() - 1000)).rejects.toMatchObject({
    name: 'SlipwayError',
    code: 'InvalidArgument',
    message: expect.stringContaining('Service payments/access-advisor-middleware'),
  });
});

test('an API that refuses is an error of ours', async () => {
  const bad = { ...us, service: 'he"llo' };
  await expect(read([bad], world.clock.nowMs() - 1000)).rejects.toMatchObject({
    name: 'SlipwayError',
    operation: 'monitoring.timeSeries.list run.googleapis.com/request_count in acme',
  });
});

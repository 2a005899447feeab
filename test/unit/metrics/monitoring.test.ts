import { MetricServiceClient } from '@google-cloud/monitoring';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { options } from '../../../functions/google/clients.ts';
import { type MetricTarget, readCounts } from '../../../functions/metrics/monitoring.ts';
import { type HttpServer, serve } from '../../../local/http.ts';
import { monitoringApi } from '../../../local/monitoring/http.ts';
import { cloudRun, gke, world as monitoring } from '../local/monitoring/world.ts';

const us: MetricTarget = {
  name: 'us',
  kind: 'cloudRun',
  project: 'acme',
  region: 'us-east4',
  service: 'hello',
  canary: 'hello-2',
  stable: 'hello-1',
};
const eu: MetricTarget = { ...us, name: 'eu', region: 'europe-west1' };
const arm: MetricTarget = {
  name: 'arm',
  kind: 'gke',
  project: 'acme',
  location: 'us-central1',
  cluster: 'main',
  namespace: 'default',
  canary: 'hello-canary',
  stable: 'hello',
};
const NONE = { good: 0, bad: 0 };

let world: ReturnType<typeof monitoring>;
let api: HttpServer;
let client: MetricServiceClient;
let requests: URLSearchParams[];

beforeEach(async () => {
  world = monitoring();
  requests = [];
  const handler = monitoringApi(world.core);
  api = await serve(request => {
    requests.push(request.query);
    return handler(request);
  });
  client = new MetricServiceClient(options(api.url));
});

afterEach(async () => {
  world.core.stop();
  await Promise.all([client.close(), api.close()]);
});

function windowSince(sinceMs: number) {
  return { sinceMs, untilMs: world.clock.nowMs() };
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

  const reading = await readCounts(client, [us, eu, arm], windowSince(sinceMs));

  expect(reading).toEqual({
    targets: {
      us: { canary: { good: 4, bad: 2 }, stable: { good: 95, bad: 1 } },
      eu: { canary: { good: 7, bad: 0 }, stable: NONE },
      arm: { canary: { good: 3, bad: 3 }, stable: { good: 50, bad: 0 } },
    },
    newestPointMs: world.clock.nowMs(),
  });
  expect(requests).toHaveLength(2);
});

test('without points there is no newest one', async () => {
  await world.clock.advance(60_000);
  const reading = await readCounts(client, [us], windowSince(world.clock.nowMs() - 60_000));
  expect(reading).toEqual({ targets: { us: { canary: NONE, stable: NONE } }, newestPointMs: undefined });
});

test('the newest point shows how far the metrics lag behind', async () => {
  const sinceMs = world.clock.nowMs();
  await world.serveFor(5, cloudRun('hello-2'), { good: 1 });
  await world.clock.advance(240_000);

  const { newestPointMs } = await readCounts(client, [us], windowSince(sinceMs));

  expect(newestPointMs).toBe(sinceMs + 5000);
});

test('a target without stable has none counted', async () => {
  const sinceMs = world.clock.nowMs();
  await world.serveFor(1, cloudRun('hello-2'), { good: 1 });
  const first = { ...us, stable: undefined };
  const { targets } = await readCounts(client, [first], windowSince(sinceMs));
  expect(targets['us']).toEqual({ canary: { good: 1, bad: 0 }, stable: NONE });
});

describe('the window', () => {
  test('leaves out points that reach over its start', async () => {
    await world.serveFor(1, cloudRun('hello-2'), { bad: 10 });
    const sinceMs = world.clock.nowMs() - 500;
    await world.serveFor(2, cloudRun('hello-2'), { good: 1 });
    const { targets } = await readCounts(client, [us], windowSince(sinceMs));
    expect(targets['us']?.canary).toEqual({ good: 2, bad: 0 });
  });

  test('that is empty holds nothing', async () => {
    const reading = await readCounts(client, [us], windowSince(world.clock.nowMs()));
    expect(reading.newestPointMs).toBeUndefined();
    expect(requests).toEqual([]);
  });

  test('of a day comes as one sum and the minutes of the last hour', async () => {
    world.core.stop();
    const sinceMs = world.clock.nowMs() + 12_345;
    await world.clock.advance(12_345);
    for (let minute = 0; minute < 24 * 60; minute++) {
      world.serve(cloudRun('hello-2'), { good: 2, bad: 1 });
      world.serve(gke('hello'), { good: 1 });
      await world.clock.advance(60_000);
    }

    const { targets, newestPointMs } = await readCounts(client, [us, arm], windowSince(sinceMs));

    // The first point begins before the window.
    expect(targets['us']?.canary).toEqual({ good: 2 * 1439, bad: 1439 });
    expect(targets['arm']?.stable).toEqual({ good: 1439, bad: 0 });
    expect(newestPointMs).toBeGreaterThan(world.clock.nowMs() - 60_000);
    expect(requests).toHaveLength(4);
  });
});

describe('with a latency threshold', () => {
  test('slow answers are bad too, and errors are bad once', async () => {
    const sinceMs = world.clock.nowMs();
    for (const by of [cloudRun('hello-2'), gke('hello-canary')]) {
      world.serve(by, { good: 10, latencyMs: 20 });
      world.serve(by, { good: 3, latencyMs: 2000 });
      world.serve(by, { bad: 2, latencyMs: 2000 });
      world.serve(by, { bad: 1, latencyMs: 1 });
    }
    await world.clock.advance(1000);

    const { targets } = await readCounts(client, [us, arm], windowSince(sinceMs), {
      latencyThresholdMs: 500,
    });

    expect(targets['us']?.canary).toEqual({ good: 10, bad: 6 });
    expect(targets['arm']?.canary).toEqual({ good: 10, bad: 6 });
    expect(requests).toHaveLength(2);
  });
});

test('names that GKE would cut are refused with what to do', async () => {
  const long = { ...arm, namespace: 'payments', stable: 'access-advisor-middleware', canary: 'x' };
  const read = readCounts(client, [long], windowSince(world.clock.nowMs() - 1000));
  await expect(read).rejects.toMatchObject({
    name: 'SlipwayError',
    code: 'InvalidArgument',
    message: expect.stringContaining('Service payments/access-advisor-middleware'),
  });
});

test('an API that refuses is an error of ours', async () => {
  const bad = { ...us, service: 'he"llo' };
  const read = readCounts(client, [bad], windowSince(world.clock.nowMs() - 1000));
  await expect(read).rejects.toMatchObject({
    name: 'SlipwayError',
    operation: 'monitoring.timeSeries.list run.googleapis.com/request_count in acme',
  });
});

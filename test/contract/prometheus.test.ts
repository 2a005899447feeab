import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type GoogleClients, googleClients } from '../../functions/google/clients.ts';
import { type BlockOptions, readBlocks } from '../../functions/metrics/blocks.ts';
import type { CloudRunTarget, GkeTarget, MetricTarget } from '../../functions/metrics/reading.ts';
import { type HttpHandler, type HttpServer, serve } from '../../local/http.ts';
import { monitoringApi } from '../../local/monitoring/http.ts';
import { cloudRun, gke, world as monitoring } from '../unit/local/monitoring/world.ts';
import { arm, total, us } from '../unit/metrics/targets.ts';

const PROMETHEUS = {
  requests: 'sum(increase(http_requests_total{deployment="$deployment"}[$interval]))',
  bad: 'sum(increase(http_requests_total{deployment="$deployment",code=~"5.."}[$interval]))',
};

let world: ReturnType<typeof monitoring>;
let handler: HttpHandler;
let api: HttpServer;
let clients: GoogleClients;
let paths: string[];

beforeAll(async () => {
  api = await serve(request => {
    paths.push(request.path);
    return handler(request);
  });
  clients = googleClients({ monitoring: `${api.url}/` });
});

/** Samples of a minute that can be read two minutes later, as Google's. */
beforeEach(() => {
  world = monitoring({ samplePeriodMs: 60_000, visibleAfterMs: 120_000 });
  world.core.stop();
  handler = monitoringApi(world.core);
  paths = [];
});

afterAll(async () => {
  await (await clients.metrics()).close();
  await api.close();
});

function read(targets: readonly MetricTarget[], sinceMs: number, options: BlockOptions = {}) {
  return readBlocks(clients, targets, { sinceMs, untilMs: world.clock.nowMs() }, options);
}

function wave(): { run: CloudRunTarget[]; balanced: GkeTarget[]; counted: GkeTarget[] } {
  const names = (count: number) => Array.from({ length: count }, (_, index) => index);
  return {
    run: names(20).map(index => ({ ...us, name: `run-${index}`, region: `region-${index}` })),
    balanced: names(10).map(index => ({ ...arm, name: `lb-${index}`, namespace: `team-${index}` })),
    counted: names(10).map(index => ({
      ...arm,
      name: `prom-${index}`,
      canary: `app${index}-canary`,
      stable: `app${index}`,
      prometheus: PROMETHEUS,
    })),
  };
}

function serveWave({ run, balanced, counted }: ReturnType<typeof wave>): void {
  for (const { region } of run) {
    world.serve(cloudRun('hello-1', { region }), { good: 3 });
    world.serve(cloudRun('hello-2', { region }), { good: 1, bad: 1 });
  }
  for (const { namespace } of balanced) {
    world.serve(gke('hello', { namespace }), { good: 3 });
    world.serve(gke('hello-canary', { namespace }), { good: 1, bad: 1 });
  }
  for (const { canary, stable } of counted) {
    world.serve(gke(stable), { good: 3 });
    world.serve(gke(canary), { good: 1, bad: 1 });
  }
}

test('one look at a wave of 40 targets makes one request per project and metric type, and says the same of all', async () => {
  const { run, balanced, counted } = wave();
  const targets = [...run, ...balanced, ...counted];
  const sinceMs = world.clock.nowMs();
  for (let minute = 0; minute < 10; minute++) {
    serveWave({ run, balanced, counted });
    await world.clock.advance(60_000);
  }

  const reading = await read(targets, sinceMs);

  expect(paths.toSorted()).toEqual([
    '/v1/projects/acme/location/global/prometheus/api/v1/query_range',
    '/v3/projects/acme/timeSeries',
    '/v3/projects/acme/timeSeries',
  ]);
  expect(reading.newestPointMs).toBe(world.clock.nowMs() - 120_000);
  const counts = { canary: { good: 1, bad: 1 }, stable: { good: 3, bad: 0 } };
  const expected = Array.from({ length: 8 }, (_, minute) => ({
    endMs: sinceMs + (minute + 1) * 60_000,
    ...counts,
  }));
  expect(Object.keys(reading.targets)).toHaveLength(40);
  for (const { name } of targets) expect({ [name]: reading.targets[name] }).toEqual({ [name]: expected });
});

test('what does not fit on a page comes on the next, of counts and of latencies', async () => {
  const { run } = wave();
  const sinceMs = world.clock.nowMs();
  for (let minute = 0; minute < 120; minute++) {
    serveWave({ run, balanced: [], counted: [] });
    await world.clock.advance(60_000);
  }

  const counts = await read(run, sinceMs);
  const latencies = await read(run, sinceMs, { latencyThresholdMs: 500 });

  // 20 regions with three series each, of 118 minutes that can be read.
  expect(paths).toHaveLength(4);
  for (const { targets } of [counts, latencies]) {
    expect(total(targets['run-19'], 'canary')).toEqual({ good: 118, bad: 118 });
    expect(total(targets['run-0'], 'stable')).toEqual({ good: 354, bad: 0 });
  }
});

test('a query that Prometheus does not understand is refused with its own words', async () => {
  const [target] = wave().counted;
  if (!target) throw new Error('no target');
  const bad = 'histogram_quantile(0.9, http_requests_total{deployment="$deployment"}[$interval])';
  const broken = { ...target, prometheus: { ...PROMETHEUS, bad } };
  await world.clock.advance(600_000);

  await expect(read([broken], world.clock.nowMs() - 600_000)).rejects.toMatchObject({
    code: 'InvalidArgument',
    message: expect.stringMatching(
      /^Target prom-0: its Prometheus query "bad" is refused: .* invalid parameter "query": the function "histogram_quantile" is not supported by the local Monitoring/,
    ),
  });
});

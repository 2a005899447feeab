import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SignalPoint } from '../../../functions/console/contract.ts';
import { googleClients } from '../../../functions/google/clients.ts';
import type { MetricTarget } from '../../../functions/metrics/reading.ts';
import { readSignals } from '../../../functions/metrics/signals.ts';
import { Faults } from '../../../local/faults.ts';
import { type HttpServer, serve } from '../../../local/http.ts';
import { monitoringApi } from '../../../local/monitoring/http.ts';
import { cloudRun, gke, world as monitoring } from '../local/monitoring/world.ts';
import { arm, us } from './targets.ts';

/** The local Monitoring, over HTTP and with the real client; a point each second. */
let world: ReturnType<typeof monitoring>;
let api: HttpServer;
let faults: Faults;

beforeEach(async () => {
  world = monitoring();
  faults = new Faults(world.clock, () => 0);
  api = await serve(faults.wrap(monitoringApi(world.core)));
});
afterEach(async () => {
  world.core.stop();
  await api.close();
});

const read = (targets: readonly MetricTarget[], minutes = 1) =>
  readSignals(googleClients({ monitoring: api.url }), targets, minutes, world.clock.nowMs());

function useCpu(revision: string, ...shares: number[]): void {
  const by = { kind: 'cloudRun', project: 'acme', region: us.region, service: us.service, revision } as const;
  for (const share of shares) world.core.recordCpu({ by, share, atMs: world.clock.nowMs() });
}

function useCpuOfPod(pod: string, share: number): void {
  const { project, location, cluster, namespace } = arm;
  const by = { kind: 'container', project, location, cluster, namespace, pod, container: 'hello' } as const;
  world.core.recordCpu({ by, share, atMs: world.clock.nowMs() });
}

const last = (points: readonly SignalPoint[]) => points.at(-1);

describe('the signals of a Cloud Run target', () => {
  test('are traffic, errors, latency and CPU, of canary and stable apart', async () => {
    for (let second = 0; second < 3; second++) {
      world.serve(cloudRun('hello-2'), { good: 8, bad: 2, latencyMs: 200 });
      world.serve(cloudRun('hello-1'), { good: 40, latencyMs: 20 });
      world.serve(cloudRun('hello-0'), { bad: 100 });
      useCpu('hello-2', 0.8, 0.82);
      useCpu('hello-1', 0.1);
      await world.clock.advance(1000);
    }
    const { points, periodMs, warnings } = await read([us]);
    expect(warnings).toEqual([]);
    expect(periodMs).toBe(1000);
    expect(points).toHaveLength(3);
    const { canary, stable } = last(points) ?? {};
    expect(canary).toMatchObject({ requestsPerSecond: 10, errorRatio: 0.2 });
    expect(stable).toMatchObject({ requestsPerSecond: 40, errorRatio: 0 });
    expect(canary?.latencyMs).toBeGreaterThan(150);
    expect(canary?.latencyMs).toBeLessThan(250);
    expect(stable?.latencyMs).toBeLessThan(30);
    // Within the bucket that it falls into.
    expect(canary?.saturation).toBeGreaterThan(0.75);
    expect(canary?.saturation).toBeLessThan(0.9);
    expect(stable?.saturation).toBeCloseTo(0.1, 1);
  });

  test('are unknown where nothing was measured: no zeros', async () => {
    world.serve(cloudRun('hello-1'), { good: 5 });
    await world.clock.advance(1000);
    const { points, warnings } = await read([us]);
    expect(last(points)?.canary).toEqual({});
    expect(last(points)?.stable).not.toHaveProperty('saturation');
    expect(warnings).toEqual(['us: Monitoring has no CPU utilisation']);
  });

  test('leave out the period that still goes on', async () => {
    await world.serveFor(90, cloudRun('hello-2'), { good: 10 });
    await world.clock.advance(500);
    const { points, untilMs, sinceMs } = await read([us], 1);
    expect(points.every(({ endMs }) => endMs <= untilMs && endMs > sinceMs)).toBe(true);
    expect(new Set(points.map(({ canary }) => canary.requestsPerSecond))).toEqual(new Set([10]));
  });

  test('of a day have room in a picture', async () => {
    const coarse = monitoring({ samplePeriodMs: 60_000 });
    const server = await serve(monitoringApi(coarse.core));
    for (let minute = 0; minute < 1440; minute++) {
      coarse.serve(cloudRun('hello-2'), { good: 12 });
      await coarse.clock.advance(60_000);
    }
    const clients = googleClients({ monitoring: server.url });
    const { points, periodMs } = await readSignals(clients, [us], 1440, coarse.clock.nowMs());
    expect(periodMs).toBe(12 * 60_000);
    expect(points).toHaveLength(120);
    expect(last(points)?.canary.requestsPerSecond).toBeCloseTo(0.2);
    coarse.core.stop();
    await server.close();
  });
});

describe('the signals of several targets', () => {
  test('are one: traffic adds up, CPU is that of the one worst off', async () => {
    world.serve(cloudRun('hello-2'), { good: 6, latencyMs: 10 });
    world.serve(gke('hello-canary'), { good: 2, bad: 2, latencyMs: 400 });
    world.serve(gke('hello'), { good: 9 });
    useCpu('hello-2', 0.3);
    useCpuOfPod('hello-canary-7c9f8b6d5-x2k4p', 0.9);
    useCpuOfPod('hello-5d4c7b8f9-zzq8v', 1.4);
    useCpuOfPod('hello-world-5d4c7b8f9-zzq8v', 3);
    await world.clock.advance(1000);
    const { points, warnings } = await read([us, arm]);
    expect(warnings).toEqual([]);
    expect(last(points)?.canary).toMatchObject({ requestsPerSecond: 10, errorRatio: 0.2, saturation: 0.9 });
    expect(last(points)?.canary.latencyMs).toBeGreaterThan(300);
    expect(last(points)?.stable).toMatchObject({ requestsPerSecond: 9, saturation: 1.4 });
  });

  test('are those that can be read, when others cannot: the rest is a warning', async () => {
    const unreadable = { ...arm, name: 'long', canary: 'a'.repeat(40) };
    world.serve(cloudRun('hello-2'), { good: 6 });
    useCpu('hello-2', 0.3);
    await world.clock.advance(1000);
    const { points, warnings } = await read([us, unreadable]);
    expect(warnings.join()).toContain('Target long: the load balancer’s'.replace('’', "'"));
    expect(last(points)?.canary).toHaveProperty('saturation');
  });

  test('of none are none, and nothing is asked', async () => {
    expect(await read([])).toMatchObject({ points: [], warnings: [] });
  });
});

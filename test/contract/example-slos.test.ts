import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ALERT_POLICIES, type AlertPolicy } from '../../functions/rollout/alerts.ts';
import { detect } from '../../functions/rollout/detection.ts';
import { parsePolicy } from '../../functions/rollout/policy.ts';
import { createSlos } from '../../local/example-slos.ts';
import { type HttpServer, serve } from '../../local/http.ts';
import { monitoringApi } from '../../local/monitoring/http.ts';
import { type Burst, cloudRun, gke, world as monitoring } from '../unit/local/monitoring/world.ts';

const SLO = { availability: 99.5, latency: { thresholdMs: 500, target: 95 }, windowSeconds: 300 };

let world: ReturnType<typeof monitoring>;
let api: HttpServer;

/** The alerts as they are in production, but for metrics that come at once; evaluated when the test says so. */
beforeEach(async () => {
  world = monitoring({ samplePeriodMs: 60_000, visibleAfterMs: 0, evaluateEveryMs: 1e12 });
  api = await serve(monitoringApi(world.core));
  await createSlos(api.url, SLO);
});

afterEach(async () => {
  world.core.stop();
  await api.close();
});

const BUDGET = 0.005;
const CHUNK = 1000;

/** Fills all windows of the policy: the longest is twelve of the shortest, and each gets one burst. */
async function fill({ windowsSeconds }: AlertPolicy, burst: Burst, by = cloudRun('hello-1')) {
  const shortest = Math.min(...windowsSeconds);
  for (let filled = 0; filled < Math.max(...windowsSeconds); filled += shortest) {
    await world.clock.advance(shortest * 1000);
    world.serve(by, burst);
  }
  await nextMinute();
}

/** The point of the last burst has ended. */
async function nextMinute() {
  await world.clock.advance(60_000);
  world.core.evaluate();
}

function open(): string[] {
  return world.core.incidents
    .filter(({ closedMs }) => closedMs === undefined)
    .map(({ policy }) => policy.displayName);
}

test('both SLOs of both ways in have every alert policy, and every policy names the service', () => {
  const policies = world.core.policies.list('projects/acme');
  expect(world.core.slos.list('projects/acme/services/hello')).toHaveLength(4);
  expect(policies).toHaveLength(4 * ALERT_POLICIES.length);
  for (const { userLabels, notificationChannels } of policies) {
    expect(userLabels).toEqual({ slipway_service: 'hello' });
    expect(notificationChannels).toHaveLength(1);
  }
});

test.each(ALERT_POLICIES)(
  '$name fires above its burn rate, not at it, and closes when its shortest window is good again',
  async policy => {
    const displayName = `hello cloud-run-availability ${policy.name}`;
    const atRate = Math.round(policy.burnRate * BUDGET * CHUNK);
    await fill(policy, { good: CHUNK - atRate, bad: atRate });
    expect(open()).not.toContain(displayName);

    await fill(policy, { good: CHUNK - atRate - 1, bad: atRate + 1 });
    expect(open()).toContain(displayName);

    await world.clock.advance(Math.min(...policy.windowsSeconds) * 1000);
    world.serve(cloudRun('hello-1'), { good: 100 });
    await nextMinute();
    expect(open()).not.toContain(displayName);
  },
);

test('one bad minute of an hour does not fire burn-1h, though its last five minutes burn', async () => {
  for (let minute = 0; minute < 60; minute += 5) {
    world.serve(cloudRun('hello-1'), { good: 100 });
    await world.clock.advance(300_000);
  }
  world.serve(cloudRun('hello-1'), { good: 80, bad: 20 });
  await nextMinute();
  expect(open()).toContain('hello cloud-run-availability rollout-guard');
  expect(open()).not.toContain('hello cloud-run-availability burn-1h');
});

test('slow answers burn the budget of latency alone', async () => {
  world.serve(cloudRun('hello-1'), { good: 40, latencyMs: 10 });
  world.serve(cloudRun('hello-1'), { good: 60, latencyMs: 2000 });
  await nextMinute();
  const guards = open().filter(name => name.endsWith('rollout-guard'));
  expect(guards).toEqual(['hello cloud-run-latency rollout-guard']);
});

describe('rollout-guard', () => {
  test('never fires on a canary of 5 % that fails every request: that is its burn rate, not above it', async () => {
    world.serve(cloudRun('hello-2'), { bad: 50 });
    world.serve(cloudRun('hello-1'), { good: 950 });
    await nextMinute();
    expect(open()).not.toContain('hello cloud-run-availability rollout-guard');
  });

  test('sees a canary of 50 % that fails one request in five', async () => {
    world.serve(cloudRun('hello-2'), { good: 80, bad: 20 });
    world.serve(cloudRun('hello-1'), { good: 100 });
    await nextMinute();
    expect(open()).toContain('hello cloud-run-availability rollout-guard');
  });

  test('waits for a hundred requests in its window', async () => {
    world.serve(cloudRun('hello-1'), { good: 49, bad: 50 });
    await nextMinute();
    expect(open()).not.toContain('hello cloud-run-availability rollout-guard');

    world.serve(cloudRun('hello-1'), { bad: 1 });
    await nextMinute();
    expect(open()).toContain('hello cloud-run-availability rollout-guard');
  });

  test('of the Gateway looks at canary and stable behind it, and at nothing else', async () => {
    world.serve(cloudRun('hello-1'), { good: 1000 });
    world.serve(gke('hello'), { good: 90 });
    world.serve(gke('hello-canary'), { bad: 10 });
    world.serve(gke('hello-again'), { good: 1000 });
    await nextMinute();
    const guards = open().filter(name => name.endsWith('rollout-guard'));
    expect(guards).toEqual(['hello gateway-availability rollout-guard']);
  });
});

describe('what detect says about an alert', () => {
  const MINUTE_MS = 60_000;
  const policy = parsePolicy(
    `
services:
  - name: hello
    image: us-central1-docker.pkg.dev/acme/apps/hello
    targets: [{name: us, cloudRun: {project: acme, region: us-east4, service: hello}}]
    strategy: {steps: [{setWeight: 25}, {pause: {duration: 10m}}]}
    slo: {availability: 99.5}
`,
    'rollouts.yaml',
  );

  /** Minutes until rollout-guard fires, of 400 requests a minute of which 100 are the canary's; undefined after 20. */
  async function minutesUntilAlert(badPerMinute: number): Promise<number | undefined> {
    const late = monitoring({ samplePeriodMs: 60_000, visibleAfterMs: 120_000, evaluateEveryMs: 60_000 });
    const lateApi = await serve(monitoringApi(late.core));
    await createSlos(lateApi.url, SLO);
    let firedAfter: number | undefined;
    for (let minute = -10; minute < 20 && firedAfter === undefined; minute++) {
      const bad = minute < 0 ? 0 : badPerMinute;
      late.serve(cloudRun('hello-2'), { good: 100 - bad, bad });
      late.serve(cloudRun('hello-1'), { good: 300 });
      await late.clock.advance(MINUTE_MS);
      const isOpen = late.core.incidents.some(({ policy }) => policy.displayName.endsWith('rollout-guard'));
      if (isOpen) firedAfter = minute + 1;
    }
    late.core.stop();
    await lateApi.close();
    return firedAfter;
  }

  test('is what it does, late metrics included', async () => {
    const [service] = policy.ok ? policy.policy.services : [];
    const [row] = service ? detect(service, { requestsPerSecond: 400 / 60 }).rows : [];
    const sight = row?.alerts.find(alert => alert.policy.name === 'rollout-guard');
    expect(sight).toMatchObject({ errorRatio: 0.2, seconds: 540 });

    expect(await minutesUntilAlert(20)).toBeUndefined();
    const minutes = (await minutesUntilAlert(21)) ?? Infinity;
    expect(minutes * 60).toBeLessThanOrEqual(sight?.seconds ?? 0);
    expect(minutes * 60).toBeGreaterThan((sight?.seconds ?? 0) - 180);
  });
});

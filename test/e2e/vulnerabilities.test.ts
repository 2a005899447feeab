import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ScanResult } from '../../local/containeranalysis/scanner.ts';
import { PROJECT } from '../../local/names.ts';
import { aPolicyService, E2eWorld } from './world.ts';

const verify = { vulnerabilities: { maxSeverity: 'high' } };
const slowScan = Promise.withResolvers<ScanResult>();

function scan(resourceUri: string): Promise<ScanResult> | ScanResult {
  if (resourceUri.includes('/apps/slow@')) return slowScan.promise;
  const finding = { id: 'CVE-2026-1', severity: 'CRITICAL', package: 'openssl', version: '3.0.1' } as const;
  return { status: 'FINISHED_SUCCESS', findings: [{ ...finding, fixedVersion: '3.0.2' }] };
}

let world: E2eWorld;
beforeAll(async () => {
  const services = ['risky', 'slow'].map(name => aPolicyService(name, { verify }));
  world = await E2eWorld.open(services, { scan });
});
afterAll(() => world.close());

test('an image with a critical vulnerability is rejected where the policy allows high ones at most', async () => {
  await world.push({ service: 'risky', tag: 'v1' });
  const rollout = await world.until('risky', 'v1');
  expect(rollout.phase).toBe('Rejected');
  expect(rollout.verification?.reasons.map(({ code }) => code)).toEqual([
    'VulnerabilityFound',
    'VulnerabilityFound',
  ]);
  expect(rollout.verification?.reasons[0]?.message).toContain(
    'worse than high: CVE-2026-1 (critical) in openssl 3.0.1 (fixed in 3.0.2)',
  );
});

test('an image whose scan takes its time starts when the push is delivered again', async () => {
  const subscription = `projects/${PROJECT}/subscriptions/gcr-imagePush`;
  const retryPolicy = { minimumBackoff: '0.1s', maximumBackoff: '0.2s' };
  world.cloud.cores.pubsub.updateSubscription(subscription, { retryPolicy }, 'retryPolicy');
  await world.push({ service: 'slow', tag: 'v1' });
  const lastLines = () => world.cloud.functions.lastLines().join('\n');
  await world.eventually(
    () => `a delivery that finds the scan not finished\n${lastLines()}`,
    () => lastLines().includes('is not finished yet'),
  );
  expect(await world.rollouts('slow')).toEqual([]);

  slowScan.resolve({ status: 'FINISHED_SUCCESS' });

  expect((await world.until('slow', 'v1')).phase).toBe('Healthy');
});

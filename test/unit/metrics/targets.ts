import type { CloudRunTarget, GkeTarget } from '../../../functions/metrics/reading.ts';
import type { Block, Counts } from '../../../functions/rollout/observed.ts';

export const us: CloudRunTarget = {
  name: 'us',
  kind: 'cloudRun',
  project: 'acme',
  region: 'us-east4',
  service: 'hello',
  canary: 'hello-2',
  stable: 'hello-1',
};

export const arm: GkeTarget = {
  name: 'arm',
  kind: 'gke',
  project: 'acme',
  location: 'us-central1',
  cluster: 'main',
  namespace: 'default',
  canary: 'hello-canary',
  stable: 'hello',
};

export const NONE: Counts = { good: 0, bad: 0 };

export function total(blocks: readonly Block[] | undefined, side: 'canary' | 'stable'): Counts {
  return (blocks ?? []).reduce(
    (sum, block) => ({ good: sum.good + block[side].good, bad: sum.bad + block[side].bad }),
    NONE,
  );
}

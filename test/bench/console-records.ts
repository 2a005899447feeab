import type { Rollout, ServiceState } from '../../functions/rollout/record.ts';
import { newServiceState, note, withTrend } from '../../functions/rollout/record.ts';
import type { Store } from '../../functions/store/store.ts';
import { aWorld, play, START_MS, UNTIL_GATE, UNTIL_HEALTHY } from '../worlds.ts';

/** Records as a year of work leaves them: long histories, and a judge that has looked for hours. */

const gated = play(aWorld(), UNTIL_GATE).world.rollout;
const healthy = play(aWorld(), UNTIL_HEALTHY).world.rollout;

const HISTORY = 150;
const LOOKS = 200;

function grown(rollout: Rollout): Rollout {
  let long = rollout;
  for (let index = 0; index < HISTORY; index++) {
    const message = `hello.us canary weight 25, 1,234 requests, error ratio 0.12% against 0.10% of stable (${index})`;
    long = note(long, START_MS + index, 'AnalysisRunInconclusive', message, 'us');
  }
  const counts = { good: 12_345, bad: 12 };
  for (let index = 0; index < LOOKS; index++) {
    const atMs = START_MS + index * 60_000;
    const judgement = { atMs, verdict: 'Successful', canary: counts, stable: counts, limit: 0.01 } as const;
    long = withTrend(long, judgement as Parameters<typeof withTrend>[1]);
  }
  return long;
}

const GATED = grown(gated);
const HEALTHY = grown(healthy);

export const serviceName = (index: number) => `service-${String(index).padStart(4, '0')}`;

/** @returns bytes of one record */
export async function fill(store: Store, services: number, rollouts: number): Promise<number> {
  const perService = rollouts / services;
  for (let index = 0; index < services; index++) {
    await store.transact(async transaction => {
      const service = serviceName(index);
      for (let count = 0; count < perService; count++) {
        const rollout = oneOf(service, count, perService);
        transaction.write('rollout', rollout.id, rollout);
      }
      transaction.write('service', service, stateOf(service, perService));
    });
  }
  return Buffer.byteLength(JSON.stringify(GATED));
}

function oneOf(service: string, count: number, perService: number): Rollout {
  const base = count === perService - 1 ? GATED : HEALTHY;
  return {
    ...base,
    id: `${service}-${count}`,
    service,
    tag: `v${count}`,
    createdMs: START_MS + count * 1000,
  };
}

function stateOf(name: string, perService: number): ServiceState {
  const healthyId = perService > 1 ? `${name}-${perService - 2}` : undefined;
  return { ...newServiceState(name), active: `${name}-${perService - 1}`, healthy: healthyId };
}

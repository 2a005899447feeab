import { dependenciesFrom } from '../../functions/dependencies.ts';
import { type Rollout, revisionOf } from '../../functions/rollout/record.ts';
import type { Progress } from '../../functions/targets/target.ts';

/**
 * What no rollback can be quicker than: the calls that restoring one target takes, in a row, with no record, workflow or
 * message in between. Measured on the target once more, after it was restored: the first write is made again all the same.
 *
 * @returns seconds
 */
export async function measureFloor(
  env: Readonly<Record<string, string>>,
  rollout: Rollout,
  name: string,
): Promise<number> {
  const spec = rollout.spec.targets.find(one => one.name === name);
  if (!spec) throw new Error(`the rollout has no target ${name}`);
  const target = await dependenciesFrom(env).target(spec, rollout.image);
  const service = spec.cloudRun?.service ?? spec.gke?.deployment ?? rollout.service;
  const order = {
    rollout: rollout.id,
    epoch: rollout.epoch,
    image: rollout.image,
    digest: rollout.digest,
    revision: revisionOf(rollout, service),
    stable: rollout.targets[name]?.stable ?? undefined,
    fence: async () => {},
  };
  // The first call of a client also loads it.
  await target.observe();
  const sinceMs = performance.now();
  let made: Progress;
  do {
    made = await target.restore(order);
  } while (made.status === 'again');
  if (made.status === 'failed') throw new Error(`restoring ${name} once more failed: ${made.message}`);
  return Math.round(performance.now() - sinceMs) / 1000;
}

import type { Dependencies } from '../dependencies.ts';
import { announce, ensureExecution, publishQuietly } from '../orchestrator.ts';
import { serviceEvent } from '../rollout/cdevents.ts';
import { applyFreeze, type FreezeCommand } from '../rollout/commands.ts';
import { newServiceState } from '../rollout/record.ts';

/** `freeze` and `unfreeze`: the service is held, and the rollout that serves or is in flight tells about it. */
export async function freeze(deps: Dependencies, given: FreezeCommand & { id: string }): Promise<void> {
  const store = await deps.store();
  const done = await store.transact(async transaction => {
    const service = (await transaction.read('service', given.service)) ?? newServiceState(given.service);
    if (service.handled.includes(given.id)) return { before: undefined, service, isKnown: true } as const;
    const id = service.active ?? service.healthy;
    const rollout = id === undefined ? undefined : await transaction.read('rollout', id);
    const after = applyFreeze({ rollout, service }, given, deps.nowMs());
    transaction.write('service', service.name, after.service);
    if (after.rollout) transaction.write('rollout', after.rollout.id, after.rollout);
    return { before: rollout, ...after, isKnown: false } as const;
  });
  if (!done.isKnown && done.rollout) await announce(deps, done.before, done.rollout);
  if (!done.isKnown && !done.rollout) await tell(deps, given, done);
  const { active } = done.service;
  if (active === undefined) return;
  const { rollout } = await ensureExecution(deps, active);
  if (rollout.callback) await deps.poke(rollout.callback).catch(() => undefined);
}

/** A service that has had no rollout has no record that could tell. */
function tell(
  deps: Dependencies,
  given: FreezeCommand & { id: string },
  { message, isRefused }: { message: string; isRefused: boolean },
): Promise<void> {
  const { id, service, actor, command, reason } = given;
  deps.log('INFO', message, { service });
  const done = command === 'freeze' ? 'frozen' : 'unfrozen';
  const what = isRefused ? 'commandrefused' : done;
  const details = { actor, reason, message };
  const event = serviceEvent(what, `${service}-${command}-${id}`, service, details, deps.nowMs());
  return publishQuietly(deps, event);
}

import type { Dependencies } from '../dependencies.ts';
import { settleOn } from '../activities/targets.ts';
import { SlipwayError } from '../errors.ts';
import { apply, readWorld } from '../orchestrator.ts';
import { isFinal, type Rollout } from '../rollout/record.ts';
import { isSettled, transition } from '../rollout/state.ts';

/** Every five minutes: what died is revived, and ways back that nobody needs any more are closed. */
export async function sweep(deps: Dependencies): Promise<void> {
  const store = await deps.store();
  const moving = await store.list('rollout', { phases: ['Pending', 'Progressing', 'Paused', 'RollingBack'] });
  for (const rollout of moving) await revive(deps, rollout);
  const promoted = await store.list('rollout', { phases: ['Healthy'] });
  for (const rollout of promoted) await closeWindow(deps, rollout);
}

async function revive(deps: Dependencies, rollout: Rollout): Promise<void> {
  const holder = rollout.owner ?? rollout.launch;
  const isAlive = holder !== undefined && (await deps.isAlive(holder.kind, holder.execution));
  await apply(deps, rollout.id, (world, nowMs) => {
    if (isAlive || holder === undefined || isFinal(world.rollout)) return { world, actions: [] };
    return transition(world, { type: 'died', execution: holder.execution }, nowMs);
  });
}

async function closeWindow(deps: Dependencies, rollout: Rollout): Promise<void> {
  const isOver = rollout.windowEndsMs !== undefined && rollout.windowEndsMs <= deps.nowMs();
  if (!isOver || isSettled(rollout)) return;
  for (const name of Object.keys(rollout.targets)) {
    const reply = await settleOn(deps, rollout.id, name, () => nothingNewer(deps, rollout));
    if (reply.status !== 'done')
      deps.log('INFO', `${rollout.id} on ${name}: ${reply.message}`, { rollout: rollout.id });
  }
}

/** A newer rollout settles what it finds by itself; the sweep keeps out of its way. */
async function nothingNewer(deps: Dependencies, rollout: Rollout): Promise<void> {
  const world = await readWorld(deps, rollout.id);
  if (world.service.active === undefined && world.rollout.epoch === rollout.epoch) return;
  throw new SlipwayError(`${rollout.id} is not the newest any more`, { code: 'Fenced', operation: 'settle' });
}

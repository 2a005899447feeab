import { settleOn } from '../activities/targets.ts';
import type { Dependencies } from '../dependencies.ts';
import { SlipwayError } from '../errors.ts';
import { apply, makeWay, readWorld } from '../orchestrator.ts';
import { isFinal, type Rollout, type ServiceState } from '../rollout/record.ts';
import { transition } from '../rollout/state.ts';
import { isSettled } from '../rollout/trouble.ts';
import { stay } from '../rollout/world.ts';

/**
 * Every five minutes: what died is revived, what waits for its turn gets it, and ways back that nobody needs any more are
 * closed. One record that makes trouble does not keep the sweep from the others.
 */
export async function sweep(deps: Dependencies): Promise<void> {
  const store = await deps.store();
  const moving = await store.list('rollout', { phases: ['Pending', 'Progressing', 'Paused', 'RollingBack'] });
  const services = await store.list('service');
  const problems = [
    ...(await forEach(moving, rollout => revive(deps, rollout))),
    ...(await forEach(services, service => closeWindow(deps, service))),
  ];
  if (problems.length === 0) return;
  const message = `the sweep could not do everything: ${problems.join('; ')}`;
  throw new SlipwayError(message, { code: 'Unavailable', operation: 'sweep' });
}

const AT_ONCE = 10;

/** @returns what went wrong, in words */
async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<string[]> {
  const problems: string[] = [];
  for (let start = 0; start < items.length; start += AT_ONCE) {
    const results = await Promise.allSettled(items.slice(start, start + AT_ONCE).map(work));
    for (const result of results) {
      if (result.status === 'rejected') problems.push(describe(result.reason));
    }
  }
  return problems;
}

function describe(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}

async function revive(deps: Dependencies, rollout: Rollout): Promise<void> {
  const holder = rollout.owner ?? rollout.launch;
  const isAlive = holder !== undefined && (await deps.isAlive(holder.kind, holder.execution));
  const world = await apply(deps, rollout.id, (before, nowMs) => {
    if (isAlive || holder === undefined || isFinal(before.rollout)) return stay(before);
    return transition(before, { type: 'died', execution: holder.execution }, nowMs);
  });
  await makeWay(deps, world);
}

async function closeWindow(deps: Dependencies, service: ServiceState): Promise<void> {
  if (service.healthy === undefined || service.active !== undefined) return;
  const { rollout } = await readWorld(deps, service.healthy);
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

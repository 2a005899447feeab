import { setTimeout as sleep } from 'node:timers/promises';
import { settleOn } from '../activities/targets.ts';
import type { Dependencies } from '../dependencies.ts';
import { SlipwayError } from '../errors.ts';
import { apply, giveTurn, makeWay, readWorld } from '../orchestrator.ts';
import { isFinal, type Rollout, type ServiceState } from '../rollout/record.ts';
import { transition } from '../rollout/state.ts';
import { isSettled } from '../rollout/trouble.ts';
import { isNextToGo } from '../rollout/undo.ts';
import { stay } from '../rollout/world.ts';
import { undoHealthy } from '../undo.ts';

/**
 * Every five minutes: what died is revived, what waits for its turn gets it, and ways back that nobody needs any more are
 * closed. One record that makes trouble does not keep the sweep from the others.
 */
export async function sweep(deps: Dependencies): Promise<void> {
  const store = await deps.store();
  const moving = await store.list('rollout', { phases: ['Pending', 'Progressing', 'Paused', 'RollingBack'] });
  const services = await store.list('service');
  const problems = [
    ...(await forEach(deps, moving, rollout => revive(deps, rollout))),
    ...(await forEach(deps, services, service => closeWindow(deps, service))),
    ...(await forEach(deps, services, service => goFurtherBack(deps, service))),
    ...(await forEach(deps, services, ({ name }) => giveTurn(deps, name))),
  ];
  if (problems.length === 0) return;
  const message = `the sweep could not do everything: ${problems.join('; ')}`;
  throw new SlipwayError(message, { code: 'Unavailable', operation: 'sweep' });
}

const AT_ONCE = 10;

/** @returns what went wrong, in words */
async function forEach<T extends Rollout | ServiceState>(
  deps: Dependencies,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<string[]> {
  const problems: string[] = [];
  for (let start = 0; start < items.length; start += AT_ONCE) {
    const some = items.slice(start, start + AT_ONCE);
    const results = await Promise.allSettled(some.map(work));
    results.forEach((result, index) => {
      if (result.status === 'fulfilled') return;
      const problem = describe(result.reason);
      problems.push(problem);
      deps.log('ERROR', `the sweep left something undone: ${problem}`, idsOf(some[index]));
    });
  }
  return problems;
}

function idsOf(item: Rollout | ServiceState | undefined): Record<string, string> {
  if (!item) return {};
  return 'digest' in item ? { rollout: item.id, service: item.service } : { service: item.name };
}

function describe(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}

async function revive(deps: Dependencies, listed: Rollout): Promise<void> {
  const rollout = await afterLaunch(deps, listed);
  const { kind, execution } = rollout.owner ?? rollout.launch ?? {};
  const isGone = kind !== undefined && execution !== undefined && !(await deps.isAlive(kind, execution));
  if (isGone) {
    const { id, service, epoch, deaths } = rollout;
    const fields = { reason: 'ExecutionGone', rollout: id, service, execution, epoch, deaths };
    deps.log('WARNING', `the execution of ${id} is gone and said nothing: ${execution}`, fields);
  }
  const world = await apply(deps, rollout.id, (before, nowMs) => {
    if (!isGone || isFinal(before.rollout)) return stay(before);
    return transition(before, { type: 'died', execution }, nowMs);
  });
  await makeWay(deps, world);
}

const LAUNCH_LOOKS = 20;
const LAUNCH_LOOK_MS = 250;

/** An execution that is being started may be dead before its name is known: it is looked at in this sweep, not the next. */
async function afterLaunch(deps: Dependencies, rollout: Rollout): Promise<Rollout> {
  let known = rollout;
  for (let look = 0; look < LAUNCH_LOOKS && isBeingLaunched(known); look++) {
    await sleep(LAUNCH_LOOK_MS);
    known = (await readWorld(deps, rollout.id)).rollout;
  }
  return known;
}

function isBeingLaunched({ owner, launch }: Rollout): boolean {
  return owner === undefined && launch !== undefined && launch.execution === undefined;
}

/** What a rollback mended not, the one before may have brought. */
async function goFurtherBack(deps: Dependencies, { name }: ServiceState): Promise<void> {
  const cause = { kind: 'Alert', message: 'the SLO incident persists after the rollback' } as const;
  const undone = await undoHealthy(deps, name, cause, isNextToGo);
  if (undone && !undone.ok)
    deps.log('WARNING', `${name} cannot go further back: ${undone.why}`, { service: name });
}

async function closeWindow(deps: Dependencies, service: ServiceState): Promise<void> {
  if (service.healthy === undefined || service.active !== undefined) return;
  const { rollout } = await readWorld(deps, service.healthy);
  const isOver = rollout.windowEndsMs !== undefined && rollout.windowEndsMs <= deps.nowMs();
  if (!isOver || isSettled(rollout)) return;
  for (const name of Object.keys(rollout.targets)) {
    const reply = await settleOn(deps, rollout.id, name, () => nothingNewer(deps, rollout));
    if (reply.status !== 'done')
      deps.log('INFO', `${rollout.id} on ${name}: ${reply.message}`, { rollout: rollout.id, target: name });
  }
}

/** A newer rollout settles what it finds by itself; the sweep keeps out of its way. */
async function nothingNewer(deps: Dependencies, rollout: Rollout): Promise<void> {
  const world = await readWorld(deps, rollout.id);
  if (world.service.active === undefined && world.rollout.epoch === rollout.epoch) return;
  throw new SlipwayError(`${rollout.id} is not the newest any more`, { code: 'Fenced', operation: 'settle' });
}

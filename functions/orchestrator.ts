import type { Dependencies } from './dependencies.ts';
import { SlipwayError } from './errors.ts';
import type { RolloutEventMessage } from './google/events.ts';
import { overtaken } from './rollout/admission.ts';
import { type HistoryEntry, newServiceState, type Rollout } from './rollout/record.ts';
import { transition } from './rollout/state.ts';
import { type Action, dueWorkflow, type Transition, type World } from './rollout/world.ts';

/**
 * Changes one record: reads it, lets `change` decide, stores what it decided, and carries out what follows. The world
 * that comes back is the stored one.
 */
export async function apply(
  deps: Dependencies,
  id: string,
  change: (world: World, nowMs: number) => Transition,
): Promise<World> {
  const store = await deps.store();
  const { before, after } = await store.transact(async transaction => {
    const rollout = await transaction.read('rollout', id);
    if (!rollout) throw unknownRollout(id);
    const service = (await transaction.read('service', rollout.service)) ?? newServiceState(rollout.service);
    const changed = change({ rollout, service }, deps.nowMs());
    if (changed.world.rollout !== rollout) transaction.write('rollout', id, changed.world.rollout);
    if (changed.world.service !== service) transaction.write('service', service.name, changed.world.service);
    return { before: rollout, after: changed };
  });
  const announced = announce(deps, before, after.world.rollout);
  try {
    for (const action of after.actions) await carryOut(deps, action);
    await launchIfDue(deps, after.world);
  } finally {
    await announced;
  }
  return after.world;
}

export async function readWorld(deps: Dependencies, id: string): Promise<World> {
  const store = await deps.store();
  const rollout = await store.read('rollout', id);
  if (!rollout) throw unknownRollout(id);
  return {
    rollout,
    service: (await store.read('service', rollout.service)) ?? newServiceState(rollout.service),
  };
}

function unknownRollout(id: string): SlipwayError {
  const operation = `read rollout ${id}`;
  return new SlipwayError(`${operation}: there is no such rollout`, { code: 'NotFound', operation });
}

async function carryOut(deps: Dependencies, action: Action): Promise<void> {
  switch (action.do) {
    case 'ensure':
      await launchIfDue(deps, await readWorld(deps, action.rollout));
      return;
    case 'poke':
      await pokeQuietly(deps, action.callback);
      return;
  }
}

/**
 * A record that is due and has no execution gets one, whoever notices. Two executions may come of it when two notice at
 * once; the first to begin owns the record and the other ends.
 */
async function launchIfDue(deps: Dependencies, world: World): Promise<void> {
  const workflow = dueWorkflow(world);
  if (!workflow) return;
  const { id, epoch } = world.rollout;
  const execution = await deps.launch(workflow, id);
  deps.log('INFO', `started ${workflow} for ${id}`, { rollout: id, execution, epoch });
  const store = await deps.store();
  await store.transact(async transaction => {
    const rollout = await transaction.read('rollout', id);
    if (!rollout || rollout.epoch !== epoch) return;
    const { world: launched } = transition(
      { ...world, rollout },
      { type: 'launched', workflow, execution },
      deps.nowMs(),
    );
    transaction.write('rollout', id, launched.rollout);
  });
}

/** A poke only saves time: the execution looks by itself when its interval is over. */
async function pokeQuietly(deps: Dependencies, callback: string): Promise<void> {
  try {
    await deps.poke(callback);
  } catch (error) {
    deps.log('WARNING', `the poke did not arrive: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The rollout in flight makes way for one that supersedes it. */
export async function makeWay(deps: Dependencies, world: World): Promise<void> {
  const inTheWay = overtaken(world);
  if (inTheWay === undefined) return;
  const cause = { kind: 'Superseded', message: `${world.rollout.tag} was pushed and goes first` } as const;
  await apply(deps, inTheWay, (before, nowMs) => transition(before, { type: 'troubled', cause }, nowMs));
}

/** Publishes what is new in the record's history. Listeners are told; nothing depends on them. */
export async function announce(
  deps: Dependencies,
  before: Rollout | undefined,
  rollout: Rollout,
): Promise<void> {
  const known = before?.history.at(-1)?.sequence ?? 0;
  const entries = rollout.history.filter(entry => entry.sequence > known);
  for (const entry of entries) {
    const fields = { rollout: rollout.id, reason: entry.reason, phase: rollout.phase, target: entry.target };
    deps.log(SEVERITY[entry.reason] ?? 'INFO', entry.message, fields);
  }
  await Promise.all(entries.map(entry => publishQuietly(deps, eventOf(rollout, entry))));
}

const SEVERITY: Readonly<Partial<Record<HistoryEntry['reason'], 'WARNING' | 'ERROR'>>> = {
  RollingBack: 'WARNING',
  RestoreFailed: 'ERROR',
};

/** Nobody waits longer for listeners. */
const PUBLISH_TIMEOUT_MS = 5000;

export async function publishQuietly(deps: Dependencies, event: RolloutEventMessage): Promise<void> {
  const late = new Promise<never>((_, reject) => {
    const why = new Error(`no answer within ${PUBLISH_TIMEOUT_MS} ms`);
    setTimeout(() => reject(why), PUBLISH_TIMEOUT_MS).unref();
  });
  try {
    await Promise.race([deps.publish(event), late]);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    deps.log('ERROR', `event ${event.id} was not published: ${why}`);
  }
}

function eventOf(rollout: Rollout, entry: HistoryEntry) {
  const { id, service, image, digest, tag, phase } = rollout;
  return {
    id: `${id}-${entry.sequence}`,
    type: `dev.slipway.rollout.${entry.reason.toLowerCase()}`,
    source: service,
    subject: id,
    timeMs: entry.atMs,
    data: { rollout: id, service, image, digest, tag, phase, ...entry },
  };
}

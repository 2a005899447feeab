import type { Dependencies } from './dependencies.ts';
import { SlipwayError } from './errors.ts';
import type { RolloutEventMessage } from './google/events.ts';
import { overtaken } from './rollout/admission.ts';
import { rolloutEvent } from './rollout/cdevents.ts';
import {
  type HistoryEntry,
  type Launch,
  newServiceState,
  type Rollout,
  type WorkflowKind,
} from './rollout/record.ts';
import { transition } from './rollout/state.ts';
import { type Action, claimLaunch, stay, type Transition, type World } from './rollout/world.ts';
import { decisionFields } from './telemetry/decisions.ts';
import { outcomeOf } from './telemetry/outcome.ts';
import { contextOf, traceChange } from './telemetry/rollout-trace.ts';
import { inSpan } from './telemetry/scope.ts';
import { formatTraceparent } from './telemetry/trace-context.ts';

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
  const { before, world, workflow, actions } = await store.transact(async transaction => {
    const rollout = await transaction.read('rollout', id);
    if (!rollout) throw unknownRollout(id);
    const service = (await transaction.read('service', rollout.service)) ?? newServiceState(rollout.service);
    const nowMs = deps.nowMs();
    const changed = change({ rollout, service }, nowMs);
    const claim = claimLaunch(changed.world, nowMs);
    if (claim.world.rollout !== rollout) transaction.write('rollout', id, claim.world.rollout);
    if (claim.world.service !== service) transaction.write('service', service.name, claim.world.service);
    return { before: rollout, ...claim, actions: changed.actions };
  });
  const announced = announce(deps, before, world.rollout);
  try {
    for (const action of actions) await carryOut(deps, world.rollout, action);
    if (workflow) await launch(deps, world.rollout, workflow);
  } finally {
    await announced;
  }
  return world;
}

/** Starts what is due and was not started, if anything is. */
export function ensureExecution(deps: Dependencies, id: string): Promise<World> {
  return apply(deps, id, stay);
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

async function carryOut(deps: Dependencies, { id }: Rollout, action: Action): Promise<void> {
  switch (action.do) {
    case 'ensure':
      await ensureExecution(deps, action.rollout);
      return;
    case 'poke':
      await pokeQuietly(deps, id, action.callback);
      return;
  }
}

/**
 * Starts the execution that was claimed. When the answer is lost, or the claim got old, two may come of it: the first to
 * begin owns the record and the other ends.
 */
async function launch(deps: Dependencies, rollout: Rollout, kind: WorkflowKind): Promise<void> {
  const { id, service, epoch } = rollout;
  const context = contextOf(rollout, kind);
  const attributes = { 'slipway.rollout': id, 'slipway.service': service, 'slipway.epoch': epoch };
  let execution: string | undefined;
  try {
    execution = await inSpan(
      { name: `launch ${kind}`, kind: 'producer', attributes },
      () => deps.launch(kind, id, context && formatTraceparent(context)),
      context,
    );
    deps.log('INFO', `started ${kind} for ${id}`, { rollout: id, service, execution, epoch });
  } finally {
    // Without a name the claim is given back, so that the message's next delivery need not wait for its end.
    await recordLaunch(deps, id, epoch, execution && { kind, execution, sinceMs: deps.nowMs() });
  }
}

async function recordLaunch(
  deps: Dependencies,
  id: string,
  epoch: number,
  launched: Launch | '' | undefined,
): Promise<void> {
  const store = await deps.store();
  await store.transact(async transaction => {
    const rollout = await transaction.read('rollout', id);
    if (!rollout || rollout.epoch !== epoch || rollout.owner) return;
    transaction.write('rollout', id, { ...rollout, launch: launched || undefined });
  });
}

/** A poke only saves time: the execution looks by itself when its interval is over. */
async function pokeQuietly(deps: Dependencies, rollout: string, callback: string): Promise<void> {
  try {
    await deps.poke(callback);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    deps.log('WARNING', `the poke did not arrive: ${why}`, { rollout });
  }
}

/** The rollout in flight makes way for one that supersedes it. */
export async function makeWay(deps: Dependencies, world: World): Promise<void> {
  const inTheWay = overtaken(world);
  if (inTheWay === undefined) return;
  const cause = { kind: 'Superseded', message: `${world.rollout.tag} was pushed and goes first` } as const;
  await apply(deps, inTheWay, (before, nowMs) => {
    // The way back from what goes out in place of a bad digest leads to that digest.
    if (before.rollout.undoes !== undefined) return stay(before);
    return transition(before, { type: 'troubled', cause }, nowMs);
  });
}

/** Whoever waits for a service that nobody holds any more gets it. */
export async function giveTurn(deps: Dependencies, name: string): Promise<void> {
  const store = await deps.store();
  const next = await store.transact(async transaction => {
    const service = await transaction.read('service', name);
    if (!service || service.active !== undefined || service.waiting === undefined) return undefined;
    transaction.write('service', name, { ...service, active: service.waiting, waiting: undefined });
    return service.waiting;
  });
  if (next === undefined) return;
  deps.log('INFO', `${next} gets its turn`, { rollout: next, service: name });
  await ensureExecution(deps, next);
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
    deps.log(SEVERITY[entry.reason] ?? 'INFO', entry.message, decisionFields(rollout, entry));
  }
  traceChange(before, rollout);
  tellOutcome(deps, before, rollout);
  await Promise.all(entries.map(entry => publishQuietly(deps, rolloutEvent(rollout, entry))));
}

/** The one line that the metrics are made of. */
function tellOutcome(deps: Dependencies, before: Rollout | undefined, rollout: Rollout): void {
  const metric = outcomeOf(before, rollout);
  if (!metric) return;
  const { id, service, tag, phase, attempt, epoch, cause } = rollout;
  const fields = { rollout: id, service, phase, attempt, epoch, cause: cause?.kind, metric };
  deps.log('INFO', `${service} ${tag} has ended ${phase}`, fields);
}

const SEVERITY: Readonly<Partial<Record<HistoryEntry['reason'], 'WARNING' | 'ERROR'>>> = {
  RollingBack: 'WARNING',
  RestoreFailed: 'ERROR',
  RolloutRejected: 'WARNING',
  AnalysisRunFailed: 'WARNING',
  AnalysisRunError: 'WARNING',
  AlertRecorded: 'WARNING',
  MessageLost: 'ERROR',
  RegionDrained: 'WARNING',
  RegionKept: 'WARNING',
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
    const { service, rollout } = event.attributes;
    deps.log('ERROR', `event ${event.id} was not published: ${why}`, { service, rollout });
  }
}

import { holdOf } from './holds.ts';
import {
  type HistoryEntry,
  isFinal,
  type Launch,
  note,
  type Position,
  type Rollout,
  type ServiceState,
  type WorkflowKind,
} from './record.ts';

/** Everything a transition may read and change. */
export interface World {
  readonly rollout: Rollout;
  readonly service: ServiceState;
}

/** What is to be done after the new world was stored. Each may be repeated without harm. */
export type Action =
  /** See to it that a rollout which is due has an execution, {@link claimLaunch}. */
  | { readonly do: 'ensure'; readonly rollout: string }
  /** Wake the execution that waits at this callback; it reads the record itself. */
  | { readonly do: 'poke'; readonly callback: string };

export interface Transition {
  readonly world: World;
  readonly actions: readonly Action[];
}

export function stay(world: World): Transition {
  return { world, actions: [] };
}

export function update(world: World, change: Partial<Rollout>): World {
  return { ...world, rollout: { ...world.rollout, ...change } };
}

/** Notes it in the history and makes it the record's message. */
export function say(
  rollout: Rollout,
  nowMs: number,
  reason: HistoryEntry['reason'],
  message: string,
  target?: string,
): Rollout {
  return tell(note(rollout, nowMs, reason, message, target));
}

/** Makes the newest entry of the history the record's message. */
export function tell(rollout: Rollout): Rollout {
  return { ...rollout, message: rollout.history.at(-1)?.message ?? rollout.message };
}

export function isSame(a: Position, b: Position): boolean {
  return a.wave === b.wave && a.step === b.step;
}

/** Whoever claimed a launch and has said nothing for so long is gone. */
const CLAIM_MS = 5000;

export interface Claim {
  readonly world: World;
  /** The workflow that the caller has to start, once the world is stored. */
  readonly workflow: WorkflowKind | undefined;
}

/** A rollout that should have an execution now and has none gets it from the first who notices, unless it is held. */
export function claimLaunch(world: World, nowMs: number): Claim {
  const kind = dueWorkflow(world, nowMs);
  if (!kind) return { world, workflow: undefined };
  const hold = world.rollout.phase === 'Pending' ? holdOf(world, nowMs) : undefined;
  if (hold === undefined) {
    const launch = { kind, execution: undefined, sinceMs: nowMs };
    return { world: update(world, { launch }), workflow: kind };
  }
  const message = `waits: ${hold}`;
  const { rollout } = world;
  const isKnown = rollout.message === message;
  return {
    world: isKnown ? world : { ...world, rollout: say(rollout, nowMs, 'RolloutQueued', message) },
    workflow: undefined,
  };
}

function dueWorkflow({ rollout, service }: World, nowMs: number): WorkflowKind | undefined {
  if (rollout.owner || isLaunching(rollout.launch, nowMs)) return undefined;
  if (rollout.phase === 'RollingBack') return 'rollback';
  const isTurn = service.active === rollout.id;
  return isTurn && !isFinal(rollout) ? 'rollout' : undefined;
}

function isLaunching(launch: Launch | undefined, nowMs: number): boolean {
  if (!launch) return false;
  return launch.execution !== undefined || nowMs - launch.sinceMs < CLAIM_MS;
}

/** What was to be replaced still serves, and the way back from it is what it was. */
function withServing(service: ServiceState, healthy: string, before: string): ServiceState {
  const earlier = [...service.earlier.filter(id => id !== before), before];
  return { ...service, healthy, earlier };
}

/** The rollout needs the service no longer: if it had it, the one that waits gets its turn. */
function handOver({ rollout, service }: World): Transition {
  const waiting = service.waiting === rollout.id ? undefined : service.waiting;
  if (service.active !== rollout.id) return stay({ rollout, service: { ...service, waiting } });
  return {
    world: { rollout, service: { ...service, active: waiting, waiting: undefined } },
    actions: waiting ? [{ do: 'ensure', rollout: waiting }] : [],
  };
}

/** Nobody works on it, and nothing is waited for. */
export const LET_GO = {
  owner: undefined,
  launch: undefined,
  callback: undefined,
  pause: undefined,
  heldBy: undefined,
} as const;

/** Ends a rollout: whatever its last execution still holds in hand is refused from here on. */
export function end(world: World, change: Partial<Rollout>): Transition {
  const { rollout } = world;
  const { undoes } = rollout;
  const isFailedUndo = undoes !== undefined && change.phase !== 'Healthy';
  const service = isFailedUndo ? withServing(world.service, undoes, rollout.id) : world.service;
  return handOver(
    update(
      { ...world, service },
      {
        epoch: rollout.epoch + 1,
        ...LET_GO,
        ...change,
      },
    ),
  );
}

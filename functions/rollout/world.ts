import {
  type HistoryEntry,
  isFinal,
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
  /** See to it that a rollout which is due has an execution, {@link dueWorkflow}. */
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
  return { ...note(rollout, nowMs, reason, message, target), message };
}

export function isSame(a: Position, b: Position): boolean {
  return a.wave === b.wave && a.step === b.step;
}

/** The workflow that should have an execution now and has none. */
export function dueWorkflow({ rollout, service }: World): WorkflowKind | undefined {
  if (rollout.owner || rollout.launch) return undefined;
  if (rollout.phase === 'RollingBack') return 'rollback';
  const isTurn = service.active === rollout.id;
  return isTurn && !isFinal(rollout) ? 'rollout' : undefined;
}

/** The rollout needs the service no longer: if it had it, the one that waits gets its turn. */
export function handOver({ rollout, service }: World): Transition {
  const waiting = service.waiting === rollout.id ? undefined : service.waiting;
  if (service.active !== rollout.id) return stay({ rollout, service: { ...service, waiting } });
  return {
    world: { rollout, service: { ...service, active: waiting, waiting: undefined } },
    actions: waiting ? [{ do: 'ensure', rollout: waiting }] : [],
  };
}

/** Ends a rollout: whatever its last execution still holds in hand is refused from here on. */
export function end(world: World, change: Partial<Rollout>): Transition {
  const { rollout } = world;
  return handOver(
    update(world, {
      epoch: rollout.epoch + 1,
      owner: undefined,
      launch: undefined,
      callback: undefined,
      pause: undefined,
      heldBy: undefined,
      ...change,
    }),
  );
}

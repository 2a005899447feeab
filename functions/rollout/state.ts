import { advance, clear, endWave, type Judging, type Looked, look, waitingAnew } from './pauses.ts';
import {
  type Cause,
  isRollingOut,
  note,
  type Position,
  type ServiceState,
  type WorkflowKind,
  withTarget,
} from './record.ts';
import { type Armed, arm, type Progressed, progress, type Starting, start } from './stages.ts';
import { finishRollback, giveUpOn, isSettled, loseExecution, trouble } from './trouble.ts';
import { end, say, stay, type Transition, update, type World } from './world.ts';

export type RolloutEvent =
  | { readonly type: 'begun'; readonly workflow: WorkflowKind; readonly execution: string }
  | ({ readonly type: 'armed' } & Armed)
  | ({ readonly type: 'starting' } & Starting)
  | ({ readonly type: 'progressed' } & Progressed)
  | { readonly type: 'stepped'; readonly position: Position }
  | ({ readonly type: 'looked' } & Looked)
  | ({ readonly type: 'cleared' } & Judging)
  | { readonly type: 'waveEnded'; readonly wave: number }
  | { readonly type: 'completed' }
  | { readonly type: 'settled'; readonly target: string; readonly message: string }
  | { readonly type: 'troubled'; readonly cause: Omit<Cause, 'atMs'> }
  | { readonly type: 'gaveUp'; readonly target: string; readonly why: string }
  | { readonly type: 'restored' }
  /** The execution ends on purpose; its successor goes on from the record. */
  | { readonly type: 'handedOver' }
  /** The execution is gone and said nothing. */
  | { readonly type: 'died'; readonly execution: string };

/**
 * The state machine of a rollout. Pure: what it returns is to be stored, then its actions are to be carried out.
 * An event that no longer applies (a repeat, or one that a fence overtook) leaves the world as it was.
 */
export function transition(world: World, event: RolloutEvent, nowMs: number): Transition {
  switch (event.type) {
    case 'begun':
      return begin(world, event.workflow, event.execution, nowMs);
    case 'armed':
      return stay(arm(world, event, nowMs));
    case 'starting':
      return stay(start(world, event, nowMs));
    case 'progressed':
      return progress(world, event, nowMs);
    case 'stepped':
      return stay(advance(world, event.position, nowMs));
    case 'looked':
      return look(world, event, nowMs);
    case 'cleared':
      return clear(world, event, nowMs);
    case 'waveEnded':
      return stay(endWave(world, event.wave, nowMs));
    case 'completed':
      return complete(world, nowMs);
    case 'settled':
      return stay(settle(world, event.target, event.message, nowMs));
    case 'troubled':
      return trouble(world, event.cause, nowMs);
    case 'gaveUp':
      return stay(giveUpOn(world, event.target, event.why, nowMs));
    case 'restored':
      return finishRollback(world, nowMs);
    case 'handedOver':
      return stay(
        update(world, {
          owner: undefined,
          launch: undefined,
          epoch: world.rollout.epoch + 1,
          targets: waitingAnew(world.rollout, nowMs),
        }),
      );
    case 'died':
      return loseExecution(world, event.execution, nowMs);
  }
}

/** The first execution that begins owns the record, and raises the epoch so that every earlier writer is refused. */
function begin(world: World, workflow: WorkflowKind, execution: string, nowMs: number): Transition {
  const { rollout, service } = world;
  if (rollout.owner || !mayBegin(world, workflow)) return stay(world);
  const against = service.quarantine[rollout.digest];
  if (workflow === 'rollout' && against) return refuse(world, against, nowMs);
  const owned = update(world, {
    owner: { kind: workflow, execution, sinceMs: nowMs },
    epoch: rollout.epoch + 1,
    phase: rollout.phase === 'Pending' ? 'Progressing' : rollout.phase,
    callback: undefined,
  });
  if (workflow === 'rollback' || rollout.phase !== 'Pending') return stay(owned);
  const message = `Starting ${rollout.tag} of ${rollout.service} on ${Object.keys(rollout.targets).length} targets`;
  return stay({ ...owned, rollout: say(owned.rollout, nowMs, 'RolloutStarted', message) });
}

function mayBegin({ rollout, service }: World, workflow: WorkflowKind): boolean {
  if (workflow === 'rollback') return rollout.phase === 'RollingBack';
  return service.active === rollout.id && (rollout.phase === 'Pending' || isRollingOut(rollout));
}

/** While it waited its digest failed under another tag. */
function refuse(world: World, against: { rollout: string; message: string }, nowMs: number): Transition {
  const message = `${world.rollout.digest} went into quarantine with ${against.rollout}: ${against.message}`;
  const { rollout } = world;
  if (rollout.phase !== 'Pending') return stay(world);
  return end({ ...world, rollout: say(rollout, nowMs, 'RolloutRejected', message) }, { phase: 'Rejected' });
}

function complete(world: World, nowMs: number): Transition {
  const { rollout, service } = world;
  if (!isRollingOut(rollout)) return stay(world);
  const message = `Promotion completed! ${rollout.tag} serves on every target`;
  // The way back from what replaced a bad digest would lead to that digest.
  const isReplacement = rollout.undoes !== undefined;
  const windowMs = isReplacement ? 0 : rollout.spec.strategy.rollbackWindow * 1000;
  return end(
    {
      rollout: say(rollout, nowMs, 'RolloutCompleted', message),
      service: {
        ...withHealthy(service, rollout.id),
        restoredMs: isReplacement ? nowMs : undefined,
      },
    },
    { phase: 'Healthy', windowEndsMs: nowMs + windowMs },
  );
}

const KEPT_WAYS_BACK = 5;

function withHealthy(service: ServiceState, id: string): ServiceState {
  const { healthy } = service;
  const earlier = [...service.earlier, ...(healthy === undefined ? [] : [healthy])];
  return {
    ...service,
    healthy: id,
    earlier: earlier.filter(one => one !== id).slice(-KEPT_WAYS_BACK),
  };
}

function settle(world: World, target: string, message: string, nowMs: number): World {
  const { phase } = world.rollout;
  // A rollback that began meanwhile finds out by itself what is on the target.
  if (phase !== 'Healthy' && phase !== 'Degraded') return world;
  if (world.rollout.targets[target]?.status === 'Settled') return world;
  const rollout = withTarget(world.rollout, target, { status: 'Settled', message, sinceMs: nowMs });
  if (!isSettled(rollout)) return { ...world, rollout };
  return {
    ...world,
    rollout: note(rollout, nowMs, 'RolloutSettled', `The way back from ${rollout.tag} is closed`),
  };
}

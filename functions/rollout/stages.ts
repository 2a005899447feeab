import type { Progress, Serving } from '../targets/target.ts';
import { note, noteWeight, type Rollout, type TargetState, type TargetStatus, withTarget } from './record.ts';
import { trouble } from './trouble.ts';
import { stay, type Transition, tell, type World } from './world.ts';

/** The stages in which an activity works on one target, in the order of a rollout. */
export type Stage = 'deploy' | 'probe' | 'weight' | 'promote' | 'restore';

export interface Starting {
  readonly target: string;
  readonly stage: Stage;
  readonly weight?: number | undefined;
}

export interface Progressed extends Starting {
  readonly progress: Progress;
  /** Of the node or instance it runs on, as the platform tells it. */
  readonly architecture?: string | undefined;
}

export interface Armed {
  readonly target: string;
  readonly stable: Serving | undefined;
  readonly architecture?: string | undefined;
}

const WORKING: Readonly<Record<Stage, TargetStatus>> = {
  deploy: 'Deploying',
  probe: 'Deploying',
  weight: 'Shifting',
  promote: 'Promoting',
  restore: 'Restoring',
};

const DONE: Readonly<Record<Stage, TargetStatus>> = {
  deploy: 'Deploying',
  probe: 'Ready',
  weight: 'Canary',
  promote: 'Promoted',
  restore: 'Restored',
};

/** What serves before anything changes. The first word counts: a later look may see our own canary. */
export function arm(world: World, { target, stable, architecture }: Armed, nowMs: number): World {
  const known = world.rollout.targets[target]?.stable;
  if (known !== undefined) return world;
  const message = stable ? `${stable.revision} serves` : 'nothing serves yet';
  const change = { stable: stable ?? null, status: 'Armed', message, sinceMs: nowMs, architecture } as const;
  return { ...world, rollout: withTarget(world.rollout, target, change) };
}

/** On record before the first write: a target that may have been changed is a target to be restored. */
export function start(world: World, { target, stage, weight }: Starting, nowMs: number): World {
  const state = world.rollout.targets[target];
  const isDone = state?.status === DONE[stage] && (weight === undefined || state.weight === weight);
  if (state?.isTouched && (isDone || state.status === WORKING[stage])) return world;
  const mayServe = state?.mayServe === true || stage === 'weight' || stage === 'promote';
  const change = { status: WORKING[stage], sinceMs: nowMs, isTouched: true, mayServe };
  return { ...world, rollout: withTarget(world.rollout, target, change) };
}

export function progress(world: World, event: Progressed, nowMs: number): Transition {
  const { target, stage, progress: made } = event;
  const state = world.rollout.targets[target];
  if (!state) return stay(world);
  if (stage !== 'restore' && made.status !== 'done') return hold(world, event, state, nowMs);
  if (made.status !== 'done') {
    return stay({ ...world, rollout: withTarget(world.rollout, target, { message: made.message }) });
  }
  const reached: Partial<TargetState> = {
    status: DONE[stage],
    message: made.message,
    ...(event.weight === undefined ? {} : { weight: event.weight }),
    ...(event.architecture === undefined ? {} : { architecture: event.architecture }),
    ...(state.status === DONE[stage] ? {} : { sinceMs: nowMs }),
  };
  const isNew =
    state.status !== reached.status || (event.weight !== undefined && state.weight !== event.weight);
  const changed = withTarget(world.rollout, target, reached);
  return stay({ ...world, rollout: isNew ? announce(changed, event, nowMs) : changed });
}

/** Not done yet: wait until the progress deadline, or fail at once where waiting cannot help. */
function hold(world: World, event: Progressed, state: TargetState, nowMs: number): Transition {
  const { target, stage, progress: made } = event;
  const deadlineMs = world.rollout.spec.strategy.progressDeadline * 1000;
  const isLate = nowMs - state.sinceMs > deadlineMs;
  if (made.status === 'again' && !isLate) {
    return stay({ ...world, rollout: withTarget(world.rollout, target, { message: made.message }) });
  }
  const failed = withTarget(world.rollout, target, { status: 'Failed', message: made.message });
  const place = `${world.rollout.service}.${target}`;
  return trouble(
    { ...world, rollout: failed },
    made.status === 'failed'
      ? { kind: 'Target', message: `${place}: ${made.message}` }
      : {
          kind: 'ProgressDeadline',
          message: `${place}: no ${stage} within ${deadlineMs / 1000} s: ${made.message}`,
        },
    nowMs,
  );
}

function announce(rollout: Rollout, event: Progressed, nowMs: number): Rollout {
  const place = `${rollout.service}.${event.target}`;
  switch (event.stage) {
    case 'deploy':
      return rollout;
    case 'probe':
      return note(
        rollout,
        nowMs,
        'CanaryReady',
        `${place} canary ready: ${event.progress.message}`,
        event.target,
      );
    case 'weight':
      return tell(
        noteWeight(
          rollout,
          nowMs,
          'TrafficWeightUpdated',
          `Advance ${place} canary weight ${event.weight}`,
          event.target,
          event.weight,
        ),
      );
    case 'promote':
      return noteWeight(
        rollout,
        nowMs,
        'TargetPromoted',
        `${place} promoted: ${event.progress.message}`,
        event.target,
        100,
      );
    case 'restore':
      return noteWeight(
        rollout,
        nowMs,
        'TargetRestored',
        `${place} restored: ${event.progress.message}`,
        event.target,
        0,
      );
  }
}

import type { Progress, Serving } from '../targets/target.ts';
import type { Judgement } from './judge.ts';
import { passes, stepAt } from './plan.ts';
import {
  type Cause,
  isFinal,
  isMoving,
  note,
  type Position,
  type Rollout,
  type ServiceState,
  type TargetState,
  type TargetStatus,
  type WorkflowKind,
  withTarget,
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

/** The stages in which an activity works on one target, in the order of a rollout. */
export type Stage = 'deploy' | 'probe' | 'weight' | 'promote' | 'restore';

export type RolloutEvent =
  | { readonly type: 'launched'; readonly workflow: WorkflowKind; readonly execution: string }
  | { readonly type: 'begun'; readonly workflow: WorkflowKind; readonly execution: string }
  | {
      readonly type: 'armed';
      readonly target: string;
      readonly stable: Serving | undefined;
      readonly architecture?: string | undefined;
    }
  | {
      readonly type: 'starting';
      readonly target: string;
      readonly stage: Stage;
      readonly weight?: number | undefined;
    }
  | {
      readonly type: 'progressed';
      readonly target: string;
      readonly stage: Stage;
      readonly progress: Progress;
      readonly weight?: number | undefined;
      /** Of the node or instance it runs on, as the platform tells it. */
      readonly architecture?: string | undefined;
    }
  | { readonly type: 'stepped'; readonly position: Position }
  | {
      readonly type: 'looked';
      readonly position: Position;
      readonly judgement: Judgement | undefined;
      readonly callback: string | undefined;
    }
  | { readonly type: 'waveEnded'; readonly wave: number }
  | { readonly type: 'completed' }
  | { readonly type: 'settled'; readonly target: string; readonly message: string }
  | { readonly type: 'troubled'; readonly cause: Omit<Cause, 'atMs'> }
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
    case 'launched':
      return stay(
        update(world, { launch: { kind: event.workflow, execution: event.execution, sinceMs: nowMs } }),
      );
    case 'begun':
      return stay(begin(world, event, nowMs));
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
    case 'waveEnded':
      return stay(endWave(world, event.wave));
    case 'completed':
      return complete(world, nowMs);
    case 'settled':
      return stay(settle(world, event, nowMs));
    case 'troubled':
      return trouble(world, event.cause, nowMs);
    case 'restored':
      return finishRollback(world, nowMs);
    case 'handedOver':
      return stay(update(world, { owner: undefined, launch: undefined, epoch: world.rollout.epoch + 1 }));
    case 'died':
      return bury(world, event.execution, nowMs);
  }
}

function stay(world: World): Transition {
  return { world, actions: [] };
}

function update(world: World, change: Partial<Rollout>): World {
  return { ...world, rollout: { ...world.rollout, ...change } };
}

/** The first execution that begins owns the record, and raises the epoch so that every earlier writer is refused. */
function begin(
  world: World,
  { workflow, execution }: Extract<RolloutEvent, { type: 'begun' }>,
  nowMs: number,
): World {
  const { rollout } = world;
  if (rollout.owner || !mayBegin(world, workflow)) return world;
  const owned: Rollout = {
    ...rollout,
    owner: { kind: workflow, execution, sinceMs: nowMs },
    epoch: rollout.epoch + 1,
    phase: workflow === 'rollout' ? 'Progressing' : 'RollingBack',
    callback: undefined,
  };
  if (workflow === 'rollback' || rollout.phase !== 'Pending') return { ...world, rollout: owned };
  const message = `Starting ${rollout.tag} of ${rollout.service} on ${Object.keys(rollout.targets).length} targets`;
  return { ...world, rollout: say(owned, nowMs, 'RolloutStarted', message) };
}

function mayBegin({ rollout, service }: World, workflow: WorkflowKind): boolean {
  if (workflow === 'rollback') return rollout.phase === 'RollingBack';
  if (rollout.phase === 'RollingBack' || isFinal(rollout)) return false;
  return service.active === rollout.id;
}

function arm(
  world: World,
  { target, stable, architecture }: Extract<RolloutEvent, { type: 'armed' }>,
  nowMs: number,
): World {
  const known = world.rollout.targets[target]?.stable;
  if (known !== undefined) return world;
  const message = stable ? `${stable.revision} serves` : 'nothing serves yet';
  const change = { stable: stable ?? null, status: 'Armed', message, sinceMs: nowMs, architecture } as const;
  return { ...world, rollout: withTarget(world.rollout, target, change) };
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

/** On record before the first write: a target that may have been changed is a target to be restored. */
function start(
  world: World,
  { target, stage, weight }: Extract<RolloutEvent, { type: 'starting' }>,
  nowMs: number,
): World {
  const state = world.rollout.targets[target];
  const isDone = state?.status === DONE[stage] && (weight === undefined || state.weight === weight);
  if (state?.isTouched && (isDone || state.status === WORKING[stage])) return world;
  const change = { status: WORKING[stage], sinceMs: nowMs, isTouched: true };
  return { ...world, rollout: withTarget(world.rollout, target, change) };
}

function progress(
  world: World,
  event: Extract<RolloutEvent, { type: 'progressed' }>,
  nowMs: number,
): Transition {
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
function hold(
  world: World,
  event: Extract<RolloutEvent, { type: 'progressed' }>,
  state: TargetState,
  nowMs: number,
): Transition {
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

function announce(
  rollout: Rollout,
  event: Extract<RolloutEvent, { type: 'progressed' }>,
  nowMs: number,
): Rollout {
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
      return say(
        rollout,
        nowMs,
        'TrafficWeightUpdated',
        `Advance ${place} canary weight ${event.weight}`,
        event.target,
      );
    case 'promote':
      return note(
        rollout,
        nowMs,
        'TargetPromoted',
        `${place} promoted: ${event.progress.message}`,
        event.target,
      );
    case 'restore':
      return note(
        rollout,
        nowMs,
        'TargetRestored',
        `${place} restored: ${event.progress.message}`,
        event.target,
      );
  }
}

/** Behind the barrier: every target of the wave has done the step. */
function advance(world: World, position: Position, nowMs: number): World {
  const { rollout } = world;
  if (!isSame(rollout.position, position) || !isMoving(rollout)) return world;
  const step = stepAt(rollout.spec, position);
  const servesFromNow = step !== undefined && 'setWeight' in step && rollout.servingSinceMs === undefined;
  const place = `wave ${position.wave + 1} step ${position.step + 1}`;
  const advanced: Rollout = {
    ...rollout,
    position: { ...position, step: position.step + 1 },
    servingSinceMs: servesFromNow ? nowMs : rollout.servingSinceMs,
    pause: undefined,
  };
  return {
    ...world,
    rollout: note(advanced, nowMs, 'RolloutStepCompleted', `${rollout.service} ${place} completed`),
  };
}

function endWave(world: World, wave: number): World {
  const { rollout } = world;
  if (rollout.position.wave !== wave || !isMoving(rollout)) return world;
  return update(world, {
    position: { wave: wave + 1, step: 0 },
    servingSinceMs: undefined,
    judgement: undefined,
    pause: undefined,
  });
}

/** One look of a waiting rollout: what the judge says is stored, and the gate opens or stays shut. */
function look(world: World, event: Extract<RolloutEvent, { type: 'looked' }>, nowMs: number): Transition {
  const { rollout } = world;
  if (!isSame(rollout.position, event.position) || !isMoving(rollout)) return stay(world);
  const judged = recordJudgement({ ...rollout, callback: event.callback }, event.judgement, nowMs);
  if (event.judgement?.verdict === 'Failed') {
    const message = `Halt ${rollout.service} wave ${rollout.position.wave + 1}: ${event.judgement.message}`;
    return trouble({ ...world, rollout: judged }, { kind: 'Judge', message }, nowMs);
  }
  const paused = openPause(judged, nowMs);
  if (!passes(paused, nowMs)) return stay({ ...world, rollout: waitAt(paused, nowMs) });
  return stay(advance({ ...world, rollout: { ...paused, phase: 'Progressing' } }, event.position, nowMs));
}

function recordJudgement(rollout: Rollout, judgement: Judgement | undefined, nowMs: number): Rollout {
  if (!judgement) return rollout;
  const judged = { ...rollout, judgement };
  if (rollout.judgement?.verdict === judgement.verdict) return judged;
  return note(judged, nowMs, `AnalysisRun${judgement.verdict}`, judgement.message);
}

function openPause(rollout: Rollout, nowMs: number): Rollout {
  if (rollout.pause) return rollout;
  const step = stepAt(rollout.spec, rollout.position);
  const seconds = step && 'pause' in step ? step.pause.duration : undefined;
  const gate = `wave ${rollout.position.wave + 1} step ${rollout.position.step + 1}`;
  const untilMs = seconds === undefined ? undefined : nowMs + seconds * 1000;
  return { ...rollout, pause: { gate, openedMs: nowMs, untilMs, promotedBy: undefined } };
}

/** Waiting for time is progress; waiting for a person is `Paused`. */
function waitAt(rollout: Rollout, nowMs: number): Rollout {
  const waitsForPerson =
    rollout.heldBy !== undefined || rollout.pause?.untilMs === undefined || isExtensionOver(rollout, nowMs);
  if (!waitsForPerson) return { ...rollout, phase: 'Progressing' };
  if (rollout.phase === 'Paused') return rollout;
  const why = rollout.heldBy
    ? `held by ${rollout.heldBy}: resume to go on`
    : rollout.pause?.untilMs === undefined
      ? `${rollout.pause?.gate}: waiting for promote`
      : `${rollout.pause.gate}: ${rollout.judgement?.message ?? 'no verdict'}; promote or abort`;
  return say({ ...rollout, phase: 'Paused' }, nowMs, 'CanaryPauseStep', `Paused at ${why}`);
}

function isExtensionOver({ spec, pause }: Rollout, nowMs: number): boolean {
  if (spec.judge === 'off' || pause?.untilMs === undefined) return false;
  return nowMs >= pause.untilMs + spec.judge.maxExtension * 1000;
}

function complete(world: World, nowMs: number): Transition {
  const { rollout, service } = world;
  if (!isMoving(rollout) || rollout.phase === 'RollingBack') return stay(world);
  const healthy: Rollout = {
    ...say(rollout, nowMs, 'RolloutCompleted', `Promotion completed! ${rollout.tag} serves on every target`),
    phase: 'Healthy',
    owner: undefined,
    launch: undefined,
    callback: undefined,
    windowEndsMs: nowMs + rollout.spec.strategy.rollbackWindow * 1000,
  };
  return handOver({ rollout: healthy, service: { ...service, healthy: rollout.id } });
}

function settle(world: World, event: Extract<RolloutEvent, { type: 'settled' }>, nowMs: number): World {
  if (world.rollout.targets[event.target]?.status === 'Settled') return world;
  const change = { status: 'Settled', message: event.message, sinceMs: nowMs } as const;
  const rollout = withTarget(world.rollout, event.target, change);
  if (!isSettled(rollout)) return { ...world, rollout };
  return {
    ...world,
    rollout: note(rollout, nowMs, 'RolloutSettled', `The way back from ${rollout.tag} is closed`),
  };
}

/** Whether nothing of the rollout is left on its targets that a rollback would need. */
export function isSettled(rollout: Rollout): boolean {
  return Object.values(rollout.targets).every(target => target.status === 'Settled' || !target.isTouched);
}

/** Raises the fence and hands the targets to the rollback. Repeats, and trouble where nothing can be taken back, change nothing. */
function trouble(world: World, cause: Omit<Cause, 'atMs'>, nowMs: number): Transition {
  const { rollout, service } = world;
  if (!canRollBack(world, nowMs)) return stay(world);
  const fenced: Rollout = {
    ...say(rollout, nowMs, 'RollingBack', `Rolling back ${rollout.service} ${rollout.tag}: ${cause.message}`),
    phase: 'RollingBack',
    epoch: rollout.epoch + 1,
    owner: undefined,
    launch: undefined,
    callback: undefined,
    pause: undefined,
    heldBy: undefined,
    windowEndsMs: undefined,
    cause: { ...cause, atMs: nowMs },
  };
  const held = service.active ?? rollout.id;
  const actions: Action[] = rollout.callback ? [{ do: 'poke', callback: rollout.callback }] : [];
  return { world: { rollout: fenced, service: { ...service, active: held } }, actions };
}

/** In flight, or Healthy with its way back still open and nothing newer on the targets. */
export function canRollBack({ rollout, service }: World, nowMs: number): boolean {
  if (rollout.phase === 'Pending' || rollout.phase === 'Progressing' || rollout.phase === 'Paused')
    return true;
  if (rollout.phase !== 'Healthy' || service.active !== undefined) return false;
  return rollout.windowEndsMs !== undefined && nowMs < rollout.windowEndsMs && !isSettled(rollout);
}

/** The workflow that should have an execution now and has none. */
export function dueWorkflow({ rollout, service }: World): WorkflowKind | undefined {
  if (rollout.owner || rollout.launch) return undefined;
  if (rollout.phase === 'RollingBack') return 'rollback';
  const isTurn = service.active === rollout.id;
  return isTurn && !isFinal(rollout) ? 'rollout' : undefined;
}

function finishRollback(world: World, nowMs: number): Transition {
  const { rollout, service } = world;
  if (rollout.phase !== 'RollingBack') return stay(world);
  const cause = rollout.cause?.message ?? 'rolled back';
  const isSuperseded = rollout.cause?.kind === 'Superseded';
  const ended: Rollout = {
    ...say(rollout, nowMs, 'RolledBack', `Rolled back ${rollout.service} ${rollout.tag}: ${cause}`),
    phase: isSuperseded ? 'Superseded' : 'Degraded',
    owner: undefined,
    launch: undefined,
  };
  const quarantine = {
    ...service.quarantine,
    [rollout.digest]: { rollout: rollout.id, message: cause, sinceMs: nowMs },
  };
  const healthy = service.healthy === rollout.id ? undefined : service.healthy;
  return handOver({
    rollout: ended,
    service: { ...service, healthy, quarantine: isSuperseded ? service.quarantine : quarantine },
  });
}

/** Deaths of one rollout after which it is taken back rather than started once more. */
const MAX_DEATHS = 3;

function bury(world: World, execution: string, nowMs: number): Transition {
  const { rollout } = world;
  if ((rollout.owner ?? rollout.launch)?.execution !== execution) return stay(world);
  const orphan = update(world, {
    owner: undefined,
    launch: undefined,
    callback: undefined,
    epoch: rollout.epoch + 1,
    deaths: rollout.deaths + 1,
  });
  if (rollout.phase === 'RollingBack' || rollout.deaths + 1 < MAX_DEATHS) return stay(orphan);
  return trouble(orphan, { kind: 'Workflow', message: `its execution died ${MAX_DEATHS} times` }, nowMs);
}

/** The service is free: the rollout that waits gets its turn. */
function handOver({ rollout, service }: World): Transition {
  const next = service.waiting;
  const freed = { ...service, active: next, waiting: undefined };
  return {
    world: { rollout, service: freed },
    actions: next ? [{ do: 'ensure', rollout: next }] : [],
  };
}

function say(
  rollout: Rollout,
  nowMs: number,
  reason: Parameters<typeof note>[2],
  message: string,
  target?: string,
): Rollout {
  return { ...note(rollout, nowMs, reason, message, target), message };
}

export function isSame(a: Position, b: Position): boolean {
  return a.wave === b.wave && a.step === b.step;
}

import { holdOf } from './holds.ts';
import type { Evidence, Judgement } from './judge.ts';
import { stepAt } from './plan.ts';
import { isRollingOut, note, type Position, type Rollout, withTrend } from './record.ts';
import { trouble } from './trouble.ts';
import { isSame, say, stay, type Transition, type World } from './world.ts';

/** What the judge says while a rollout waits; nothing where there is nothing to judge. */
export interface Judging {
  readonly judgement: Judgement | undefined;
  /** What the judge keeps for its next look. */
  readonly evidence?: Evidence | undefined;
  /** With `onBurn: attribute`: who burns, when the verdict is Failed by the burn rate. */
  readonly blamed?: 'canary' | 'everybody' | 'unsure' | undefined;
  /** Wakes the execution that waits. */
  readonly callback: string | undefined;
}

export interface Looked extends Judging {
  readonly position: Position;
}

/** Behind the barrier: every target of the wave has done the step. */
export function advance(world: World, position: Position, nowMs: number): World {
  const { rollout } = world;
  if (!isSame(rollout.position, position) || !isRollingOut(rollout)) return world;
  const step = stepAt(rollout.spec, position);
  const servesFromNow = step !== undefined && 'setWeight' in step && rollout.servingSinceMs === undefined;
  const place = `wave ${position.wave + 1} step ${position.step + 1}`;
  const advanced: Rollout = {
    ...rollout,
    position: { ...position, step: position.step + 1 },
    servingSinceMs: servesFromNow ? nowMs : rollout.servingSinceMs,
    pause: undefined,
    deaths: 0,
  };
  return {
    ...world,
    rollout: note(advanced, nowMs, 'RolloutStepCompleted', `${rollout.service} ${place} completed`),
  };
}

export function endWave(world: World, wave: number, nowMs: number): World {
  const { rollout } = world;
  if (rollout.position.wave !== wave || !isRollingOut(rollout)) return world;
  const ended: Rollout = {
    ...rollout,
    position: { wave: wave + 1, step: 0 },
    servingSinceMs: undefined,
    judgement: undefined,
    evidence: undefined,
    pause: undefined,
    deaths: 0,
  };
  const message = `${rollout.service} wave ${wave + 1} completed`;
  return { ...world, rollout: note(ended, nowMs, 'RolloutStepCompleted', message) };
}

/** One look of a waiting rollout: what the judge says is stored, and the gate opens or stays shut. */
export function look(world: World, looked: Looked, nowMs: number): Transition {
  const { rollout } = world;
  const { position } = looked;
  if (!isSame(rollout.position, position) || !isRollingOut(rollout)) return stay(world);
  const judged = takeVerdict(world, looked, nowMs);
  if (judged.world.rollout.phase === 'RollingBack') return judged;
  const paused = { ...world, rollout: openPause(judged.world.rollout, nowMs) };
  if (!passes(paused, nowMs)) return stay({ ...world, rollout: waitAt(paused, nowMs) });
  const going: Rollout = { ...paused.rollout, phase: 'Progressing' };
  return stay(advance({ ...world, rollout: going }, position, nowMs));
}

/** Before anything begins: a rollout that is held waits here, and is judged meanwhile. */
export function clear(world: World, judging: Judging, nowMs: number): Transition {
  if (!isRollingOut(world.rollout)) return stay(world);
  const judged = takeVerdict(world, judging, nowMs);
  const { rollout } = judged.world;
  if (rollout.phase === 'RollingBack') return judged;
  const hold = holdOf(judged.world, nowMs);
  if (hold !== undefined) return stay({ ...world, rollout: pauseFor(rollout, `Paused: ${hold}`, nowMs) });
  // At a gate that is open nothing goes on yet: that is for `look` to say.
  return stay({ ...world, rollout: rollout.pause ? rollout : goOn(rollout, nowMs) });
}

/** Stores what the judge says. Failed rolls back; where everybody burns it freezes, once. */
function takeVerdict(world: World, judging: Judging, nowMs: number): Transition {
  const { judgement, evidence, blamed, callback } = judging;
  const judged = recordJudgement({ ...world.rollout, callback, evidence }, judgement, nowMs);
  if (judgement?.verdict !== 'Failed') return stay({ ...world, rollout: judged });
  // A person who lets it go on after that has decided about the burn; that the canary is worse is another matter.
  const isKnown = judged.burnsEverywhere && judgement.because === 'burn' && blamed !== 'canary';
  if (isKnown) return stay({ ...world, rollout: judged });
  if (blamed === 'everybody') {
    return stay({ ...world, rollout: freeze(judged, 'the judge', judgement.message, nowMs) });
  }
  const place = `${judged.service} wave ${judged.position.wave + 1}`;
  const cause = { kind: 'Judge', message: `Halt ${place}: ${judgement.message}` } as const;
  return trouble({ ...world, rollout: judged }, cause, nowMs);
}

/** In whose name a rollout is frozen, as it would be in a person's. */
export const FREEZERS = ['the judge', 'an SLO alert'] as const;

/** Everybody burns: to take the canary back would mend nothing, and to go on would hide what does. A person decides. */
export function freeze(rollout: Rollout, by: (typeof FREEZERS)[number], why: string, nowMs: number): Rollout {
  if (rollout.burnsEverywhere) return rollout;
  const message = `Frozen by ${by}, as stable burns no less than the canary: ${why}`;
  const frozen: Rollout = {
    ...rollout,
    heldBy: rollout.heldBy ?? by,
    burnsEverywhere: true,
    phase: 'Paused',
  };
  return say(frozen, nowMs, 'RolloutPaused', message);
}

function recordJudgement(rollout: Rollout, judgement: Judgement | undefined, nowMs: number): Rollout {
  if (!judgement) return rollout;
  const judged = withTrend({ ...rollout, judgement }, judgement);
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

/** Whether a pause that is open lets the rollout go on. Before the canary serves there is nothing to judge. */
function passes(world: World, nowMs: number): boolean {
  const { pause, isFull, judgement, spec, servingSinceMs } = world.rollout;
  if (holdOf(world, nowMs) !== undefined) return false;
  if (isFull || pause?.promotedBy) return true;
  if (pause?.untilMs === undefined || nowMs < pause.untilMs) return false;
  return spec.judge === 'off' || servingSinceMs === undefined || judgement?.verdict === 'Successful';
}

/** Waiting for time is progress; waiting for a person, or for a window to open, is `Paused`. */
function waitAt(world: World, nowMs: number): Rollout {
  const { rollout } = world;
  const why = holdOf(world, nowMs) ?? personNeeded(rollout, nowMs);
  if (why === undefined) return goOn(rollout, nowMs);
  return pauseFor(rollout, `Paused at ${rollout.pause?.gate}: ${why}`, nowMs);
}

function personNeeded(rollout: Rollout, nowMs: number): string | undefined {
  const { pause, judgement } = rollout;
  if (pause?.untilMs === undefined) return 'waiting for promote';
  if (!isExtensionOver(rollout, nowMs)) return undefined;
  return `${judgement?.verdict ?? 'no verdict'} for too long, waiting for promote or abort`;
}

function isExtensionOver({ spec, pause }: Rollout, nowMs: number): boolean {
  if (spec.judge === 'off' || pause?.untilMs === undefined) return false;
  return nowMs >= pause.untilMs + spec.judge.maxExtension * 1000;
}

/** Nothing holds it any more. */
function goOn(rollout: Rollout, nowMs: number): Rollout {
  if (rollout.phase !== 'Paused') return rollout;
  const going: Rollout = { ...rollout, phase: 'Progressing', targets: waitingAnew(rollout, nowMs) };
  return say(going, nowMs, 'RolloutResumed', `${rollout.service} goes on`);
}

/** The deadline of what has not begun counts from when it may. */
export function waitingAnew({ targets }: Rollout, nowMs: number): Rollout['targets'] {
  const anew = Object.entries(targets).map(([name, target]) => [
    name,
    target.isTouched ? target : { ...target, sinceMs: nowMs },
  ]);
  return Object.fromEntries(anew);
}

/** Says once why it waits. */
function pauseFor(rollout: Rollout, message: string, nowMs: number): Rollout {
  if (rollout.phase === 'Paused' && rollout.message === message) return rollout;
  return say({ ...rollout, phase: 'Paused' }, nowMs, 'CanaryPauseStep', message);
}

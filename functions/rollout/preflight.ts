import { openIncidents } from './incidents.ts';
import { note, type Rollout } from './record.ts';
import { end, say, type Transition, type World } from './world.ts';

/** Something that keeps a rollout from starting, in words, with what to do about it. */
export interface PreflightProblem {
  readonly message: string;
  /** Whether it may be over in a while without anybody doing anything. */
  readonly mayPass: boolean;
}

/**
 * Decides with what was found on the targets, and with the incidents on record: a rollout with problems that stay, or
 * that stay too long, is `Rejected` before it has changed anything.
 */
export function concludePreflight(
  world: World,
  found: readonly PreflightProblem[],
  nowMs: number,
): Transition {
  const problems = [...found, ...incidentProblems(world, nowMs)];
  if (problems.length === 0) return { world: pass(world, nowMs), actions: [] };
  const isHopeless = problems.some(({ mayPass }) => !mayPass) || isLate(world.rollout, nowMs);
  const reasons = problems.map(({ message }) => message).join('; ');
  return isHopeless ? reject(world, reasons, nowMs) : { world: wait(world, reasons, nowMs), actions: [] };
}

/** A rollout that has begun to change targets is past its preflight, also when another execution goes on with it. */
export function needsPreflight({ targets }: Rollout): boolean {
  return Object.values(targets).every(({ isTouched }) => !isTouched);
}

/** `promote --full` is for what cannot wait: often the very push that mends what burns. */
function incidentProblems({ rollout, service }: World, nowMs: number): PreflightProblem[] {
  if (rollout.isFull) return [];
  return openIncidents(service, nowMs).map(({ id, policy }) => ({
    message: `SLO incident ${id} (${policy}) is open: it has to close first; promote --full does not wait for it, and for no canary step either`,
    mayPass: true,
  }));
}

/** The progress deadline counts from when the last target was armed. */
function isLate({ targets, spec }: Rollout, nowMs: number): boolean {
  const armedMs = Math.max(...Object.values(targets).map(({ sinceMs }) => sinceMs));
  return nowMs - armedMs > spec.strategy.progressDeadline * 1000;
}

function wait(world: World, reasons: string, nowMs: number): World {
  const message = `Waiting before the start: ${reasons}`;
  if (world.rollout.message === message) return world;
  return { ...world, rollout: { ...note(world.rollout, nowMs, 'PreflightWaiting', message), message } };
}

function pass(world: World, nowMs: number): World {
  const { rollout, service } = world;
  const out = rollout.spec.targets.filter(({ name }) => service.drained[name]).map(({ name }) => name);
  const last = rollout.history.findLast(({ reason }) => /^Preflight/.test(reason));
  const hasWaited = last?.reason === 'PreflightWaiting';
  if (!hasWaited && out.length === 0) return world;
  const stays = out.length > 0 ? `; out of the load balancer: ${out.join(', ')}` : '';
  const message = `${rollout.service} is ready for ${rollout.tag}${stays}`;
  if (rollout.message === message) return world;
  return { ...world, rollout: { ...note(rollout, nowMs, 'PreflightPassed', message), message } };
}

/** Nothing was changed, so there is nothing to take back, and nothing against the digest. */
export function reject(world: World, reasons: string, nowMs: number): Transition {
  const message = `${reasons}; mend it, then retry`;
  const rejected = say(world.rollout, nowMs, 'RolloutRejected', message);
  return end({ ...world, rollout: rejected }, { phase: 'Rejected' });
}

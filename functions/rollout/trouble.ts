import { freshCourse } from './admission.ts';
import {
  type Cause,
  type CauseKind,
  isRollingOut,
  type Rollout,
  type ServiceState,
  withTarget,
} from './record.ts';
import { type Action, end, LET_GO, say, stay, type Transition, update, type World } from './world.ts';

/**
 * Raises the fence and hands the targets to the rollback. Repeats, and trouble where nothing can be taken back, change
 * nothing.
 */
export function trouble(world: World, cause: Omit<Cause, 'atMs'>, nowMs: number): Transition {
  if (!canRollBack(world, nowMs)) return stay(world);
  if (isQueued(world)) return leaveQueue(world, cause, nowMs);
  return raiseFence(world, cause, nowMs);
}

/** The same without asking for how long: a person wants what stands beside it back. */
export function raiseFence(world: World, cause: Omit<Cause, 'atMs'>, nowMs: number): Transition {
  const { rollout, service } = world;
  const fenced: Rollout = {
    ...say(rollout, nowMs, 'RollingBack', `Rolling back ${rollout.service} ${rollout.tag}: ${cause.message}`),
    phase: 'RollingBack',
    epoch: rollout.epoch + 1,
    ...LET_GO,
    windowEndsMs: undefined,
    cause: { ...cause, message: cause.message.slice(0, 1000), atMs: nowMs },
  };
  const actions: Action[] = rollout.callback ? [{ do: 'poke', callback: rollout.callback }] : [];
  return { world: { rollout: fenced, service: { ...service, active: rollout.id } }, actions };
}

function isQueued({ rollout, service }: World): boolean {
  return rollout.phase === 'Pending' && service.active !== rollout.id;
}

/** It has touched nothing and nothing is known against its digest. */
function leaveQueue(world: World, cause: Omit<Cause, 'atMs'>, nowMs: number): Transition {
  const left = say(world.rollout, nowMs, 'RolloutSuperseded', cause.message);
  return end({ ...world, rollout: left }, { phase: 'Superseded', cause: { ...cause, atMs: nowMs } });
}

/** In flight, or the newest Healthy one with its way back still open and nothing newer on the targets. */
export function canRollBack(world: World, nowMs: number): boolean {
  const { phase, windowEndsMs } = world.rollout;
  if (phase === 'Pending' || phase === 'Progressing' || phase === 'Paused') return true;
  return hasWayBack(world) && windowEndsMs !== undefined && nowMs < windowEndsMs;
}

/**
 * Whether what served before stands beside what is Healthy, on every target. Where one is settled already, to bring back
 * the others would leave two digests and call it a rollback.
 */
export function hasWayBack({ rollout, service }: World): boolean {
  if (rollout.phase !== 'Healthy' || rollout.undoes !== undefined) return false;
  if (service.active !== undefined || service.healthy !== rollout.id) return false;
  const touched = Object.values(rollout.targets).filter(({ isTouched }) => isTouched);
  return touched.length > 0 && touched.every(({ status }) => status !== 'Settled');
}

/** Whether nothing of the rollout is left on its targets that a rollback would need. */
export function isSettled(rollout: Rollout): boolean {
  return Object.values(rollout.targets).every(target => target.status === 'Settled' || !target.isTouched);
}

/** Targets that a rollback has to bring back. */
export function touchedTargets({ targets }: Rollout): string[] {
  return Object.entries(targets).flatMap(([name, { isTouched, status }]) =>
    isTouched && status !== 'Settled' ? [name] : [],
  );
}

/** Those among them that are neither back nor given up since the trouble began: with these a rollback is not over. */
export function unrestoredTargets(rollout: Rollout): string[] {
  const troubledMs = rollout.cause?.atMs ?? 0;
  return touchedTargets(rollout).filter(name => {
    const target = rollout.targets[name];
    const isGivenUp = target?.status === 'Failed' && target.sinceMs > troubledMs;
    return target?.status !== 'Restored' && !isGivenUp;
  });
}

/** A target that cannot be brought back must not block the service for ever: people are told, and the rollback goes on. */
export function giveUpOn(world: World, target: string, why: string, nowMs: number): World {
  const { rollout } = world;
  const message = `NOT restored, and given up: ${why}`;
  const failed = withTarget(rollout, target, { status: 'Failed', message, sinceMs: nowMs });
  return {
    ...world,
    rollout: say(failed, nowMs, 'RestoreFailed', `${rollout.service}.${target} ${message}`, target),
  };
}

/** What is known against the digest itself. A workflow that gave up, or a newer push, says nothing about it. */
const QUARANTINES: ReadonlySet<CauseKind> = new Set([
  'Judge',
  'ProgressDeadline',
  'Target',
  'Abort',
  'Alert',
  'Undo',
]);

/** What was never tried has shown nothing, and what serves already (under another tag) must be able to. */
function isHeldAgainst({ targets, digest, undoes }: Rollout, kind: CauseKind): boolean {
  if (!QUARANTINES.has(kind) || undoes !== undefined) return false;
  const states = Object.values(targets);
  if (servesAlready({ targets, digest })) return false;
  return kind === 'Abort' || states.some(({ isTouched }) => isTouched);
}

function servesAlready({ targets, digest }: Pick<Rollout, 'targets' | 'digest'>): boolean {
  return Object.values(targets).some(({ stable }) => stable?.digest === digest);
}

/** Digests of long ago make room: a service's document has to stay small. */
const MOST_QUARANTINED = 500;

export function quarantineWith(
  { quarantine }: ServiceState,
  digest: string,
  against: ServiceState['quarantine'][string],
): ServiceState['quarantine'] {
  const others = Object.entries(quarantine)
    .filter(([known]) => known !== digest)
    .sort(([, a], [, b]) => a.sinceMs - b.sinceMs)
    .slice(1 - MOST_QUARANTINED);
  return { ...Object.fromEntries(others), [digest]: against };
}

/** Every target is as it was, or was given up. */
export function finishRollback(world: World, nowMs: number): Transition {
  const { rollout, service } = world;
  if (rollout.phase !== 'RollingBack') return stay(world);
  const kind = rollout.cause?.kind ?? 'Workflow';
  const why = rollout.cause?.message ?? 'rolled back';
  const lost = Object.entries(rollout.targets).flatMap(([name, { status }]) =>
    status === 'Failed' ? [name] : [],
  );
  const except = lost.length > 0 ? `, but NOT on ${lost.join(', ')}` : '';
  const message = `Rolled back ${rollout.service} ${rollout.tag}${except}: ${why}`;
  const against = { rollout: rollout.id, message: why, sinceMs: nowMs };
  const quarantine = isHeldAgainst(rollout, kind)
    ? quarantineWith(service, rollout.digest, against)
    : service.quarantine;
  // Whatever its cause was: alerts about what it served may come late.
  const mayHaveServed = Object.values(rollout.targets).some(({ mayServe }) => mayServe);
  const restoredMs = mayHaveServed ? nowMs : service.restoredMs;
  const served = servesAlready(rollout) ? service : withoutHealthy(service, rollout.id);
  const after = { ...served, quarantine, restoredMs };
  return end(
    { rollout: say(rollout, nowMs, 'RolledBack', message), service: after },
    { phase: kind === 'Superseded' ? 'Superseded' : 'Degraded' },
  );
}

/** What was Healthy before serves again. */
function withoutHealthy(service: ServiceState, id: string): ServiceState {
  if (service.healthy !== id) return service;
  return { ...service, healthy: service.earlier.at(-1), earlier: service.earlier.slice(0, -1) };
}

/**
 * Whom an alert is about: the rollout in flight once its canary may have had a request, before that the one that was
 * promoted last. The one in flight then waits for its turn again.
 */
export function stepBack({ rollout, service }: World, nowMs: number): World | undefined {
  const { healthy } = service;
  if (service.active !== rollout.id || healthy === undefined || !isUntouched(rollout)) return undefined;
  if (service.waiting !== undefined) return giveWay({ rollout, service }, healthy, nowMs);
  const message = `waits again: an SLO alert is about ${healthy}`;
  const waiting: Rollout = {
    ...say(rollout, nowMs, 'RolloutQueued', message),
    // What served when it was armed is about to be rolled back.
    targets: freshCourse(rollout.spec, nowMs).targets,
    phase: 'Pending',
    epoch: rollout.epoch + 1,
    owner: undefined,
    launch: undefined,
    callback: undefined,
  };
  return { rollout: waiting, service: { ...service, active: undefined, waiting: rollout.id } };
}

/** In flight, and nothing has been changed for it: nobody was served by it. */
export function isUntouched(rollout: Rollout): boolean {
  if (rollout.undoes !== undefined || (!isRollingOut(rollout) && rollout.phase !== 'Pending')) return false;
  return Object.values(rollout.targets).every(({ isTouched }) => !isTouched);
}

/** The newer one keeps its place. */
function giveWay({ rollout, service }: World, healthy: string, nowMs: number): World {
  const message = `an SLO alert is about ${healthy}, and ${service.waiting} is newer`;
  const { world } = end(
    {
      rollout: say(rollout, nowMs, 'RolloutSuperseded', message),
      service: { ...service, active: undefined },
    },
    { phase: 'Superseded' },
  );
  return world;
}

/** Deaths in a row, at one step, after which a rollout is taken back rather than started once more. */
const MAX_DEATHS = 3;

/** The execution is gone and said nothing: the record is free for the next one. */
export function loseExecution(world: World, execution: string, nowMs: number): Transition {
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

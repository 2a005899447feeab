import type { LoadBalancerSpec, Place } from '../targets/load-balancer.ts';
import type { Progress } from '../targets/target.ts';
import { by, inNameOf, type RegionCommand, refuse, remember } from './commands.ts';
import type { Service } from './policy.ts';
import { note, type Rollout } from './record.ts';
import type { Transition, World } from './world.ts';

/** A Cloud Run target behind the service's load balancer. */
export interface Region {
  readonly target: string;
  readonly place: Place;
  readonly loadBalancer: LoadBalancerSpec;
}

export type FoundRegion =
  | { readonly ok: true; readonly region: Region }
  | { readonly ok: false; readonly problem: string };

export function regionsOf({ targets, loadBalancer }: Service): Region[] {
  if (!loadBalancer) return [];
  return targets.flatMap(({ name, cloudRun }) =>
    cloudRun ? [{ target: name, place: cloudRun, loadBalancer }] : [],
  );
}

export function findRegion(spec: Service, target: string): FoundRegion {
  const region = regionsOf(spec).find(one => one.target === target);
  if (region) return { ok: true, region };
  const names = spec.targets.map(({ name }) => name);
  if (!names.includes(target)) {
    return { ok: false, problem: `${spec.name} has no target ${target}; it has ${names.join(', ')}` };
  }
  const problem = spec.loadBalancer
    ? `${target} is a GKE target with a Gateway of its own, not a region behind the load balancer`
    : `the policy names no loadBalancer for ${spec.name}`;
  return { ok: false, problem };
}

/**
 * The last resort of a rollback: users are still sent to a canary in a region that does not let itself be restored, for
 * as long as a target may take to get ready.
 */
export function isLastResort({ rollout }: World, target: string, nowMs: number): boolean {
  const state = rollout.targets[target];
  if (state?.status !== 'Restoring' || !state.mayServe || !findRegion(rollout.spec, target).ok) return false;
  return nowMs - state.sinceMs > rollout.spec.strategy.progressDeadline * 1000;
}

/** Where users are better off than in a region that cannot be restored: the regions where stable serves for sure. */
export function steadyRegions({ spec, targets }: Rollout, except: string): Region[] {
  return regionsOf(spec).filter(({ target }) => {
    const state = targets[target];
    return target !== except && (!state?.mayServe || state.status === 'Restored');
  });
}

/** The users of such a region would be sent to the canary. */
export function isBeingRestored({ rollout }: World, target: string): boolean {
  const state = rollout.targets[target];
  return rollout.phase === 'RollingBack' && state?.mayServe === true && state.status !== 'Restored';
}

/** On record before the load balancer is changed; a repeat changes nothing. */
export function drainedAsLastResort(world: World, target: string, nowMs: number): World {
  const { rollout, service } = world;
  if (service.drained[target]) return world;
  const message = `${rollout.service}.${target} cannot be restored: out of the load balancer`;
  return withDrained(world, target, undefined, message, nowMs);
}

/** Like the above; what a rollback took out and a person wants out stays out until a person says `undrain`. */
export function drainedBy(world: World, target: string, person: string, nowMs: number): World {
  const { rollout, service } = world;
  if (service.drained[target]?.by !== undefined) return world;
  const message = `${person}: drain ${target}: ${rollout.service}.${target} out of the load balancer`;
  return withDrained(world, target, person, message, nowMs);
}

function withDrained(
  { rollout, service }: World,
  target: string,
  person: string | undefined,
  message: string,
  nowMs: number,
): World {
  const drained = { ...service.drained, [target]: { rollout: rollout.id, sinceMs: nowMs, by: person } };
  return {
    rollout: note(rollout, nowMs, 'RegionDrained', message, target),
    service: { ...service, drained },
  };
}

/** What became of a person's command, once. */
export function concludeMove(
  world: World,
  command: RegionCommand & { readonly id: string },
  made: Progress,
  nowMs: number,
): Transition {
  if (world.service.handled.includes(command.id)) return { world, actions: [] };
  const known = { ...world, service: remember(world.service, command.id) };
  const { target } = command;
  if (made.status !== 'done') {
    return inNameOf(command, world, refuse(known, nowMs, `${command.command} ${target}`, made.message));
  }
  const person = by(command);
  const moved =
    command.command === 'drain'
      ? drainedBy(known, target, person, nowMs)
      : recordUndrained(known, target, `${person}: undrain ${target}: ${made.message}`, nowMs);
  return inNameOf(command, world, { world: moved, actions: [] });
}

export function recordUndrained(world: World, target: string, message: string, nowMs: number): World {
  const { rollout, service } = world;
  const { [target]: _, ...drained } = service.drained;
  return {
    rollout: note(rollout, nowMs, 'RegionUndrained', message, target),
    service: { ...service, drained },
  };
}

/** The region stays as it was. Said once, however often it is tried. */
export function recordKept(world: World, target: string, message: string, nowMs: number): World {
  const { rollout } = world;
  const isKnown = rollout.history.some(entry => entry.reason === 'RegionKept' && entry.message === message);
  return isKnown ? world : { ...world, rollout: note(rollout, nowMs, 'RegionKept', message, target) };
}

/** Targets whose regions a rollback took out: the next Healthy rollout brings them back. What a person took out stays out. */
export function toBringBack({ service }: World): string[] {
  return Object.entries(service.drained).flatMap(([target, { by }]) => (by === undefined ? [target] : []));
}

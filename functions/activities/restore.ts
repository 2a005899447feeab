import type { Dependencies } from '../dependencies.ts';
import { SlipwayError } from '../errors.ts';
import type { Rollout } from '../rollout/record.ts';
import { isLastResort } from '../rollout/regions.ts';
import { type RolloutEvent, transition } from '../rollout/state.ts';
import { stay, type Transition, type World } from '../rollout/world.ts';
import type { Progress } from '../targets/target.ts';
import {
  type Attempt,
  applyAsOwner,
  attempt,
  FENCED,
  type Reply,
  type Request,
  targetFor,
  tellProblem,
} from './run.ts';

/** After this long a restore that still does not come about is given up. */
const RESTORE_PATIENCE_MS = 3_600_000;

type Made = (Progress | Attempt) & { readonly target: string };

/**
 * Brings targets back, all at once and with two changes of the record, however many they are. Nothing but time ends the
 * attempts: after an hour a target is given up, loudly. `overdue` are those that ask for the last resort.
 */
export async function restore(deps: Dependencies, request: Request): Promise<Reply> {
  const { targets } = request;
  if (targets.length === 0) {
    const operation = 'restore';
    throw new SlipwayError('expected targets to restore, found none', { code: 'InvalidArgument', operation });
  }
  const world = await record(deps, request, targets.map(starting));
  if (!world) return FENCED;
  const attempts = await Promise.all(targets.map(target => restoreOne(deps, world.rollout, target)));
  if (attempts.some(({ status }) => status === 'fenced')) return FENCED;
  const nowMs = deps.nowMs();
  const isHopeless = nowMs - (world.rollout.cause?.atMs ?? nowMs) >= RESTORE_PATIENCE_MS;
  const after = await record(
    deps,
    request,
    attempts.map(made => (made.status !== 'done' && isHopeless ? gaveUp(made) : progressed(made))),
  );
  if (!after) return FENCED;
  const left = isHopeless ? [] : attempts.filter(({ status }) => status !== 'done');
  const told = left.length > 0 ? left : attempts;
  return {
    status: left.length > 0 ? 'again' : 'done',
    message: told.map(({ target, message }) => `${target}: ${message}`).join('; '),
    overdue: left.map(({ target }) => target).filter(target => isLastResort(after, target, nowMs)),
    restSeconds: Math.max(0, ...left.map(made => ('restSeconds' in made ? (made.restSeconds ?? 0) : 0))),
  };
}

async function restoreOne(deps: Dependencies, rollout: Rollout, name: string): Promise<Made> {
  const { target, order } = await targetFor(deps, rollout, name);
  const tell = tellProblem(deps, rollout, name);
  return { target: name, ...(await attempt(one => one.restore(order), target, tell)) };
}

function starting(target: string): RolloutEvent {
  return { type: 'starting', target, stage: 'restore', weight: 0 };
}

function progressed({ target, status, message }: Made): RolloutEvent {
  const progress: Progress = { status: status === 'fenced' ? 'again' : status, message };
  return { type: 'progressed', target, stage: 'restore', progress, weight: 0 };
}

function gaveUp({ target, message }: Made): RolloutEvent {
  return { type: 'gaveUp', target, why: message };
}

function record(deps: Dependencies, request: Request, events: readonly RolloutEvent[]) {
  return applyAsOwner(deps, request, (world, nowMs) => all(world, events, nowMs));
}

function all(world: World, events: readonly RolloutEvent[], nowMs: number): Transition {
  return events.reduce((before, event) => {
    const after = transition(before.world, event, nowMs);
    return { world: after.world, actions: [...before.actions, ...after.actions] };
  }, stay(world));
}

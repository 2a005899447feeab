import { z } from 'zod';
import type { Dependencies } from '../dependencies.ts';
import { isFenced, SlipwayError } from '../errors.ts';
import { apply, readWorld } from '../orchestrator.ts';
import { lookSeconds } from '../rollout/plan.ts';
import type { TargetSpec } from '../rollout/policy.ts';
import { type Rollout, revisionOf } from '../rollout/record.ts';
import { transition } from '../rollout/state.ts';
import type { Transition, World } from '../rollout/world.ts';
import type { Order, Target } from '../targets/target.ts';

/** What the workflow sends with every call: ids and positions, no data. */
export const requestSchema = z.object({
  activity: z.string(),
  rollout: z.string().min(1),
  /** Id of the calling execution. */
  execution: z.string().min(1),
  /** The epoch that `begin` gave it. */
  epoch: z.int().default(0),
  target: z
    .string()
    .nullish()
    .transform(given => given ?? undefined),
  /** Several at once, where an activity takes them. */
  targets: z
    .array(z.string())
    .nullish()
    .transform(given => given ?? []),
  wave: z
    .int()
    .nullish()
    .transform(given => given ?? 0),
  step: z
    .int()
    .nullish()
    .transform(given => given ?? 0),
  callback: z
    .string()
    .nullish()
    .transform(given => given ?? undefined),
  problem: z.unknown().optional(),
});
export type Request = z.output<typeof requestSchema>;

/**
 * What the workflow gets: `again` asks for the same call after a rest; `failed` and `fenced` end its work, the one
 * because the rollout is being taken back, the other because somebody else owns it.
 */
export interface Reply {
  readonly status: 'done' | 'again' | 'failed' | 'fenced';
  readonly message: string;
  readonly [field: string]: unknown;
}

export const FENCED: Reply = { status: 'fenced', message: 'another execution owns the rollout now' };

/** Whether the caller still owns the record. */
export function owns({ rollout }: World, { execution, epoch }: Request): boolean {
  return rollout.epoch === epoch && isExecution(rollout.owner?.execution, execution);
}

/** Changes the record in the name of the caller; undefined, and nothing changed, when the caller does not own it. */
export async function applyAsOwner(
  deps: Dependencies,
  request: Request,
  change: (world: World, nowMs: number) => Transition,
): Promise<World | undefined> {
  let isOwner = true;
  const after = await apply(deps, request.rollout, (world, nowMs) => {
    isOwner = owns(world, request);
    return isOwner ? change(world, nowMs) : { world, actions: [] };
  });
  return isOwner ? after : undefined;
}

/** After a day of waiting a fresh execution goes on: one has 100,000 steps, and a look costs it eight. */
const MAX_AGE_MS = 24 * 3_600_000;
const MAX_LOOKS = 8000;

/** Answers that it is not the time yet; an execution that has waited for very long makes room for its successor. */
export async function askAgain(
  deps: Dependencies,
  request: Request,
  { owner, spec, message }: Rollout,
): Promise<Reply> {
  const maxAgeMs = Math.min(MAX_AGE_MS, MAX_LOOKS * lookSeconds(spec) * 1000);
  if (owner === undefined || deps.nowMs() - owner.sinceMs <= maxAgeMs) {
    return { status: 'again', message };
  }
  await applyAsOwner(deps, request, (world, nowMs) => transition(world, { type: 'handedOver' }, nowMs));
  const { rollout, execution } = request;
  const fields = { reason: 'HandedOver', rollout, execution };
  deps.log('INFO', `${execution} has waited for long; a successor goes on`, fields);
  return { status: 'fenced', message: 'a successor goes on from here' };
}

/** Executions know their id, the API their full name. */
export function isExecution(name: string | undefined, id: string): boolean {
  return name === id || name?.endsWith(`/${id}`) === true;
}

/** The target's spec and adapter, and the order to give it in the name of this rollout at this epoch. */
export async function targetFor(deps: Dependencies, rollout: Rollout, name: string) {
  const spec = specOf(rollout, name);
  return { spec, target: await deps.target(spec, rollout.image), order: orderFor(deps, rollout, spec) };
}

function specOf(rollout: Rollout, name: string): TargetSpec {
  const spec = rollout.spec.targets.find(one => one.name === name);
  if (spec) return spec;
  const names = rollout.spec.targets.map(one => one.name).join(', ');
  throw new SlipwayError(`rollout ${rollout.id} has no target "${name}"; it has ${names}`, {
    code: 'InvalidArgument',
    operation: 'find the target',
  });
}

export function revisionOn(rollout: Rollout, spec: TargetSpec): string {
  return revisionOf(rollout, spec.cloudRun?.service ?? spec.gke?.deployment ?? rollout.service);
}

function orderFor(deps: Dependencies, rollout: Rollout, spec: TargetSpec): Order {
  return {
    rollout: rollout.id,
    epoch: rollout.epoch,
    image: rollout.image,
    digest: rollout.digest,
    revision: revisionOn(rollout, spec),
    stable: rollout.targets[spec.name]?.stable ?? undefined,
    fence: () => fence(deps, rollout.id, rollout.epoch),
  };
}

export async function fence(deps: Dependencies, id: string, epoch: number): Promise<void> {
  const { rollout } = await readWorld(deps, id);
  if (rollout.epoch === epoch) return;
  throw new SlipwayError(`${id} is at epoch ${rollout.epoch}, this write was prepared at ${epoch}`, {
    code: 'Fenced',
    operation: `write for ${id}`,
  });
}

/** What became of one call of a target; `again` says when it is worth another. */
export interface Attempt {
  readonly status: 'again' | 'failed' | 'fenced';
  readonly message: string;
  readonly restSeconds?: number | undefined;
}

/**
 * Runs one call of a target. A conflict means that somebody wrote in between: read and try again. Trouble that may pass is
 * worth another call too, when the other side says so or after a while: how long altogether is the progress deadline's
 * business. What no retry can mend is a failed step, in words.
 */
export async function attempt<T extends { status: string; message: string }>(
  call: (target: Target) => Promise<T>,
  target: Target,
  tell: (problem: SlipwayError) => void = () => {},
): Promise<T | Attempt> {
  try {
    return await call(target);
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    tell(error);
    if (isFenced(error)) return { status: 'fenced', message: FENCED.message };
    const { message, code, canRetry, retryAfterSeconds = 2 } = error;
    if (code === 'Conflict') return { status: 'again', message };
    return canRetry
      ? { status: 'again', message, restSeconds: Math.min(retryAfterSeconds, 60) }
      : { status: 'failed', message };
  }
}

/** Logs what a target answered instead of doing it: why a step takes its time, or is not done at all. */
export function tellProblem(deps: Dependencies, { id, service, epoch }: Rollout, target: string) {
  return ({ code, message, canRetry, retryAfterSeconds }: SlipwayError): void => {
    const isUsual = code === 'Conflict' || code === 'Fenced';
    const fields = { rollout: id, service, epoch, target, code, canRetry, retryAfterSeconds };
    deps.log(isUsual ? 'INFO' : 'WARNING', `${service}.${target}: ${message}`, fields);
  };
}

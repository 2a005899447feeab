import type { Dependencies } from '../dependencies.ts';
import { SlipwayError } from '../errors.ts';
import { apply, readWorld } from '../orchestrator.ts';
import { stepAt } from '../rollout/plan.ts';
import { reject } from '../rollout/preflight.ts';
import type { Rollout } from '../rollout/record.ts';
import type { Stage } from '../rollout/stages.ts';
import { type RolloutEvent, transition } from '../rollout/state.ts';
import { isSame } from '../rollout/world.ts';
import type { Order, Progress, Target } from '../targets/target.ts';
import {
  applyAsOwner,
  attempt,
  FENCED,
  fence,
  owns,
  type Reply,
  type Request,
  targetFor,
  tellProblem,
} from './run.ts';

/** Stores what serves before anything changes. */
export async function arm(deps: Dependencies, request: Request): Promise<Reply> {
  const world = await readWorld(deps, request.rollout);
  if (!owns(world, request)) return FENCED;
  const name = request.target ?? '';
  const { target } = await targetFor(deps, world.rollout, name);
  const { stable, revisions } = await target.observe();
  const architecture = revisions.find(({ revision }) => revision === stable?.revision)?.architecture;
  await record(deps, request, { type: 'armed', target: name, stable, architecture });
  return { status: 'done', message: stable ? `${stable.revision} serves` : 'nothing serves yet' };
}

/**
 * The canary's place is taken while an earlier rollout's way back is open: it is settled first. Where that does not come
 * about, this rollout is rejected, before it has changed anything.
 */
export async function makeRoom(deps: Dependencies, request: Request): Promise<Reply> {
  const world = await readWorld(deps, request.rollout);
  if (!owns(world, request)) return FENCED;
  const { rollout, service } = world;
  const name = request.target ?? '';
  const state = rollout.targets[name];
  const before = rollout.undoes ?? service.healthy;
  if (before === undefined || before === rollout.id || state?.isTouched) {
    return { status: 'done', message: 'there is room' };
  }
  const left = await settleOn(deps, before, name, () => fence(deps, rollout.id, rollout.epoch));
  const waitedMs = deps.nowMs() - (state?.sinceMs ?? deps.nowMs());
  const isLate = left.status === 'again' && waitedMs > rollout.spec.strategy.progressDeadline * 1000;
  if (left.status !== 'failed' && !isLate) return left;
  const after = await applyAsOwner(deps, request, (before, nowMs) => reject(before, left.message, nowMs));
  return after ? { ...left, status: 'failed' } : FENCED;
}

/** Closes the way back of a Healthy rollout on one target. */
export async function settleOn(
  deps: Dependencies,
  id: string,
  name: string,
  guard: () => Promise<void>,
): Promise<Reply> {
  const { rollout } = await readWorld(deps, id);
  const state = rollout.targets[name];
  if (!state?.isTouched || state.status === 'Settled') return { status: 'done', message: 'settled' };
  const { target, order } = await targetFor(deps, rollout, name);
  const tell = tellProblem(deps, rollout, name);
  const settled = await attempt(one => one.settle({ ...order, fence: guard }), target, tell);
  if (settled.status !== 'done')
    return { status: settled.status, message: `${id} is not settled yet: ${settled.message}` };
  await apply(deps, id, (world, nowMs) =>
    transition(world, { type: 'settled', target: name, message: settled.message }, nowMs),
  );
  return { status: 'done', message: settled.message };
}

export function deploy(deps: Dependencies, request: Request): Promise<Reply> {
  return work(deps, request, 'deploy', (target, order) => target.deploy(order));
}

/** Asks the canary itself before anybody else does, and the platform what it runs on. */
export function probe(deps: Dependencies, request: Request): Promise<Reply> {
  return work(deps, request, 'probe', async (target, order, rollout) => {
    const result = await target.probe(order, rollout.spec.probe);
    switch (result.status) {
      case 'passed':
        return { status: 'done', message: result.message, architecture: await architectureOf(target, order) };
      case 'skipped':
        return {
          status: 'done',
          message: `probe skipped: ${result.message}`,
          architecture: await architectureOf(target, order),
        };
      case 'again':
      case 'failed':
        return { status: result.status, message: `probe: ${result.message}` };
    }
  });
}

async function architectureOf(target: Target, { revision, digest }: Order): Promise<string | undefined> {
  const { revisions } = await target.observe();
  return revisions.find(one => one.revision === revision || one.digest === digest)?.architecture;
}

export async function setWeight(deps: Dependencies, request: Request): Promise<Reply> {
  const { rollout } = await readWorld(deps, request.rollout);
  const step = stepAt(rollout.spec, request);
  if (!step || !('setWeight' in step)) {
    return { status: 'failed', message: `step ${request.step + 1} of ${rollout.id} sets no weight` };
  }
  // The first revision on a target takes all of its traffic at once: there is nothing to split it with.
  if (rollout.targets[request.target ?? '']?.stable === null) {
    return { status: 'done', message: 'first on this target: it has all of the traffic' };
  }
  const weight = step.setWeight;
  return work(
    deps,
    request,
    'weight',
    (target, order) => target.setWeight(stillAt(deps, request, order), weight),
    weight,
  );
}

/** A call that was held up somewhere must not bring back the weight of a step that is behind. */
function stillAt(deps: Dependencies, { wave, step }: Request, order: Order): Order {
  return {
    ...order,
    async fence() {
      await order.fence();
      const { rollout } = await readWorld(deps, order.rollout);
      if (isSame(rollout.position, { wave, step })) return;
      throw new SlipwayError(`${order.rollout} has left wave ${wave + 1} step ${step + 1}`, {
        code: 'Fenced',
        operation: 'set the weight',
      });
    },
  };
}

export function promote(deps: Dependencies, request: Request): Promise<Reply> {
  return work(deps, request, 'promote', (target, order) => target.promote(order), 100);
}

type Made = Progress & { readonly architecture?: string | undefined };

async function work(
  deps: Dependencies,
  request: Request,
  stage: Stage,
  call: (target: Target, order: Order, rollout: Rollout) => Promise<Made>,
  weight?: number,
): Promise<Reply> {
  const name = request.target ?? '';
  const world = await record(deps, request, { type: 'starting', target: name, stage, weight });
  if (!world) return FENCED;
  const { target, order } = await targetFor(deps, world.rollout, name);
  const tell = tellProblem(deps, world.rollout, name);
  const made = await attempt(one => call(one, order, world.rollout), target, tell);
  if (made.status === 'fenced') return FENCED;
  const progress: Progress = { status: made.status, message: made.message };
  const architecture = 'architecture' in made ? made.architecture : undefined;
  const event = { type: 'progressed', target: name, stage, progress, weight, architecture } as const;
  const after = await record(deps, request, event);
  if (!after) return FENCED;
  const hasFailed = after.rollout.phase === 'RollingBack';
  const restSeconds = 'restSeconds' in made ? made.restSeconds : undefined;
  return { status: hasFailed ? 'failed' : made.status, message: made.message, restSeconds };
}

/** Stores an event if the caller still owns the record; undefined when it does not. */
function record(deps: Dependencies, request: Request, event: RolloutEvent) {
  return applyAsOwner(deps, request, (before, nowMs) => transition(before, event, nowMs));
}

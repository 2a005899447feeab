import type { Dependencies } from '../dependencies.ts';
import { SlipwayError } from '../errors.ts';
import { apply, readWorld } from '../orchestrator.ts';
import { stepAt } from '../rollout/plan.ts';
import type { Rollout } from '../rollout/record.ts';
import { isSame, type RolloutEvent, type Stage, transition } from '../rollout/state.ts';
import type { Order, Progress, Target } from '../targets/target.ts';
import { attempt, FENCED, fence, owns, type Reply, type Request, targetFor } from './run.ts';

/** After this long a restore that still does not come about is left to people; the sweep goes on trying. */
const RESTORE_PATIENCE_MS = 3_600_000;

/** Stores what serves before anything changes; an earlier rollout whose way back is still open is settled first. */
export async function arm(deps: Dependencies, request: Request): Promise<Reply> {
  const world = await readWorld(deps, request.rollout);
  if (!owns(world, request)) return FENCED;
  const { rollout, service } = world;
  const name = request.target ?? '';
  if (service.healthy && service.healthy !== rollout.id) {
    const left = await settleOn(deps, service.healthy, name, () => fence(deps, rollout.id, rollout.epoch));
    if (left.status !== 'done') return left;
  }
  const { target } = await targetFor(deps, rollout, name);
  const seen = await target.observe();
  const architecture = seen.revisions.find(
    ({ revision }) => revision === seen.stable?.revision,
  )?.architecture;
  await record(deps, request, { type: 'armed', target: name, stable: seen.stable, architecture });
  return { status: 'done', message: seen.stable ? `${seen.stable.revision} serves` : 'nothing serves yet' };
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
  const settled = await attempt(one => one.settle({ ...order, fence: guard }), target);
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

/** Brings one target back. Nothing but time ends the attempts: an hour after the trouble a person has to look. */
export async function restore(deps: Dependencies, request: Request): Promise<Reply> {
  const reply = await work(deps, request, 'restore', (target, order) => target.restore(order), 0);
  if (reply.status !== 'failed') return reply;
  const { rollout } = await readWorld(deps, request.rollout);
  const sinceMs = rollout.cause?.atMs ?? deps.nowMs();
  return deps.nowMs() - sinceMs < RESTORE_PATIENCE_MS ? { ...reply, status: 'again' } : reply;
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
  const made = await attempt(one => call(one, order, world.rollout), target);
  if (made.status === 'fenced') return FENCED;
  const progress: Progress = { status: made.status, message: made.message };
  const architecture = 'architecture' in made ? made.architecture : undefined;
  const event = { type: 'progressed', target: name, stage, progress, weight, architecture } as const;
  const after = await record(deps, request, event);
  if (!after) return FENCED;
  const hasFailed = stage !== 'restore' && after.rollout.phase === 'RollingBack';
  return { status: hasFailed ? 'failed' : made.status, message: made.message };
}

/** Stores an event if the caller still owns the record; undefined when it does not. */
async function record(deps: Dependencies, request: Request, event: RolloutEvent) {
  let isOwner = true;
  const world = await apply(deps, request.rollout, (before, nowMs) => {
    isOwner = owns(before, request);
    return isOwner ? transition(before, event, nowMs) : { world: before, actions: [] };
  });
  return isOwner ? world : undefined;
}

import type { Dependencies } from '../dependencies.ts';
import { isFenced, SlipwayError } from '../errors.ts';
import { readWorld } from '../orchestrator.ts';
import type { Rollout } from '../rollout/record.ts';
import {
  drainedAsLastResort,
  findRegion,
  recordKept,
  recordUndrained,
  steadyRegions,
  toBringBack,
} from '../rollout/regions.ts';
import { stay, type World } from '../rollout/world.ts';
import type { Progress } from '../targets/target.ts';
import { applyAsOwner, FENCED, owns, type Reply, type Request } from './run.ts';

/**
 * The last resort: a region that cannot be restored gets no more users. Never `failed`, as the restore goes on whatever
 * becomes of this; `again` until the region is out.
 */
export async function drain(deps: Dependencies, request: Request): Promise<Reply> {
  const world = await readWorld(deps, request.rollout);
  if (!owns(world, request)) return FENCED;
  const { rollout } = world;
  const target = request.target ?? '';
  const found = findRegion(rollout.spec, target);
  if (!found.ok) return { status: 'done', message: found.problem };
  const { loadBalancer, place } = found.region;
  const others = steadyRegions(rollout, target).map(region => region.place);
  const made = await inWords(async () =>
    (await deps.loadBalancer(loadBalancer)).drain(place, others, () =>
      change(deps, request, (before, nowMs) => drainedAsLastResort(before, target, nowMs)),
    ),
  );
  if (made.status === 'fenced') return FENCED;
  if (made.status !== 'failed') return { ...made };
  await change(deps, request, (before, nowMs) => recordKept(before, target, made.message, nowMs));
  return { status: 'again', message: made.message };
}

/** The rollout serves everywhere: regions that an earlier rollback took out get their users back. */
export async function undrain(deps: Dependencies, request: Request): Promise<Reply> {
  const world = await readWorld(deps, request.rollout);
  if (!owns(world, request)) return FENCED;
  const replies = await Promise.all(
    toBringBack(world).map(target => bringBack(deps, request, world, target)),
  );
  return (
    replies.find(({ status }) => status === 'fenced') ??
    replies.find(({ status }) => status === 'again') ?? {
      status: 'done',
      message: 'every region has its users',
    }
  );
}

/** A region that does not come back holds no rollout up that is good: it stays on record, and `undrain` is for people too. */
async function bringBack(deps: Dependencies, request: Request, world: World, target: string): Promise<Reply> {
  const { rollout } = world;
  const found = findRegion(rollout.spec, target);
  if (!found.ok) return keep(deps, request, target, found.problem);
  const { loadBalancer, place } = found.region;
  const fence = () => change(deps, request, before => before);
  const made = await inWords(async () => (await deps.loadBalancer(loadBalancer)).undrain(place, fence));
  switch (made.status) {
    case 'fenced':
      return FENCED;
    case 'failed':
      return keep(deps, request, target, made.message);
    case 'again':
      return isLate(rollout, deps.nowMs()) ? keep(deps, request, target, made.message) : { ...made };
    case 'done': {
      const message = `${rollout.service}.${target} has its users back: ${made.message}`;
      await change(deps, request, (before, nowMs) => recordUndrained(before, target, message, nowMs));
      return { ...made };
    }
  }
}

function isLate({ targets, spec }: Rollout, nowMs: number): boolean {
  const promotedMs = Math.max(...Object.values(targets).map(({ sinceMs }) => sinceMs));
  return nowMs - promotedMs > spec.strategy.progressDeadline * 1000;
}

async function keep(deps: Dependencies, request: Request, target: string, why: string): Promise<Reply> {
  const message = `${target} stays out of the load balancer: ${why}; undrain brings it back`;
  await change(deps, request, (before, nowMs) => recordKept(before, target, message, nowMs));
  return { status: 'done', message };
}

/** Changes the record if the caller owns it; rejects with `Fenced` otherwise. */
async function change(
  deps: Dependencies,
  request: Request,
  how: (world: World, nowMs: number) => World,
): Promise<void> {
  const after = await applyAsOwner(deps, request, (before, nowMs) => stay(how(before, nowMs)));
  if (after) return;
  throw new SlipwayError(FENCED.message, { code: 'Fenced', operation: 'change the load balancer' });
}

/** What a retry may mend is worth another call; everything else is told in words. */
async function inWords(
  call: () => Promise<Progress>,
): Promise<Progress | { readonly status: 'fenced'; readonly message: string }> {
  try {
    return await call();
  } catch (error) {
    if (isFenced(error)) return { status: 'fenced', message: FENCED.message };
    if (!(error instanceof SlipwayError)) throw error;
    return { status: error.canRetry ? 'again' : 'failed', message: error.message };
  }
}

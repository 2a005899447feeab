import type { Dependencies } from '../dependencies.ts';
import { apply, readWorld } from '../orchestrator.ts';
import { isFirst, lookSeconds, pollSeconds, remainingWaves } from '../rollout/plan.ts';
import type { WorkflowKind } from '../rollout/record.ts';
import { transition } from '../rollout/state.ts';
import { FENCED, isExecution, owns, type Reply, type Request } from './run.ts';

/** Takes the record over: from here on this execution owns the targets, until the epoch is raised. */
export async function begin(deps: Dependencies, request: Request, workflow: WorkflowKind): Promise<Reply> {
  const { execution } = request;
  const { rollout } = await apply(deps, request.rollout, (world, nowMs) =>
    transition(world, { type: 'begun', workflow, execution }, nowMs),
  );
  if (!isExecution(rollout.owner?.execution, execution)) return FENCED;
  const touched = Object.entries(rollout.targets).flatMap(([name, { isTouched }]) =>
    isTouched ? [name] : [],
  );
  return {
    status: 'done',
    message: rollout.message,
    epoch: rollout.epoch,
    targets: workflow === 'rollback' ? touched : Object.keys(rollout.targets),
    pollSeconds: pollSeconds(rollout.spec),
    lookSeconds: lookSeconds(rollout.spec),
  };
}

/** What is left to do, once it is known what every target serves. */
export async function plan(deps: Dependencies, request: Request): Promise<Reply> {
  const world = await readWorld(deps, request.rollout);
  if (!owns(world, request)) return FENCED;
  const message = isFirst(world.rollout.targets) ? 'first rollout: straight to 100 %' : 'canary';
  return { status: 'done', message, waves: remainingWaves(world.rollout) };
}

/** Every target of the wave has done this step. */
export async function stepDone(deps: Dependencies, request: Request): Promise<Reply> {
  const { wave, step } = request;
  return settleWith(deps, request, { type: 'stepped', position: { wave, step } });
}

export async function waveDone(deps: Dependencies, request: Request): Promise<Reply> {
  return settleWith(deps, request, { type: 'waveEnded', wave: request.wave });
}

export async function complete(deps: Dependencies, request: Request): Promise<Reply> {
  return settleWith(deps, request, { type: 'completed' });
}

export async function restored(deps: Dependencies, request: Request): Promise<Reply> {
  return settleWith(deps, request, { type: 'restored' });
}

/**
 * The last word of an execution that something went wrong in. Mostly the trouble is on record already, and this changes
 * nothing; it matters when the workflow itself failed, e.g. when its retries were used up.
 */
export async function fail(deps: Dependencies, request: Request): Promise<Reply> {
  const message = `the workflow gave up: ${describe(request.problem)}`;
  return settleWith(deps, request, { type: 'troubled', cause: { kind: 'Workflow', message } });
}

async function settleWith(
  deps: Dependencies,
  request: Request,
  event: Parameters<typeof transition>[1],
): Promise<Reply> {
  let isOwner = true;
  const { rollout } = await apply(deps, request.rollout, (world, nowMs) => {
    isOwner = owns(world, request);
    return isOwner ? transition(world, event, nowMs) : { world, actions: [] };
  });
  return isOwner ? { status: 'done', message: rollout.message } : FENCED;
}

function describe(problem: unknown): string {
  if (typeof problem !== 'object' || problem === null) return String(problem);
  const { message } = problem as { message?: unknown };
  return typeof message === 'string' ? message : JSON.stringify(problem).slice(0, 500);
}

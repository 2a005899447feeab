import type { Dependencies } from '../dependencies.ts';
import { apply, readWorld } from '../orchestrator.ts';
import { inGroups, isFirst, lookSeconds, pollSeconds, remainingWaves } from '../rollout/plan.ts';
import type { WorkflowKind } from '../rollout/record.ts';
import { type RolloutEvent, transition } from '../rollout/state.ts';
import { touchedTargets, unrestoredTargets } from '../rollout/trouble.ts';
import { applyAsOwner, FENCED, isExecution, owns, type Reply, type Request } from './run.ts';

/** Takes the record over: from here on this execution owns the targets, until the epoch is raised. */
export async function begin(deps: Dependencies, request: Request, workflow: WorkflowKind): Promise<Reply> {
  const { execution } = request;
  const { rollout } = await apply(deps, request.rollout, (world, nowMs) =>
    transition(world, { type: 'begun', workflow, execution }, nowMs),
  );
  if (rollout.phase === 'Rejected') return { status: 'failed', message: rollout.message };
  if (!isExecution(rollout.owner?.execution, execution)) return FENCED;
  return {
    status: 'done',
    message: rollout.message,
    epoch: rollout.epoch,
    targets: Object.keys(rollout.targets),
    groups: inGroups(touchedTargets(rollout)),
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
  return tell(deps, request, { type: 'stepped', position: { wave, step } });
}

export async function waveDone(deps: Dependencies, request: Request): Promise<Reply> {
  return tell(deps, request, { type: 'waveEnded', wave: request.wave });
}

export async function complete(deps: Dependencies, request: Request): Promise<Reply> {
  return tell(deps, request, { type: 'completed' });
}

/**
 * The end of a rollback, as the record has it: an execution of an older revision of the workflow may believe it too early.
 * Its record then waits for the next execution.
 */
export async function restored(deps: Dependencies, request: Request): Promise<Reply> {
  const { rollout } = await readWorld(deps, request.rollout);
  const left = rollout.phase === 'RollingBack' ? unrestoredTargets(rollout) : [];
  if (left.length > 0) return { status: 'again', message: `not restored yet: ${left.join(', ')}` };
  return tell(deps, request, { type: 'restored' });
}

/**
 * The last word of an execution that something went wrong in. Mostly the trouble is on record already, and this changes
 * nothing; it matters when the workflow itself failed, e.g. when its retries were used up.
 */
export async function fail(deps: Dependencies, request: Request): Promise<Reply> {
  const message = `the workflow gave up: ${reasonsIn(request.problem).join('; ').slice(0, 800)}`;
  return tell(deps, request, { type: 'troubled', cause: { kind: 'Workflow', message } });
}

async function tell(deps: Dependencies, request: Request, event: RolloutEvent): Promise<Reply> {
  const world = await applyAsOwner(deps, request, (before, nowMs) => transition(before, event, nowMs));
  return world ? { status: 'done', message: world.rollout.message } : FENCED;
}

/** The sentences in what a workflow caught: an activity's answer, a client error, or one such per branch. */
export function reasonsIn(problem: unknown): string[] {
  if (!isRecord(problem)) return [String(problem)];
  const { branches, body, message } = problem;
  if (Array.isArray(branches)) {
    const inner = branches.flatMap(branch => {
      const error: unknown = isRecord(branch) ? branch['error'] : undefined;
      return isRecord(error) ? reasonsIn(error['payload'] ?? error['context']) : [];
    });
    return [...new Set(inner)];
  }
  if (isRecord(body) && typeof body['message'] === 'string') return [body['message']];
  return [typeof message === 'string' ? message : JSON.stringify(problem)];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

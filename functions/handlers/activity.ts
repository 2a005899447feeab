import { z } from 'zod';
import { begin, complete, fail, plan, restored, stepDone, waveDone } from '../activities/lifecycle.ts';
import { clearance, look } from '../activities/look.ts';
import { preflight } from '../activities/preflight.ts';
import { drain, undrain } from '../activities/regions.ts';
import { restore } from '../activities/restore.ts';
import { type Reply, type Request, requestSchema } from '../activities/run.ts';
import { arm, deploy, makeRoom, probe, promote, setWeight } from '../activities/targets.ts';
import type { Dependencies } from '../dependencies.ts';
import { SlipwayError } from '../errors.ts';
import { problemFields } from '../telemetry/log.ts';
import { annotate } from '../telemetry/scope.ts';

type Activity = (deps: Dependencies, request: Request) => Promise<Reply>;

/** What the workflows may ask for, by the name they ask with. */
const ACTIVITIES: Readonly<Record<string, Activity>> = {
  begin: (deps, request) => begin(deps, request, 'rollout'),
  beginRollback: (deps, request) => begin(deps, request, 'rollback'),
  arm,
  makeRoom,
  preflight,
  plan,
  deploy,
  probe,
  setWeight,
  stepDone,
  look,
  clearance,
  promote,
  waveDone,
  undrain,
  complete,
  restore,
  drain,
  restored,
  fail,
};

export interface Answer {
  /** HTTP's. */
  readonly status: 200 | 400 | 503;
  readonly body: Reply | { readonly message: string };
}

/**
 * POST with one activity of a workflow. 200 with a {@link Reply}; 400 when the call makes no sense; 503 when a retry may
 * help, so that the workflow's own retry policy decides how long.
 */
export async function activity(deps: Dependencies, body: unknown): Promise<Answer> {
  const parsed = requestSchema.safeParse(body);
  const run = parsed.success ? ACTIVITIES[parsed.data.activity] : undefined;
  if (!parsed.success || !run) {
    const problem = parsed.success
      ? `there is no activity "${parsed.data.activity}"; there are ${Object.keys(ACTIVITIES).join(', ')}`
      : z.prettifyError(parsed.error);
    deps.log('ERROR', `an activity call makes no sense: ${problem}`);
    return { status: 400, body: { message: problem } };
  }
  try {
    const reply = await run(deps, parsed.data);
    annotate({ 'slipway.status': reply.status, 'slipway.message': reply.message });
    if (reply.status === 'fenced') tellFenced(deps, parsed.data, reply);
    return { status: 200, body: reply };
  } catch (error) {
    const { activity: name, rollout, target } = parsed.data;
    const message = error instanceof Error ? error.message : String(error);
    deps.log('ERROR', `${name}: ${message}`, { rollout, target, ...problemFields(error) });
    const isPermanent = error instanceof SlipwayError && !error.canRetry;
    const status = isPermanent ? 400 : 503;
    annotate({ 'http.response.status_code': status, 'error.type': String(status) });
    return { status, body: { message } };
  }
}

/** Why an execution ends without having done what it was asked for. */
function tellFenced(deps: Dependencies, { activity: name, ...request }: Request, { message }: Reply): void {
  const { rollout, target, epoch, execution } = request;
  deps.log('INFO', `${name} refused at epoch ${epoch}: ${message}`, {
    reason: 'Fenced',
    rollout,
    target,
    epoch,
    execution,
  });
}

import type { Request as HttpRequest, Response } from '@google-cloud/functions-framework';
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

/**
 * POST with one activity of a workflow. 200 with a {@link Reply}; 400 when the call makes no sense; 503 when a retry may
 * help, so that the workflow's own retry policy decides how long.
 */
export async function activity(deps: Dependencies, request: HttpRequest, response: Response): Promise<void> {
  const parsed = requestSchema.safeParse(request.body);
  const run = parsed.success ? ACTIVITIES[parsed.data.activity] : undefined;
  if (!parsed.success || !run) {
    const problem = parsed.success
      ? `there is no activity "${parsed.data.activity}"; there are ${Object.keys(ACTIVITIES).join(', ')}`
      : z.prettifyError(parsed.error);
    deps.log('ERROR', `an activity call makes no sense: ${problem}`);
    response.status(400).json({ message: problem });
    return;
  }
  try {
    response.status(200).json(await run(deps, parsed.data));
  } catch (error) {
    const { activity: name, rollout, target } = parsed.data;
    const message = error instanceof Error ? error.message : String(error);
    deps.log('ERROR', `${name}: ${message}`, {
      rollout,
      target,
      stack: error instanceof Error ? error.stack : undefined,
    });
    const isPermanent = error instanceof SlipwayError && !error.canRetry;
    response.status(isPermanent ? 400 : 503).json({ message });
  }
}

import type { Dependencies } from '../dependencies.ts';
import { SlipwayError } from '../errors.ts';
import { readWorld } from '../orchestrator.ts';
import type { TargetSpec } from '../rollout/policy.ts';
import { concludePreflight, needsPreflight, type PreflightProblem } from '../rollout/preflight.ts';
import { regionsOf } from '../rollout/regions.ts';
import type { World } from '../rollout/world.ts';
import { type Attachment, commandToMakeGroup } from '../targets/load-balancer.ts';
import { applyAsOwner, FENCED, owns, type Reply, type Request, targetFor } from './run.ts';

/**
 * Looks for everything that would get into the way of a rollout, before it changes anything. What may pass is waited for
 * until the progress deadline.
 */
export async function preflight(deps: Dependencies, request: Request): Promise<Reply> {
  const world = await readWorld(deps, request.rollout);
  if (!owns(world, request)) return FENCED;
  if (!needsPreflight(world.rollout)) return { status: 'done', message: 'it is under way already' };
  const problems = await findProblems(deps, world);
  const after = await applyAsOwner(deps, request, (before, nowMs) =>
    concludePreflight(before, problems, nowMs),
  );
  if (!after) return FENCED;
  const { rollout } = after;
  if (rollout.phase === 'Rejected') return { status: 'failed', message: rollout.message };
  const isWaiting = rollout.history.findLast(({ reason }) => reason.startsWith('Preflight'));
  return { status: isWaiting?.reason === 'PreflightWaiting' ? 'again' : 'done', message: rollout.message };
}

async function findProblems(deps: Dependencies, world: World): Promise<readonly PreflightProblem[]> {
  const { targets } = world.rollout.spec;
  const found = await Promise.all([
    asProblems('the load balancer', () => loadBalancerProblems(deps, world)),
    ...targets.map(spec => asProblems(placeOf(world, spec), () => targetProblems(deps, world, spec))),
  ]);
  return found.flat();
}

/** An error is a problem like any other: all of them are told at once. */
async function asProblems(
  what: string,
  find: () => Promise<readonly PreflightProblem[]>,
): Promise<readonly PreflightProblem[]> {
  try {
    return await find();
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    const advice =
      error.code === 'PermissionDenied' ? '; give the service account of Slipway the right to read it' : '';
    return [{ message: `${what} cannot be checked: ${error.message}${advice}`, mayPass: error.canRetry }];
  }
}

/** A region where nothing serves yet need not be on the load balancer, and one that Slipway took out is not to be. */
async function loadBalancerProblems(
  deps: Dependencies,
  { rollout, service }: World,
): Promise<readonly PreflightProblem[]> {
  const regions = regionsOf(rollout.spec).filter(
    ({ target }) => rollout.targets[target]?.stable && !service.drained[target],
  );
  const [first] = regions;
  if (!first) return [];
  const loadBalancer = await deps.loadBalancer(first.loadBalancer);
  const attachments = await loadBalancer.attachments(regions.map(({ place }) => place));
  return attachments
    .filter(({ isAttached }) => !isAttached)
    .map(attachment => ({ message: howToAttach(attachment, first.loadBalancer), mayPass: false }));
}

function howToAttach(
  { place, groups }: Attachment,
  { project, backendService }: { project: string; backendService: string },
): string {
  const [name = `${place.service}-${place.region}`] = groups;
  const make = groups.length > 0 ? '' : `${commandToMakeGroup(place, name)}, then `;
  return (
    `${place.service} in ${place.region} is not on backend service ${backendService}: ${make}` +
    `gcloud compute backend-services add-backend ${backendService} --project=${project} --global ` +
    `--network-endpoint-group=${name} --network-endpoint-group-region=${place.region}`
  );
}

async function targetProblems(
  deps: Dependencies,
  world: World,
  spec: TargetSpec,
): Promise<readonly PreflightProblem[]> {
  const [pool, stable] = await Promise.all([
    spec.gke ? deps.preflightGke(spec.gke) : [],
    stableProblems(deps, world, spec),
  ]);
  const place = placeOf(world, spec);
  return [...pool, ...stable].map(({ message, mayPass }) => ({ message: `${place}: ${message}`, mayPass }));
}

/** What cannot carry all of the traffic is no way back. */
async function stableProblems(
  deps: Dependencies,
  { rollout }: World,
  { name }: TargetSpec,
): Promise<readonly PreflightProblem[]> {
  const armed = rollout.targets[name]?.stable;
  // What is to be replaced may well be what does not get ready.
  if (!armed || rollout.undoes !== undefined) return [];
  const { target } = await targetFor(deps, rollout, name);
  const { stable, revisions } = await target.observe();
  if (!stable) {
    const message = `${armed.revision} served a moment ago and nothing serves now: give it its traffic back`;
    return [{ message, mayPass: true }];
  }
  const isReady = revisions.some(({ revision, ready }) => revision === stable.revision && ready);
  if (isReady) return [];
  return [
    {
      message: `${stable.revision} serves and is not ready, so there is no way back to it: mend it or undo it first`,
      mayPass: true,
    },
  ];
}

function placeOf({ rollout }: World, { name }: TargetSpec): string {
  return `${rollout.service}.${name}`;
}

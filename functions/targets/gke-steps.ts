import { releaseAutoscaler } from './gke-autoscaler.ts';
import { crash, diagnose } from './gke-diagnosis.ts';
import {
  type Deployment,
  type HttpRoute,
  hasPods,
  isRolledOut,
  type Pod,
  PROMOTED,
  REVISION,
  readyOf,
  routeState,
  SCALE,
} from './gke-objects.ts';
import { promotedBy, readPods, type Site, type State } from './gke-state.ts';
import { hasWeights, replicaRatio } from './gke-traffic.ts';
import { patchCanary, patchRoute, patchStable, scaleOf } from './gke-writes.ts';
import type { Order, Progress } from './target.ts';

/** What the calls of a target are made of: each makes at most one change to an object, or says what it waits for. */

export async function scaleCanary(
  site: Site,
  order: Order,
  { canary }: State,
  replicas: number,
): Promise<Progress | undefined> {
  if (canary.spec.replicas < replicas) {
    await order.fence();
    await patchCanary(site, order, canary, replicas);
    return again(`${site.pair.canary} grows to ${replicas} pods`);
  }
  const progress = await started(site, order, canary, replicas);
  return progress.status === 'done' ? undefined : progress;
}

/**
 * Without a route: the pods of both Deployments are behind one Service, and their number is the weight. What takes share
 * from the canary comes first and what gives it more comes last: at no moment has it more than it had or is to have.
 */
export async function balance(
  site: Site,
  order: Order,
  state: State,
  percent: number,
  isPromoted: boolean,
): Promise<Progress> {
  const { stable, canary } = state;
  const wanted = replicaRatio(scaleOf(stable), percent);
  if (stable.spec.replicas < wanted.stable) {
    return resizeStable(site, order, stable, wanted.stable, isPromoted);
  }
  if (canary.spec.replicas > wanted.canary) {
    if (!(await isCarrying(site, stable))) return explain(site, order, stable);
    await order.fence();
    await patchCanary(site, order, canary, wanted.canary);
    return again(`${site.pair.canary} goes to ${wanted.canary} pods`);
  }
  const waiting = wanted.canary > 0 ? await scaleCanary(site, order, state, wanted.canary) : undefined;
  if (waiting) return waiting;
  if (stable.spec.replicas > wanted.stable || (isPromoted && !promotedBy(state))) {
    return resizeStable(site, order, stable, wanted.stable, isPromoted);
  }
  if (!(await isScaledTo(site, stable, wanted.stable)) || !(await isScaledTo(site, canary, wanted.canary))) {
    return again(`waits until ${wanted.canary} of ${wanted.canary + wanted.stable} pods are canaries`);
  }
  return done(`${wanted.canary} of ${wanted.canary + wanted.stable} pods are canaries`);
}

/** Whether all of its pods are there and ready. */
export async function isCarrying(site: Site, workload: Deployment): Promise<boolean> {
  return (
    isRolledOut(workload) &&
    (await stayingPods(site, workload)).filter(isReady).length >= workload.spec.replicas
  );
}

async function isScaledTo(site: Site, workload: Deployment, count: number): Promise<boolean> {
  return hasPods(workload, count) && (await stayingPods(site, workload)).length === count;
}

/** A status lags: right after a change of scale it still tells what was, while pods come and go already. */
async function stayingPods(site: Site, workload: Deployment): Promise<readonly Pod[]> {
  const pods = await readPods(site, workload.spec.selector.matchLabels);
  return pods.filter(pod => !pod.metadata.deletionTimestamp);
}

function isReady({ status }: Pod): boolean {
  return status.conditions.some(one => one.type === 'Ready' && one.status === 'True');
}

async function resizeStable(
  site: Site,
  order: Order,
  stable: Deployment,
  replicas: number,
  isPromoted: boolean,
): Promise<Progress> {
  await order.fence();
  const scale = scaleOf(stable);
  const annotations = {
    [SCALE]: replicas < scale ? String(scale) : null,
    [PROMOTED]: isPromoted ? order.rollout : null,
  };
  await patchStable(site, order, stable, { replicas, annotations });
  return again(`${site.pair.stable} goes to ${replicas} pods`);
}

export async function routed(
  site: Site,
  order: Order,
  route: HttpRoute | undefined,
  percent: number,
  isPromoted: boolean,
): Promise<Progress> {
  if (!route) return done('no route to set');
  const isMarked = route.metadata.annotations[PROMOTED] === order.rollout;
  if (hasWeights(route, site.pair, percent) && isMarked === isPromoted) return confirm(route, percent);
  await order.fence();
  return confirm(await patchRoute(site, order, route, percent, isPromoted), percent);
}

export function confirm(route: HttpRoute, percent: number): Progress {
  const state = routeState(route);
  return state === 'programmed'
    ? done(`HTTPRoute ${route.metadata.name} gives the canary ${percent} %`)
    : again(`HTTPRoute ${route.metadata.name}: ${state.waitingFor}`);
}

/** The last of a rollout: nothing routes to the canary any more, so its pods can go. */
export async function release(
  site: Site,
  order: Order,
  canary: Deployment,
  stable: Deployment,
  message: string,
): Promise<Progress> {
  if (canary.spec.replicas > 0) {
    await order.fence();
    await patchCanary(site, order, canary, 0);
  }
  if (stable.metadata.annotations[PROMOTED] !== undefined) {
    await order.fence();
    await patchStable(site, order, stable, { annotations: { [PROMOTED]: null } });
  }
  await releaseAutoscaler(site, order, false);
  // Without a route its pods get requests for as long as they are there.
  if (!site.spec.httpRoute && !(await isScaledTo(site, canary, 0)))
    return again(`the pods of ${site.pair.canary} go`);
  return done(message);
}

export async function started(
  site: Site,
  order: Order,
  workload: Deployment,
  replicas: number,
): Promise<Progress> {
  const ready = readyOf(workload);
  return ready >= replicas
    ? done(`${ready} of ${workload.spec.replicas} pods of ${workload.metadata.name} are ready`)
    : explain(site, order, workload);
}

/** Why its pods are not ready. */
export async function explain(site: Site, order: Order, workload: Deployment): Promise<Progress> {
  const revision = workload.spec.template.metadata.labels[REVISION] ?? order.revision;
  const labels = { ...workload.spec.selector.matchLabels, [REVISION]: revision };
  const pods = await readPods(site, labels);
  const found = diagnose(workload, pods, site.nowMs(), site.unschedulableGraceSeconds);
  if (found.status !== 'crashed') return found;
  const verdict = crash(found.pod, found.container, await lastLog(site, found.pod, found.container.name));
  return verdict.status === 'crashed' ? again('') : verdict;
}

async function lastLog({ api, spec }: Site, pod: string, container: string): Promise<string> {
  const path = `/api/v1/namespaces/${spec.namespace}/pods/${pod}/log?container=${container}&tailLines=5`;
  const { status, body } = await api.ask(`${path}&previous=true`);
  if (status === 200 && body !== '') return body;
  const current = await api.ask(path);
  return current.status === 200 ? current.body : '';
}

export const done = (message: string): Progress => ({ status: 'done', message });
export const again = (message: string): Progress => ({ status: 'again', message });
export const failed = (message: string): Progress => ({ status: 'failed', message });

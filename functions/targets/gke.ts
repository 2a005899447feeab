import { holdAutoscaler, releaseAutoscaler } from './gke-autoscaler.ts';
import { type ClusterAccess, kubernetesApi } from './gke-cluster.ts';
import {
  type Deployment,
  digestIn,
  imageOf,
  isRolledOut,
  PROMOTED,
  REPLICAS,
  REVISION,
  ROLLOUT,
  readyOf,
  SCALE,
  UNPROVEN,
} from './gke-objects.ts';
import { probeCanary } from './gke-probe.ts';
import {
  canaryPercent,
  type GkeSpec,
  observe,
  promotedBy,
  readState,
  type Site,
  type State,
} from './gke-state.ts';
import {
  again,
  balance,
  confirm,
  done,
  explain,
  failed,
  isCarrying,
  release,
  routed,
  scaleCanary,
  started,
} from './gke-steps.ts';
import { hasWeights, percentOf, replicasToCarry } from './gke-traffic.ts';
import {
  applyCanary,
  isTouched,
  patchCanary,
  patchRoute,
  patchStable,
  scaleOf,
  targetImage,
} from './gke-writes.ts';
import type { Order, Progress, Target } from './target.ts';

export type { GkeSpec } from './gke-state.ts';

export interface GkeContext extends ClusterAccess {
  readonly nowMs?: () => number;
  /** How long pods may wait for the cluster autoscaler to bring a node; 180 unless told. */
  readonly unschedulableGraceSeconds?: number;
}

/**
 * A Deployment in a GKE cluster, with a canary Deployment beside it and an HTTPRoute in front of both. Everything that
 * writes makes one change to an object and asks to be called again, since the cluster's own controllers write too.
 */
export function gkeTarget(spec: GkeSpec, context: GkeContext): Target {
  const site: Site = {
    spec,
    api: kubernetesApi(spec.cluster, context),
    pair: { stable: spec.deployment, canary: `${spec.deployment}-canary` },
    nowMs: context.nowMs ?? Date.now,
    unschedulableGraceSeconds: context.unschedulableGraceSeconds ?? 180,
  };
  return {
    observe: () => observe(site),
    deploy: order => deploy(site, order),
    probe: (order, probe) => probeCanary(site, order, probe),
    setWeight: (order, percent) => setWeight(site, order, percent),
    promote: order => promote(site, order),
    settle: order => settle(site, order),
    restore: order => restore(site, order),
  };
}

async function deploy(site: Site, order: Order): Promise<Progress> {
  const state = await readState(site);
  if (!order.stable) return deployFirst(site, order, state);
  if (isDeployed(site, order, state.canary)) return started(site, order, state.canary, 1);
  const unsplit = unsplitRoute(site, state);
  if (unsplit) return unsplit;
  const occupied = await vacate(site, order, state);
  if (occupied) return occupied;
  await holdAutoscaler(site, order, state.stable.spec.replicas);
  await order.fence();
  await applyCanary(site, order, state);
  return again(`${site.pair.canary} starts with ${order.digest}`);
}

/** Nothing serves yet, so nothing can be hurt: the digest goes where it will stay. */
async function deployFirst(site: Site, order: Order, { stable, route }: State): Promise<Progress> {
  const image = targetImage(order);
  const remembered = Number(stable.metadata.annotations[REPLICAS]);
  if (imageOf(stable, site.spec.container) !== image || stable.spec.replicas === 0) {
    const replicas = stable.spec.replicas || (remembered > 0 ? remembered : 1);
    await order.fence();
    const annotations = { [UNPROVEN]: order.revision };
    await patchStable(site, order, stable, { image, revision: order.revision, replicas, annotations });
    return again(`${site.pair.stable} starts with ${order.digest}`);
  }
  if (!isRolledOut(stable)) return explain(site, order, stable);
  if (stable.metadata.annotations[UNPROVEN] !== undefined) {
    await order.fence();
    await patchStable(site, order, stable, { annotations: { [UNPROVEN]: null } });
  }
  return routed(site, order, route, 0, false);
}

async function setWeight(site: Site, order: Order, percent: number): Promise<Progress> {
  if (!order.stable) return done('the first rollout serves everything');
  const state = await readState(site);
  const missing = await missingCanary(site, order, state);
  if (missing) return missing;
  if (!state.route) return balance(site, order, state, percent, false);
  if (percent > canaryPercent(state, site.pair)) {
    const waiting = await scaleCanary(
      site,
      order,
      state,
      replicasToCarry(state.stable.spec.replicas, percent),
    );
    if (waiting) return waiting;
  }
  return routed(site, order, state.route, percent, false);
}

async function promote(site: Site, order: Order): Promise<Progress> {
  if (!order.stable) return done('the first rollout serves everything');
  const state = await readState(site);
  const missing = await missingCanary(site, order, state);
  if (missing) return missing;
  if (!state.route) return balance(site, order, state, 100, true);
  const waiting = await scaleCanary(site, order, state, Math.max(1, state.stable.spec.replicas));
  return waiting ?? routed(site, order, state.route, 100, true);
}

async function settle(site: Site, order: Order): Promise<Progress> {
  if (!order.stable) return done('the first rollout is the stable already');
  const state = await readState(site);
  if (imageOf(state.stable, site.spec.container) !== targetImage(order)) {
    const promoted = await promote(site, order);
    if (promoted.status !== 'done') return promoted;
  }
  return takeOver(site, order, await readState(site), targetImage(order), order.revision);
}

/** The stable Deployment takes the canary's image, then the traffic, and the canary goes to sleep. */
async function takeOver(
  site: Site,
  order: Order,
  state: State,
  image: string,
  revision: string,
): Promise<Progress> {
  const { stable, canary, route } = state;
  const isHeldLow = stable.metadata.annotations[SCALE] !== undefined;
  if (imageOf(stable, site.spec.container) !== image || isHeldLow) {
    await order.fence();
    const replicas = isHeldLow ? scaleOf(stable) : undefined;
    await patchStable(site, order, stable, { image, revision, replicas, annotations: { [SCALE]: null } });
    return again(`${site.pair.stable} takes ${digestIn(image)}`);
  }
  if (!isRolledOut(stable)) return explain(site, order, stable);
  const moved = await routed(site, order, route, 0, false);
  if (moved.status !== 'done') return moved;
  return release(site, order, canary, stable, `${site.pair.stable} serves ${digestIn(image)}`);
}

async function restore(site: Site, order: Order): Promise<Progress> {
  const state = await readState(site);
  if (isChangeNeeded(site, order, state)) {
    await order.fence();
    const results = await Promise.allSettled(restoringWrites(site, order, state));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    return again('the stable gets everything back');
  }
  await releaseAutoscaler(site, order, true);
  if (!order.stable)
    return done('nothing served before: there is nothing to go back to, and what serves stays');
  if (state.route) {
    const confirmed = confirm(state.route, 0);
    if (confirmed.status !== 'done') return confirmed;
  }
  // With a route the traffic is back; pods that were missing before the rollout are not its business.
  const isBack = state.route ? readyOf(state.stable) > 0 : await isCarrying(site, state.stable);
  if (!isBack) return again((await explain(site, order, state.stable)).message);
  return release(site, order, state.canary, state.stable, `${order.stable.revision} serves everything`);
}

function isChangeNeeded(site: Site, order: Order, { stable, canary, route }: State): boolean {
  const objects = [stable, canary, ...(route ? [route] : [])];
  if (!objects.every(object => isTouched(object, order))) return true;
  if (!order.stable) return false;
  const isRouted = !route || hasWeights(route, site.pair, 0);
  return (
    !isRouted || imageToRestore(site, order, stable) !== undefined || stable.spec.replicas < scaleOf(stable)
  );
}

/** All at once: the sooner each object is ours, the fewer old writes get through. */
function restoringWrites(site: Site, order: Order, { stable, canary, route }: State): Promise<unknown>[] {
  const writes: Promise<unknown>[] = [];
  const percent = order.stable ? 0 : route ? percentOf(route, site.pair) : 0;
  if (route && (!isTouched(route, order) || !hasWeights(route, site.pair, percent ?? 0))) {
    writes.push(patchRoute(site, order, route, percent ?? 0, false));
  }
  if (!isTouched(canary, order)) writes.push(patchCanary(site, order, canary));
  const image = imageToRestore(site, order, stable);
  const isHeldLow = order.stable !== undefined && stable.metadata.annotations[SCALE] !== undefined;
  if (!isTouched(stable, order) || image || isHeldLow) {
    const revision = image ? order.stable?.revision : undefined;
    const replicas = isHeldLow ? scaleOf(stable) : undefined;
    const annotations = { [PROMOTED]: null, ...(isHeldLow ? { [SCALE]: null } : {}) };
    writes.push(patchStable(site, order, stable, { image, revision, replicas, annotations }));
  }
  return writes;
}

/** What the stable Deployment had before the rollout, when a rollout that was being settled has replaced it. */
function imageToRestore(site: Site, order: Order, stable: Deployment): string | undefined {
  const digest = order.stable?.digest;
  const image = imageOf(stable, site.spec.container);
  return digest && image === targetImage(order) && digest !== order.digest
    ? `${order.image}@${digest}`
    : undefined;
}

/** The canary Deployment is this order's, with its digest and at least one pod. */
function isDeployed(site: Site, order: Order, canary: Deployment): boolean {
  return (
    canary.spec.template.metadata.labels[REVISION] === order.revision &&
    imageOf(canary, site.spec.container) === targetImage(order) &&
    canary.metadata.annotations[ROLLOUT] === order.rollout &&
    canary.spec.replicas > 0
  );
}

async function missingCanary(site: Site, order: Order, { canary }: State): Promise<Progress | undefined> {
  if (isDeployed(site, order, canary)) return undefined;
  await order.fence();
  return failed(
    `${site.pair.canary} does not run ${order.digest} as ${order.revision}, but ${imageOf(canary, site.spec.container)} at ${canary.spec.replicas} replicas`,
  );
}

function unsplitRoute(site: Site, { route }: State): Progress | undefined {
  if (!route || percentOf(route, site.pair) !== undefined) return undefined;
  const { stable, canary } = site.pair;
  return failed(
    `HTTPRoute ${site.spec.httpRoute} has no rule with both ${stable} and ${canary} in backendRefs: attach both, ${canary} with weight 0`,
  );
}

/** Clears away what an earlier rollout left on the canary: a promotion is completed, anything else loses its traffic. */
async function vacate(site: Site, order: Order, state: State): Promise<Progress | undefined> {
  const { canary, route } = state;
  if (promotedBy(state)) {
    const image = imageOf(canary, site.spec.container);
    const revision = canary.spec.template.metadata.labels[REVISION] ?? canary.metadata.name;
    const progress = await takeOver(site, order, state, image, revision);
    return progress.status === 'failed'
      ? progress
      : again(`an earlier rollout is settled first: ${progress.message}`);
  }
  if (!route || canaryPercent(state, site.pair) === 0) return undefined;
  await order.fence();
  await patchRoute(site, order, route, 0, false);
  return again('an earlier canary loses its traffic first');
}

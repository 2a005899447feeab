import type { KubernetesApi } from './gke-cluster.ts';
import {
  type Deployment,
  digestIn,
  type HttpRoute,
  imageOf,
  isRolledOut,
  type Pod,
  PROMOTED,
  parseDeployment,
  parseHttpRoute,
  parseNode,
  parsePods,
  REVISION,
  readyOf,
  routeState,
  UNPROVEN,
} from './gke-objects.ts';
import { type Pair, percentOf } from './gke-traffic.ts';
import type { Observation, ObservedRevision, Serving } from './target.ts';

/** Where a service runs in a cluster. */
export interface GkeSpec {
  /** `projects/P/locations/L/clusters/C`. */
  readonly cluster: string;
  readonly namespace: string;
  /** The stable Deployment and its Service; the canary's are called the same with `-canary`. */
  readonly deployment: string;
  /** The container whose image is rolled out. */
  readonly container: string;
  /** Without it the traffic is split by the number of pods behind one Service. */
  readonly httpRoute?: string | undefined;
  /** A pool of ARM nodes; undefined on Autopilot. */
  readonly nodePool?: string | undefined;
}

/** One place, and the way to it. */
export interface Site {
  readonly spec: GkeSpec;
  readonly api: KubernetesApi;
  readonly pair: Pair;
  readonly nowMs: () => number;
  /** How long the cluster autoscaler may take to bring a node. */
  readonly unschedulableGraceSeconds: number;
}

export interface State {
  readonly stable: Deployment;
  readonly canary: Deployment;
  readonly route: HttpRoute | undefined;
}

export function deploymentPath({ spec }: Site, name: string): string {
  return `/apis/apps/v1/namespaces/${spec.namespace}/deployments/${name}`;
}

export function routePath({ spec }: Site): string {
  return `/apis/gateway.networking.k8s.io/v1/namespaces/${spec.namespace}/httproutes/${spec.httpRoute}`;
}

export async function readState(site: Site): Promise<State> {
  const { api, pair, spec } = site;
  const [stable, canary, route] = await Promise.all([
    api.get(deploymentPath(site, pair.stable)),
    api.get(deploymentPath(site, pair.canary)),
    spec.httpRoute ? api.get(routePath(site)) : undefined,
  ]);
  return {
    stable: parseDeployment(stable),
    canary: parseDeployment(canary),
    route: route === undefined ? undefined : parseHttpRoute(route),
  };
}

export async function readPods(
  { api, spec }: Site,
  labels: Readonly<Record<string, string>>,
): Promise<readonly Pod[]> {
  const selector = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  const path = `/api/v1/namespaces/${spec.namespace}/pods?labelSelector=${encodeURIComponent(selector.join(','))}`;
  return parsePods(await api.get(path)).items;
}

/** The canary's share of the traffic in percent: by the route, or else by the ready pods. */
export function canaryPercent(state: State, pair: Pair): number {
  if (state.route) return percentOf(state.route, pair) ?? 0;
  const [stable, canary] = [state.stable.status.readyReplicas, state.canary.status.readyReplicas];
  return canary === 0 ? 0 : (canary / (stable + canary)) * 100;
}

/** The rollout whose canary serves everything and is not settled yet. */
export function promotedBy(state: State): string | undefined {
  return (state.route ?? state.stable).metadata.annotations[PROMOTED] || undefined;
}

export async function observe(site: Site): Promise<Observation> {
  const state = await readState(site);
  const percent = canaryPercent(state, site.pair);
  const [stable, canary] = await Promise.all([
    observeDeployment(site, state.stable, 100 - percent),
    observeDeployment(site, state.canary, percent),
  ]);
  const serving = promotedBy(state) && canary ? canary : stable;
  // A first rollout that failed left something that never served: the next one is the first again.
  const isUnproven = state.stable.metadata.annotations[UNPROVEN] !== undefined && !stable?.ready;
  return {
    stable: serving && !isUnproven ? servingOf(serving) : undefined,
    revisions: [stable, canary].flatMap(one => one ?? []),
    settled: isAtRest(state),
  };
}

function servingOf({ revision, digest }: ObservedRevision): Serving {
  return { revision, digest };
}

function isAtRest({ stable, canary, route }: State): boolean {
  return isRolledOut(stable) && isRolledOut(canary) && (!route || routeState(route) === 'programmed');
}

/** Undefined for a Deployment at 0 replicas: it is there to be scaled up one day. */
async function observeDeployment(
  site: Site,
  workload: Deployment,
  percent: number,
): Promise<ObservedRevision | undefined> {
  if (workload.spec.replicas === 0) return undefined;
  const pods = await readPods(site, workload.spec.selector.matchLabels);
  const { metadata, spec } = workload.spec.template;
  return {
    revision: metadata.labels[REVISION] ?? workload.metadata.name,
    digest: digestIn(imageOf(workload, site.spec.container)) ?? digestOfPods(site, pods),
    percent,
    ready: readyOf(workload) > 0,
    architecture:
      (await architectureOfPods(site, pods)) ?? spec.nodeSelector?.['kubernetes.io/arch'] ?? 'unknown',
  };
}

/** An image that was given by tag: the kubelet reports what it pulled. */
function digestOfPods({ spec }: Site, pods: readonly Pod[]): string | undefined {
  const statuses = pods.flatMap(pod => pod.status.containerStatuses);
  return statuses.flatMap(one => (one.name === spec.container ? (digestIn(one.imageID) ?? []) : []))[0];
}

async function architectureOfPods({ api }: Site, pods: readonly Pod[]): Promise<string | undefined> {
  const nodeName = pods.find(pod => pod.spec.nodeName)?.spec.nodeName;
  if (!nodeName) return undefined;
  const node = parseNode(await api.get(`/api/v1/nodes/${nodeName}`));
  return node.metadata.labels['kubernetes.io/arch'];
}

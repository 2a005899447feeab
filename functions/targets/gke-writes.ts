import {
  type Deployment,
  EPOCH,
  type HttpRoute,
  PROMOTED,
  parseDeployment,
  parseHttpRoute,
  REVISION,
  ROLLOUT,
  SCALE,
} from './gke-objects.ts';
import { deploymentPath, routePath, type Site, type State } from './gke-state.ts';
import { rulesWith } from './gke-traffic.ts';
import type { Order } from './target.ts';

/** Every write carries the resourceVersion that was read, and says whose it is: whoever wrote in between wins. */

const ARCHITECTURE = 'kubernetes.io/arch';
/** GKE puts this on ARM nodes as a taint. */
const ARM_TOLERATION = { key: ARCHITECTURE, operator: 'Equal', value: 'arm64', effect: 'NoSchedule' };

export function targetImage({ image, digest }: Pick<Order, 'image' | 'digest'>): string {
  return `${image}@${digest}`;
}

/** Whether this order, and no earlier epoch of it, has written to the object. */
export function isTouched(object: Deployment | HttpRoute, { rollout, epoch }: Order): boolean {
  const { annotations } = object.metadata;
  return annotations[ROLLOUT] === rollout && annotations[EPOCH] === String(epoch);
}

function ownership({ rollout, epoch }: Order): Record<string, string> {
  return { [ROLLOUT]: rollout, [EPOCH]: String(epoch) };
}

/** The canary's pod template becomes the live one of the stable, with the new image. */
export async function applyCanary(site: Site, order: Order, { stable, canary }: State): Promise<Deployment> {
  const { metadata, spec } = stable.spec.template;
  const labels = { ...metadata.labels, ...canary.spec.selector.matchLabels, [REVISION]: order.revision };
  const containers = spec.containers.map(container =>
    container.name === site.spec.container ? { ...container, image: targetImage(order) } : container,
  );
  const body = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: canary.metadata.name,
      resourceVersion: canary.metadata.resourceVersion,
      annotations: ownership(order),
    },
    spec: {
      replicas: 1,
      template: {
        ...stable.spec.template,
        metadata: { ...metadata, labels },
        spec: { ...spec, ...armPlacement(site, stable), containers },
      },
    },
  };
  return parseDeployment(await site.api.patch(deploymentPath(site, canary.metadata.name), 'apply', body));
}

/** The scale that the stable has, or had before its pods were taken away. */
export function scaleOf(stable: Deployment): number {
  return Number(stable.metadata.annotations[SCALE]) || stable.spec.replicas;
}

export interface StableChange {
  /** `REPOSITORY@sha256:…`; unchanged when undefined. */
  readonly image?: string | undefined;
  readonly revision?: string | undefined;
  readonly replicas?: number | undefined;
  readonly annotations?: Readonly<Record<string, string | null>> | undefined;
}

/** Changes of the stable Deployment alone go by strategic merge: whatever else is in it stays. */
export async function patchStable(
  site: Site,
  order: Order,
  stable: Deployment,
  change: StableChange,
): Promise<Deployment> {
  const { image, revision, replicas, annotations } = change;
  const template = image
    ? {
        ...(revision ? { metadata: { labels: { [REVISION]: revision } } } : {}),
        spec: { ...armPlacement(site, stable), containers: [{ name: site.spec.container, image }] },
      }
    : undefined;
  const body = {
    metadata: {
      resourceVersion: stable.metadata.resourceVersion,
      annotations: { ...ownership(order), ...annotations },
    },
    spec: {
      ...(replicas === undefined ? {} : { replicas }),
      ...(template ? { template } : {}),
    },
  };
  return parseDeployment(await site.api.patch(deploymentPath(site, stable.metadata.name), 'strategic', body));
}

/** Sets the canary's scale; without one it only takes the object over. */
export async function patchCanary(
  site: Site,
  order: Order,
  canary: Deployment,
  replicas?: number,
): Promise<Deployment> {
  const body = {
    metadata: { resourceVersion: canary.metadata.resourceVersion, annotations: ownership(order) },
    ...(replicas === undefined ? {} : { spec: { replicas } }),
  };
  return parseDeployment(await site.api.patch(deploymentPath(site, canary.metadata.name), 'merge', body));
}

export async function patchRoute(
  site: Site,
  order: Order,
  route: HttpRoute,
  percent: number,
  isPromoted: boolean,
): Promise<HttpRoute> {
  const body = {
    metadata: {
      resourceVersion: route.metadata.resourceVersion,
      annotations: { ...ownership(order), [PROMOTED]: isPromoted ? order.rollout : null },
    },
    spec: { rules: rulesWith(route, site.pair, percent) },
  };
  return parseHttpRoute(await site.api.patch(routePath(site), 'merge', body));
}

/** Onto ARM nodes when the target names a pool of them, or when the stable is there already. */
function armPlacement({ spec }: Site, stable: Deployment): object {
  const { nodeSelector = {}, tolerations = [] } = stable.spec.template.spec;
  if (!spec.nodePool && nodeSelector[ARCHITECTURE] !== 'arm64') return {};
  const isTolerated = tolerations.some(one => one.key === ARCHITECTURE);
  return {
    nodeSelector: { ...nodeSelector, [ARCHITECTURE]: 'arm64' },
    tolerations: isTolerated ? tolerations : [...tolerations, ARM_TOLERATION],
  };
}

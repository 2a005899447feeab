import { type Autoscaler, EPOCH, parseAutoscalers, ROLLOUT } from './gke-objects.ts';
import type { Site } from './gke-state.ts';
import type { Order } from './target.ts';

/** What `minReplicas` was before it was held. */
const HELD_MINIMUM = 'slipway.dev/min-replicas';

/**
 * While a canary takes the traffic away, an autoscaler would scale the stable down, and the way back would lead to too
 * few pods. So its minimum is held at the scale that the stable has now.
 */
export async function holdAutoscaler(site: Site, order: Order, scale: number): Promise<void> {
  for (const autoscaler of await autoscalersOf(site)) {
    if (autoscaler.metadata.annotations[HELD_MINIMUM] || autoscaler.spec.minReplicas >= scale) continue;
    await order.fence();
    const annotations = { ...ownership(order), [HELD_MINIMUM]: String(autoscaler.spec.minReplicas) };
    await patch(site, autoscaler, annotations, scale);
  }
}

/** Gives the minimum back. With `always` it writes even where nothing is held, so that an older hold is refused. */
export async function releaseAutoscaler(site: Site, order: Order, always: boolean): Promise<void> {
  for (const autoscaler of await autoscalersOf(site)) {
    const { annotations } = autoscaler.metadata;
    const held = annotations[HELD_MINIMUM];
    const isTouched = annotations[ROLLOUT] === order.rollout && annotations[EPOCH] === String(order.epoch);
    if (held === undefined && (isTouched || !always)) continue;
    await order.fence();
    const minimum = held === undefined ? autoscaler.spec.minReplicas : Number(held);
    await patch(site, autoscaler, { ...ownership(order), [HELD_MINIMUM]: null }, minimum);
  }
}

function ownership({ rollout, epoch }: Order): Record<string, string> {
  return { [ROLLOUT]: rollout, [EPOCH]: String(epoch) };
}

async function autoscalersOf({ api, spec, pair }: Site): Promise<readonly Autoscaler[]> {
  const path = `/apis/autoscaling/v2/namespaces/${spec.namespace}/horizontalpodautoscalers`;
  return parseAutoscalers(await api.get(path)).items.filter(
    ({ spec: { scaleTargetRef } }) =>
      scaleTargetRef.kind === 'Deployment' && scaleTargetRef.name === pair.stable,
  );
}

async function patch(
  { api, spec }: Site,
  { metadata }: Autoscaler,
  annotations: Readonly<Record<string, string | null>>,
  minReplicas: number,
): Promise<void> {
  const path = `/apis/autoscaling/v2/namespaces/${spec.namespace}/horizontalpodautoscalers/${metadata.name}`;
  await api.patch(path, 'merge', {
    metadata: { resourceVersion: metadata.resourceVersion, annotations },
    spec: { minReplicas },
  });
}

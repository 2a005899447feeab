import { type Pass, withCondition } from './controller.ts';
import { withArmToleration } from './defaults.ts';
import {
  conditionOf,
  controllerOf,
  isPodReady,
  ownedBy,
  type Pod,
  type ReplicaSet,
  timestamp,
} from './objects.ts';
import { suffix } from './pods.ts';

/** Says why a pod may not be made, in the words of a quota or an admission webhook; undefined lets it pass. */
export type Admission = (pod: Pod) => string | undefined;

/** The ReplicaSet controller: as many pods of the template as the spec asks for. */
export function reconcileReplicaSets(pass: Pass, admission: Admission): void {
  for (const set of pass.store.list('replicasets')) {
    if (set.metadata.deletionTimestamp) continue;
    const refusal = reconcilePods(pass, set, admission);
    const status = statusOf(pass, set, refusal);
    pass.store.update('replicasets', { ...set, status }, 'status');
  }
}

function reconcilePods(pass: Pass, set: ReplicaSet, admission: Admission): string | undefined {
  const pods = activePods(pass, set);
  for (const pod of surplus(pods, set.spec.replicas)) removePod(pass, pod);
  for (let count = pods.length; count < set.spec.replicas; count++) {
    const refusal = createPod(pass, set, count, admission);
    if (refusal) return refusal;
  }
  return undefined;
}

function activePods({ store }: Pass, set: ReplicaSet): Pod[] {
  return store
    .list('pods', set.metadata.namespace)
    .filter(pod => controllerOf(pod)?.uid === set.metadata.uid && !pod.metadata.deletionTimestamp);
}

/** Pods that are not ready are missed least, then the youngest. */
function surplus(pods: readonly Pod[], wanted: number): readonly Pod[] {
  const ranked = pods.map((pod, age) => ({ pod, age }));
  ranked.sort((a, b) => Number(isPodReady(a.pod)) - Number(isPodReady(b.pod)) || b.age - a.age);
  return ranked.slice(0, Math.max(0, pods.length - wanted)).map(({ pod }) => pod);
}

export function removePod({ store }: Pick<Pass, 'store'>, pod: Pod): void {
  const graceSeconds = pod.spec.nodeName ? (pod.spec.terminationGracePeriodSeconds ?? 30) : 0;
  store.remove('pods', pod.metadata.namespace, pod.metadata.name, graceSeconds);
}

function createPod(
  { store }: Pass,
  set: ReplicaSet,
  index: number,
  admission: Admission,
): string | undefined {
  const { metadata, spec } = set.spec.template;
  const name = `${set.metadata.name}-${suffix(`${set.metadata.uid} ${store.resourceVersion} ${index}`, 5)}`;
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: set.metadata.namespace ?? '',
      generateName: `${set.metadata.name}-`,
      ...(metadata?.labels ? { labels: metadata.labels } : {}),
      ...(metadata?.annotations ? { annotations: metadata.annotations } : {}),
      ownerReferences: ownedBy(set),
    },
    spec: withArmToleration(spec),
    status: { phase: 'Pending' },
  };
  const refusal = admission(pod);
  if (refusal) return `pods "${name}" is forbidden: ${refusal}`;
  store.create('pods', pod);
  return undefined;
}

function statusOf(
  pass: Pass,
  set: ReplicaSet,
  refusal: string | undefined,
): NonNullable<ReplicaSet['status']> {
  const pods = activePods(pass, set);
  const conditions = (set.status?.conditions ?? []).filter(one => one.type !== 'ReplicaFailure');
  const known = conditionOf(set.status?.conditions, 'ReplicaFailure');
  return {
    observedGeneration: set.metadata.generation ?? 1,
    replicas: pods.length,
    fullyLabeledReplicas: pods.length,
    readyReplicas: pods.filter(isPodReady).length,
    availableReplicas: pods.filter(pod => isAvailable(pass, pod, set.spec.minReadySeconds ?? 0)).length,
    conditions: refusal
      ? withCondition(
          known ? [...conditions, known] : conditions,
          {
            type: 'ReplicaFailure',
            status: 'True',
            reason: 'FailedCreate',
            // The name in the text is a new one with every try: the first stays, or the condition would never rest.
            message: known?.message ?? refusal,
          },
          pass.nowMs,
        )
      : conditions,
  };
}

function isAvailable(pass: Pass, pod: Pod, minReadySeconds: number): boolean {
  if (!isPodReady(pod)) return false;
  const since = conditionOf(pod.status?.conditions, 'Ready')?.lastTransitionTime ?? timestamp(pass.nowMs);
  const availableMs = Date.parse(since) + minReadySeconds * 1000;
  if (minReadySeconds === 0 || pass.nowMs >= availableMs) return true;
  pass.wakeAt(availableMs);
  return false;
}

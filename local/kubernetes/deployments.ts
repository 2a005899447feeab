import type { Pass } from './controller.ts';
import { deploymentStatus, rollingLimits } from './deployment-status.ts';
import { controllerOf, type Deployment, ownedBy, type ReplicaSet } from './objects.ts';
import { byAge, templateHash } from './pods.ts';

const REVISION = 'deployment.kubernetes.io/revision';

/** The Deployment controller: one ReplicaSet per template, scaled up and down against each other within surge and availability. */
export function reconcileDeployments(pass: Pass): void {
  for (const deployment of pass.store.list('deployments')) {
    if (!deployment.metadata.deletionTimestamp) reconcile(pass, deployment);
  }
}

function reconcile(pass: Pass, deployment: Deployment): void {
  const sets = () => ownedSets(pass, deployment);
  const hash = templateHash(deployment.spec.template);
  const isCurrent = (set: ReplicaSet) => set.metadata.labels?.['pod-template-hash'] === hash;
  let created: string | undefined;
  if (!sets().some(isCurrent) && !deployment.spec.paused) {
    created = createReplicaSet(pass, deployment, hash, sets());
  }
  const current = sets().find(isCurrent);
  const live = current ? carryRevision(pass, deployment, current) : deployment;
  if (current && live.spec.strategy.type === 'Recreate') recreate(pass, live, current, sets());
  else if (current) rollingUpdate(pass, live, hash, sets);
  removeOldSets(
    pass,
    live,
    sets().filter(set => !isCurrent(set)),
  );

  const status = deploymentStatus(pass, live, sets().find(isCurrent), sets(), created);
  pass.store.update('deployments', { ...live, status }, 'status');
}

function ownedSets({ store }: Pass, deployment: Deployment): ReplicaSet[] {
  return store
    .list('replicasets', deployment.metadata.namespace)
    .filter(set => controllerOf(set)?.uid === deployment.metadata.uid);
}

function createReplicaSet(
  { store }: Pass,
  deployment: Deployment,
  hash: string,
  sets: readonly ReplicaSet[],
): string {
  const { name, namespace = '' } = deployment.metadata;
  const { template, selector, minReadySeconds } = deployment.spec;
  const labels = { ...template.metadata?.labels, 'pod-template-hash': hash };
  const revision = Math.max(0, ...sets.map(set => Number(set.metadata.annotations?.[REVISION] ?? 0))) + 1;
  store.create('replicasets', {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels,
      annotations: { ...deployment.metadata.annotations, [REVISION]: String(revision) },
      ownerReferences: ownedBy(deployment),
    },
    spec: {
      replicas: 0,
      selector: { ...selector, matchLabels: { ...selector.matchLabels, 'pod-template-hash': hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
    },
  });
  return `${name}-${hash}`;
}

/** A template that comes back gets the newest revision number again; the Deployment shows the number of its ReplicaSet. */
function carryRevision(pass: Pass, deployment: Deployment, current: ReplicaSet): Deployment {
  const numbers = ownedSets(pass, deployment).map(set => Number(set.metadata.annotations?.[REVISION] ?? 0));
  const own = Number(current.metadata.annotations?.[REVISION] ?? 0);
  const newest = Math.max(...numbers);
  const revision = own === newest && numbers.filter(one => one === newest).length === 1 ? own : newest + 1;
  if (revision !== own) {
    const annotations = { ...current.metadata.annotations, [REVISION]: String(revision) };
    pass.store.update('replicasets', { ...current, metadata: { ...current.metadata, annotations } });
  }
  if (deployment.metadata.annotations?.[REVISION] === String(revision)) return deployment;
  const annotations = { ...deployment.metadata.annotations, [REVISION]: String(revision) };
  return pass.store.update('deployments', {
    ...deployment,
    metadata: { ...deployment.metadata, annotations },
  });
}

function recreate(
  pass: Pass,
  deployment: Deployment,
  current: ReplicaSet,
  sets: readonly ReplicaSet[],
): void {
  const old = sets.filter(set => set.metadata.name !== current.metadata.name);
  for (const set of old) scale(pass, set, 0);
  const oldNames = new Set(old.map(set => set.metadata.name));
  const oldPodsLeft = pass.store
    .list('pods', deployment.metadata.namespace)
    .some(pod => oldNames.has(controllerOf(pod)?.name ?? ''));
  if (!oldPodsLeft) scale(pass, current, deployment.spec.replicas);
}

function rollingUpdate(pass: Pass, deployment: Deployment, hash: string, sets: () => ReplicaSet[]): void {
  const { maxSurge, minAvailable } = rollingLimits(deployment);
  const desired = deployment.spec.replicas;
  const isCurrent = (set: ReplicaSet) => set.metadata.labels?.['pod-template-hash'] === hash;
  const current = sets().find(isCurrent);
  if (!current) return;
  if (current.spec.replicas > desired) scale(pass, current, desired);
  else {
    const room = desired + maxSurge - total(sets(), set => set.spec.replicas);
    scale(
      pass,
      current,
      current.spec.replicas + Math.max(0, Math.min(room, desired - current.spec.replicas)),
    );
  }
  shrinkOldSets(pass, sets, isCurrent, minAvailable);
}

/** Pods that do not work go first, they cost nothing; then working ones as far as availability allows. */
function shrinkOldSets(
  pass: Pass,
  sets: () => ReplicaSet[],
  isCurrent: (set: ReplicaSet) => boolean,
  minAvailable: number,
): void {
  const available = (set: ReplicaSet) => Math.min(set.status?.availableReplicas ?? 0, set.spec.replicas);
  const current = sets().find(isCurrent);
  const newUnavailable = current ? current.spec.replicas - available(current) : 0;
  let removable = total(sets(), set => set.spec.replicas) - minAvailable - newUnavailable;
  const old = sets()
    .filter(set => !isCurrent(set) && set.spec.replicas > 0)
    .sort(byAge);
  for (const set of old) {
    const broken = Math.max(0, Math.min(set.spec.replicas - available(set), removable));
    scale(pass, set, set.spec.replicas - broken);
    removable -= broken;
  }
  let spare = total(sets(), available) - minAvailable;
  for (const set of sets().filter(one => !isCurrent(one) && one.spec.replicas > 0)) {
    const surplus = Math.max(0, Math.min(set.spec.replicas, spare));
    scale(pass, set, set.spec.replicas - surplus);
    spare -= surplus;
  }
}

function removeOldSets({ store }: Pass, deployment: Deployment, old: readonly ReplicaSet[]): void {
  const idle = old.filter(set => set.spec.replicas === 0 && (set.status?.replicas ?? 0) === 0).sort(byAge);
  for (const set of idle.slice(0, Math.max(0, idle.length - deployment.spec.revisionHistoryLimit))) {
    store.remove('replicasets', set.metadata.namespace, set.metadata.name);
  }
}

function scale({ store }: Pass, set: ReplicaSet, replicas: number): void {
  if (set.spec.replicas === replicas) return;
  store.update('replicasets', { ...set, spec: { ...set.spec, replicas } });
}

function total(sets: readonly ReplicaSet[], count: (set: ReplicaSet) => number): number {
  return sets.reduce((sum, set) => sum + count(set), 0);
}

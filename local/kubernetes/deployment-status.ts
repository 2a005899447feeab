import { type Pass, withCondition } from './controller.ts';
import {
  type Condition,
  conditionOf,
  type Deployment,
  type DeploymentStatus,
  type ReplicaSet,
  timestamp,
} from './objects.ts';
import { intOrPercent } from './quantities.ts';

/** What the Deployment controller reports; `created` is the ReplicaSet that it made in this pass. */
export function deploymentStatus(
  pass: Pass,
  deployment: Deployment,
  current: ReplicaSet | undefined,
  sets: readonly ReplicaSet[],
  created: string | undefined,
): DeploymentStatus {
  const sum = (count: (set: ReplicaSet) => number | undefined) =>
    sets.reduce((total, set) => total + (count(set) ?? 0), 0);
  const availableReplicas = sum(set => set.status?.availableReplicas);
  const counts = {
    observedGeneration: deployment.metadata.generation ?? 1,
    replicas: sum(set => set.status?.replicas),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sum(set => set.status?.readyReplicas),
    availableReplicas,
    unavailableReplicas: Math.max(0, sum(set => set.spec.replicas) - availableReplicas),
  };
  let conditions = deployment.status?.conditions ?? [];
  for (const condition of [
    availableCondition(deployment, availableReplicas),
    progressingCondition(pass, deployment, counts, current, created),
  ]) {
    conditions = withUpdateTime(conditions, condition, pass.nowMs);
  }
  const failure = conditionOf(current?.status?.conditions, 'ReplicaFailure');
  conditions = failure
    ? withUpdateTime(conditions, failure, pass.nowMs)
    : conditions.filter(one => one.type !== 'ReplicaFailure');
  return { ...counts, conditions };
}

/** How many pods may be too many, and how many must work, while one ReplicaSet takes over from another. */
export function rollingLimits(deployment: Deployment): { maxSurge: number; minAvailable: number } {
  const { replicas, strategy } = deployment.spec;
  const rolling = strategy.rollingUpdate ?? { maxSurge: 0, maxUnavailable: 1 };
  const maxSurge = intOrPercent(rolling.maxSurge, replicas, 'up');
  const unavailable = intOrPercent(rolling.maxUnavailable, replicas, 'down');
  const maxUnavailable = maxSurge === 0 && unavailable === 0 ? 1 : unavailable;
  return { maxSurge, minAvailable: Math.max(0, replicas - maxUnavailable) };
}

function availableCondition(deployment: Deployment, available: number): Condition {
  return available >= rollingLimits(deployment).minAvailable
    ? {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
}

function progressingCondition(
  pass: Pass,
  deployment: Deployment,
  counts: DeploymentStatus,
  current: ReplicaSet | undefined,
  created: string | undefined,
): Condition {
  const before = conditionOf(deployment.status?.conditions, 'Progressing');
  const name = current?.metadata.name ?? '';
  const progressing = (reason: string, message: string): Condition => ({
    type: 'Progressing',
    status: 'True',
    reason,
    message,
    lastUpdateTime: timestamp(pass.nowMs),
  });
  if (created) return progressing('NewReplicaSetCreated', `Created new replica set "${created}"`);
  if (isComplete(deployment, counts)) {
    const message = `ReplicaSet "${name}" has successfully progressed.`;
    return before?.reason === 'NewReplicaSetAvailable' && before.message === message
      ? before
      : progressing('NewReplicaSetAvailable', message);
  }
  if (before && !before.message?.includes(`"${name}"`)) {
    return progressing('FoundNewReplicaSet', `Found new replica set "${name}"`);
  }
  if (!before || hasProgressed(deployment.status, counts)) {
    return progressing('ReplicaSetUpdated', `ReplicaSet "${name}" is progressing.`);
  }
  // Once a ReplicaSet was available its Deployment is not timed again: later trouble shows in Available.
  if (before.reason === 'NewReplicaSetAvailable') return before;
  return timedOut(pass, deployment, before, name);
}

function timedOut(pass: Pass, deployment: Deployment, before: Condition, name: string): Condition {
  const sinceMs = Date.parse(before.lastUpdateTime ?? before.lastTransitionTime ?? '');
  const deadlineMs = sinceMs + deployment.spec.progressDeadlineSeconds * 1000;
  if (before.status === 'False') return before;
  if (pass.nowMs < deadlineMs) {
    pass.wakeAt(deadlineMs);
    return before;
  }
  return {
    type: 'Progressing',
    status: 'False',
    reason: 'ProgressDeadlineExceeded',
    message: `ReplicaSet "${name}" has timed out progressing.`,
  };
}

function isComplete(deployment: Deployment, counts: DeploymentStatus): boolean {
  const desired = deployment.spec.replicas;
  return (
    counts.updatedReplicas === desired && counts.replicas === desired && counts.availableReplicas === desired
  );
}

function hasProgressed(before: DeploymentStatus | undefined, now: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus | undefined) =>
    (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0);
  return (
    (now.updatedReplicas ?? 0) > (before?.updatedReplicas ?? 0) ||
    old(now) < old(before) ||
    (now.readyReplicas ?? 0) > (before?.readyReplicas ?? 0) ||
    (now.availableReplicas ?? 0) > (before?.availableReplicas ?? 0)
  );
}

function withUpdateTime(conditions: readonly Condition[], condition: Condition, nowMs: number): Condition[] {
  const before = conditionOf(conditions, condition.type);
  const isSame = before?.status === condition.status && before.reason === condition.reason;
  const lastUpdateTime =
    condition.lastUpdateTime ?? (isSame && before.lastUpdateTime ? before.lastUpdateTime : timestamp(nowMs));
  return withCondition(conditions, { ...condition, lastUpdateTime }, nowMs);
}

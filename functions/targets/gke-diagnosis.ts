import type { Condition, ContainerStatus, Deployment, Pod } from './gke-objects.ts';

/** Why pods are not ready, in words, and whether waiting can mend it. */
export type Diagnosis =
  | { readonly status: 'failed'; readonly message: string }
  | { readonly status: 'again'; readonly message: string }
  /** The container's last log lines say more; see {@link crash}. */
  | { readonly status: 'crashed'; readonly pod: string; readonly container: ContainerStatus };

/** Waiting reasons that no retry of the kubelet mends. */
const HOPELESS = new Set([
  'InvalidImageName',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'ImagePullBackOff',
]);

/** The most telling reason first: a container's, then the scheduler's, then the Deployment's. */
export function diagnose(
  workload: Deployment,
  pods: readonly Pod[],
  nowMs: number,
  unschedulableGraceSeconds: number,
): Diagnosis {
  const alive = pods.filter(pod => !pod.metadata.deletionTimestamp);
  for (const pod of alive) {
    const found = ofContainers(pod);
    if (found) return found;
  }
  const unscheduled = alive.map(pod => ofScheduling(pod, nowMs, unschedulableGraceSeconds));
  const found =
    unscheduled.find(one => one?.status === 'failed') ??
    ofDeployment(workload) ??
    unscheduled.find(one => one);
  if (found) return found;
  const { updatedReplicas, availableReplicas } = workload.status;
  const { spec, metadata } = workload;
  return {
    status: 'again',
    message: `${metadata.name}: ${updatedReplicas} of ${spec.replicas} pods are new, ${availableReplicas} pods are available`,
  };
}

function ofContainers(pod: Pod): Diagnosis | undefined {
  const { initContainerStatuses, containerStatuses } = pod.status;
  for (const container of [...initContainerStatuses, ...containerStatuses]) {
    const { waiting, terminated } = container.state;
    const message = `pod ${pod.metadata.name}, container ${container.name}: ${waiting?.reason}: ${waiting?.message}`;
    if (waiting && (HOPELESS.has(waiting.reason) || waiting.message.includes('no match for platform'))) {
      return { status: 'failed', message };
    }
    if (waiting?.reason === 'ErrImagePull') return { status: 'again', message };
    const ended = terminated ?? container.lastState.terminated;
    if (ended && (ended.exitCode !== 0 || container.restartCount > 0)) {
      return { status: 'crashed', pod: pod.metadata.name, container };
    }
  }
  return undefined;
}

/** A container that ended may come back, unless its machine is the wrong one or it keeps ending. */
export function crash(pod: string, container: ContainerStatus, log: string): Diagnosis {
  const ended = container.state.terminated ?? container.lastState.terminated;
  const said = [ended?.message, log].find(text => text?.trim()) ?? '';
  const lastLines = said.trim().split('\n').slice(-5).join('\n');
  const how = `pod ${pod}, container ${container.name} ended with exit code ${ended?.exitCode} (${ended?.reason || 'no reason given'})`;
  if (/exec format error/.test(`${ended?.message} ${log}`)) {
    return {
      status: 'failed',
      message: `${how}: exec format error: the image's binaries are not for the node's architecture: ${lastLines}`,
    };
  }
  if (container.state.waiting?.reason === 'CrashLoopBackOff' && container.restartCount >= 2) {
    const restarts = `${container.restartCount} restarts`;
    return {
      status: 'failed',
      message: `${how}, CrashLoopBackOff after ${restarts}; last log lines: ${lastLines || 'none'}`,
    };
  }
  return { status: 'again', message: `${how}; it is started again` };
}

function ofScheduling(pod: Pod, nowMs: number, graceSeconds: number): Diagnosis | undefined {
  const scheduled = conditionOf(pod.status.conditions, 'PodScheduled');
  if (scheduled?.status !== 'False' || scheduled.reason !== 'Unschedulable') return undefined;
  const waitedSeconds = (nowMs - Date.parse(scheduled.lastTransitionTime ?? '')) / 1000;
  const message = `pod ${pod.metadata.name} cannot be scheduled: ${scheduled.message}`;
  // The cluster autoscaler may be bringing a node.
  return waitedSeconds < graceSeconds
    ? { status: 'again', message }
    : { status: 'failed', message: `${message} (for ${Math.round(waitedSeconds)} s)` };
}

function ofDeployment(workload: Deployment): Diagnosis | undefined {
  const { status, metadata } = workload;
  if (status.observedGeneration < metadata.generation) return undefined;
  const refused = conditionOf(status.conditions, 'ReplicaFailure');
  if (refused?.status === 'True') {
    return {
      status: 'failed',
      message: `Deployment ${metadata.name}: ${refused.reason}: ${refused.message}`,
    };
  }
  const progressing = conditionOf(status.conditions, 'Progressing');
  if (progressing?.status !== 'False' || progressing.reason !== 'ProgressDeadlineExceeded') return undefined;
  return {
    status: 'failed',
    message: `Deployment ${metadata.name}: ${progressing.reason}: ${progressing.message}`,
  };
}

function conditionOf(conditions: readonly Condition[], type: string): Condition | undefined {
  return conditions.find(condition => condition.type === type);
}

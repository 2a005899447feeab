import {
  type Condition,
  conditionOf,
  type Node,
  type NodeSelectorTerm,
  type Pod,
  type Toleration,
  timestamp,
} from './objects.ts';
import { parseQuantity } from './quantities.ts';
import { matchesExpression, matchesLabels, matchesSelector } from './selectors.ts';
import type { Store } from './store.ts';

type Filter = (pod: Pod, node: Node, podsOnNode: readonly Pod[]) => readonly string[];

/** In the order of the real scheduler: the first filter that objects names the reason. */
const FILTERS: readonly Filter[] = [
  (pod, node) =>
    node.spec.unschedulable && !tolerates(pod, UNSCHEDULABLE) ? ['node(s) were unschedulable'] : [],
  untoleratedTaint,
  (pod, node) => (matchesNode(pod, node) ? [] : ["node(s) didn't match Pod's node affinity/selector"]),
  insufficientResources,
  antiAffinity,
];

const UNSCHEDULABLE = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

/** Binds pods that have no node, or says on the pod why none will have it. */
export function schedule(store: Store, nowMs: number): void {
  const nodes = store.list('nodes');
  for (const pod of store.list('pods')) {
    if (pod.spec.nodeName || pod.metadata.deletionTimestamp) continue;
    const bound = store.list('pods').filter(one => one.spec.nodeName);
    const verdicts = nodes.map(node => ({ node, reasons: reasonsAgainst(pod, node, bound) }));
    const fitting = verdicts.filter(verdict => verdict.reasons.length === 0).map(verdict => verdict.node);
    const chosen = leastLoaded(fitting, bound);
    if (chosen) bind(store, pod, chosen, nowMs);
    else refuse(store, pod, unschedulableMessage(nodes.length, verdicts), nowMs);
  }
}

function reasonsAgainst(pod: Pod, node: Node, bound: readonly Pod[]): readonly string[] {
  const here = bound.filter(one => one.spec.nodeName === node.metadata.name);
  for (const filter of FILTERS) {
    const reasons = filter(pod, node, here);
    if (reasons.length > 0) return reasons;
  }
  return [];
}

function unschedulableMessage(total: number, verdicts: readonly { reasons: readonly string[] }[]): string {
  const counts = new Map<string, number>();
  for (const { reasons } of verdicts) {
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const listed = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  const reasons = listed.length > 0 ? `: ${listed.join(', ')}.` : '.';
  return `0/${total} nodes are available${reasons} preemption: 0/${total} nodes are available: ${total} Preemption is not helpful for scheduling.`;
}

function untoleratedTaint(pod: Pod, node: Node): readonly string[] {
  const taint = (node.spec.taints ?? []).find(
    one => one.effect !== 'PreferNoSchedule' && !tolerates(pod, one),
  );
  return taint ? [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`] : [];
}

function tolerates(pod: Pod, taint: { key: string; value?: string; effect: string }): boolean {
  return (pod.spec.tolerations ?? []).some(
    (toleration: Toleration) =>
      (!toleration.effect || toleration.effect === taint.effect) &&
      (!toleration.key || toleration.key === taint.key) &&
      (toleration.operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '')),
  );
}

function matchesNode(pod: Pod, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  if (!matchesLabels(pod.spec.nodeSelector, labels)) return false;
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (!required) return true;
  return required.nodeSelectorTerms.some((term: NodeSelectorTerm) =>
    (term.matchExpressions ?? []).every(expression => matchesExpression(expression, labels)),
  );
}

function insufficientResources(pod: Pod, node: Node, podsOnNode: readonly Pod[]): readonly string[] {
  const reasons: string[] = [];
  if (podsOnNode.length + 1 > parseQuantity(node.status.allocatable['pods'])) reasons.push('Too many pods');
  for (const resource of ['cpu', 'memory']) {
    const used = podsOnNode.reduce((sum, one) => sum + requested(one, resource), 0);
    const free = parseQuantity(node.status.allocatable[resource]) - used;
    if (requested(pod, resource) > free) reasons.push(`Insufficient ${resource}`);
  }
  return reasons;
}

function requested(pod: Pod, resource: string): number {
  return pod.spec.containers.reduce((sum, container) => {
    const { requests, limits } = container.resources ?? {};
    return sum + parseQuantity(requests?.[resource] ?? limits?.[resource]);
  }, 0);
}

/** Within one node only: the local cluster's other topologies are as wide as a node or as the cluster. */
function antiAffinity(pod: Pod, _node: Node, podsOnNode: readonly Pod[]): readonly string[] {
  const terms = pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const clashes = terms.some(term =>
    podsOnNode.some(
      one =>
        term.topologyKey === 'kubernetes.io/hostname' &&
        one.metadata.namespace === pod.metadata.namespace &&
        matchesSelector(term.labelSelector, one.metadata.labels),
    ),
  );
  return clashes ? ["node(s) didn't match pod anti-affinity rules"] : [];
}

function leastLoaded(nodes: readonly Node[], bound: readonly Pod[]): Node | undefined {
  const load = (node: Node) => bound.filter(pod => pod.spec.nodeName === node.metadata.name).length;
  return nodes.reduce<Node | undefined>(
    (best, node) => (best && load(best) <= load(node) ? best : node),
    undefined,
  );
}

function bind(store: Store, pod: Pod, node: Node, nowMs: number): void {
  const bound = store.update('pods', {
    ...pod,
    spec: { ...pod.spec, nodeName: node.metadata.name },
  });
  setScheduled(store, bound, { type: 'PodScheduled', status: 'True' }, nowMs);
}

function refuse(store: Store, pod: Pod, message: string, nowMs: number): void {
  setScheduled(
    store,
    pod,
    { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message },
    nowMs,
  );
}

function setScheduled(store: Store, pod: Pod, condition: Condition, nowMs: number): void {
  const before = conditionOf(pod.status?.conditions, 'PodScheduled');
  const since = before?.status === condition.status ? before.lastTransitionTime : undefined;
  const conditions = (pod.status?.conditions ?? []).filter(one => one.type !== 'PodScheduled');
  conditions.push({ ...condition, lastTransitionTime: since ?? timestamp(nowMs) });
  store.update('pods', { ...pod, status: { ...pod.status, phase: 'Pending', conditions } }, 'status');
}

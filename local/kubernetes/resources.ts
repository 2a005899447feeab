import type { Plural } from './objects.ts';

export interface Resource {
  readonly plural: Plural;
  readonly kind: string;
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly subresources: readonly ('status' | 'scale' | 'log' | 'proxy')[];
}

export const RESOURCES: readonly Resource[] = [
  cluster('namespaces', 'Namespace', '', 'v1', ['ns'], ['status']),
  cluster('nodes', 'Node', '', 'v1', ['no'], ['status']),
  namespaced('pods', 'Pod', '', 'v1', ['po'], ['status', 'log']),
  namespaced('services', 'Service', '', 'v1', ['svc'], ['status', 'proxy']),
  namespaced('endpoints', 'Endpoints', '', 'v1', ['ep']),
  namespaced('events', 'Event', '', 'v1', ['ev']),
  namespaced('serviceaccounts', 'ServiceAccount', '', 'v1', ['sa']),
  namespaced('configmaps', 'ConfigMap', '', 'v1', ['cm']),
  namespaced('secrets', 'Secret', '', 'v1'),
  namespaced('deployments', 'Deployment', 'apps', 'v1', ['deploy'], ['status', 'scale']),
  namespaced('replicasets', 'ReplicaSet', 'apps', 'v1', ['rs'], ['status', 'scale']),
  cluster('gatewayclasses', 'GatewayClass', 'gateway.networking.k8s.io', 'v1', ['gc'], ['status']),
  namespaced('gateways', 'Gateway', 'gateway.networking.k8s.io', 'v1', ['gtw'], ['status']),
  namespaced('httproutes', 'HTTPRoute', 'gateway.networking.k8s.io', 'v1', [], ['status']),
  namespaced('horizontalpodautoscalers', 'HorizontalPodAutoscaler', 'autoscaling', 'v2', ['hpa'], ['status']),
  namespaced('poddisruptionbudgets', 'PodDisruptionBudget', 'policy', 'v1', ['pdb'], ['status']),
  namespaced('healthcheckpolicies', 'HealthCheckPolicy', 'networking.gke.io', 'v1', [], ['status']),
  namespaced('roles', 'Role', 'rbac.authorization.k8s.io', 'v1'),
  namespaced('rolebindings', 'RoleBinding', 'rbac.authorization.k8s.io', 'v1'),
  cluster('clusterroles', 'ClusterRole', 'rbac.authorization.k8s.io', 'v1', []),
  cluster('clusterrolebindings', 'ClusterRoleBinding', 'rbac.authorization.k8s.io', 'v1', []),
];

const BY_PLURAL = new Map(RESOURCES.map(resource => [resource.plural, resource]));

export function resourceOf(plural: Plural): Resource {
  const resource = BY_PLURAL.get(plural);
  if (!resource) throw new Error(`no resource ${plural}`);
  return resource;
}

export function findResource(group: string, version: string, plural: string): Resource | undefined {
  return RESOURCES.find(one => one.group === group && one.version === version && one.plural === plural);
}

export function findKind(apiVersion: string, kind: string): Resource | undefined {
  return RESOURCES.find(one => apiVersionOf(one) === apiVersion && one.kind === kind);
}

export function apiVersionOf(resource: Resource): string {
  return resource.group ? `${resource.group}/${resource.version}` : resource.version;
}

/** As error messages name it: `deployments.apps`. */
export function qualifiedName(resource: Resource): string {
  return resource.group ? `${resource.plural}.${resource.group}` : resource.plural;
}

type Subresources = Resource['subresources'];

function namespaced(
  plural: Plural,
  kind: string,
  group: string,
  version: string,
  shortNames: readonly string[] = [],
  subresources: Subresources = [],
): Resource {
  return { plural, kind, group, version, namespaced: true, shortNames, subresources };
}

function cluster(
  plural: Plural,
  kind: string,
  group: string,
  version: string,
  shortNames: readonly string[],
  subresources: Subresources = [],
): Resource {
  return { plural, kind, group, version, namespaced: false, shortNames, subresources };
}

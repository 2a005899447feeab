import type { HttpRequest } from '../http.ts';
import type { Deployment, HttpRoute, KubeObject, Node, Pod } from './objects.ts';
import type { Resource } from './resources.ts';

/** kubectl asks for tables; everybody else for the objects. */
export function wantsTable(request: HttpRequest): boolean {
  return (request.headers['accept'] ?? '').includes('as=Table');
}

interface Column {
  readonly name: string;
  readonly cell: (object: KubeObject) => string | number;
}

export function asTable(resource: Resource, objects: readonly KubeObject[], nowMs: number): object {
  const columns: readonly Column[] = [
    { name: 'Name', cell: object => object.metadata.name },
    ...(COLUMNS[resource.plural] ?? []),
    { name: 'Age', cell: object => age(object, nowMs) },
  ];
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: {},
    columnDefinitions: columns.map(({ name }) => ({
      name,
      type: 'string',
      format: name === 'Name' ? 'name' : '',
      description: '',
      priority: 0,
    })),
    rows: objects.map(object => ({
      cells: columns.map(column => column.cell(object)),
      object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata },
    })),
  };
}

const COLUMNS: Readonly<Partial<Record<string, readonly Column[]>>> = {
  pods: [
    { name: 'Ready', cell: object => readyOfPod(object as Pod) },
    { name: 'Status', cell: object => statusOfPod(object as Pod) },
    { name: 'Restarts', cell: object => containers(object as Pod)[0]?.restartCount ?? 0 },
    { name: 'Node', cell: object => (object as Pod).spec.nodeName ?? '<none>' },
  ],
  deployments: [
    {
      name: 'Ready',
      cell: object => {
        const { spec, status } = object as Deployment;
        return `${status?.readyReplicas ?? 0}/${spec.replicas}`;
      },
    },
    { name: 'Up-to-date', cell: object => (object as Deployment).status?.updatedReplicas ?? 0 },
    { name: 'Available', cell: object => (object as Deployment).status?.availableReplicas ?? 0 },
  ],
  nodes: [
    { name: 'Status', cell: () => 'Ready' },
    { name: 'Arch', cell: object => (object as Node).status.nodeInfo.architecture },
    { name: 'Version', cell: object => (object as Node).status.nodeInfo.kubeletVersion },
  ],
  httproutes: [{ name: 'Weights', cell: object => weightsOf(object as HttpRoute) }],
};

function readyOfPod(pod: Pod): string {
  return `${containers(pod).filter(status => status.ready).length}/${pod.spec.containers.length}`;
}

function statusOfPod(pod: Pod): string {
  if (pod.metadata.deletionTimestamp) return 'Terminating';
  const state = containers(pod)[0]?.state;
  return state?.waiting?.reason ?? state?.terminated?.reason ?? pod.status?.phase ?? 'Unknown';
}

function containers(pod: Pod): NonNullable<NonNullable<Pod['status']>['containerStatuses']> {
  return pod.status?.containerStatuses ?? [];
}

function weightsOf(route: HttpRoute): string {
  const refs = (route.spec.rules ?? []).flatMap(rule => rule.backendRefs ?? []);
  return refs.map(ref => `${ref.name}=${ref.weight ?? 1}`).join(' ');
}

function age(object: KubeObject, nowMs: number): string {
  const seconds = Math.max(
    0,
    Math.round((nowMs - Date.parse(object.metadata.creationTimestamp ?? '')) / 1000),
  );
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return `${Math.floor(seconds / 3600)}h`;
}

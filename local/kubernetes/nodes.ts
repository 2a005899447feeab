import type { Architecture } from '../dataplane/dataplane.ts';
import { type KubeObject, timestamp } from './objects.ts';

/** A node pool of the cluster, as much of it as its nodes show. */
export interface NodePool {
  readonly name: string;
  readonly machineType: string;
  readonly architecture: Architecture;
  readonly nodes: number;
  /** Per node, in whole CPUs and GiB. */
  readonly cpus: number;
  readonly memoryGib: number;
}

/** GKE taints ARM nodes unless told otherwise, so that images for amd64 alone do not end up there. */
const ARM_TAINT = { key: 'kubernetes.io/arch', value: 'arm64', effect: 'NoSchedule' };

export const DEFAULT_NODE_POOLS: readonly NodePool[] = [
  {
    name: 'default-pool',
    machineType: 'e2-standard-4',
    architecture: 'amd64',
    nodes: 1,
    cpus: 4,
    memoryGib: 16,
  },
  {
    name: 'axion-pool',
    machineType: 'c4a-standard-4',
    architecture: 'arm64',
    nodes: 2,
    cpus: 4,
    memoryGib: 16,
  },
];

export function nodesOf(pool: NodePool, cluster: string, location: string, nowMs: number): KubeObject[] {
  return Array.from({ length: pool.nodes }, (_, index) => nodeOf(pool, index, cluster, location, nowMs));
}

function nodeOf(pool: NodePool, index: number, cluster: string, location: string, nowMs: number): KubeObject {
  const name = `gke-${cluster}-${pool.name}-${index + 1}`;
  const resources = {
    cpu: String(pool.cpus),
    memory: `${pool.memoryGib * 1024 * 1024}Ki`,
    pods: '110',
  };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'kubernetes.io/arch': pool.architecture,
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'cloud.google.com/gke-nodepool': pool.name,
        'node.kubernetes.io/instance-type': pool.machineType,
        'topology.kubernetes.io/region': location,
        'topology.kubernetes.io/zone': `${location}-${'abc'[index % 3]}`,
      },
    },
    spec: pool.architecture === 'arm64' ? { taints: [ARM_TAINT] } : {},
    status: {
      capacity: resources,
      allocatable: resources,
      nodeInfo: {
        architecture: pool.architecture,
        operatingSystem: 'linux',
        kubeletVersion: 'v1.35.1-gke.1000000',
      },
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'KubeletReady',
          message: 'kubelet is posting ready status',
          lastTransitionTime: timestamp(nowMs),
        },
      ],
      addresses: [{ type: 'Hostname', address: name }],
    },
  };
}

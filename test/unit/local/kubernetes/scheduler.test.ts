import { describe, expect, test } from 'vitest';
import type { PodSpec } from '../../../../local/kubernetes/objects.ts';
import { Cluster, deployment, IMAGE } from './cluster.ts';

async function scheduled(pod: Partial<PodSpec>, replicas = 1): Promise<Cluster> {
  const cluster = new Cluster();
  await cluster.create(deployment({ replicas }, pod));
  await cluster.clock.advance(1_000);
  return cluster;
}

function unschedulable(cluster: Cluster): string | undefined {
  return cluster
    .onlyPod()
    .status?.conditions?.find(one => one.type === 'PodScheduled' && one.reason === 'Unschedulable')?.message;
}

describe('the scheduler', () => {
  test('keeps pods that say nothing off the tainted ARM nodes', async () => {
    const cluster = await scheduled({}, 3);

    expect(new Set(cluster.pods().map(pod => pod.spec.nodeName))).toEqual(
      new Set(['gke-main-default-pool-1']),
    );
  });

  test('lets pods that select arm64 onto ARM nodes, as GKE does, and spreads them', async () => {
    const cluster = await scheduled({ nodeSelector: { 'kubernetes.io/arch': 'arm64' } }, 2);

    expect(cluster.pods().map(pod => pod.spec.nodeName)).toEqual([
      'gke-main-axion-pool-1',
      'gke-main-axion-pool-2',
    ]);
    expect(cluster.dataPlane.instances.map(instance => instance.workload.architecture)).toEqual([
      'arm64',
      'arm64',
    ]);
  });

  test('tolerates nothing by itself for pods that would take either architecture', async () => {
    const cluster = await scheduled({
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: 'kubernetes.io/arch', operator: 'In', values: ['arm64'] }] },
            ],
          },
        },
      },
    });

    expect(unschedulable(cluster)).toMatch(
      /^0\/3 nodes are available: 1 node\(s\) didn't match Pod's node affinity\/selector, 2 node\(s\) had untolerated taint \{kubernetes\.io\/arch: arm64\}\./,
    );
  });

  test('says which resource is short', async () => {
    const big = { name: 'web', image: IMAGE, resources: { requests: { cpu: '8' } } };

    const cluster = await scheduled({ containers: [big], nodeSelector: { 'kubernetes.io/arch': 'arm64' } });

    expect(unschedulable(cluster)).toMatch(
      /^0\/3 nodes are available: 1 node\(s\) didn't match Pod's node affinity\/selector, 2 Insufficient cpu\./,
    );
  });

  test('counts what the pods on a node have asked for', async () => {
    const half = { name: 'web', image: IMAGE, resources: { requests: { cpu: '1500m' } } };

    const cluster = await scheduled({ containers: [half] }, 3);

    const waiting = cluster.pods().filter(pod => !pod.spec.nodeName);
    expect(waiting).toHaveLength(1);
  });

  test('keeps pods apart that must not share a node', async () => {
    const cluster = await scheduled(
      {
        nodeSelector: { 'kubernetes.io/arch': 'arm64' },
        affinity: {
          podAntiAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { labelSelector: { matchLabels: { app: 'web' } }, topologyKey: 'kubernetes.io/hostname' },
            ],
          },
        },
      },
      3,
    );

    expect(cluster.pods().filter(pod => pod.spec.nodeName)).toHaveLength(2);
  });
});

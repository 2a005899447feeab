import { describe, expect, test } from 'vitest';
import { Cluster, deployment, IMAGE } from './cluster.ts';

const NEXT = IMAGE.replace('sha256:1', 'sha256:2');

async function running(replicas: number, spec: object = {}): Promise<Cluster> {
  const cluster = new Cluster();
  await cluster.create(deployment({ replicas, ...spec }));
  await cluster.clock.advance(5_000);
  return cluster;
}

function setImage(cluster: Cluster, image: string): Promise<void> {
  return cluster.change('web', spec => {
    for (const container of spec.template.spec.containers) container.image = image;
  });
}

describe('a Deployment', () => {
  test('brings up its pods and says that it is complete', async () => {
    const cluster = await running(3);

    expect(cluster.deployment().status).toMatchObject({
      observedGeneration: cluster.deployment().metadata.generation,
      replicas: 3,
      updatedReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      unavailableReplicas: 0,
    });
    expect(cluster.condition('Progressing')).toMatchObject({
      status: 'True',
      reason: 'NewReplicaSetAvailable',
    });
    expect(cluster.condition('Available')).toMatchObject({ status: 'True' });
  });

  test('replaces its pods within surge and availability', async () => {
    const rolling = {
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    };
    const cluster = await running(4, rolling);
    let [most, fewestReady] = [0, Number.POSITIVE_INFINITY];
    cluster.core.store.onChange(() => {
      const status = cluster.deployment().status;
      most = Math.max(most, cluster.pods().length);
      fewestReady = Math.min(fewestReady, status?.readyReplicas ?? 0);
    });

    await setImage(cluster, NEXT);
    await cluster.clock.advance(60_000);

    expect(cluster.pods().map(pod => pod.spec.containers[0]?.image)).toEqual([NEXT, NEXT, NEXT, NEXT]);
    expect(most).toBe(5);
    expect(fewestReady).toBe(4);
  });

  test('keeps its old pods when the new ones do not become ready', async () => {
    const cluster = await running(4);
    cluster.dataPlane.fails = ({ image }) =>
      image === NEXT ? { reason: 'Exited', message: 'exited with code 1', exitCode: 1 } : undefined;

    await setImage(cluster, NEXT);
    await cluster.clock.advance(60_000);

    expect(cluster.deployment().status).toMatchObject({ availableReplicas: 3, updatedReplicas: 2 });
    expect(cluster.condition('Available')).toMatchObject({ status: 'True' });
  });

  test('says so when it makes no progress until its deadline', async () => {
    const cluster = new Cluster();
    cluster.dataPlane.fails = () => ({ reason: 'Exited', message: 'exited with code 1', exitCode: 1 });
    await cluster.create(deployment({ progressDeadlineSeconds: 60 }));

    await cluster.clock.advance(59_000);
    expect(cluster.condition('Progressing')?.status).toBe('True');
    await cluster.clock.advance(3_000);

    expect(cluster.condition('Progressing')).toMatchObject({
      status: 'False',
      reason: 'ProgressDeadlineExceeded',
      message: expect.stringMatching(/^ReplicaSet "web-\w+" has timed out progressing\.$/),
    });
  });

  test('goes back to the ReplicaSet of a template that it had before', async () => {
    const cluster = await running(2);
    await setImage(cluster, NEXT);
    await cluster.clock.advance(30_000);
    await setImage(cluster, IMAGE);
    await cluster.clock.advance(30_000);

    const sets = cluster.core.store.list('replicasets');
    expect(sets.map(set => set.spec.replicas)).toEqual([2, 0]);
    expect(cluster.deployment().metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('3');
    expect(cluster.condition('Progressing')).toMatchObject({ reason: 'NewReplicaSetAvailable' });
  });

  test('stops every old pod before it starts a new one when told to recreate', async () => {
    const cluster = await running(2, { strategy: { type: 'Recreate' } });
    const images = new Set<number>();
    cluster.core.store.onChange(() => {
      images.add(new Set(cluster.core.store.list('pods').map(pod => pod.spec.containers[0]?.image)).size);
    });

    await setImage(cluster, NEXT);
    await cluster.clock.advance(60_000);

    expect(Math.max(...images)).toBe(1);
    expect(cluster.pods().map(pod => pod.spec.containers[0]?.image)).toEqual([NEXT, NEXT]);
  });

  test('counts a pod as available only after minReadySeconds', async () => {
    const cluster = new Cluster();
    await cluster.create(deployment({ minReadySeconds: 30 }));

    await cluster.clock.advance(20_000);
    expect(cluster.deployment().status).toMatchObject({ readyReplicas: 1, availableReplicas: 0 });
    await cluster.clock.advance(20_000);

    expect(cluster.deployment().status).toMatchObject({ readyReplicas: 1, availableReplicas: 1 });
  });

  test('reports pods that a quota or an admission webhook refuses', async () => {
    const cluster = new Cluster({ admission: () => 'exceeded quota: pods, requested: pods=1, used: pods=0' });
    await cluster.create(deployment());
    await cluster.clock.advance(1_000);

    expect(cluster.condition('ReplicaFailure')).toMatchObject({
      status: 'True',
      reason: 'FailedCreate',
      message: expect.stringContaining('is forbidden: exceeded quota: pods'),
    });
  });

  test('takes its ReplicaSets and pods with it', async () => {
    const cluster = await running(2);

    cluster.core.store.remove('deployments', 'default', 'web');
    await cluster.clock.advance(60_000);

    expect(cluster.core.store.list('replicasets')).toEqual([]);
    expect(cluster.core.store.list('pods')).toEqual([]);
    expect(cluster.dataPlane.instances.map(instance => instance.state().phase)).toEqual([
      'stopped',
      'stopped',
    ]);
  });
});

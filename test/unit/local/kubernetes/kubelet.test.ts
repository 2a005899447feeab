import { describe, expect, test } from 'vitest';
import { Cluster, deployment, IMAGE, service } from './cluster.ts';

describe('the kubelet', () => {
  test('runs a pod with its environment and reports it ready', async () => {
    const cluster = new Cluster();
    const env = [
      { name: 'MODE', value: 'fast' },
      { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    ];
    await cluster.create(deployment({}, { containers: [{ name: 'web', image: IMAGE, env }] }));
    await cluster.clock.advance(1_000);

    const pod = cluster.onlyPod();
    expect(pod.status?.phase).toBe('Running');
    expect(pod.status?.containerStatuses?.[0]).toMatchObject({ ready: true, restartCount: 0 });
    expect(cluster.dataPlane.instances[0]?.workload).toMatchObject({
      image: IMAGE,
      architecture: 'amd64',
      location: 'us-central1-a',
      env: { MODE: 'fast', POD: pod.metadata.name },
    });
  });

  test('restarts a binary of the wrong architecture ever more slowly', async () => {
    const cluster = new Cluster();
    const message = 'exec /usr/local/bin/node: exec format error';
    cluster.dataPlane.fails = () => ({ reason: 'ExecFormat', message, exitCode: 255 });
    await cluster.create(deployment());
    await cluster.clock.advance(1_000);

    const first = cluster.onlyPod().status?.containerStatuses?.[0];
    expect(first).toMatchObject({
      restartCount: 1,
      state: { waiting: { reason: 'CrashLoopBackOff', message: expect.stringContaining('back-off 10s') } },
      lastState: { terminated: { exitCode: 255, reason: 'Error', message } },
    });
    expect(cluster.core.logOf(cluster.onlyPod().metadata.uid ?? '', 'web', true)).toEqual([message]);

    await cluster.clock.advance(32_000);
    expect(cluster.onlyPod().status?.containerStatuses?.[0]?.restartCount).toBe(3);
    await cluster.clock.advance(36_000);
    expect(cluster.onlyPod().status?.containerStatuses?.[0]?.restartCount).toBe(3);
  });

  test('backs off from an image that has nothing for the architecture of the node', async () => {
    const cluster = new Cluster();
    const message = 'no match for platform in manifest: not found';
    cluster.dataPlane.fails = () => ({ reason: 'NoMatchForPlatform', message });
    await cluster.create(deployment());

    await cluster.clock.advance(500);
    expect(cluster.onlyPod().status?.containerStatuses?.[0]?.state.waiting).toMatchObject({
      reason: 'ErrImagePull',
      message: expect.stringContaining(message),
    });
    await cluster.clock.advance(3_000);

    expect(cluster.onlyPod().status?.containerStatuses?.[0]?.state.waiting).toMatchObject({
      reason: 'ImagePullBackOff',
      message: expect.stringContaining(message),
    });
    expect(cluster.onlyPod().status?.phase).toBe('Pending');
    await cluster.clock.advance(8_000);
    expect(cluster.dataPlane.instances).toHaveLength(2);
  });

  test('takes a pod out of its Services before it stops the process', async () => {
    const cluster = new Cluster();
    await cluster.create(deployment());
    await cluster.create(service('web', { app: 'web' }));
    await cluster.clock.advance(1_000);
    expect(cluster.core.urlsOf('default', 'web')).toHaveLength(1);

    await cluster.change('web', spec => {
      spec.replicas = 0;
    });

    expect(cluster.core.urlsOf('default', 'web')).toEqual([]);
    expect(cluster.dataPlane.instances[0]?.state().phase).toBe('ready');
    await cluster.clock.advance(1_000);
    expect(cluster.dataPlane.instances[0]?.state().phase).toBe('stopped');
    expect(cluster.core.store.list('pods')).toEqual([]);
  });

  test('waits for preStop before it stops the process', async () => {
    const cluster = new Cluster();
    const lifecycle = { preStop: { sleep: { seconds: 10 } } };
    await cluster.create(deployment({}, { containers: [{ name: 'web', image: IMAGE, lifecycle }] }));
    await cluster.clock.advance(1_000);
    await cluster.change('web', spec => {
      spec.replicas = 0;
    });

    await cluster.clock.advance(9_000);
    expect(cluster.dataPlane.instances[0]?.state().phase).toBe('ready');
    await cluster.clock.advance(2_000);

    expect(cluster.dataPlane.instances[0]?.state().phase).toBe('stopped');
  });

  test('believes the readiness probe and not the open port', async () => {
    let status = 503;
    const asked: string[] = [];
    const cluster = new Cluster({
      httpGet: async url => {
        asked.push(url);
        return status;
      },
    });
    const readinessProbe = { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 5 };
    await cluster.create(deployment({}, { containers: [{ name: 'web', image: IMAGE, readinessProbe }] }));
    await cluster.clock.advance(3_000);
    expect(cluster.deployment().status?.readyReplicas).toBe(0);
    expect(asked[0]).toMatch(/\/healthz$/);

    status = 200;
    await cluster.clock.advance(3_000);
    expect(cluster.deployment().status?.readyReplicas).toBe(1);
    status = 500;
    await cluster.clock.advance(10_000);

    expect(cluster.deployment().status?.readyReplicas).toBe(0);
  });
});

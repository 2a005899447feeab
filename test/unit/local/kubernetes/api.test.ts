import {
  ApiException,
  AppsV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  PatchStrategy,
  setHeaderOptions,
  Watch,
} from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type HttpServer, serve } from '../../../../local/http.ts';
import { kubernetesApi } from '../../../../local/kubernetes/api.ts';
import { kubeconfigOf, type KubernetesServer, serveKubernetes } from '../../../../local/kubernetes/server.ts';
import { Cluster, IMAGE } from './cluster.ts';

const namespace = 'default';
const labels = { app: 'web' };
const DEPLOYMENT = {
  metadata: { name: 'web' },
  spec: {
    replicas: 2,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: IMAGE }] } },
  },
};

describe('the Kubernetes API, asked by the real client over TLS', () => {
  let cluster: Cluster;
  let server: KubernetesServer;
  let config: KubeConfig;
  let apps: AppsV1Api;
  let core: CoreV1Api;

  beforeEach(async () => {
    cluster = new Cluster();
    server = await serveKubernetes(kubernetesApi(cluster.core));
    config = new KubeConfig();
    config.loadFromString(kubeconfigOf(server, 'main'));
    apps = config.makeApiClient(AppsV1Api);
    core = config.makeApiClient(CoreV1Api);
  });

  afterEach(async () => {
    await cluster.core.close();
    await server.close();
  });

  async function createdDeployment() {
    await apps.createNamespacedDeployment({ namespace, body: DEPLOYMENT });
    await cluster.clock.advance(5_000);
    return apps.readNamespacedDeployment({ namespace, name: 'web' });
  }

  test('creates a Deployment, fills in the defaults and runs its pods', async () => {
    const deployment = await createdDeployment();

    expect(deployment.spec?.progressDeadlineSeconds).toBe(600);
    expect(deployment.spec?.strategy?.rollingUpdate).toEqual({ maxSurge: '25%', maxUnavailable: '25%' });
    expect(deployment.status?.readyReplicas).toBe(2);
    const pods = await core.listNamespacedPod({ namespace, labelSelector: 'app in (web),!gone' });
    expect(pods.items.map(pod => pod.status?.phase)).toEqual(['Running', 'Running']);
  });

  test('refuses a stale update with a Conflict that the client can read', async () => {
    const stale = await createdDeployment();
    await apps.patchNamespacedDeployment(
      { namespace, name: 'web', body: { spec: { replicas: 3 } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );

    const error = await apps
      .replaceNamespacedDeployment({ namespace, name: 'web', body: stale })
      .catch((reason: unknown) => reason);

    if (!(error instanceof ApiException)) throw new Error('no ApiException');
    expect(error.code).toBe(409);
    expect(JSON.parse(String(error.body))).toMatchObject({
      kind: 'Status',
      reason: 'Conflict',
      message: expect.stringContaining('Operation cannot be fulfilled on deployments.apps "web"'),
    });
  });

  test.each([
    ['merge', PatchStrategy.MergePatch, {}],
    ['strategic merge', PatchStrategy.StrategicMergePatch, {}],
    ['apply', PatchStrategy.ServerSideApply, { fieldManager: 'test', force: true }],
  ])('holds a %s patch to the resourceVersion that it names', async (_, strategy, options) => {
    const { metadata } = await createdDeployment();
    const patch = (resourceVersion: string | undefined) =>
      apps.patchNamespacedDeployment(
        {
          namespace,
          name: 'web',
          body: {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            metadata: { name: 'web', resourceVersion, annotations: { 'example.com/a': 'b' } },
          },
          ...options,
        },
        setHeaderOptions('Content-Type', strategy),
      );

    await expect(patch('1')).rejects.toMatchObject({ code: 409 });
    const changed = await patch(metadata?.resourceVersion);

    expect(changed.metadata?.annotations).toMatchObject({ 'example.com/a': 'b' });
    expect(changed.spec?.replicas).toBe(2);
  });

  test('counts a changed annotation of a Deployment as a new generation', async () => {
    const before = await createdDeployment();

    const after = await apps.patchNamespacedDeployment(
      { namespace, name: 'web', body: { metadata: { annotations: { 'example.com/a': 'b' } } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );

    expect(after.metadata?.generation).toBe((before.metadata?.generation ?? 0) + 1);
  });

  test('says which object is missing', async () => {
    await expect(apps.readNamespacedDeployment({ namespace, name: 'nothing' })).rejects.toMatchObject({
      code: 404,
      body: expect.stringContaining('deployments.apps \\"nothing\\" not found'),
    });
  });

  test('refuses a Deployment whose selector does not match its pods', async () => {
    const body = structuredClone(DEPLOYMENT);
    body.spec.selector = { matchLabels: { app: 'other' } };

    await expect(apps.createNamespacedDeployment({ namespace, body })).rejects.toMatchObject({
      code: 422,
      body: expect.stringContaining('`selector` does not match template `labels`'),
    });
  });

  test('scales through the scale subresource', async () => {
    await createdDeployment();
    const scale = await apps.readNamespacedDeploymentScale({ namespace, name: 'web' });
    await apps.replaceNamespacedDeploymentScale({
      namespace,
      name: 'web',
      body: { ...scale, spec: { replicas: 4 } },
    });
    await cluster.clock.advance(5_000);

    expect(cluster.pods()).toHaveLength(4);
  });

  test('streams changes to a watch, from the version that a list ended with', async () => {
    await createdDeployment();
    const listed = await core.listNamespacedPod({ namespace });
    const seen: string[] = [];
    const arrived = Promise.withResolvers<void>();
    const controller = await new Watch(config).watch(
      '/api/v1/namespaces/default/pods',
      { resourceVersion: listed.metadata?.resourceVersion, labelSelector: 'app=web' },
      (type: string) => {
        seen.push(type);
        if (type === 'DELETED') arrived.resolve();
      },
      () => arrived.resolve(),
    );

    await core.deleteNamespacedPod({ namespace, name: listed.items[0]?.metadata?.name ?? '' });
    await cluster.clock.advance(5_000);
    await arrived.promise;
    controller.abort();

    expect(seen[0]).toBe('MODIFIED');
    expect(new Set(seen)).toEqual(new Set(['MODIFIED', 'ADDED', 'DELETED']));
  });

  test('keeps a route as it was sent and refuses a strategic patch of it', async () => {
    const custom = config.makeApiClient(CustomObjectsApi);
    const place = { group: 'gateway.networking.k8s.io', version: 'v1', namespace, plural: 'httproutes' };
    await custom.createNamespacedCustomObject({
      ...place,
      body: {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'HTTPRoute',
        metadata: { name: 'web' },
        spec: { rules: [{ backendRefs: [{ name: 'web', port: 80 }], timeouts: { request: '5s' } }] },
      },
    });

    const read: unknown = await custom.getNamespacedCustomObject({ ...place, name: 'web' });

    expect(read).toMatchObject({
      spec: { rules: [{ backendRefs: [{ name: 'web', weight: 1 }], timeouts: { request: '5s' } }] },
    });
    await expect(
      custom.patchNamespacedCustomObject(
        { ...place, name: 'web', body: { spec: {} } },
        setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch),
      ),
    ).rejects.toMatchObject({ code: 415 });
  });

  test('gives the last log lines of a container that ended', async () => {
    cluster.dataPlane.fails = () => ({ reason: 'Exited', message: 'cannot read /config', exitCode: 1 });
    await createdDeployment();

    const log = await core.readNamespacedPodLog({
      namespace,
      name: cluster.pods()[0]?.metadata.name ?? '',
      container: 'web',
      previous: true,
    });

    expect(log).toBe('cannot read /config\n');
  });

  test('removes everything in a namespace with it', async () => {
    await core.createNamespace({ body: { metadata: { name: 'short-lived' } } });
    await apps.createNamespacedDeployment({ namespace: 'short-lived', body: DEPLOYMENT });
    await cluster.clock.advance(5_000);

    await core.deleteNamespace({ name: 'short-lived' });
    await cluster.clock.advance(60_000);

    await expect(core.readNamespace({ name: 'short-lived' })).rejects.toMatchObject({ code: 404 });
    expect(cluster.core.store.list('pods')).toEqual([]);
  });

  describe('as a proxy to a Service', () => {
    let backend: HttpServer;

    beforeEach(async () => {
      backend = await serve(request => ({ status: 418, body: `${request.method} ${request.path}` }));
      await core.createNamespacedService({
        namespace,
        body: { metadata: { name: 'web' }, spec: { selector: labels, ports: [{ port: 80 }] } },
      });
    });

    afterEach(() => backend.close());

    const ask = () =>
      core.connectGetNamespacedServiceProxyWithPath({ namespace, name: 'http:web:80', path: 'healthz' });

    test('passes on what a ready pod answers', async () => {
      await createdDeployment();
      for (const instance of cluster.dataPlane.instances)
        instance.become({ phase: 'ready', url: backend.url });

      await expect(ask()).rejects.toMatchObject({ code: 418, body: 'GET /healthz' });
    });

    test('says that there is nobody to ask', async () => {
      await expect(ask()).rejects.toMatchObject({
        code: 503,
        body: expect.stringContaining('no endpoints available for service'),
      });
    });
  });
});

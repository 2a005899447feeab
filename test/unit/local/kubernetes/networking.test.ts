import { describe, expect, test } from 'vitest';
import { Cluster, deployment, service } from './cluster.ts';

const route = (stable: number, canary: number) => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    parentRefs: [{ name: 'front' }],
    rules: [
      {
        backendRefs: [
          { name: 'web', port: 80, weight: stable },
          { name: 'web-canary', port: 80, weight: canary },
        ],
      },
    ],
  },
});

const GATEWAY = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'front', namespace: 'default' },
  spec: { gatewayClassName: 'gke-l7-global-external-managed', listeners: [{ name: 'http', port: 80 }] },
};

async function world(): Promise<Cluster> {
  const cluster = new Cluster({ programmingMs: 2_000, gatewayAddress: () => '203.0.113.7' });
  await cluster.create(GATEWAY);
  await cluster.create(deployment());
  await cluster.create(service('web', { app: 'web' }));
  await cluster.create(service('web-canary', { app: 'web-canary' }));
  await cluster.create(route(95, 5));
  await cluster.clock.advance(5_000);
  return cluster;
}

async function setWeights(cluster: Cluster, stable: number, canary: number): Promise<void> {
  const current = cluster.core.store.read('httproutes', 'default', 'web');
  cluster.core.store.update('httproutes', { ...current, spec: route(stable, canary).spec });
  await cluster.clock.advance(0);
}

function weights(cluster: Cluster): number[] {
  return cluster.core.backendsOf('default', 'web').map(backend => backend.weight);
}

describe('a Gateway', () => {
  test('sends requests to the ready pods behind each backend', async () => {
    const cluster = await world();

    expect(cluster.core.backendsOf('default', 'web')).toEqual([
      {
        by: {
          kind: 'gke',
          project: 'acme',
          location: 'us-central1',
          cluster: 'main',
          namespace: 'default',
          service: 'web',
          port: 80,
        },
        weight: 95,
        urls: ['http://0.instance.invalid'],
      },
      { by: expect.objectContaining({ service: 'web-canary' }), weight: 5, urls: [] },
    ]);
    const gateway = cluster.core.store.read('gateways', 'default', 'front');
    expect(gateway.status?.addresses).toEqual([{ type: 'IPAddress', value: '203.0.113.7' }]);
  });

  test('follows a changed route a little later, and then says so in the status of the parent', async () => {
    const cluster = await world();
    const observed = () =>
      cluster.core.store
        .read('httproutes', 'default', 'web')
        .status?.parents[0]?.conditions.map(condition => condition.observedGeneration);

    await setWeights(cluster, 50, 50);
    expect(weights(cluster)).toEqual([95, 5]);
    expect(observed()).toEqual([1, 1, 1]);
    await cluster.clock.advance(2_500);

    expect(weights(cluster)).toEqual([50, 50]);
    expect(observed()).toEqual([2, 2, 2]);
  });

  test('keeps what it has while a backend is missing', async () => {
    const cluster = await world();
    cluster.core.store.remove('services', 'default', 'web-canary');

    await setWeights(cluster, 50, 50);
    await cluster.clock.advance(5_000);

    expect(weights(cluster)).toEqual([95, 5]);
    const conditions = cluster.core.store.read('httproutes', 'default', 'web').status?.parents[0]?.conditions;
    expect(conditions?.find(one => one.type === 'ResolvedRefs')).toMatchObject({
      status: 'False',
      reason: 'BackendNotFound',
      message: 'Service default/web-canary not found',
    });
  });

  test('has nothing to say to a route whose Gateway does not exist', async () => {
    const cluster = new Cluster();
    await cluster.create(service('web', { app: 'web' }));
    await cluster.create(service('web-canary', { app: 'web-canary' }));
    await cluster.create(route(100, 0));
    await cluster.clock.advance(5_000);

    expect(cluster.core.store.read('httproutes', 'default', 'web').status?.parents).toEqual([]);
    expect(cluster.core.backendsOf('default', 'web')).toEqual([]);
  });
});

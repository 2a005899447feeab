import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { googleClients } from '../../../../functions/google/clients.ts';
import { ClusterManager, containerApi } from '../../../../local/container/clusters.ts';
import { type HttpServer, serve } from '../../../../local/http.ts';
import { DEFAULT_NODE_POOLS } from '../../../../local/kubernetes/nodes.ts';

const NAME = 'projects/acme/locations/us-central1/clusters/main';

describe('the Kubernetes Engine API, asked by the real client', () => {
  let server: HttpServer;

  beforeEach(async () => {
    const clusters = new ClusterManager();
    clusters.add({
      project: 'acme',
      location: 'us-central1',
      name: 'main',
      endpoint: '127.0.0.1:6443',
      caCertificate: 'PEM',
      nodePools: DEFAULT_NODE_POOLS,
    });
    server = await serve(containerApi(clusters));
  });

  afterEach(() => server.close());

  const client = () => googleClients({ container: server.url }).clusters();

  test('tells where the cluster is reached and how it is trusted', async () => {
    const [cluster] = await (await client()).getCluster({ name: NAME });

    expect(cluster.endpoint).toBe('127.0.0.1:6443');
    expect(Buffer.from(cluster.masterAuth?.clusterCaCertificate ?? '', 'base64').toString()).toBe('PEM');
    expect(cluster.controlPlaneEndpointsConfig?.dnsEndpointConfig?.allowExternalTraffic).toBe(false);
  });

  test('tells the machine types and states of its node pools', async () => {
    const [cluster] = await (await client()).getCluster({ name: NAME });

    expect(cluster.nodePools?.map(pool => [pool.name, pool.status, pool.config?.machineType])).toEqual([
      ['default-pool', 'RUNNING', 'e2-standard-4'],
      ['axion-pool', 'RUNNING', 'c4a-standard-4'],
    ]);
  });

  test('lists the clusters of a project in all locations', async () => {
    const [list] = await (await client()).listClusters({ parent: 'projects/acme/locations/-' });

    expect(list.clusters?.map(cluster => cluster.name)).toEqual(['main']);
  });

  test('does not know other clusters', async () => {
    const missing = (await client()).getCluster({ name: NAME.replace('main', 'other') });

    await expect(missing).rejects.toMatchObject({ code: 5 });
  });
});

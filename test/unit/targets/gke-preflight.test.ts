import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { googleClients } from '../../../functions/google/clients.ts';
import { endpointOf } from '../../../functions/targets/gke-cluster.ts';
import {
  architectureByFamily,
  architectureFrom,
  preflightGke,
} from '../../../functions/targets/gke-preflight.ts';
import { VirtualClock } from '../../../local/clock.ts';
import { ComputeCore } from '../../../local/compute/core.ts';
import { computeApi } from '../../../local/compute/http.ts';
import { ClusterManager, containerApi } from '../../../local/container/clusters.ts';
import { type HttpServer, serve } from '../../../local/http.ts';
import { DEFAULT_NODE_POOLS } from '../../../local/kubernetes/nodes.ts';

const NAME = 'projects/acme/locations/us-central1/clusters/main';

describe('the preflight of a GKE target', () => {
  let server: HttpServer;
  let poolStatus = 'RUNNING';

  beforeEach(async () => {
    poolStatus = 'RUNNING';
    const clusters = new ClusterManager();
    clusters.add({
      project: 'acme',
      location: 'us-central1',
      name: 'main',
      endpoint: '127.0.0.1:6443',
      caCertificate: 'PEM',
      nodePools: DEFAULT_NODE_POOLS,
      nodePoolStatus: () => poolStatus,
    });
    server = await serve(containerApi(clusters));
  });

  afterEach(() => server.close());

  function preflight(nodePool: string | undefined, cluster = NAME) {
    const google = googleClients({ container: server.url });
    return preflightGke(
      { cluster, nodePool },
      { clusters: () => google.clusters(), accessToken: async () => undefined },
    );
  }

  test('has nothing against a running ARM pool', async () => {
    expect(await preflight('axion-pool')).toEqual([]);
  });

  test('names the machines of a pool that is not ARM', async () => {
    expect(await preflight('default-pool')).toEqual([
      {
        message:
          'node pool default-pool has e2-standard-4 machines, which are X86_64 and not ARM64: name an ARM pool in nodePool',
        mayPass: false,
      },
    ]);
  });

  test('names the pools that there are when the one that was asked for is missing', async () => {
    expect(await preflight('gone')).toEqual([
      {
        message: `${NAME} has no node pool gone: make it, or name another in nodePool (it has default-pool, axion-pool)`,
        mayPass: false,
      },
    ]);
  });

  test('waits for a pool that is not running', async () => {
    poolStatus = 'RECONCILING';

    expect(await preflight('axion-pool')).toEqual([
      {
        message: 'node pool axion-pool is RECONCILING, not RUNNING: see its operations in the console',
        mayPass: true,
      },
    ]);
  });

  test('wants a pool to be named where the cluster is not Autopilot', async () => {
    expect(await preflight(undefined)).toEqual([
      {
        message: `${NAME} is not an Autopilot cluster: name its ARM pool in nodePool (it has default-pool, axion-pool)`,
        mayPass: false,
      },
    ]);
  });

  test('says which cluster is missing, as an error of ours', async () => {
    await expect(preflight('axion-pool', NAME.replace('main', 'other'))).rejects.toMatchObject({
      name: 'SlipwayError',
      code: 'NotFound',
    });
  });
});

test.each([
  ['c4a-standard-4', 'ARM64'],
  ['t2a-standard-1', 'ARM64'],
  ['n4a-highmem-8', 'ARM64'],
  ['n4-standard-2', 'X86_64'],
])('%s machines are %s', (machineType, architecture) => {
  expect(architectureByFamily(machineType)).toBe(architecture);
});

describe('the architecture of a machine type', () => {
  let server: HttpServer;
  let core: ComputeCore;

  beforeEach(async () => {
    core = new ComputeCore({ clock: new VirtualClock() });
    server = await serve(computeApi(core));
  });

  afterEach(async () => {
    core.stop();
    await server.close();
  });

  test.each([
    ['c4a-standard-4', 'ARM64'],
    ['e2-standard-4', 'X86_64'],
    ['t2a-retired', 'ARM64'],
  ])('of %s is %s', async (machineType, architecture) => {
    const architectureOf = architectureFrom(googleClients({ compute: server.url }), { cluster: NAME });
    expect(await architectureOf(machineType, 'us-central1-a')).toBe(architecture);
  });
});

describe('the endpoint of a cluster', () => {
  const dnsEndpointConfig = { endpoint: 'uid.us-central1.gke.goog', allowExternalTraffic: true };
  const byIp = { endpoint: '203.0.113.5', masterAuth: { clusterCaCertificate: 'Q0E=' } };

  test('is the DNS one, publicly trusted, where outsiders may use it', () => {
    const cluster = { ...byIp, controlPlaneEndpointsConfig: { dnsEndpointConfig } };

    expect(endpointOf(NAME, cluster)).toEqual({
      server: 'https://uid.us-central1.gke.goog',
      skipTLSVerify: false,
    });
  });

  test('is the IP one with the authority of the cluster otherwise', () => {
    const closed = { ...dnsEndpointConfig, allowExternalTraffic: false };
    const cluster = { ...byIp, controlPlaneEndpointsConfig: { dnsEndpointConfig: closed } };

    expect(endpointOf(NAME, cluster)).toEqual({
      server: 'https://203.0.113.5',
      caData: 'Q0E=',
      skipTLSVerify: false,
    });
  });

  test('is an error that says what to turn on where there is neither', () => {
    expect(() => endpointOf(NAME, {})).toThrow('turn one of them on');
  });
});

import { ApiError, googleApi, type HttpHandler } from '../http.ts';
import type { NodePool } from '../kubernetes/nodes.ts';

export interface LocalCluster {
  readonly project: string;
  readonly location: string;
  readonly name: string;
  /** `HOST:PORT` of its Kubernetes API. */
  readonly endpoint: string;
  /** PEM of the authority that signed the API's certificate. */
  readonly caCertificate: string;
  readonly nodePools: readonly NodePool[];
  /** `RUNNING` unless a test says otherwise. */
  readonly nodePoolStatus?: (pool: NodePool) => string;
}

/** The Kubernetes Engine API, https://cloud.google.com/kubernetes-engine/docs/reference/rest, as far as reading clusters goes. */
export class ClusterManager {
  readonly #clusters = new Map<string, LocalCluster>();

  add(cluster: LocalCluster): void {
    this.#clusters.set(nameOf(cluster), cluster);
  }

  get(name: string): LocalCluster {
    const cluster = this.#clusters.get(name);
    if (!cluster) throw new ApiError('NOT_FOUND', `Not found: ${name}.`);
    return cluster;
  }

  list(parent: string): LocalCluster[] {
    const [, project, , location] = parent.split('/');
    return [...this.#clusters.values()].filter(
      cluster => cluster.project === project && (location === '-' || cluster.location === location),
    );
  }
}

export function containerApi(clusters: ClusterManager): HttpHandler {
  return googleApi(request => {
    const path = decodeURIComponent(request.path).replace(/^\/v1\//, '');
    if (request.method !== 'GET') {
      throw new ApiError('UNIMPLEMENTED', `${request.method} ${path}: the local clusters can be read only`);
    }
    const pools = /^(projects\/[^/]+\/locations\/[^/]+\/clusters\/[^/]+)\/nodePools(?:\/([^/]+))?$/.exec(
      path,
    );
    if (pools?.[1]) return { status: 200, body: nodePools(clusters.get(pools[1]), pools[2]) };
    if (/^projects\/[^/]+\/locations\/[^/]+\/clusters$/.test(path)) {
      return { status: 200, body: { clusters: clusters.list(path).map(clusterResource) } };
    }
    return { status: 200, body: clusterResource(clusters.get(path)) };
  });
}

function nameOf({ project, location, name }: LocalCluster): string {
  return `projects/${project}/locations/${location}/clusters/${name}`;
}

function nodePools(cluster: LocalCluster, name: string | undefined): object {
  const resources = cluster.nodePools.map(pool => nodePoolResource(cluster, pool));
  if (!name) return { nodePools: resources };
  const found = cluster.nodePools.findIndex(pool => pool.name === name);
  const resource = resources[found];
  if (!resource) throw new ApiError('NOT_FOUND', `Not found: ${nameOf(cluster)}/nodePools/${name}.`);
  return resource;
}

function clusterResource(cluster: LocalCluster): object {
  return {
    name: cluster.name,
    location: cluster.location,
    locations: zones(cluster),
    selfLink: `https://container.googleapis.com/v1/${nameOf(cluster)}`,
    status: 'RUNNING',
    endpoint: cluster.endpoint,
    masterAuth: { clusterCaCertificate: Buffer.from(cluster.caCertificate).toString('base64') },
    controlPlaneEndpointsConfig: {
      ipEndpointsConfig: { enabled: true, enablePublicEndpoint: true, publicEndpoint: cluster.endpoint },
      dnsEndpointConfig: { allowExternalTraffic: false },
    },
    currentMasterVersion: '1.35.1-gke.1000000',
    networkConfig: { gatewayApiConfig: { channel: 'CHANNEL_STANDARD' } },
    autopilot: { enabled: false },
    nodePools: cluster.nodePools.map(pool => nodePoolResource(cluster, pool)),
  };
}

function nodePoolResource(cluster: LocalCluster, pool: NodePool): object {
  return {
    name: pool.name,
    status: cluster.nodePoolStatus?.(pool) ?? 'RUNNING',
    initialNodeCount: pool.nodes,
    locations: zones(cluster),
    version: '1.35.1-gke.1000000',
    config: {
      machineType: pool.machineType,
      imageType: 'COS_CONTAINERD',
      labels: {},
      // GKE's own taint on ARM nodes does not show here.
      taints: [],
    },
  };
}

function zones(cluster: LocalCluster): string[] {
  return ['a', 'b', 'c'].map(zone => `${cluster.location}-${zone}`);
}

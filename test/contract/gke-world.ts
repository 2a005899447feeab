import { readdir, readFile } from 'node:fs/promises';
import { googleClients } from '../../functions/google/clients.ts';
import { type GkeSpec, gkeTarget } from '../../functions/targets/gke.ts';
import { VirtualClock } from '../../local/clock.ts';
import { ClusterManager, containerApi } from '../../local/container/clusters.ts';
import { InstantDataPlane } from '../../local/dataplane/instant.ts';
import { type HttpHandler, type HttpReply, serve } from '../../local/http.ts';
import { kubernetesApi } from '../../local/kubernetes/api.ts';
import { applyManifests } from '../../local/kubernetes/apply-manifests.ts';
import { Kubernetes } from '../../local/kubernetes/core.ts';
import type { Deployment } from '../../local/kubernetes/objects.ts';
import { kubeconfigOf, serveKubernetes } from '../../local/kubernetes/server.ts';
import { KubeError } from '../../local/kubernetes/status.ts';
import type { World } from './target-contract.ts';

export const IMAGE = 'us-central1-docker.pkg.dev/acme/apps/hello';
export const STABLE = `sha256:${'a'.repeat(64)}`;
export const CANARY = `sha256:${'b'.repeat(64)}`;
export const BROKEN = `sha256:${'c'.repeat(64)}`;

export interface GkeWorld extends World {
  readonly core: Kubernetes;
  readonly clock: VirtualClock;
  readonly dataPlane: InstantDataPlane;
  readonly kubeconfig: string;
  /** What the target asked the API server for. */
  readonly calls: readonly Call[];
}

export interface Call {
  readonly method: string;
  readonly path: string;
}

/** A local cluster in virtual time, reached over TLS by the real clients, with the sample's manifests applied. */
export async function gkeWorld(options: {
  readonly serving: boolean;
  readonly spec?: Partial<GkeSpec>;
  readonly replicas?: number;
}): Promise<GkeWorld> {
  const clock = new VirtualClock();
  const dataPlane = new InstantDataPlane(clock);
  dataPlane.fails = ({ image }) =>
    image.endsWith(BROKEN) ? { reason: 'Exited', message: 'exited with code 1', exitCode: 1 } : undefined;
  const place = { project: 'acme', location: 'us-central1', cluster: 'main' };
  const core = new Kubernetes({ clock, dataPlane, ...place });
  const wire = new Wire(kubernetesApi(core));
  const server = await serveKubernetes(request => wire.answer(request));
  const clusters = new ClusterManager();
  clusters.add({
    ...place,
    name: place.cluster,
    endpoint: server.endpoint,
    caCertificate: server.caCertificate,
    nodePools: core.nodePools,
  });
  const container = await serve(containerApi(clusters));
  const google = googleClients({ container: container.url });

  const kubeconfig = kubeconfigOf(server, 'main');
  await applyManifests(kubeconfig, await readManifests());
  if (options.serving) startStable(core, options.replicas ?? 2);
  await clock.advance(10_000);
  wire.writes = 0;
  wire.calls.length = 0;

  const target = gkeTarget(
    {
      cluster: 'projects/acme/locations/us-central1/clusters/main',
      namespace: 'default',
      deployment: 'hello',
      container: 'hello',
      httpRoute: 'hello',
      nodePool: 'axion-pool',
      ...options.spec,
    },
    {
      clusters: () => google.clusters(),
      accessToken: () => google.accessToken('container'),
      nowMs: () => clock.nowMs(),
    },
  );
  return {
    core,
    clock,
    dataPlane,
    kubeconfig,
    calls: wire.calls,
    target,
    image: IMAGE,
    stableDigest: STABLE,
    canaryDigest: CANARY,
    brokenDigest: BROKEN,
    revision: attempt => `hello-3f9a1c2b-${attempt}`,
    pass: seconds => clock.advance(seconds * 1000),
    served: async () => served(core, dataPlane),
    writes: () => wire.writes,
    touch: async () => touch(core, clock),
    failNextWrite: how => {
      wire.failing = how;
    },
    async close() {
      await core.close();
      await Promise.all([server.close(), container.close()]);
    },
  };
}

/** Between the target and the API: counts what would change something, and fails it on demand. */
class Wire {
  writes = 0;
  readonly calls: Call[] = [];
  failing: 'lostAnswer' | 'unavailable' | undefined;
  readonly #handler: HttpHandler;

  constructor(handler: HttpHandler) {
    this.#handler = handler;
  }

  async answer(request: Parameters<HttpHandler>[0]): Promise<HttpReply> {
    this.calls.push({ method: request.method, path: request.path });
    if (request.method === 'GET') return this.#handler(request);
    this.writes++;
    const { failing } = this;
    this.failing = undefined;
    if (failing !== 'unavailable') {
      const reply = await this.#handler(request);
      if (!failing) return reply;
    }
    const error = new KubeError('ServiceUnavailable', 'the server is currently unable to handle the request');
    return { status: error.httpStatus, body: error.toStatus() };
  }
}

function startStable(core: Kubernetes, replicas: number): void {
  const stable = core.store.read('deployments', 'default', 'hello');
  core.store.update('deployments', withImage(stable, `${IMAGE}@${STABLE}`, replicas));
}

function withImage(deployment: Deployment, image: string, replicas: number): Deployment {
  const changed = structuredClone(deployment);
  changed.spec.replicas = replicas;
  for (const container of changed.spec.template.spec.containers) container.image = image;
  return changed;
}

function served(core: Kubernetes, dataPlane: InstantDataPlane): Record<string, number> {
  const backends = core.backendsOf('default', 'hello').filter(backend => backend.weight > 0);
  const total = backends.reduce((sum, backend) => sum + backend.weight, 0);
  const shares: Record<string, number> = {};
  for (const { weight, urls } of backends) {
    for (const url of urls.length > 0 ? urls : ['nobody']) {
      const digest = digestAt(dataPlane, url);
      shares[digest] = (shares[digest] ?? 0) + (weight / total / Math.max(1, urls.length)) * 100;
    }
  }
  return Object.fromEntries(
    Object.entries(shares).map(([digest, share]) => [digest, Math.round(share * 1e6) / 1e6]),
  );
}

function digestAt(dataPlane: InstantDataPlane, url: string): string {
  const index = /^http:\/\/(\d+)\./.exec(url)?.[1];
  return dataPlane.instances[Number(index ?? -1)]?.workload.image.split('@')[1] ?? 'nobody';
}

function touch(core: Kubernetes, clock: VirtualClock): void {
  const by = { 'example.com/somebody': String(clock.nowMs()) };
  const touched = <T extends { metadata: { annotations?: Record<string, string> } }>(object: T): T => ({
    ...object,
    metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, ...by } },
  });
  for (const object of core.store.list('deployments')) core.store.update('deployments', touched(object));
  for (const object of core.store.list('httproutes')) core.store.update('httproutes', touched(object));
}

async function readManifests(): Promise<string[]> {
  const folder = new URL('../../k8s/base/', import.meta.url);
  const files = (await readdir(folder)).sort();
  return Promise.all(files.map(file => readFile(new URL(file, folder), 'utf8')));
}

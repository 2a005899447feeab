import { randomBytes } from 'node:crypto';
import { setTimeout as rest } from 'node:timers/promises';
import { googleClients } from '../../functions/google/clients.ts';
import { gkeTarget } from '../../functions/targets/gke.ts';
import { realClock } from '../../local/clock.ts';
import { ClusterManager, containerApi } from '../../local/container/clusters.ts';
import { Faults } from '../../local/faults.ts';
import { type HttpHandler, serve } from '../../local/http.ts';
import { serveKubernetes } from '../../local/kubernetes/server.ts';
import type { World } from '../contract/target-contract.ts';
import { type Cluster, connect } from './cluster.ts';
import { CONTAINER, deployment, httpRoute, service } from './objects.ts';
import { servedShares } from './served.ts';
import type { Settings } from './settings.ts';

const PLACE = { project: 'test', location: 'anywhere', name: 'cluster' };

/** Without a route shares are numbers of pods: with 20 of them 5 % is one. */
const REPLICAS = { route: 2, pods: 20 };

const PATIENCE_MS = 600_000;

const FAULTS = { lostAnswer: { kind: 'loseAnswer' }, unavailable: { kind: 'status', status: 503 } } as const;

/** A service of its own in the cluster's namespace, and a target that reaches the cluster through a proxy. */
export async function clusterWorld(settings: Settings, options: { serving: boolean }): Promise<World> {
  const cluster = connect(settings.kubeconfigFile, settings.context);
  const app = `hello-${randomBytes(3).toString('hex')}`;
  const stack = new AsyncDisposableStack();
  try {
    const paths = await install(cluster, settings, app, options.serving, stack);
    const wire = await startWire(cluster, stack);
    const target = gkeTarget(
      {
        cluster: `projects/${PLACE.project}/locations/${PLACE.location}/clusters/${PLACE.name}`,
        namespace: settings.namespace,
        deployment: app,
        container: CONTAINER,
        httpRoute: settings.gateway ? app : undefined,
        nodePool: settings.onArm ? 'arm' : undefined,
      },
      wire.access,
    );
    const served = () => servedShares(cluster, settings, app);
    await until(`${app} is there and settled`, settings, async () => {
      const { settled, stable } = await target.observe();
      return (
        settled &&
        (!options.serving || (stable !== undefined && (await served())[settings.stableDigest] === 100))
      );
    });
    return {
      target,
      image: settings.image,
      stableDigest: settings.stableDigest,
      canaryDigest: settings.canaryDigest,
      brokenDigest: settings.brokenDigest,
      revision: attempt => `${app}-${attempt}`,
      pass: seconds => rest(seconds * settings.secondMs),
      served,
      writes: wire.writes,
      async touch() {
        const annotations = { 'example.com/somebody': randomBytes(4).toString('hex') };
        for (const path of paths) await cluster.patch(path, { metadata: { annotations } });
      },
      failNextWrite: wire.failNextWrite,
      close: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** @returns paths of the objects that a rollout writes */
async function install(
  cluster: Cluster,
  settings: Settings,
  app: string,
  isServing: boolean,
  stack: AsyncDisposableStack,
): Promise<readonly string[]> {
  const { namespace, image, gateway } = settings;
  const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const services = `/api/v1/namespaces/${namespace}/services`;
  const routes = `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/httproutes`;
  async function create(collection: string, name: string, object: object): Promise<string> {
    await cluster.create(collection, object);
    const path = `${collection}/${name}`;
    stack.defer(() => cluster.remove(path));
    return path;
  }
  const label = 'slipway.dev/track';
  const [stable, canary] = [app, `${app}-canary`];
  await create(services, stable, service(stable, gateway ? { app, [label]: 'stable' } : { app }));
  await create(services, canary, service(canary, { app, [label]: 'canary' }));
  const serving = {
    image: `${image}@${settings.stableDigest}`,
    replicas: gateway ? REPLICAS.route : REPLICAS.pods,
  };
  const empty = { image: `${image}:unset`, replicas: 0 };
  const first = deployment(settings, app, {
    name: stable,
    track: 'stable',
    ...(isServing ? serving : empty),
  });
  const paths = [
    await create(deployments, stable, first),
    await create(deployments, canary, deployment(settings, app, { name: canary, track: 'canary', ...empty })),
  ];
  return gateway ? [...paths, await create(routes, app, httpRoute(gateway, app))] : paths;
}

/** Between the target and the cluster's API: counts what would change something, and fails it on demand. */
async function startWire(cluster: Cluster, stack: AsyncDisposableStack) {
  const faults = new Faults(realClock);
  let writes = 0;
  const forward: HttpHandler = async ({ method, path, query, headers, body }) => {
    const search = query.size > 0 ? `?${query}` : '';
    const content = body.length > 0 ? body.toString('utf8') : undefined;
    const answer = await cluster.send(method, `${path}${search}`, content, headers['content-type']);
    return { status: answer.status, headers: { 'content-type': answer.contentType }, body: answer.body };
  };
  const faulty = faults.wrap(forward);
  const proxy = await serveKubernetes(request => {
    if (request.method !== 'GET') writes++;
    return faulty(request);
  });
  stack.defer(() => proxy.close());
  const clusters = new ClusterManager();
  clusters.add({ ...PLACE, endpoint: proxy.endpoint, caCertificate: proxy.caCertificate, nodePools: [] });
  const container = await serve(containerApi(clusters));
  stack.defer(() => container.close());
  const google = googleClients({ container: container.url });
  return {
    access: { clusters: google.clusters, accessToken: () => google.accessToken('container') },
    writes: () => writes,
    failNextWrite(how: 'lostAnswer' | 'unavailable') {
      faults.inject({ methods: ['POST', 'PUT', 'PATCH', 'DELETE'], times: 1, fault: FAULTS[how] });
    },
  };
}

async function until(what: string, { secondMs }: Settings, isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (Date.now() > deadlineMs) throw new Error(`waited ${PATIENCE_MS / 1000} s until ${what}`);
    await rest(secondMs);
  }
}

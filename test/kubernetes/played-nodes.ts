import { setTimeout as rest } from 'node:timers/promises';
import { z } from 'zod';
import type { Cluster } from './cluster.ts';
import { NO_IMAGES } from './images.ts';

/**
 * Plays scheduler, kubelets and Gateway controller for a cluster that has an API server and controllers only: pods are
 * placed, become ready or crash by their digest, and end at once; routes are programmed. Everything else is the cluster's.
 */

const GATEWAY_CLASSES = '/apis/gateway.networking.k8s.io/v1/gatewayclasses';
export const PLAYED_CLASS = 'slipway-test';
const CONTROLLER = 'slipway.dev/test';
const NODES = { arm64: 'slipway-test-arm64', amd64: 'slipway-test-amd64' };
const EVERY_MS = 50;

const meta = z.object({
  name: z.string(),
  generation: z.number().default(0),
  deletionTimestamp: z.string().optional(),
});
const podSchema = z.object({
  metadata: meta,
  spec: z.object({
    nodeName: z.string().optional(),
    nodeSelector: z.record(z.string(), z.string()).default({}),
    containers: z.array(z.object({ name: z.string(), image: z.string() })),
  }),
  status: z.object({ phase: z.string().default('Pending') }).prefault({}),
});
const routeSchema = z.object({
  metadata: meta,
  spec: z.object({ parentRefs: z.array(z.record(z.string(), z.unknown())).default([]) }),
  status: z
    .object({
      parents: z
        .array(z.object({ conditions: z.array(z.object({ observedGeneration: z.number().default(0) })) }))
        .default([]),
    })
    .prefault({}),
});
type Pod = z.infer<typeof podSchema>;
type Route = z.infer<typeof routeSchema>;

/** Makes what must be there before the namespace is used. @returns removes it again */
export async function bringNodes(cluster: Cluster): Promise<() => Promise<void>> {
  for (const [architecture, name] of Object.entries(NODES)) {
    const labels = { 'kubernetes.io/arch': architecture, 'kubernetes.io/os': 'linux' };
    await cluster.create('/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } });
  }
  const hasRoutes = (await cluster.read(GATEWAY_CLASSES)) !== undefined;
  if (hasRoutes) {
    await cluster.create(GATEWAY_CLASSES, {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'GatewayClass',
      metadata: { name: PLAYED_CLASS },
      spec: { controllerName: CONTROLLER },
    });
    const conditions = [condition('Accepted', 'True', 1)];
    await cluster.patch(`${GATEWAY_CLASSES}/${PLAYED_CLASS}/status`, { status: { conditions } });
  }
  return async () => {
    for (const name of Object.values(NODES)) await cluster.remove(`/api/v1/nodes/${name}`);
    if (hasRoutes) await cluster.remove(`${GATEWAY_CLASSES}/${PLAYED_CLASS}`);
  };
}

/** @returns stops playing */
export function playNodes(cluster: Cluster, namespace: string): () => Promise<void> {
  let isOver = false;
  async function play(): Promise<void> {
    while (!isOver) {
      await look(cluster, namespace).catch(error => console.error(`played nodes: ${error}`));
      await rest(EVERY_MS);
    }
  }
  const playing = play();
  return () => {
    isOver = true;
    return playing;
  };
}

async function look(cluster: Cluster, namespace: string): Promise<void> {
  const pods = await items(cluster, `/api/v1/namespaces/${namespace}/pods`, podSchema);
  await Promise.all(pods.map(pod => playPod(cluster, `/api/v1/namespaces/${namespace}/pods`, pod)));
  const routes = `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/httproutes`;
  for (const route of await items(cluster, routes, routeSchema)) await playRoute(cluster, routes, route);
}

async function items<T>(cluster: Cluster, path: string, schema: z.ZodType<T>): Promise<readonly T[]> {
  const list = await cluster.read(path);
  return list === undefined ? [] : z.object({ items: z.array(schema) }).parse(list).items;
}

async function playPod(cluster: Cluster, pods: string, { metadata, spec, status }: Pod): Promise<void> {
  const path = `${pods}/${metadata.name}`;
  if (metadata.deletionTimestamp) {
    await cluster.send('DELETE', `${path}?gracePeriodSeconds=0`);
    return;
  }
  if (!spec.nodeName) {
    const name = spec.nodeSelector['kubernetes.io/arch'] === 'arm64' ? NODES.arm64 : NODES.amd64;
    const target = { apiVersion: 'v1', kind: 'Node', name };
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: metadata.name }, target };
    await cluster.send('POST', `${path}/binding`, JSON.stringify(binding));
    return;
  }
  if (status.phase !== 'Pending') return;
  const change = JSON.stringify({ status: statusOf(spec.containers) });
  await cluster.send('PATCH', `${path}/status`, change, 'application/merge-patch+json');
}

function statusOf(containers: Pod['spec']['containers']): object {
  const isBroken = containers.some(({ image }) => image.endsWith(NO_IMAGES.brokenDigest));
  const ready = isBroken ? 'False' : 'True';
  return {
    phase: 'Running',
    conditions: [
      condition('PodScheduled', 'True'),
      condition('ContainersReady', ready),
      condition('Ready', ready),
    ],
    containerStatuses: containers.map(({ name, image }) => ({
      ...{ name, image, imageID: image, containerID: 'played://container', ready: !isBroken },
      ...(isBroken ? CRASHING : { restartCount: 0, started: true, state: { running: { startedAt: now() } } }),
    })),
  };
}

const CRASHING = {
  restartCount: 3,
  started: false,
  state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s restarting failed container' } },
  lastState: { terminated: { exitCode: 1, reason: 'Error', message: 'this version ends at once' } },
};

async function playRoute(cluster: Cluster, routes: string, { metadata, spec, status }: Route): Promise<void> {
  const seen = status.parents.flatMap(parent => parent.conditions.map(one => one.observedGeneration));
  if (seen.length > 0 && seen.every(generation => generation === metadata.generation)) return;
  const conditions = ['Accepted', 'ResolvedRefs'].map(type => condition(type, 'True', metadata.generation));
  const parents = spec.parentRefs.map(parentRef => ({ parentRef, controllerName: CONTROLLER, conditions }));
  const change = JSON.stringify({ status: { parents } });
  await cluster.send('PATCH', `${routes}/${metadata.name}/status`, change, 'application/merge-patch+json');
}

function condition(type: string, status: string, observedGeneration?: number): object {
  const seen = observedGeneration === undefined ? {} : { observedGeneration };
  return { type, status, reason: type, message: '', lastTransitionTime: now(), ...seen };
}

function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}

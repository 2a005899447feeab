import { readFile } from 'node:fs/promises';
import type { LocalCloud } from '../../local/cloud.ts';
import { applyManifests } from '../../local/kubernetes/apply-manifests.ts';
import { CLUSTER, LOCATION, PROJECT } from '../../local/names.ts';

/** A target of a policy: the Deployment, Services and HTTPRoute that {@link serveOnGke} makes. */
export function gkeTargetSpec(name: string): object {
  const cluster = `projects/${PROJECT}/locations/${LOCATION}/clusters/${CLUSTER}`;
  const gke = { cluster, namespace: 'default', deployment: name, container: 'app', httpRoute: name };
  return { name: 'arm', gke: { ...gke, nodePool: 'axion-pool' } };
}

/** Objects as in k8s/, without probes and graces: nothing here answers differently when it waits. */
export async function serveOnGke({ kubeconfigFile }: LocalCloud, name: string, image: string): Promise<void> {
  const deployments = [
    deployment(name, 'stable', 1, image),
    deployment(`${name}-canary`, 'canary', 0, image),
  ];
  const objects = [
    ...deployments,
    service(name, 'stable'),
    service(`${name}-canary`, 'canary'),
    gateway(name),
    route(name),
  ];
  await applyManifests(
    await readFile(kubeconfigFile, 'utf8'),
    objects.map(object => JSON.stringify(object)),
  );

  function labels(track: string): Record<string, string> {
    return { app: name, 'slipway.dev/track': track };
  }
  function deployment(full: string, track: string, replicas: number, from: string): object {
    const container = {
      name: 'app',
      image: from,
      ports: [{ name: 'http', containerPort: 8080 }],
      resources: { requests: { cpu: '10m', memory: '8Mi' } },
    };
    const spec = {
      nodeSelector: { 'kubernetes.io/arch': 'arm64' },
      tolerations: [{ key: 'kubernetes.io/arch', operator: 'Equal', value: 'arm64', effect: 'NoSchedule' }],
      terminationGracePeriodSeconds: 0,
      containers: [container],
    };
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: full },
      spec: {
        replicas,
        selector: { matchLabels: labels(track) },
        template: { metadata: { labels: labels(track) }, spec },
      },
    };
  }
  function service(full: string, track: string): object {
    const ports = [{ name: 'http', port: 80, targetPort: 'http' }];
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: full },
      spec: { selector: labels(track), ports },
    };
  }
}

const GATEWAY_API = 'gateway.networking.k8s.io/v1';

function gateway(name: string): object {
  const listeners = [{ name: 'http', protocol: 'HTTP', port: 80 }];
  const spec = { gatewayClassName: 'gke-l7-global-external-managed', listeners };
  return { apiVersion: GATEWAY_API, kind: 'Gateway', metadata: { name }, spec };
}

function route(name: string): object {
  const backendRefs = [
    { name, port: 80, weight: 100 },
    { name: `${name}-canary`, port: 80, weight: 0 },
  ];
  const spec = { parentRefs: [{ name }], rules: [{ backendRefs }] };
  return { apiVersion: GATEWAY_API, kind: 'HTTPRoute', metadata: { name }, spec };
}

export interface GkeTraffic {
  /** Image of the Deployment → percent of the requests to the route. */
  readonly shares: Readonly<Record<string, number>>;
  /** Services that get requests and have no pod for them. */
  readonly unready: readonly string[];
}

/** Where the requests to a service's route go now. */
export function gkeTraffic({ cores: { kubernetes } }: LocalCloud, name: string): GkeTraffic {
  const backends = kubernetes.backendsOf('default', name).filter(({ weight }) => weight > 0);
  const total = backends.reduce((sum, { weight }) => sum + weight, 0);
  const shares: Record<string, number> = {};
  const unready: string[] = [];
  for (const { by, weight, urls } of backends) {
    const { service } = by;
    const [container] = kubernetes.store.read('deployments', 'default', service).spec.template.spec
      .containers;
    const image = container?.image ?? '?';
    shares[image] = (shares[image] ?? 0) + (weight / total) * 100;
    if (urls.length === 0) unready.push(service);
  }
  return { shares, unready };
}

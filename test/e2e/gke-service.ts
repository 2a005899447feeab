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
export async function serveOnGke(
  { kubeconfigFile }: LocalCloud,
  name: string,
  image: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  const objects = [
    deployment(name, 'stable', { replicas: 2, image, labels }),
    deployment(name, 'canary', { replicas: 0, image, labels }),
    service(name, 'stable'),
    service(name, 'canary'),
    gateway(name),
    route(name),
  ];
  await applyManifests(
    await readFile(kubeconfigFile, 'utf8'),
    objects.map(object => JSON.stringify(object)),
  );
}

type Track = 'stable' | 'canary';

function nameOn(name: string, track: Track): string {
  return track === 'stable' ? name : `${name}-canary`;
}

function podLabels(name: string, track: Track): Record<string, string> {
  return { app: name, 'slipway.dev/track': track };
}

interface Scale {
  readonly replicas: number;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
}

function deployment(name: string, track: Track, { replicas, image, labels }: Scale): object {
  const matchLabels = podLabels(name, track);
  const ports = [{ name: 'http', containerPort: 8080 }];
  const resources = { requests: { cpu: '10m', memory: '8Mi' } };
  const spec = {
    nodeSelector: { 'kubernetes.io/arch': 'arm64' },
    tolerations: [{ key: 'kubernetes.io/arch', operator: 'Equal', value: 'arm64', effect: 'NoSchedule' }],
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'app', image, ports, resources }],
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: nameOn(name, track), labels },
    spec: {
      replicas,
      selector: { matchLabels },
      template: { metadata: { labels: matchLabels }, spec },
    },
  };
}

function service(name: string, track: Track): object {
  const spec = { selector: podLabels(name, track), ports: [{ name: 'http', port: 80, targetPort: 'http' }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: nameOn(name, track) }, spec };
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

import type { Settings } from './settings.ts';

/** What a service of the suite consists of in a cluster, as k8s/ has it for the sample. */

export const CONTAINER = 'hello';

/** Busybox 1.29 plays the image that does not start. */
const SERVE = `case "$(busybox | head -n 1)" in *v1.29.*) echo "this version ends at once" >&2; exit 1 ;; esac
mkdir -p /tmp/www && echo ok >/tmp/www/healthz && exec httpd -f -p 8080 -h /tmp/www`;

const ARM_PLACEMENT = {
  nodeSelector: { 'kubernetes.io/arch': 'arm64' },
  tolerations: [{ key: 'kubernetes.io/arch', operator: 'Equal', value: 'arm64', effect: 'NoSchedule' }],
};

export type Track = 'stable' | 'canary';

export interface Workload {
  readonly name: string;
  readonly track: Track;
  readonly image: string;
  readonly replicas: number;
}

export function deployment(
  settings: Settings,
  app: string,
  { name, track, image, replicas }: Workload,
): object {
  const labels = { app, 'slipway.dev/track': track };
  const annotations = track === 'canary' ? { 'slipway.dev/role': 'canary' } : { 'slipway.dev/replicas': '2' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels: { app }, annotations },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      strategy: { rollingUpdate: { maxSurge: '25%', maxUnavailable: 0 } },
      template: {
        metadata: { labels },
        spec: {
          ...(settings.onArm ? ARM_PLACEMENT : {}),
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: CONTAINER,
              image,
              command: ['sh', '-c', SERVE],
              ports: [{ name: 'http', containerPort: 8080 }],
              resources: { requests: { cpu: '10m', memory: '16Mi' } },
              readinessProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  };
}

export function service(name: string, selector: Readonly<Record<string, string>>): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
  };
}

export function gateway(name: string, gatewayClassName: string): object {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name },
    spec: { gatewayClassName, listeners: [{ name: 'http', protocol: 'HTTP', port: 80 }] },
  };
}

export function httpRoute(gatewayName: string, app: string): object {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: app },
    spec: {
      parentRefs: [{ name: gatewayName }],
      hostnames: [`${app}.test`],
      rules: [
        {
          backendRefs: [
            { name: app, port: 80, weight: 100 },
            { name: `${app}-canary`, port: 80, weight: 0 },
          ],
        },
      ],
    },
  };
}

import { VirtualClock } from '../../../../local/clock.ts';
import { InstantDataPlane } from '../../../../local/dataplane/instant.ts';
import { Kubernetes, type KubernetesOptions } from '../../../../local/kubernetes/core.ts';
import { admitted } from '../../../../local/kubernetes/defaults.ts';
import type { Condition, Deployment, Pod, PodSpec } from '../../../../local/kubernetes/objects.ts';

export const IMAGE = 'us-central1-docker.pkg.dev/acme/apps/hello@sha256:1';

/** A cluster in virtual time with one amd64 and two tainted arm64 nodes. */
export class Cluster {
  readonly clock = new VirtualClock();
  readonly dataPlane = new InstantDataPlane(this.clock);
  readonly core: Kubernetes;

  constructor(options: Partial<KubernetesOptions> = {}) {
    this.core = new Kubernetes({
      clock: this.clock,
      dataPlane: this.dataPlane,
      project: 'acme',
      location: 'us-central1',
      cluster: 'main',
      ...options,
    });
  }

  async create(object: object): Promise<void> {
    const { kind, ...rest } = admitted(object);
    const plural = PLURALS[kind];
    if (!plural) throw new Error(`no plural for ${kind}`);
    this.core.store.create(plural, { kind, ...rest });
    await this.clock.advance(0);
  }

  async change(name: string, change: (spec: Deployment['spec']) => void): Promise<void> {
    const deployment = structuredClone(this.deployment(name));
    change(deployment.spec);
    this.core.store.update('deployments', deployment);
    await this.clock.advance(0);
  }

  deployment(name = 'web'): Deployment {
    return this.core.store.read('deployments', 'default', name);
  }

  condition(type: string, name = 'web'): Condition | undefined {
    return this.deployment(name).status?.conditions?.find(condition => condition.type === type);
  }

  pods(): Pod[] {
    return this.core.store.list('pods').filter(pod => !pod.metadata.deletionTimestamp);
  }

  onlyPod(): Pod {
    const [pod, ...others] = this.pods();
    if (!pod || others.length > 0) throw new Error(`${others.length + 1} pods, expected one`);
    return pod;
  }
}

const PLURALS: Readonly<Record<string, 'deployments' | 'pods' | 'services' | 'httproutes' | 'gateways'>> = {
  Deployment: 'deployments',
  Pod: 'pods',
  Service: 'services',
  HTTPRoute: 'httproutes',
  Gateway: 'gateways',
};

export function deployment(
  spec: Partial<Deployment['spec']> = {},
  pod: Partial<PodSpec> = {},
  name = 'web',
): object {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: IMAGE }], ...pod } },
      ...spec,
    },
  };
}

export function service(name: string, selector: Record<string, string>): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { selector, ports: [{ port: 80 }] },
  };
}

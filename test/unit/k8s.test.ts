import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { parsePolicy } from '../../functions/rollout/policy.ts';
import { type Manifest, manifestsIn } from '../../local/kubernetes/apply-manifests.ts';
import { build, hasKubectl, withComponent } from '../kustomize.ts';

const K8S = fileURLToPath(new URL('../../k8s/', import.meta.url));

const TERM = z.object({
  matchExpressions: z.array(z.object({ key: z.string(), operator: z.string(), values: z.array(z.string()) })),
});
const PROBE = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) });
const CONTAINER = z.object({
  name: z.string(),
  image: z.string().optional(),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
  resources: z.object({
    requests: z.object({ cpu: z.string(), memory: z.string() }),
    limits: z.object({ memory: z.string() }),
  }),
  startupProbe: PROBE,
  readinessProbe: PROBE,
  livenessProbe: PROBE,
  securityContext: z.unknown(),
});
const POD = z.object({
  nodeSelector: z.record(z.string(), z.string()).optional(),
  tolerations: z.array(z.unknown()),
  affinity: z
    .object({
      nodeAffinity: z.object({
        requiredDuringSchedulingIgnoredDuringExecution: z.object({ nodeSelectorTerms: z.array(TERM) }),
        preferredDuringSchedulingIgnoredDuringExecution: z.array(z.object({ preference: TERM })),
      }),
    })
    .optional(),
  securityContext: z.unknown(),
  serviceAccountName: z.string(),
  automountServiceAccountToken: z.boolean(),
  topologySpreadConstraints: z.array(
    z.object({ labelSelector: z.object({ matchLabels: z.record(z.string(), z.string()) }) }),
  ),
  containers: z.tuple([CONTAINER]),
});
const DEPLOYMENT = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    replicas: z.number().optional(),
    selector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
    template: z.object({ metadata: z.object({ labels: z.record(z.string(), z.string()) }), spec: POD }),
  }),
});

const BASE = readdirSync(`${K8S}base`).flatMap(file => manifestsIn(read(`base/${file}`)));

function read(path: string): string {
  return readFileSync(`${K8S}${path}`, 'utf8');
}

function deploymentsOf(manifests: readonly Manifest[]) {
  return manifests.filter(({ kind }) => kind === 'Deployment').map(one => DEPLOYMENT.parse(one));
}

describe('the base', () => {
  const deployments = deploymentsOf(BASE);

  test('lists all of its files, and has no object twice', () => {
    const [kustomization] = parseAllDocuments(read('base/kustomization.yaml'));
    const { resources } = z.object({ resources: z.array(z.string()) }).parse(kustomization?.toJS());
    const files = readdirSync(`${K8S}base`).filter(file => file !== 'kustomization.yaml');
    const keys = BASE.map(({ kind, metadata }) => `${kind} ${metadata.name}`);

    expect([...resources].sort()).toEqual(files.sort());
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('has a stable and a canary that differ in their track alone', () => {
    const [canary, stable] = deployments.map(({ spec }) => spec);
    if (!stable || !canary) throw new Error('expected two Deployments');

    expect(deployments.map(one => one.metadata.name)).toEqual(['hello-canary', 'hello']);
    expect(stable.selector.matchLabels).toEqual({ app: 'hello', 'slipway.dev/track': 'stable' });
    expect(canary.selector.matchLabels).toEqual({ app: 'hello', 'slipway.dev/track': 'canary' });
    expect(canary.template.spec).toEqual(stable.template.spec);
    expect([stable.replicas, canary.replicas]).toEqual([0, 0]);
  });

  test.each(deployments)('pins $metadata.name to ARM nodes', ({ spec }) => {
    const { nodeSelector, tolerations } = spec.template.spec;

    expect(nodeSelector).toEqual({ 'kubernetes.io/arch': 'arm64' });
    expect(tolerations).toContainEqual({
      key: 'kubernetes.io/arch',
      operator: 'Equal',
      value: 'arm64',
      effect: 'NoSchedule',
    });
  });

  test.each(deployments)('gives $metadata.name no rights, on its node or in the cluster', ({ spec }) => {
    const pod = spec.template.spec;

    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(pod.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect([pod.serviceAccountName, pod.automountServiceAccountToken]).toEqual(['hello', false]);
  });

  test.each(deployments)(
    'asks $metadata.name for life and readiness on paths that the sample knows',
    ({ spec }) => {
      const { startupProbe, readinessProbe, livenessProbe } = spec.template.spec.containers[0];

      expect(readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'http' });
      expect([startupProbe.httpGet.path, livenessProbe.httpGet.path]).toEqual(['/healthz', '/healthz']);
    },
  );

  test('spreads by labels that survive being copied from the stable to the canary', () => {
    for (const { spec } of deployments) {
      for (const { labelSelector } of spec.template.spec.topologySpreadConstraints) {
        expect(labelSelector.matchLabels).toEqual({ app: 'hello' });
      }
    }
  });

  test('has for each track a Service, a health check, an autoscaler and a disruption budget', () => {
    for (const kind of ['Service', 'HealthCheckPolicy', 'HorizontalPodAutoscaler', 'PodDisruptionBudget']) {
      const names = BASE.filter(one => one.kind === kind).map(({ metadata }) => metadata.name);
      expect(names, kind).toEqual(['hello', 'hello-canary']);
    }
  });

  test('attaches both Services to the route, the canary without weight', () => {
    const route = BASE.find(({ kind }) => kind === 'HTTPRoute');

    expect(route).toMatchObject({
      spec: {
        rules: [
          {
            backendRefs: [
              { name: 'hello', weight: 100 },
              { name: 'hello-canary', weight: 0 },
            ],
          },
        ],
      },
    });
  });
});

describe('who comes into the cluster', () => {
  const SUBJECTS = z.object({ subjects: z.array(z.object({ kind: z.string(), name: z.string() })) });
  const FUNCTIONS = z.object({
    locals: z.object({
      functions: z.record(z.string(), z.object({ id: z.string(), grants: z.array(z.string()) })),
    }),
  });

  test('are the accounts that Terraform lets through to it, and no others', () => {
    const { functions } = FUNCTIONS.parse(
      JSON.parse(read('../terraform/modules/orchestrator/functions.tf.json')),
    ).locals;
    const accounts = Object.values(functions)
      .filter(({ grants }) => grants.includes('targets'))
      .map(({ id }) => ({ kind: 'User', name: `slipway-${id}@acme.iam.gserviceaccount.com` }));
    const bindings = BASE.filter(({ kind }) => kind.endsWith('RoleBinding'));

    expect(bindings).toHaveLength(2);
    for (const binding of bindings) expect(SUBJECTS.parse(binding).subjects).toMatchObject(accounts);
  });
});

describe('the policy of terraform/examples/full', () => {
  const EXAMPLE = 'terraform/examples/full/rollouts.yaml';
  const policy = parsePolicy(read(`../${EXAMPLE}`).replaceAll('PROJECT', 'acme'), EXAMPLE);
  const target = policy.ok ? policy.policy.services[0]?.targets.find(({ gke }) => gke)?.gke : undefined;

  test('names what the base and the overlays make, where they make it', () => {
    const names = (kind: string) =>
      BASE.filter(one => one.kind === kind).map(({ metadata }) => metadata.name);
    const [stable] = deploymentsOf(BASE).filter(({ metadata }) => metadata.name === target?.deployment);

    expect(names('Deployment')).toContain(target?.deployment);
    expect(names('HTTPRoute')).toEqual([target?.httpRoute]);
    expect(stable?.spec.template.spec.containers[0].name).toBe(target?.container);
    for (const overlay of ['arm', 'either-arch']) {
      const text = `${read(`overlays/${overlay}/kustomization.yaml`)}\n---\n${read(`overlays/${overlay}/namespace.yaml`)}`;
      const [kustomization, namespace] = parseAllDocuments(text).map(document => document.toJS());
      expect(kustomization.namespace).toBe(target?.namespace);
      expect(namespace.metadata.name).toBe(target?.namespace);
    }
  });

  test('and the configuration beside it agree on the namespace, the cluster and the pool', () => {
    const main = read('../terraform/examples/full/main.tf');

    expect(main).toContain(`gateway         = { namespace = "${target?.namespace}" }`);
    expect(target?.cluster).toContain(`/clusters/${/name {5}= "(\w+)"/.exec(main)?.[1]}`);
    expect(main).toContain(`arm_pool = { name = "${target?.nodePool}"`);
  });
});

describe.skipIf(!hasKubectl)('kustomize (needs kubectl)', () => {
  test.each(['arm', 'either-arch'])('builds %s in a namespace of its own, the same every time', overlay => {
    const text = build(`${K8S}overlays/${overlay}`);
    const manifests = manifestsIn(text);
    const outside = manifests
      .filter(({ metadata }) => metadata.namespace !== 'hello')
      .map(({ kind }) => kind);

    expect(build(`${K8S}overlays/${overlay}`)).toBe(text);
    expect(manifests).toHaveLength(BASE.length + 1);
    expect(outside.sort()).toEqual(['ClusterRole', 'ClusterRoleBinding', 'Namespace']);
  });

  test('builds arm as the base has it', () => {
    const built = deploymentsOf(manifestsIn(build(`${K8S}overlays/arm`)));

    expect(built.map(({ spec }) => spec)).toEqual(
      deploymentsOf(BASE)
        .reverse()
        .map(({ spec }) => spec),
    );
  });

  test('either-arch takes both architectures and prefers ARM', () => {
    for (const { spec } of deploymentsOf(manifestsIn(build(`${K8S}overlays/either-arch`)))) {
      const { nodeSelector, affinity, tolerations } = spec.template.spec;
      const arm = { key: 'kubernetes.io/arch', operator: 'In', values: ['arm64'] };

      expect(nodeSelector).toBeUndefined();
      expect(tolerations).toHaveLength(1);
      expect(affinity?.nodeAffinity).toEqual({
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ ...arm, values: ['arm64', 'amd64'] }] }],
        },
        preferredDuringSchedulingIgnoredDuringExecution: [{ preference: { matchExpressions: [arm] } }],
      });
    }
  });

  test('https adds a listener with a certificate, and redirects what comes without', () => {
    const manifests = manifestsIn(withComponent('https'));
    const route = (name: string) =>
      manifests.find(({ kind, metadata }) => kind === 'HTTPRoute' && metadata.name === name);

    expect(manifests.find(({ kind }) => kind === 'Gateway')).toMatchObject({
      metadata: { annotations: { 'networking.gke.io/certmap': 'hello' } },
      spec: { listeners: [{ name: 'http' }, { name: 'https', port: 443 }] },
    });
    expect(route('hello')).toMatchObject({ spec: { parentRefs: [{ sectionName: 'https' }] } });
    expect(route('hello-redirect')).toMatchObject({
      spec: {
        parentRefs: [{ sectionName: 'http' }],
        rules: [{ filters: [{ requestRedirect: { scheme: 'https', statusCode: 301 } }] }],
      },
    });
  });

  test("after-first-rollout mentions nothing of what is Slipway's by then", () => {
    const manifests = manifestsIn(withComponent('after-first-rollout'));
    const [stable, ...others] = deploymentsOf(manifests);

    expect(others).toEqual([]);
    expect(stable?.metadata.name).toBe('hello');
    expect(stable?.spec.replicas).toBeUndefined();
    expect(stable?.spec.template.spec.containers[0].image).toBeUndefined();
    expect(manifests.filter(({ kind }) => kind === 'HTTPRoute')).toEqual([]);
    expect(manifests).toHaveLength(BASE.length - 2);
  });
});

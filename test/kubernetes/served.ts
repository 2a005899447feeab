import { z } from 'zod';
import type { Cluster } from './cluster.ts';
import type { Settings } from './settings.ts';

const routeSchema = z.object({
  spec: z.object({
    rules: z.array(
      z.object({ backendRefs: z.array(z.object({ name: z.string(), weight: z.number().default(1) })) }),
    ),
  }),
});
const serviceSchema = z.object({ spec: z.object({ selector: z.record(z.string(), z.string()) }) });
const podsSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ deletionTimestamp: z.string().optional() }),
      spec: z.object({ containers: z.array(z.object({ image: z.string() })) }),
      status: z
        .object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]) })
        .prefault({}),
    }),
  ),
});

interface Backend {
  readonly name: string;
  readonly weight: number;
}

/**
 * Share of the requests that each digest gets, in percent: by the weights of the route, and within a Service by the
 * pods that are ready. `nobody` is what goes to a Service without any.
 */
export async function servedShares(
  cluster: Cluster,
  { namespace, gateway }: Settings,
  app: string,
): Promise<Readonly<Record<string, number>>> {
  const backends = gateway ? await backendsOf(cluster, namespace, app) : [{ name: app, weight: 1 }];
  const total = backends.reduce((sum, { weight }) => sum + weight, 0);
  const shares: Record<string, number> = {};
  for (const { name, weight } of backends.filter(backend => backend.weight > 0)) {
    const digests = await readyDigests(cluster, namespace, name);
    for (const digest of digests.length > 0 ? digests : ['nobody']) {
      shares[digest] = (shares[digest] ?? 0) + ((weight / total) * 100) / Math.max(1, digests.length);
    }
  }
  return rounded(shares);
}

async function backendsOf(cluster: Cluster, namespace: string, app: string): Promise<readonly Backend[]> {
  const path = `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/httproutes/${app}`;
  return routeSchema.parse(await cluster.read(path)).spec.rules.flatMap(rule => rule.backendRefs);
}

async function readyDigests(
  cluster: Cluster,
  namespace: string,
  service: string,
): Promise<readonly string[]> {
  const { spec } = serviceSchema.parse(
    await cluster.read(`/api/v1/namespaces/${namespace}/services/${service}`),
  );
  const selector = Object.entries(spec.selector).map(([label, value]) => `${label}=${value}`);
  const query = new URLSearchParams({ labelSelector: selector.join(',') });
  const { items } = podsSchema.parse(await cluster.read(`/api/v1/namespaces/${namespace}/pods?${query}`));
  return items
    .filter(({ metadata, status }) => !metadata.deletionTimestamp && isReady(status.conditions))
    .map(pod => pod.spec.containers[0]?.image.split('@')[1] ?? 'unknown');
}

function isReady(conditions: readonly { type: string; status: string }[]): boolean {
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

/** To a millionth, and so that the sum is 100 exactly. */
function rounded(shares: Readonly<Record<string, number>>): Record<string, number> {
  const entries = Object.entries(shares).map(
    ([digest, share]) => [digest, Math.round(share * 1e6) / 1e6] as const,
  );
  const [first, ...others] = entries;
  if (!first) return {};
  const rest = others.reduce((sum, [, share]) => sum + share, 0);
  return Object.fromEntries([[first[0], 100 - rest], ...others]);
}

import { type ClusterAccess, readCluster } from './gke-cluster.ts';
import type { GkeSpec } from './gke-state.ts';

/** Machine families with ARM processors, https://cloud.google.com/kubernetes-engine/docs/concepts/arm-on-gke. */
const ARM_FAMILIES: ReadonlySet<string> = new Set(['t2a', 'c4a', 'n4a', 'a4x']);

/** `NodePool.Status`, as numbers where the client does not translate them. */
const RUNNING: ReadonlySet<unknown> = new Set(['RUNNING', 2]);

/**
 * What would keep a rollout from the place it is meant for, in words; nothing when all is well. `architectureOf` answers
 * for machine types as Compute Engine's API does (`ARM64`, `X86_64`); without it their family tells.
 */
export async function preflightGke(
  spec: Pick<GkeSpec, 'cluster' | 'nodePool'>,
  access: ClusterAccess,
  architectureOf: (machineType: string, zone: string) => Promise<string> = async type =>
    architectureByFamily(type),
): Promise<readonly string[]> {
  const cluster = await readCluster(spec.cluster, access);
  const pools = cluster.nodePools ?? [];
  if (!spec.nodePool) {
    if (cluster.autopilot?.enabled) return [];
    const names = pools.map(pool => pool.name).join(', ');
    return [
      `${spec.cluster} is not an Autopilot cluster: name its ARM pool in nodePool (it has ${names || 'none'})`,
    ];
  }
  const pool = pools.find(one => one.name === spec.nodePool);
  if (!pool) {
    const names = pools.map(one => one.name).join(', ');
    return [`${spec.cluster} has no node pool ${spec.nodePool}, only ${names || 'none at all'}`];
  }
  const problems: string[] = [];
  if (!RUNNING.has(pool.status)) problems.push(`node pool ${spec.nodePool} is ${pool.status}, not RUNNING`);
  const machineType = pool.config?.machineType ?? '';
  const zone = pool.locations?.[0] ?? cluster.locations?.[0] ?? '';
  const architecture = await architectureOf(machineType, zone);
  if (architecture !== 'ARM64') {
    problems.push(
      `node pool ${spec.nodePool} has ${machineType} machines, which are ${architecture} and not ARM64`,
    );
  }
  return problems;
}

export function architectureByFamily(machineType: string): 'ARM64' | 'X86_64' {
  return ARM_FAMILIES.has(machineType.split('-')[0] ?? '') ? 'ARM64' : 'X86_64';
}

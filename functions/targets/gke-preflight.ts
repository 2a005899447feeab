import type { v1 } from '@google-cloud/compute';
import { SlipwayError } from '../errors.ts';
import { calling } from '../google/errors.ts';
import type { PreflightProblem } from '../rollout/preflight.ts';
import { type ClusterAccess, readCluster } from './gke-cluster.ts';
import type { GkeSpec } from './gke-state.ts';

/** Machine families with ARM processors, https://cloud.google.com/kubernetes-engine/docs/concepts/arm-on-gke. */
const ARM_FAMILIES: ReadonlySet<string> = new Set(['t2a', 'c4a', 'n4a', 'a4x']);

/** `NodePool.Status`, as numbers where the client does not translate them. */
const RUNNING: ReadonlySet<unknown> = new Set(['RUNNING', 2]);

const READ = { timeout: 8_000, retry: null };

/** What Compute Engine's API calls it: `ARM64`, `X86_64`. */
export type ArchitectureOf = (machineType: string, zone: string) => Promise<string>;

/**
 * What would keep a rollout from the place it is meant for, with what to do; nothing when all is well. A pool that is
 * being upgraded or repaired is so for a while. Without `architectureOf` the machines' family tells what they are.
 */
export async function preflightGke(
  spec: Pick<GkeSpec, 'cluster' | 'nodePool'>,
  access: ClusterAccess,
  architectureOf: ArchitectureOf = async type => architectureByFamily(type),
): Promise<readonly PreflightProblem[]> {
  const cluster = await readCluster(spec.cluster, access);
  const pools = cluster.nodePools ?? [];
  const names = pools.map(pool => pool.name).join(', ') || 'none';
  if (!spec.nodePool) {
    if (cluster.autopilot?.enabled) return [];
    return [
      lasting(`${spec.cluster} is not an Autopilot cluster: name its ARM pool in nodePool (it has ${names})`),
    ];
  }
  const pool = pools.find(one => one.name === spec.nodePool);
  if (!pool) {
    return [
      lasting(
        `${spec.cluster} has no node pool ${spec.nodePool}: make it, or name another in nodePool (it has ${names})`,
      ),
    ];
  }
  const problems: PreflightProblem[] = [];
  if (!RUNNING.has(pool.status)) {
    const message = `node pool ${spec.nodePool} is ${pool.status}, not RUNNING: see its operations in the console`;
    problems.push({ message, mayPass: true });
  }
  const machineType = pool.config?.machineType ?? '';
  const zone = pool.locations?.[0] ?? cluster.locations?.[0] ?? '';
  const architecture = await architectureOf(machineType, zone);
  if (architecture !== 'ARM64') {
    problems.push(
      lasting(
        `node pool ${spec.nodePool} has ${machineType} machines, which are ${architecture} and not ARM64: name an ARM pool in nodePool`,
      ),
    );
  }
  return problems;
}

function lasting(message: string): PreflightProblem {
  return { message, mayPass: false };
}

/** Asks Compute Engine; for a machine type that it does not know any more, the family tells. */
export function architectureFrom(
  { machineTypes }: { machineTypes(): Promise<v1.MachineTypesClient> },
  { cluster }: Pick<GkeSpec, 'cluster'>,
): ArchitectureOf {
  const project = cluster.split('/')[1] ?? '';
  return async (machineType, zone) => {
    try {
      return await calling(`compute.machineTypes.get ${machineType} in ${zone}`, async () => {
        const client = await machineTypes();
        const [found] = await client.get({ project, zone, machineType }, READ);
        return found.architecture || architectureByFamily(machineType);
      });
    } catch (error) {
      if (error instanceof SlipwayError && error.code === 'NotFound')
        return architectureByFamily(machineType);
      throw error;
    }
  };
}

export function architectureByFamily(machineType: string): 'ARM64' | 'X86_64' {
  return ARM_FAMILIES.has(machineType.split('-')[0] ?? '') ? 'ARM64' : 'X86_64';
}

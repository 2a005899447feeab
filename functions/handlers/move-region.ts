import type { Dependencies } from '../dependencies.ts';
import { SlipwayError } from '../errors.ts';
import { apply, readWorld } from '../orchestrator.ts';
import { by, inNameOf, type RegionCommand } from '../rollout/commands.ts';
import {
  concludeMove,
  drainedBy,
  findRegion,
  isBeingRestored,
  type Region,
  regionsOf,
} from '../rollout/regions.ts';
import type { Progress } from '../targets/target.ts';

type Given = RegionCommand & { readonly id: string };

/**
 * `drain` and `undrain`: a person moves a region's users. Today's policy says which region is meant; the rollout's
 * record tells what was done. Until the load balancer has confirmed it the message is delivered again.
 */
export async function moveRegion(deps: Dependencies, rollout: string, given: Given): Promise<void> {
  const { service } = await readWorld(deps, rollout);
  if (service.handled.includes(given.id)) return;
  const made = await move(deps, rollout, given);
  if (made.status === 'again') {
    throw new SlipwayError(made.message, { code: 'Unavailable', operation: given.command });
  }
  await apply(deps, rollout, (world, nowMs) => concludeMove(world, given, made, nowMs));
}

async function move(deps: Dependencies, rollout: string, given: Given): Promise<Progress> {
  const { services } = await deps.policy();
  const spec = services.find(({ name }) => name === given.service);
  if (!spec) return { status: 'failed', message: `the policy has no service ${given.service} any more` };
  const found = findRegion(spec, given.target);
  if (!found.ok) return { status: 'failed', message: found.problem };
  const others = regionsOf(spec).filter(({ target }) => target !== given.target);
  try {
    return given.command === 'drain'
      ? await drain(deps, rollout, given, found.region, others)
      : await undrain(deps, rollout, given, found.region);
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.canRetry) throw error;
    return { status: 'failed', message: error.message };
  }
}

async function drain(
  deps: Dependencies,
  rollout: string,
  given: Given,
  { loadBalancer, place }: Region,
  others: readonly Region[],
): Promise<Progress> {
  const balancer = await deps.loadBalancer(loadBalancer);
  const places = others.map(other => other.place);
  return balancer.drain(place, places, async () => {
    await apply(deps, rollout, (world, nowMs) =>
      inNameOf(given, world, { world: drainedBy(world, given.target, by(given), nowMs), actions: [] }),
    );
  });
}

async function undrain(
  deps: Dependencies,
  rollout: string,
  { target }: Given,
  { loadBalancer, place }: Region,
): Promise<Progress> {
  const isRestoring = async () => isBeingRestored(await readWorld(deps, rollout), target);
  if (await isRestoring()) {
    return { status: 'failed', message: `${target} is being restored and does not serve stable yet` };
  }
  const balancer = await deps.loadBalancer(loadBalancer);
  return balancer.undrain(place, async () => {
    if (!(await isRestoring())) return;
    throw new SlipwayError(`${target} is being restored now`, { code: 'Conflict', operation: 'undrain' });
  });
}

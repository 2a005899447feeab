import { cpus } from 'node:os';
import type { Rollout } from '../../../functions/rollout/record.ts';
import { EXAMPLE_SERVICE, PROJECT } from '../../../local/names.ts';
import type { Counts } from './counts.ts';
import { isPoll, partsOf, rounded, totalOf, useOf } from './parts.ts';
import type { Recorded } from './recorder.ts';
import { sum, times } from './use.ts';
import { CostWorld } from './world.ts';

/** Services that a sweep goes through besides the one. */
const COPIES = 10;

/**
 * Plays a first rollout, a canary with the example's steps and two gates, which closes the way back of the first, a
 * rollback from the last gate, and sweeps that find nothing to do.
 */
export async function measure(): Promise<Counts> {
  const world = await CostWorld.open();
  try {
    const first = await play(world, async () => {
      await world.push('v1.0.0');
      await world.until('v1.0.0', isHealthy);
    });
    const canary = await play(world, async () => {
      await world.push('v1.1.0');
      await promoteUntil(world, 'v1.1.0', isHealthy);
    });
    await world.push('v1.2.0');
    await promoteUntil(world, 'v1.2.0', isAtLastGate);
    const rollback = await play(world, async () => {
      world.alert();
      await world.until('v1.2.0', ({ phase }) => phase === 'Degraded');
    });
    const idle = await play(world, () => world.sweep());
    await copyService(world);
    const busier = await play(world, () => world.sweep());
    return await reduce(world, { first, canary, rollback, idle, busier });
  } finally {
    await world.close();
  }
}

async function play(world: CostWorld, scene: () => Promise<unknown>): Promise<Recorded> {
  const mark = await world.recorder.mark();
  await scene();
  await world.quiet();
  return world.recorder.since(mark);
}

function isHealthy({ phase, message }: Rollout): boolean {
  if (phase === 'Degraded' || phase === 'Rejected')
    throw new Error(`it should be Healthy, and is ${phase}: ${message}`);
  return phase === 'Healthy';
}

function isAtLastGate({ phase, pause, position, spec }: Rollout): boolean {
  return phase === 'Paused' && pause?.gate !== undefined && position.wave === spec.strategy.waves.length - 1;
}

/** Opens every gate on the way. */
async function promoteUntil(
  world: CostWorld,
  tag: string,
  isThere: (rollout: Rollout) => boolean,
): Promise<void> {
  const given = new Set<string>();
  await world.until(tag, rollout => {
    if (isThere(rollout)) return true;
    const gate = rollout.phase === 'Paused' ? rollout.pause?.gate : undefined;
    if (gate !== undefined && !given.has(gate)) {
      given.add(gate);
      world.promote(gate);
    }
    return false;
  });
}

async function copyService(world: CostWorld): Promise<void> {
  await world.store.transact(async transaction => {
    const service = await transaction.read('service', EXAMPLE_SERVICE);
    const rollout = await transaction.read('rollout', service?.healthy ?? '');
    if (!service || !rollout) throw new Error('there is no healthy rollout to copy');
    for (let copy = 1; copy <= COPIES; copy++) {
      const name = `copy-${copy}`;
      transaction.write('rollout', name, { ...rollout, id: name, service: name });
      transaction.write('service', name, { ...service, name, healthy: name });
    }
  });
}

type Scenes = Readonly<Record<'first' | 'canary' | 'rollback' | 'idle' | 'busier', Recorded>>;

async function reduce(world: CostWorld, scenes: Scenes): Promise<Counts> {
  const { first, canary, rollback, idle, busier } = scenes;
  const { spec } = await world.until('v1.1.0', () => true);
  const gke = spec.targets.flatMap(target => (target.gke ? [target.name] : []));
  const shape = { waves: spec.strategy.waves.length, targets: spec.targets.length, gke };
  const [perFirst, perCanary, perRollback] = [first, canary, rollback].map(scene => partsOf(scene, shape));
  if (!perFirst || !perCanary || !perRollback) throw new Error('unreachable');
  const perService = times(sum([useOf(busier), times(useOf(idle), -1)]), 1 / COPIES);
  return {
    measured: {
      on: new Date().toISOString().slice(0, 10),
      node: process.version,
      cpu: cpus()[0]?.model ?? '',
    },
    shape: { waves: shape.waves, targets: shape.targets },
    ...(await averages(world, scenes)),
    writesOf: {
      deploy: writesOf(canary, 'deploy'),
      setWeight: writesOf(canary, 'setWeight') / weightsOf(spec),
      promote: writesOf(canary, 'promote'),
      restore: writesOf(rollback, 'restore') / (shape.targets - gke.length),
    },
    parts: {
      push: useOf(canary, ({ name }) => name === 'imagePush'),
      'first.fixed': perFirst.fixed,
      'first.wave': perFirst.wave,
      'first.cloudRun': perFirst.cloudRun,
      'first.gke': perFirst.gke,
      'rollout.fixed': perCanary.fixed,
      'rollout.wave': perCanary.wave,
      'rollout.cloudRun': perCanary.cloudRun,
      'rollout.gke': perCanary.gke,
      look: perCanary.look,
      'poll.cloudRun': perCanary.pollCloudRun,
      'poll.gke': perCanary.pollGke,
      'rollback.fixed': perRollback.fixed,
      'rollback.target': perRollback.restore,
      'sweep.fixed': rounded(sum([useOf(idle), times(perService, -1)])),
      'sweep.service': rounded(perService),
    },
    totals: { first: totalOf(first), canary: totalOf(canary), rollback: totalOf(rollback) },
    seen: {
      looks: canary.served.filter(({ activity, isAgain }) => activity === 'look' && isAgain).length,
      polls: canary.served.filter(served => isPoll(served) && served.target !== '').length,
      pollsOfGke: canary.served.filter(served => isPoll(served) && gke.includes(served.target)).length,
    },
  };
}

async function averages(world: CostWorld, scenes: Scenes) {
  const all = Object.values(scenes);
  const total = (of: (scene: Recorded) => number) => all.reduce((before, scene) => before + of(scene), 0);
  const rollouts = await world.store.list('rollout', { service: EXAMPLE_SERVICE });
  const policies = world.cloud.cores.monitoring.policies.list(`projects/${PROJECT}`);
  const { carried } = scenes.canary;
  return {
    cpuSecondsPerCall: total(scene => scene.cpuSeconds) / total(scene => scene.served.length),
    messageBytes: total(scene => scene.carried.bytes) / total(scene => scene.carried.messages),
    seriesPerRead: carried.series / carried.lists,
    recordBytes: rollouts.reduce((before, one) => before + JSON.stringify(one).length, 0) / rollouts.length,
    alertConditions: policies.reduce((before, { conditions }) => before + conditions.length, 0),
  };
}

function writesOf(recorded: Recorded, activity: string): number {
  // Several targets of one call are not told apart; of the others one stands for all.
  const isIt = (target: string) => target === 'us' || target === '';
  return useOf(recorded, served => served.activity === activity && isIt(served.target))['run.write'] ?? 0;
}

function weightsOf({ strategy }: Rollout['spec']): number {
  return strategy.steps.filter(step => 'setWeight' in step).length;
}

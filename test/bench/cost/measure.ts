import { cpus } from 'node:os';
import type { Rollout } from '../../../functions/rollout/record.ts';
import { EXAMPLE_SERVICE } from '../../../local/names.ts';
import type { Counts, Part } from './counts.ts';
import type { Recorded } from './recorder.ts';
import { countOf, sum, times, type Use } from './use.ts';
import { CostWorld } from './world.ts';

const COPIES = 10;
const GKE_TARGETS: ReadonlySet<string> = new Set(['arm']);
/** Steps of `main` that are there once per target. */
const TARGET_STEPS: ReadonlySet<string> = new Set([
  ...['main.arm', 'main.settle_what_was_before', 'main.deploy', 'main.probe', 'main.set_weight', 'main.promote'],
  'main.restore',
]);
/** And those that are there once per wave, or per step of a wave. */
const WAVE_STEPS: ReadonlySet<string> = new Set([
  ...['main.may_the_wave_begin', 'main.deploy_canaries', 'main.each_step', 'main.weight_or_pause'],
  ...['main.may_the_weight_rise', 'main.set_weights', 'main.all_are_there', 'main.may_it_be_promoted'],
  ...['main.promote_wave', 'main.wave_done'],
]);
const WAVE_ACTIVITIES: ReadonlySet<string> = new Set(['clearance', 'stepDone', 'waveDone']);

/**
 * Plays a first rollout, a canary with the example's steps and two gates, what closes its way back, a rollback from the
 * last gate, and sweeps that find nothing to do.
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
    const settle = await play(world, () => closeWindow(world, 'v1.1.0'));
    await world.push('v1.2.0');
    await promoteUntil(world, 'v1.2.0', isAtLastGate);
    const rollback = await play(world, async () => {
      world.alert();
      await world.until('v1.2.0', ({ phase }) => phase === 'Degraded');
    });
    const idle = await play(world, () => world.sweep());
    await copyService(world);
    const busier = await play(world, () => world.sweep());
    return await reduce(world, { first, canary, settle, rollback, idle, busier });
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
  if (phase === 'Degraded' || phase === 'Rejected') throw new Error(`it should be Healthy, and is ${phase}: ${message}`);
  return phase === 'Healthy';
}

function isAtLastGate({ phase, pause, position, spec }: Rollout): boolean {
  return phase === 'Paused' && pause?.gate !== undefined && position.wave === spec.strategy.waves.length - 1;
}

/** Opens every gate on the way. */
async function promoteUntil(world: CostWorld, tag: string, isThere: (rollout: Rollout) => boolean): Promise<void> {
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

/** Its `rollbackWindow` is over at once. */
async function closeWindow(world: CostWorld, tag: string): Promise<void> {
  const { id } = await world.until(tag, isHealthy);
  await world.store.transact(async transaction => {
    const rollout = await transaction.read('rollout', id);
    if (rollout) transaction.write('rollout', id, { ...rollout, windowEndsMs: rollout.createdMs });
  });
  for (let sweeps = 0; sweeps < 20; sweeps++) {
    await world.sweep();
    const rollout = await world.store.read('rollout', id);
    if (Object.values(rollout?.targets ?? {}).every(({ status }) => status === 'Settled')) return;
  }
  throw new Error(`${tag} is not settled after 20 sweeps`);
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

type Scenes = Readonly<Record<'first' | 'canary' | 'settle' | 'rollback' | 'idle' | 'busier', Recorded>>;

async function reduce(world: CostWorld, scenes: Scenes): Promise<Counts> {
  const { first, canary, settle, rollback, idle, busier } = scenes;
  const { monitoring } = world.cloud.cores;
  const policies = monitoring.policies.list('projects/acme');
  const rollouts = await world.store.list('rollout', { service: EXAMPLE_SERVICE });
  const { spec } = await world.until('v1.1.0', () => true);
  const shape = { waves: spec.strategy.waves.length, targets: spec.targets.length };
  const perCanary = partsOf(canary, shape);
  const perFirst = partsOf(first, shape);
  const perRollback = partsOf(rollback, { waves: 1, targets: shape.targets });
  const swept = (recorded: Recorded) => sum([...recorded.uses.values()]);
  const perService = times(sum([swept(busier), times(swept(idle), -1)]), 1 / COPIES);
  const scenesOf = Object.values(scenes);
  const served = scenesOf.reduce((total, scene) => total + [...scene.served.values()].reduce((a, b) => a + b, 0), 0);
  const published = scenesOf.reduce((total, { proxies }) => total + proxies.messages, 0);
  return {
    measured: { on: new Date().toISOString().slice(0, 10), node: process.version, cpu: cpus()[0]?.model ?? '' },
    shape,
    cpuSecondsPerCall: scenesOf.reduce((total, { cpuSeconds }) => total + cpuSeconds, 0) / served,
    messageBytes: scenesOf.reduce((total, { proxies }) => total + proxies.bytes, 0) / published,
    seriesPerRead: canary.proxies.series / canary.proxies.lists,
    recordBytes: rollouts.reduce((total, one) => total + JSON.stringify(one).length, 0) / rollouts.length,
    alertConditions: policies.reduce((total, { conditions }) => total + conditions.length, 0),
    writesOf: {
      deploy: writesOf(canary, 'deploy us'),
      setWeight: writesOf(canary, 'setWeight us') / 3,
      promote: writesOf(canary, 'promote us'),
      restore: (rollback.uses.get('activity restore')?.['run.write'] ?? 0) / 3,
    },
    parts: {
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
      settle: times(withNotify(swept(settle), settle), 1 / shape.targets),
      'rollback.fixed': perRollback.fixed,
      'rollback.target': times(perRollback.restore, 1 / shape.targets),
      'sweep.fixed': rounded(sum([swept(idle), times(perService, -1), { 'calls.sweep': 1 }])),
      'sweep.service': rounded(perService),
    },
    totals: {
      first: totalOf(first),
      canary: totalOf(canary),
      rollback: totalOf(rollback),
    },
    seen: { looks: callsOf(canary, 'look'), polls: pollsOf(canary), gates: shape.waves },
  };
}

interface Parts {
  readonly fixed: Part;
  readonly wave: Part;
  readonly cloudRun: Part;
  readonly gke: Part;
  readonly look: Part;
  readonly pollCloudRun: Part;
  readonly pollGke: Part;
  readonly restore: Part;
}

/** Splits what was recorded by what it grows with. */
function partsOf(recorded: Recorded, { waves, targets }: { waves: number; targets: number }): Parts {
  const groups = Map.groupBy(recorded.uses, ([by]) => groupOf(by));
  const all = (group: string) =>
    sum((groups.get(group) ?? []).map(([by, use]) => sum([use, { [callName(by)]: callsBy(recorded, by) }])));
  const polls = (kind: string) =>
    recorded.calls.filter(({ by, isAgain }) => isAgain && groupOf(by) === kind).length;
  const calls = (kind: string) => recorded.calls.filter(({ by }) => groupOf(by) === kind).length;
  const steps = stepsOf(recorded);
  const gkeCount = [...new Set(recorded.calls.map(({ by }) => by.split(' ')[2] ?? ''))].filter(one =>
    GKE_TARGETS.has(one),
  ).length;
  const poll = (kind: string): Use =>
    calls(kind) === 0 ? {} : withoutTargetWrites(times(all(kind), 1 / calls(kind)));
  const target = (kind: string, count: number): Part => {
    if (count === 0) return {};
    const done = sum([all(kind), times(poll(kind), -polls(kind))]);
    const own = times(done, 1 / count);
    return withNotify({ ...own, 'steps.internal': steps.target / targets }, recorded);
  };
  const looks = callsOf(recorded, 'look');
  return {
    fixed: withNotify({ ...all('fixed'), 'steps.internal': steps.fixed }, recorded),
    wave: withNotify({ ...times(all('wave'), 1 / waves), 'steps.internal': steps.wave / waves }, recorded),
    cloudRun: target('cloudRun', targets - gkeCount),
    gke: target('gke', gkeCount),
    look: withNotify(
      looks === 0
        ? {}
        : {
            ...times(all('look'), 1 / looks),
            'steps.internal': (steps.look - steps.awaits) / looks,
            'steps.external': steps.awaits / looks,
          },
      recorded,
    ),
    pollCloudRun: withNotify({ ...poll('cloudRun'), 'steps.internal': steps.perPoll }, recorded),
    pollGke: withNotify({ ...poll('gke'), 'steps.internal': steps.perPoll }, recorded),
    restore: withNotify({ ...all('restore'), 'steps.internal': steps.target }, recorded),
  };
}

function groupOf(by: string): string {
  const [name, activity = '', target] = by.split(' ');
  if (name === 'notify') return 'notify';
  if (name !== 'activity') return 'fixed';
  if (target !== undefined) return GKE_TARGETS.has(target) ? 'gke' : 'cloudRun';
  if (activity === 'look' || activity === 'restore') return activity;
  return WAVE_ACTIVITIES.has(activity) ? 'wave' : 'fixed';
}

function callName(by: string): string {
  return `calls.${by.split(' ')[0]}`;
}

function callsBy(recorded: Recorded, by: string): number {
  if (by.startsWith('activity ')) return recorded.calls.filter(call => call.by === by).length;
  return recorded.served.get(by) ?? 0;
}

function callsOf(recorded: Recorded, activity: string): number {
  return recorded.calls.filter(({ by }) => by === `activity ${activity}`).length;
}

function pollsOf(recorded: Recorded): number {
  return recorded.calls.filter(({ by, isAgain }) => isAgain && groupOf(by) !== 'look').length;
}

function writesOf(recorded: Recorded, activityAndTarget: string): number {
  return recorded.uses.get(`activity ${activityAndTarget}`)?.['run.write'] ?? 0;
}

/** A poll that finds it is not yet so has changed nothing out there. */
function withoutTargetWrites(use: Use): Use {
  return { ...use, 'run.write': 0, 'kubernetes.write': 0, 'compute.write': 0 };
}

/** Every event that is published is pushed to the function `notify`. */
function withNotify(use: Use, recorded: Recorded): Part {
  const notified = recorded.served.get('notify') ?? 0;
  const own = recorded.uses.get('notify') ?? {};
  const events = use['pubsub.write'] ?? 0;
  const each = notified === 0 ? {} : times(own, 1 / notified);
  return rounded(sum([use, times(each, events), { 'calls.notify': events }]));
}

interface Steps {
  readonly fixed: number;
  readonly wave: number;
  readonly target: number;
  readonly look: number;
  readonly awaits: number;
  readonly perPoll: number;
}

function stepsOf({ steps, calls }: Recorded): Steps {
  const counted = { fixed: 0, wave: 0, target: 0, look: 0, awaits: 0, again: 0, ask: 0 };
  for (const [stack, count] of steps) {
    const main = stack.split(' ')[0] ?? '';
    const last = stack.split(' ').at(-1) ?? '';
    if (stack.includes('wait.')) counted.look += count;
    else if (TARGET_STEPS.has(main)) counted.target += count;
    else if (WAVE_STEPS.has(main)) counted.wave += count;
    else counted.fixed += count;
    if (last === 'wait.until_poked_or_time_to_look') counted.awaits += count;
    if (last === 'until_done.rest' || last === 'until_done.ask_again') counted.again += count;
    if (stack.includes('until_done.') && TARGET_STEPS.has(main)) counted.ask += count;
  }
  const asked = calls.filter(({ by }) => by.split(' ').length === 3);
  const polls = asked.filter(({ isAgain }) => isAgain).length;
  const perAsk = asked.length === 0 ? 0 : (counted.ask - counted.again) / asked.length;
  const perPoll = perAsk + 2;
  return { ...counted, target: counted.target - polls * perPoll, perPoll };
}

function totalOf(recorded: Recorded): Part {
  const { calls, served, uses, steps } = recorded;
  const { awaits } = stepsOf(recorded);
  const all = [...steps.values()].reduce((a, b) => a + b, 0);
  const invocations = Object.fromEntries([...served].map(([name, count]) => [`calls.${name}`, count]));
  const total = sum([...uses.values(), invocations, { 'steps.internal': all - awaits, 'steps.external': awaits }]);
  if (countOf(total, 'calls.') < calls.length) throw new Error('the functions were called more often than they say');
  return rounded(total);
}

function rounded(use: Use): Part {
  const entries = Object.entries(use).map(([name, many]) => [name, Math.round(many * 100) / 100] as const);
  return Object.fromEntries(entries.filter(([, many]) => many !== 0).sort(([a], [b]) => a.localeCompare(b)));
}

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SERVICE_LABEL } from '../../functions/handlers/slo-alert.ts';
import { isFinal } from '../../functions/rollout/record.ts';
import { realClock, sleep } from '../../local/clock.ts';
import { PROJECT } from '../../local/names.ts';
import { Crowd, oneOfTheCrowd, STABLE_IMAGE, stableOf } from './crowd.ts';
import { gkeTargetSpec, gkeTraffic, serveOnGke } from './gke-service.ts';
import {
  describeSchedule,
  drawSchedule,
  randomFrom,
  type Schedule,
  type ServicePlan,
  TROUBLE,
} from './schedule.ts';
import { expectedToServe, FOREIGN, Watcher } from './watcher.ts';

/**
 * The rules that always hold, watched all the time while everything goes wrong: faults on every API, messages twice and
 * out of order, executions and functions that die. `SLIPWAY_SCHEDULES=50` plays more of them,
 * `SLIPWAY_SEED=1234` begins with another seed.
 */
const COUNT = Number(process.env['SLIPWAY_SCHEDULES'] ?? 2);
const FIRST_SEED = Number(process.env['SLIPWAY_SEED'] ?? 1);
const SCHEDULES = Array.from({ length: COUNT }, (_, index) => drawSchedule(FIRST_SEED + index));

const REGIONS = { us: 'us-east4', eu: 'europe-west1' };
const GKE = 'arm';

function policyOf({ name, onBusy }: ServicePlan): object {
  const run = Object.entries(REGIONS).map(([target, region]) => ({
    name: target,
    cloudRun: { project: PROJECT, region, service: name },
  }));
  return oneOfTheCrowd(name, {
    targets: [...run, gkeTargetSpec(name)],
    strategy: {
      waves: [['us', GKE], ['eu']],
      steps: [{ setWeight: 20 }, { pause: { duration: '200ms' } }, { setWeight: 60 }, { pause: {} }],
      progressDeadline: '10s',
      rollbackWindow: '1h',
      onBusy,
    },
    judge: { interval: '500ms', minRequests: 1, maxExtension: '500ms' },
  });
}

let crowd: Crowd;
let broken: string;
/** One for each push of a service: a digest that comes again would hide what became of it before. */
const images: string[] = [];

beforeAll(async () => {
  crowd = await Crowd.open(
    SCHEDULES.flatMap(({ services }) => services.map(policyOf)),
    {
      chaos: true,
      random: randomFrom(FIRST_SEED),
      sweepEverySeconds: 2,
    },
  );
  for (const version of ['one', 'two']) images.push(await crowd.build(version));
  broken = await crowd.build('broken');
  crowd.dataPlane.broken.add(broken);
});
afterAll(() => crowd?.close());

async function serveEverywhere({ name }: ServicePlan): Promise<void> {
  const containers = [{ image: STABLE_IMAGE, env: [FOREIGN.env] }];
  const to = { type: 'TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION', revision: stableOf(name) };
  const change = {
    labels: { team: FOREIGN.label },
    template: { revision: stableOf(name), containers },
    traffic: [
      { ...to, percent: 100 },
      { ...to, tag: FOREIGN.tag },
    ],
  };
  for (const region of Object.values(REGIONS)) await crowd.serve(name, change, region);
  await serveOnGke(crowd.world.cloud, name, STABLE_IMAGE, { team: FOREIGN.label });
  await crowd.world.eventually(
    () => `${name} to serve on GKE`,
    () => {
      const { shares, unready } = gkeTraffic(crowd.world.cloud, name);
      return shares[STABLE_IMAGE] === 100 && unready.length === 0;
    },
  );
}

/** Plays what the schedule says; resolves when the trouble is over. */
async function makeTrouble({ faults, crashMs, services }: Schedule): Promise<void> {
  const { cloud } = crowd.world;
  const at = async (atMs: number, run: () => unknown) => {
    await sleep(realClock, atMs);
    await run();
  };
  const events = services.flatMap(({ name, pushes, killsMs, alertMs }) => [
    ...pushes.map(({ atMs, isBroken }, index) =>
      at(atMs, () => crowd.push(`${name}-${index + 1}`, (isBroken ? broken : images[index]) ?? '')),
    ),
    ...killsMs.map(atMs => at(atMs, () => killAll(name))),
    ...(alertMs === undefined ? [] : [at(alertMs, () => alert(name))]),
  ]);
  if (crashMs !== undefined) {
    events.push(
      at(crashMs, async () => {
        await cloud.functions.crash();
        await cloud.functions.restart();
      }),
    );
  }
  events.push(
    at(TROUBLE.fromMs, () => {
      for (const { api, rule } of faults) cloud.faults[api].inject(rule);
    }),
    at(TROUBLE.untilMs, () => {
      for (const api of Object.values(cloud.faults)) api.clear();
    }),
  );
  await Promise.all(events);
}

async function killAll(service: string): Promise<void> {
  for (const { id } of await crowd.world.rollouts(service)) {
    for (const workflow of ['rollout', 'rollback'] as const) {
      for (const { name = '', state } of crowd.world.executions(workflow, id)) {
        if (state === 'ACTIVE') crowd.world.cloud.cores.workflows.kill(name);
      }
    }
  }
}

function alert(service: string): void {
  for (const state of ['open', 'closed']) {
    const labels = { [SERVICE_LABEL]: service };
    const incident = { incident_id: service, state, policy_name: 'burn', policy_user_labels: labels };
    crowd.world.publish('slo-alerts', { version: '1.2', incident });
  }
}

/** A person at the gates: promotes, or aborts where the plan says so, each gate once. */
class Person {
  readonly #plan: ServicePlan;
  readonly #decided = new Set<string>();

  constructor(plan: ServicePlan) {
    this.#plan = plan;
  }

  async decide(): Promise<void> {
    const { name, aborts } = this.#plan;
    for (const { id, phase, pause, attempt } of await crowd.world.rollouts(name)) {
      const gate = `${id} ${attempt} ${pause?.gate}`;
      if (phase !== 'Paused' || !pause || pause.promotedBy || this.#decided.has(gate)) continue;
      const isAborted = aborts.has(this.#decided.size);
      this.#decided.add(gate);
      const common = { service: name, rollout: id, actor: 'me' };
      const decision = isAborted ? { command: 'abort' } : { command: 'promote', gate: pause.gate };
      crowd.world.publish('rollout-commands', { ...common, ...decision });
    }
  }
}

async function isOver({ name, pushes }: ServicePlan): Promise<boolean> {
  const rollouts = await crowd.world.rollouts(name);
  return rollouts.length === pushes.length && rollouts.every(isFinal);
}

/** Plays the schedule to the end of every rollout. @returns what the watchers saw that must not be, by service */
async function play(schedule: Schedule): Promise<Record<string, string[]>> {
  const { services } = schedule;
  const watchers = services.map(
    ({ name }) => new Watcher(crowd, { service: name, regions: REGIONS, gke: GKE }),
  );
  const people = services.map(plan => new Person(plan));
  for (const watcher of watchers) watcher.start();
  let isTroubled = true;
  const trouble = makeTrouble(schedule).then(async () => {
    await crowd.world.sweep();
    isTroubled = false;
  });
  try {
    await crowd.world.eventually(
      () => `the rollouts of ${services.map(({ name }) => name).join(', ')} to end`,
      async () => {
        for (const person of people) await person.decide();
        const over = await Promise.all(services.map(isOver));
        return !isTroubled && over.every(Boolean);
      },
      60,
    );
  } finally {
    await trouble;
    await Promise.all(watchers.map(watcher => watcher.stop()));
  }
  for (const watcher of watchers) {
    await watcher.look();
    expect(watcher.looks).toBeGreaterThan(50);
  }
  return Object.fromEntries(
    watchers.map(({ violations }, index) => [services[index]?.name, [...violations]]),
  );
}

describe('the rules that always hold', () => {
  test.each(SCHEDULES)('under the schedule of seed $seed', { timeout: 120_000 }, async schedule => {
    const { services } = schedule;
    const story = describeSchedule(schedule);
    await Promise.all(services.map(serveEverywhere));
    const violations = await play(schedule);
    expect(violations, story).toEqual(Object.fromEntries(services.map(({ name }) => [name, []])));
    for (const { name } of services) {
      expect(crowd.dataPlane.imagesOf(name), story).toContain(STABLE_IMAGE);
      await expectMatchingTargets(name, story);
    }
  });
});

async function expectMatchingTargets(service: string, story: string): Promise<void> {
  const rollouts = await crowd.world.rollouts(service);
  const state = await crowd.world.store.read('service', service);
  expect([state?.name, state?.active, state?.waiting], story).toEqual([service, undefined, undefined]);
  const watched = { service, regions: REGIONS, gke: GKE };
  const allTo = (target: string) => ({
    shares: { [expectedToServe(rollouts, state, watched, target)]: 100 },
    unready: [],
  });
  for (const [target, region] of Object.entries(REGIONS)) {
    expect(crowd.traffic(service, region), `${service} on ${target}; ${story}`).toEqual(allTo(target));
  }
  expect(gkeTraffic(crowd.world.cloud, service), `${service} on GKE; ${story}`).toEqual(allTo(GKE));
}

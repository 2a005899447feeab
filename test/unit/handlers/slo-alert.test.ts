import { describe, expect, test } from 'vitest';
import type { Dependencies } from '../../../functions/dependencies.ts';
import { sloAlert } from '../../../functions/handlers/slo-alert.ts';
import { sweep } from '../../../functions/handlers/sweep.ts';
import type { Rollout } from '../../../functions/rollout/record.ts';
import { type RolloutEvent, transition } from '../../../functions/rollout/state.ts';
import { update, type World } from '../../../functions/rollout/world.ts';
import { aService, aWorld, play, START_MS, UNTIL_FIRST_PAUSE, UNTIL_HEALTHY } from '../../worlds.ts';
import { anAlert, anOffice } from './office.ts';

const STABLE = { revision: 'hello-00001', digest: `sha256:${'0'.repeat(64)}` };

/** A rollout of two waves from its first event to the end: whatever can be on record in between is a prefix of it. */
const COURSE: readonly RolloutEvent[] = [
  ...UNTIL_FIRST_PAUSE,
  {
    type: 'looked',
    position: { wave: 0, step: 1 },
    judgement: undefined,
    callback: 'http://callback.invalid/1',
  },
  { type: 'stepped', position: { wave: 0, step: 1 } },
  { type: 'starting', target: 'us', stage: 'weight', weight: 50 },
  done('us', 'weight', 50),
  { type: 'stepped', position: { wave: 0, step: 2 } },
  {
    type: 'looked',
    position: { wave: 0, step: 3 },
    judgement: undefined,
    callback: 'http://callback.invalid/2',
  },
  { type: 'stepped', position: { wave: 0, step: 3 } },
  { type: 'starting', target: 'us', stage: 'promote' },
  done('us', 'promote', 100),
  { type: 'waveEnded', wave: 0 },
  { type: 'starting', target: 'eu', stage: 'deploy' },
  done('eu', 'deploy'),
  done('eu', 'probe'),
  { type: 'starting', target: 'eu', stage: 'weight', weight: 5 },
  done('eu', 'weight', 5),
  { type: 'stepped', position: { wave: 1, step: 0 } },
  {
    type: 'looked',
    position: { wave: 1, step: 1 },
    judgement: undefined,
    callback: 'http://callback.invalid/3',
  },
  { type: 'starting', target: 'eu', stage: 'promote' },
  done('eu', 'promote', 100),
  { type: 'waveEnded', wave: 1 },
  { type: 'completed' },
];

function done(
  target: string,
  stage: 'deploy' | 'probe' | 'weight' | 'promote',
  weight?: number,
): RolloutEvent {
  const progress = { status: 'done', message: 'done' } as const;
  return { type: 'progressed', target, stage, progress, weight, architecture: undefined };
}

function hasTouched([, { rollout }]: readonly [string, World]): boolean {
  return Object.values(rollout.targets).some(({ isTouched }) => isTouched);
}

/** What can be wrong with the execution that owns the record, or should. */
const EXECUTIONS: Readonly<Record<string, Partial<Rollout>>> = {
  'is alive': {},
  'is dead or was cancelled, and nobody has noticed': {
    owner: { kind: 'rollout', execution: 'gone', sinceMs: START_MS },
  },
  'died and has no successor yet': { owner: undefined, launch: undefined },
  'was asked for and never began': {
    owner: undefined,
    launch: { kind: 'rollout', execution: 'never', sinceMs: START_MS },
  },
  'was about to be asked for': {
    owner: undefined,
    launch: { kind: 'rollout', execution: undefined, sinceMs: START_MS },
  },
};

const PLACES = COURSE.map((event, index) => {
  const { world } = play(aWorld(), COURSE.slice(0, index + 1));
  const { phase, position } = world.rollout;
  const name = `after ${index + 1} ${event.type}, ${phase} at wave ${position.wave + 1} step ${position.step + 1}`;
  return [name, world] as const;
});

describe.each(Object.entries(EXECUTIONS))('when the execution %s', (_, change) => {
  test.each(PLACES.filter(hasTouched))('an alert takes it back, %s', async (_place, world) => {
    const before = update(world, change);
    const office = anOffice();
    await office.put(before.rollout, before.service);
    office.nowMs += 60_000;
    await sloAlert(office.deps, anAlert());
    const { phase, epoch, cause, launch } = await office.rollout(before.rollout.id);
    expect({ phase, cause: cause?.kind }).toEqual({ phase: 'RollingBack', cause: 'Alert' });
    expect(epoch).toBe(before.rollout.epoch + 1);
    expect(launch).toMatchObject({ kind: 'rollback', execution: 'execution-1' });
    expect(office.launched).toEqual([`rollback ${before.rollout.id}`]);
  });
});

test.each(PLACES.filter(place => !hasTouched(place)))(
  'an alert is on record and takes nothing back that has touched nothing, %s',
  async (_place, world) => {
    const office = anOffice();
    await office.put(world.rollout, world.service);
    await sloAlert(office.deps, anAlert());
    const { phase, epoch } = await office.rollout(world.rollout.id);
    expect({ phase, epoch }).toEqual({ phase: world.rollout.phase, epoch: world.rollout.epoch });
    expect(office.launched).toEqual([]);
  },
);

test('the table above knows every phase that a rollout can be taken back from', () => {
  const phases = new Set(PLACES.map(([, { rollout }]) => rollout.phase));
  expect(phases).toEqual(new Set(['Progressing', 'Paused', 'Healthy']));
});

test('an alert before the first execution is on record and takes nothing back: nothing has served', async () => {
  const office = anOffice();
  const { rollout, service } = aWorld();
  await office.put(rollout, service);
  await sloAlert(office.deps, anAlert());
  expect((await office.rollout(rollout.id)).phase).toBe('Pending');
  expect((await office.service()).incidents).toHaveProperty('0.a');
});

test('an incident that is told of after its end takes nothing back', async () => {
  const { world } = play(aWorld(), UNTIL_FIRST_PAUSE);
  const office = anOffice();
  await office.put(world.rollout, world.service);
  await sloAlert(office.deps, anAlert('closed'));
  await sloAlert(office.deps, anAlert('open'));
  expect((await office.rollout(world.rollout.id)).phase).toBe('Progressing');
});

describe('when the one that was promoted burns and others wait behind it', () => {
  const healthy = play(aWorld(), UNTIL_HEALTHY).world;
  const next: Rollout = { ...aWorld().rollout, id: 'hello-2', tag: 'v2' };

  test('it is rolled back, and the one in flight that has begun nothing waits again', async () => {
    const office = anOffice();
    await office.put(healthy.rollout, next, { ...healthy.service, active: 'hello-2' });
    await sloAlert(office.deps, anAlert());
    expect((await office.rollout(healthy.rollout.id)).phase).toBe('RollingBack');
    expect(await office.service()).toMatchObject({ active: healthy.rollout.id, waiting: 'hello-2' });
  });

  test('of two behind it the older gives way', async () => {
    const office = anOffice();
    const newest = { ...next, id: 'hello-3', tag: 'v3' };
    await office.put(healthy.rollout, next, newest, {
      ...healthy.service,
      active: 'hello-2',
      waiting: 'hello-3',
    });
    await sloAlert(office.deps, anAlert());
    expect((await office.rollout(healthy.rollout.id)).phase).toBe('RollingBack');
    expect((await office.rollout('hello-2')).phase).toBe('Superseded');
    expect((await office.service()).waiting).toBe('hello-3');
  });

  test('a notification that comes again makes nobody wait', async () => {
    const office = anOffice();
    const incidents = { '0.a': { policy: 'rollout-guard', openedMs: START_MS, closedMs: undefined } };
    await office.put(healthy.rollout, next, { ...healthy.service, active: 'hello-2', incidents });
    await sloAlert(office.deps, anAlert());
    expect((await office.service()).active).toBe('hello-2');
  });
});

test('the one that steps back arms anew: what served then is rolled back', async () => {
  const office = anOffice();
  const healthy = play(aWorld(), UNTIL_HEALTHY).world;
  const armed = play(aWorld(), COURSE.slice(0, 3)).world.rollout;
  await office.put(healthy.rollout, { ...armed, id: 'hello-2' }, { ...healthy.service, active: 'hello-2' });
  await sloAlert(office.deps, anAlert());
  expect((await office.rollout('hello-2')).targets['us']?.stable).toBeUndefined();
});

test('one that has begun nothing does not keep what serves from going back further', async () => {
  const office = anOffice();
  const { world } = play(aWorld(), UNTIL_HEALTHY);
  const targets = Object.fromEntries(
    Object.entries(world.rollout.targets).map(([name, one]) => [
      name,
      { ...one, isTouched: true, status: 'Settled' as const },
    ]),
  );
  const v0 = { ...world.rollout, id: 'hello-0', tag: 'v0', digest: `sha256:${'e'.repeat(64)}` };
  const next: Rollout = { ...aWorld().rollout, id: 'hello-2', tag: 'v2' };
  const frozen = { by: 'me', reason: undefined, sinceMs: START_MS };
  const service = { ...world.service, active: 'hello-2', earlier: ['hello-0'], frozen };
  await office.put({ ...world.rollout, targets }, v0, next, service);
  await sloAlert(office.deps, anAlert());
  expect(office.launched).toEqual(['rollout hello-0']);
  expect(await office.service()).toMatchObject({ active: 'hello-0', waiting: 'hello-2' });
});

test('whoever waits for a service that nobody has gets it with the next sweep', async () => {
  const office = anOffice();
  const { rollout, service } = aWorld();
  await office.put(rollout, { ...service, active: undefined, waiting: rollout.id });
  await sweep(office.deps);
  expect(office.launched).toEqual([`rollout ${rollout.id}`]);
});

describe('while a rollback runs', () => {
  const troubled = transition(
    play(aWorld(), UNTIL_FIRST_PAUSE).world,
    { type: 'troubled', cause: { kind: 'Judge', message: 'worse' } },
    START_MS,
  ).world;

  test('an alert is on record and raises nothing', async () => {
    const running = transition(
      troubled,
      { type: 'begun', workflow: 'rollback', execution: 'back' },
      START_MS,
    ).world;
    const office = anOffice();
    await office.put(running.rollout, running.service);
    await sloAlert(office.deps, anAlert());
    const { epoch, history, cause } = await office.rollout(running.rollout.id);
    expect({ epoch, cause: cause?.kind }).toEqual({ epoch: running.rollout.epoch, cause: 'Judge' });
    expect(history.at(-1)?.reason).toBe('AlertRecorded');
    expect(office.launched).toEqual([]);
  });

  test('one whose execution died goes on with the next sweep', async () => {
    const owner = { kind: 'rollback', execution: 'dead', sinceMs: START_MS } as const;
    const dead = update(troubled, { owner });
    const office = anOffice({ isAlive: async () => false });
    await office.put(dead.rollout, dead.service);
    await sweep(office.deps);
    expect(office.launched).toEqual([`rollback ${dead.rollout.id}`]);
  });
});

test('a hundred alerts at once end in one rollback', async () => {
  const { world } = play(aWorld(), UNTIL_FIRST_PAUSE);
  const office = anOffice();
  await office.put(world.rollout, world.service);
  const alerts = Array.from({ length: 100 }, (_, index) => anAlert('open', `0.${index % 50}`));
  await Promise.all(alerts.map(alert => sloAlert(office.deps, alert)));
  expect(office.launched).toEqual([`rollback ${world.rollout.id}`]);
  expect((await office.rollout(world.rollout.id)).epoch).toBe(world.rollout.epoch + 1);
  expect(Object.keys((await office.service()).incidents)).toHaveLength(50);
});

test('when the rollback cannot be started, the next delivery starts it', async () => {
  const { world } = play(aWorld(), UNTIL_FIRST_PAUSE);
  let isDown = true;
  const office = anOffice({
    launch: async (workflow, rollout) => {
      if (isDown) throw new Error('workflows are away');
      office.launched.push(`${workflow} ${rollout}`);
      return 'one';
    },
  });
  await office.put(world.rollout, world.service);
  const alert = anAlert();
  await expect(sloAlert(office.deps, alert)).rejects.toThrow('workflows are away');
  isDown = false;
  await sloAlert(office.deps, alert);
  expect(office.launched).toEqual([`rollback ${world.rollout.id}`]);
});

describe('after a rollback, with the incident still open', () => {
  /** v2 was promoted over v1 and an alert took it back a moment ago; v1 is settled, v0 was Healthy before. */
  function afterwards(): { world: World; v0: Rollout } {
    const { world } = play(aWorld(), UNTIL_HEALTHY);
    const targets = Object.fromEntries(
      Object.entries(world.rollout.targets).map(([name, one]) => [
        name,
        { ...one, stable: STABLE, status: 'Settled' as const },
      ]),
    );
    const v0 = { ...world.rollout, id: 'hello-0', tag: 'v0', digest: `sha256:${'e'.repeat(64)}` };
    const incidents = { '0.z': { policy: 'rollout-guard', openedMs: START_MS, closedMs: undefined } };
    const service = { ...world.service, earlier: ['hello-0'], restoredMs: START_MS, incidents };
    return { world: { rollout: { ...world.rollout, targets }, service }, v0 };
  }

  test('the one before goes back too, after ten minutes, and the one before that goes out at once', async () => {
    const { world, v0 } = afterwards();
    const office = anOffice();
    await office.put(world.rollout, v0, world.service);
    office.nowMs = START_MS + 9 * 60_000;
    await sweep(office.deps);
    expect(office.launched).toEqual([]);
    office.nowMs = START_MS + 10 * 60_000;
    await sweep(office.deps);
    expect((await office.rollout(world.rollout.id)).phase).toBe('Degraded');
    expect(await office.rollout('hello-0')).toMatchObject({ phase: 'Pending', undoes: world.rollout.id });
    expect(office.launched).toEqual(['rollout hello-0']);
  });

  test('another alert meanwhile changes nothing: what burns may be what was rolled back', async () => {
    const { world, v0 } = afterwards();
    const office = anOffice();
    await office.put(world.rollout, v0, world.service);
    office.nowMs = START_MS + 60_000;
    await sloAlert(office.deps, anAlert('open', '0.y'));
    expect((await office.rollout(world.rollout.id)).phase).toBe('Healthy');
    expect(office.launched).toEqual([]);
  });

  test('another alert later takes it back at once', async () => {
    const { world, v0 } = afterwards();
    const office = anOffice();
    await office.put(world.rollout, v0, { ...world.service, incidents: {} });
    office.nowMs = START_MS + 11 * 60_000;
    await sloAlert(office.deps, anAlert('open', '0.y'));
    expect(office.launched).toEqual(['rollout hello-0']);
  });

  test('an alert does not stop what goes out in its place', async () => {
    const { world, v0 } = afterwards();
    const office = anOffice();
    const back = { ...v0, phase: 'Progressing' as const, undoes: world.rollout.id, windowEndsMs: undefined };
    await office.put(back, { ...world.service, active: 'hello-0', healthy: undefined, earlier: [] });
    await sloAlert(office.deps, anAlert('open', '0.y'));
    expect((await office.rollout('hello-0')).phase).toBe('Progressing');
    expect(office.launched).toEqual(['rollout hello-0']);
  });
});

describe('with onBurn: attribute', () => {
  const strategy = { ...aService().strategy, onBurn: 'attribute' as const };
  const { world } = play(aWorld(aService({ strategy })), UNTIL_FIRST_PAUSE);
  const minutes = [1, 2, 3, 4, 5];
  const measured = (canaryBad: number, stableBad: number) => async () => ({
    targets: {
      us: minutes.map(minute => ({
        endMs: START_MS + minute * 60_000,
        canary: { good: 1000 - canaryBad, bad: canaryBad },
        stable: { good: 10_000 - stableBad, bad: stableBad },
      })),
    },
    newestPointMs: START_MS + 300_000,
    warnings: [],
  });

  async function alerted(measure: Dependencies['measure']) {
    const office = anOffice({ measure });
    await office.put(world.rollout, world.service);
    office.nowMs = START_MS + 6 * 60_000;
    await sloAlert(office.deps, anAlert());
    return { ...(await office.rollout(world.rollout.id)), launched: office.launched };
  }

  test('a rollout is frozen when stable demonstrably burns as badly as the canary', async () => {
    const { phase, heldBy, history, launched } = await alerted(measured(200, 2000));
    expect({ phase, heldBy }).toEqual({ phase: 'Paused', heldBy: 'an SLO alert' });
    expect(history.at(-1)?.message).toMatch(
      /^Frozen by an SLO alert, as stable burns no less than the canary/,
    );
    expect(launched).toEqual([]);
  });

  test('it is rolled back when the canary burns and stable does not', async () => {
    expect((await alerted(measured(200, 10))).phase).toBe('RollingBack');
  });

  test('it is rolled back when nobody can tell', async () => {
    expect((await alerted(async () => ({ targets: {}, newestPointMs: undefined, warnings: [] }))).phase).toBe(
      'RollingBack',
    );
  });
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SERVICE_LABEL } from '../../functions/handlers/slo-alert.ts';
import type { Rollout } from '../../functions/rollout/record.ts';
import { Crowd, canaryOf, oneOfTheCrowd, stableOf } from './crowd.ts';
import { GATED, rawPush } from './world.ts';

/** Pushes, commands and alerts that come while something is under way. One service per test. */

const SUPERSEDE = { strategy: { ...GATED.strategy, onBusy: 'supersede' } };
const NO_WINDOW = { strategy: { ...GATED.strategy, rollbackWindow: '1ms' } };

const SERVICES = [
  ...['queue', 'killed', 'aborted', 'waiting', 'quarantine', 'retry', 'again'].map(name =>
    oneOfTheCrowd(name, GATED),
  ),
  ...['eager', 'overtaken', 'crashed'].map(name => oneOfTheCrowd(name, SUPERSEDE)),
  ...['alerts', 'windowed', 'followed'].map(name => oneOfTheCrowd(name, GATED)),
  oneOfTheCrowd('late', NO_WINDOW),
];

let crowd: Crowd;
const digests: Record<string, string> = {};
/** Services whose next execution of a workflow is killed before its first step. */
const doomed = new Set<string>();

beforeAll(async () => {
  crowd = await Crowd.open(SERVICES, {
    onStep(execution) {
      const { workflows } = crowd.world.cloud.cores;
      const { argument } = workflows.getExecution(execution);
      const [, workflow] = /workflows\/(\w+)\//.exec(execution) ?? [];
      const victim = [...doomed].find(
        one => argument.includes(`"${one.split(' ')[0]}-`) && one.endsWith(` ${workflow}`),
      );
      if (victim === undefined) return;
      doomed.delete(victim);
      workflows.kill(execution);
    },
  });
  for (const version of ['a', 'b', 'c']) digests[version] = await crowd.build(version);
});
afterAll(() => crowd?.close());

/** Pushes version `a`, `b` or `c` under a tag of the service's own. */
function push(service: string, tag: string, version = tag): void {
  crowd.push(`${service}-${tag}`, digests[version] ?? '');
}

function until(service: string, tag: string, isSo?: (rollout: Rollout) => boolean): Promise<Rollout> {
  return crowd.world.until(service, `${service}-${tag}`, isSo);
}

const atGate = ({ phase }: Rollout) => phase === 'Paused';
const waiting = ({ phase, message }: Rollout) => phase === 'Pending' && /^waits/.test(message);

async function startAndPause(service: string): Promise<Rollout> {
  await crowd.serve(service);
  push(service, 'a');
  return until(service, 'a', atGate);
}

function command(name: 'promote' | 'abort' | 'retry', { service, id }: Rollout): void {
  crowd.world.publish('rollout-commands', { command: name, service, rollout: id, actor: 'me' });
}

async function sweep(): Promise<void> {
  expect((await crowd.world.sweep()).status).toBe(204);
}

function kill({ id }: Rollout, workflow: 'rollout' | 'rollback'): void {
  for (const { name = '', state } of crowd.world.executions(workflow, id)) {
    if (state === 'ACTIVE') crowd.world.cloud.cores.workflows.kill(name);
  }
}

function allTo(revision: string) {
  return { shares: { [revision]: 100 }, unready: [] };
}

function times({ history }: Rollout, wanted: string): number {
  return history.filter(({ reason }) => reason === wanted).length;
}

describe.concurrent('a push while a rollout is in flight', () => {
  test('waits, gives way to a newer one, and starts when the first ends', async () => {
    const first = await startAndPause('queue');
    push('queue', 'b');
    await until('queue', 'b', waiting);
    push('queue', 'c');
    expect((await until('queue', 'b')).phase).toBe('Superseded');
    expect((await until('queue', 'c', waiting)).launch).toBeUndefined();
    command('promote', first);
    expect((await until('queue', 'a')).phase).toBe('Healthy');
    const last = await until('queue', 'c', atGate);
    expect(last.targets['us']?.stable?.revision).toBe(canaryOf(first));
    command('promote', last);
    expect((await until('queue', 'c')).phase).toBe('Healthy');
    expect(crowd.traffic('queue')).toEqual(allTo(canaryOf(last)));
  });

  test('starts after the first, whose execution was killed at its gate', async () => {
    const first = await startAndPause('killed');
    push('killed', 'b');
    await until('killed', 'b', waiting);
    kill(first, 'rollout');
    await sweep();
    command('promote', await until('killed', 'a', ({ owner }) => owner !== undefined));
    expect((await until('killed', 'a')).phase).toBe('Healthy');
    command('promote', await until('killed', 'b', atGate));
    expect((await until('killed', 'b')).phase).toBe('Healthy');
  });

  test('starts after the first, which was killed and then aborted, without a sweep', async () => {
    const first = await startAndPause('aborted');
    push('aborted', 'b');
    await until('aborted', 'b', waiting);
    kill(first, 'rollout');
    command('abort', first);
    expect((await until('aborted', 'a')).phase).toBe('Degraded');
    const second = await until('aborted', 'b', atGate);
    expect(second.targets['us']?.stable?.revision).toBe(stableOf('aborted'));
  });

  test('may be aborted itself, and the first stays the one in flight', async () => {
    const first = await startAndPause('waiting');
    push('waiting', 'b');
    command('abort', await until('waiting', 'b', waiting));
    expect((await until('waiting', 'b')).phase).toBe('Superseded');
    push('waiting', 'c');
    await until('waiting', 'c', waiting);
    command('promote', first);
    expect((await until('waiting', 'a')).phase).toBe('Healthy');
    await until('waiting', 'c', atGate);
  });

  test('of the digest that fails is refused when its turn comes', async () => {
    const first = await startAndPause('quarantine');
    push('quarantine', 'same', 'a');
    await until('quarantine', 'same', waiting);
    command('abort', first);
    expect((await until('quarantine', 'a')).phase).toBe('Degraded');
    const refused = await until('quarantine', 'same');
    expect(refused).toMatchObject({ phase: 'Rejected', message: expect.stringMatching(/quarantine/) });
    expect(refused.targets['us']?.isTouched).toBe(false);
    expect(crowd.traffic('quarantine')).toEqual(allTo(stableOf('quarantine')));
    push('quarantine', 'b');
    await until('quarantine', 'b', atGate);
  });

  test('keeps its place when somebody retries an older one', async () => {
    const failed = await startAndPause('retry');
    command('abort', failed);
    await until('retry', 'a');
    push('retry', 'b');
    const second = await until('retry', 'b', atGate);
    push('retry', 'c');
    await until('retry', 'c', waiting);
    command('retry', failed);
    const refused = await until('retry', 'a', rollout => times(rollout, 'CommandRefused') === 1);
    expect(refused.phase).toBe('Degraded');
    command('promote', second);
    await until('retry', 'c', atGate);
  });
});

describe.concurrent('a push with onBusy: supersede', () => {
  test('takes the running one back, without quarantine, and starts then', async () => {
    const first = await startAndPause('eager');
    push('eager', 'b');
    const overtaken = await until('eager', 'a');
    expect(overtaken.phase).toBe('Superseded');
    expect((await crowd.world.store.read('service', 'eager'))?.quarantine).toEqual({});
    const second = await until('eager', 'b', atGate);
    expect(second.targets['us']?.stable?.revision).toBe(stableOf('eager'));
    const restoredMs = overtaken.history.find(({ reason }) => reason === 'RolledBack')?.atMs ?? 0;
    const startedMs = second.history.find(({ reason }) => reason === 'RolloutStarted')?.atMs ?? 0;
    expect(startedMs).toBeGreaterThanOrEqual(restoredMs);
    expect(crowd.traffic('eager').shares[canaryOf(first)]).toBeUndefined();
    command('promote', second);
    expect((await until('eager', 'b')).phase).toBe('Healthy');
  });

  test('does so when both executions of the running one are killed', async () => {
    const first = await startAndPause('overtaken');
    kill(first, 'rollout');
    doomed.add('overtaken rollback');
    push('overtaken', 'b');
    await crowd.world.eventually(
      () => 'the rollback to be killed',
      () => !doomed.has('overtaken rollback'),
    );
    await sweep();
    expect((await until('overtaken', 'a')).phase).toBe('Superseded');
    command('promote', await until('overtaken', 'b', atGate));
    expect((await until('overtaken', 'b')).phase).toBe('Healthy');
    expect(crowd.traffic('overtaken').shares[canaryOf(first)]).toBeUndefined();
  });
});

function rollbacksOf({ id }: Rollout) {
  return crowd.world.executions('rollback', id);
}

/** An alert notification of Cloud Monitoring. */
function alert(service: string, incident: string, state: 'open' | 'closed' = 'open'): object {
  const labels = { [SERVICE_LABEL]: service };
  return {
    version: '1.2',
    incident: { incident_id: incident, state, policy_name: 'burn', policy_user_labels: labels },
  };
}

describe.concurrent('an SLO alert', () => {
  test('that comes a hundred times, alike and different, rolls back once', async () => {
    const first = await startAndPause('alerts');
    for (let index = 0; index < 50; index++) {
      crowd.world.publish('slo-alerts', alert('alerts', 'same'));
      crowd.world.publish('slo-alerts', alert('alerts', `incident-${index}`));
    }
    const ended = await until('alerts', 'a');
    expect(ended.phase).toBe('Degraded');
    // Those that come when all is over are on record with the service.
    await crowd.world.eventually(
      () => 'all 51 incidents to be on record',
      async () =>
        Object.keys((await crowd.world.store.read('service', 'alerts'))?.incidents ?? {}).length === 51,
    );
    const all = await until('alerts', 'a');
    expect(times(all, 'RollingBack')).toBe(1);
    expect(times(all, 'TargetRestored')).toBe(1);
    await crowd.world.eventually(
      () => 'the rollbacks to end',
      () => rollbacksOf(first).every(({ state }) => state === 'SUCCEEDED'),
    );
    expect(rollbacksOf(first)).toHaveLength(1);
    expect(crowd.traffic('alerts')).toEqual(allTo(stableOf('alerts')));
  });

  test('inside the rollback window takes a promoted rollout back', async () => {
    const first = await startAndPause('windowed');
    command('promote', first);
    expect((await until('windowed', 'a')).phase).toBe('Healthy');
    expect(crowd.traffic('windowed')).toEqual(allTo(canaryOf(first)));
    crowd.world.publish('slo-alerts', alert('windowed', 'one'));
    await until('windowed', 'a', ({ phase }) => phase === 'Degraded');
    expect(crowd.traffic('windowed')).toEqual(allTo(stableOf('windowed')));
  });

  test('after the rollback window is recorded and changes nothing', async () => {
    const first = await startAndPause('late');
    command('promote', first);
    expect((await until('late', 'a')).phase).toBe('Healthy');
    crowd.world.publish('slo-alerts', alert('late', 'one'));
    const noted = await until('late', 'a', rollout => times(rollout, 'AlertRecorded') === 1);
    expect(noted.phase).toBe('Healthy');
    expect(crowd.traffic('late')).toEqual(allTo(canaryOf(first)));
  });

  test('that is delivered again is not about the next rollout', async () => {
    await startAndPause('followed');
    const opened = rawPush('slo-alerts', alert('followed', 'one'), 'alert-1');
    await crowd.world.post('sloAlert', 'slo-alerts', opened);
    expect((await until('followed', 'a')).phase).toBe('Degraded');
    await crowd.world.post(
      'sloAlert',
      'slo-alerts',
      rawPush('slo-alerts', alert('followed', 'one', 'closed'), 'alert-2'),
    );
    push('followed', 'b');
    const next = await until('followed', 'b', atGate);
    await crowd.world.post('sloAlert', 'slo-alerts', opened);
    command('promote', next);
    expect((await until('followed', 'b')).phase).toBe('Healthy');
  });
});

describe('a promote', () => {
  test('that is delivered again does not open the gate of the next rollout', async () => {
    await startAndPause('again');
    push('again', 'b');
    await until('again', 'b', waiting);
    const promote = rawPush(
      'rollout-commands',
      { command: 'promote', service: 'again', actor: 'me' },
      'promote-1',
    );
    await crowd.world.post('command', 'rollout-commands', promote);
    expect((await until('again', 'a')).phase).toBe('Healthy');
    await until('again', 'b', atGate);
    await crowd.world.post('command', 'rollout-commands', promote);
    const second = await until('again', 'b', atGate);
    expect(times(second, 'RolloutPromoted')).toBe(0);
    expect(second.pause?.promotedBy).toBeUndefined();
  });
});

describe('when the functions crash', () => {
  test('between the record of a push and its way, the push that comes again makes way', async () => {
    const { functions, faults } = crowd.world.cloud;
    const first = await startAndPause('crashed');
    const publish = { methods: ['POST'], path: /rollout-events/ };
    const stopHanging = faults.pubsub.inject({ ...publish, fault: { kind: 'hang' } });
    push('crashed', 'b');
    await until('crashed', 'b', waiting);
    await functions.crash();
    stopHanging();
    faults.pubsub.clear();
    await functions.restart();
    expect((await until('crashed', 'a')).phase).toBe('Superseded');
    await until('crashed', 'b', atGate);
    expect(crowd.traffic('crashed').shares[canaryOf(first)]).toBeUndefined();
  });
});

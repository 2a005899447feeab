import { afterAll, beforeAll, expect, test } from 'vitest';
import { sendByFetch } from '../../local/workflows/send.ts';
import { aPolicyService, E2eWorld, GATED } from './world.ts';

/** Every message twice and in any order, every call of an activity twice. */
let world: E2eWorld;
beforeAll(async () => {
  world = await E2eWorld.open([aPolicyService('hello', GATED)], {
    chaos: true,
    async send(request) {
      await sendByFetch(request);
      return sendByFetch(request);
    },
  });
});
afterAll(() => world.close());

test('events and activities that come twice and out of order end as if they came once', async () => {
  await world.push({ service: 'hello', tag: 'v1' });
  expect((await world.until('hello', 'v1')).phase).toBe('Healthy');

  await world.push({ service: 'hello', tag: 'v2' });
  const { id } = await world.until('hello', 'v2', ({ phase }) => phase === 'Paused');
  world.publish('rollout-commands', { command: 'promote', service: 'hello', rollout: id, actor: 'me' });
  const good = await world.until('hello', 'v2');
  expect(good.phase).toBe('Healthy');
  const reasons = good.history.map(({ reason }) => reason);
  for (const once of [
    'RolloutStarted',
    'TrafficWeightUpdated',
    'CanaryPauseStep',
    'RolloutPromoted',
    'TargetPromoted',
    'RolloutCompleted',
  ]) {
    expect(
      reasons.filter(reason => reason === once),
      once,
    ).toHaveLength(1);
  }
  const revisions = world.cloud.cores.run.listRevisions({
    project: 'acme',
    region: 'us-east4',
    service: 'hello',
  });
  expect(revisions).toHaveLength(2);
});

test('a rollback that is asked for twice happens once', async () => {
  await world.push({ service: 'hello', tag: 'v3' });
  const { id } = await world.until('hello', 'v3', ({ phase }) => phase === 'Paused');
  world.publish('rollout-commands', { command: 'abort', service: 'hello', rollout: id, actor: 'me' });
  const aborted = await world.until('hello', 'v3');
  expect(aborted.phase).toBe('Degraded');
  expect(aborted.history.filter(({ reason }) => reason === 'TargetRestored')).toHaveLength(1);
  const [live] = world.cloud.cores.run
    .backendsOf('acme', 'us-east4', 'hello')
    .filter(({ weight }) => weight > 0);
  const stable = aborted.targets['us']?.stable?.revision;
  expect(live?.by).toMatchObject({ revision: stable });
});

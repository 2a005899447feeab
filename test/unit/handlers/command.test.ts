import { describe, expect, test } from 'vitest';
import { command } from '../../../functions/handlers/command.ts';
import type { Registry } from '../../../functions/image/registry.ts';
import { rolloutId } from '../../../functions/rollout/admission.ts';
import type { Rollout } from '../../../functions/rollout/record.ts';
import {
  aPush,
  aService,
  aWorld,
  DIGEST,
  play,
  START_MS,
  sentences,
  UNTIL_GATE,
  UNTIL_HEALTHY,
} from '../../worlds.ts';
import { aMessage, anOffice, type Office } from './office.ts';

function give(office: Office, body: object, topic = 'rollout-commands'): Promise<void> {
  const publishedMs = office.nowMs;
  return command(office.deps, aMessage(topic, { service: 'hello', actor: 'me', ...body }, publishedMs));
}

async function problems(office: Office): Promise<string[]> {
  return (await office.store.list('deadMessage')).map(({ problem }) => problem);
}

/** v1 serves and is settled, v0 was Healthy before it. */
async function settled(office: Office): Promise<Rollout> {
  const { world } = play(aWorld(), UNTIL_HEALTHY);
  const targets = Object.fromEntries(
    Object.entries(world.rollout.targets).map(([name, one]) => [
      name,
      { ...one, status: 'Settled' as const },
    ]),
  );
  const rollout = { ...world.rollout, targets };
  const v0 = { ...rollout, id: 'hello-0', tag: 'v0', digest: `sha256:${'e'.repeat(64)}` };
  await office.put(rollout, v0, { ...world.service, earlier: ['hello-0'] });
  return rollout;
}

describe('undo', () => {
  test('of what is settled puts the digest before it out again, at once', async () => {
    const office = anOffice();
    const { id } = await settled(office);
    await give(office, { command: 'undo', reason: 'looks odd' });
    expect(await office.rollout('hello-0')).toMatchObject({ phase: 'Pending', undoes: id, isFull: true });
    expect(await office.rollout(id)).toMatchObject({
      phase: 'Degraded',
      cause: { kind: 'Undo', message: 'undo by me (looks odd)' },
    });
    expect(office.launched).toEqual(['rollout hello-0']);
  });

  test('of what serves makes one that has begun nothing wait', async () => {
    const office = anOffice();
    const { world } = play(aWorld(), UNTIL_HEALTHY);
    const next: Rollout = { ...aWorld().rollout, id: 'hello-2', tag: 'v2' };
    await office.put(world.rollout, next, { ...world.service, active: 'hello-2' });
    await give(office, { command: 'undo' });
    expect((await office.rollout(world.rollout.id)).phase).toBe('RollingBack');
    expect(await office.service()).toMatchObject({ active: world.rollout.id, waiting: 'hello-2' });
  });

  test('delivered twice is done once', async () => {
    const office = anOffice();
    await settled(office);
    await give(office, { command: 'undo', id: 'one' });
    await give(office, { command: 'undo', id: 'one' });
    expect((await office.rollout('hello-0')).phase).toBe('Pending');
    expect(office.launched).toEqual(['rollout hello-0']);
  });

  test('given again while the earlier digest goes out does not bring the bad one back', async () => {
    const office = anOffice();
    const { id } = await settled(office);
    await give(office, { command: 'undo', id: 'one' });
    const back = await office.rollout('hello-0');
    await office.put({ ...back, phase: 'Progressing' });
    await give(office, { command: 'undo', id: 'two' });
    const { phase, history } = await office.rollout('hello-0');
    expect(phase).toBe('Progressing');
    expect(history.at(-1)?.message).toBe(`undo does not apply: v0 is the way back from ${id} already`);
  });

  test('goes past a rollout of the same digest under another tag', async () => {
    const office = anOffice();
    const rollout = await settled(office);
    const latest = { ...rollout, id: 'hello-latest', tag: 'latest' };
    await office.put(latest, { ...(await office.service()), earlier: ['hello-0', 'hello-latest'] });
    await give(office, { command: 'undo' });
    expect(office.launched).toEqual(['rollout hello-0']);
  });

  test('with nothing before it says so, once', async () => {
    const office = anOffice();
    const { id } = await settled(office);
    await office.put({ ...(await office.service()), earlier: [] });
    await give(office, { command: 'undo', id: 'one' });
    await give(office, { command: 'undo', id: 'one' });
    const refusals = (await office.rollout(id)).history.filter(({ reason }) => reason === 'CommandRefused');
    expect(refusals.map(({ message }) => message)).toEqual([
      `undo does not apply: nothing that was Healthy before ${id} is on record`,
    ]);
  });
});

describe('rollout', () => {
  const digest = `sha256:${'d'.repeat(64)}`;
  const registry = (): Registry => {
    throw new Error('the registry was asked');
  };

  test('starts a digest by hand: it is verified like a pushed one', async () => {
    const office = anOffice({ registry: async () => registry() });
    await expect(give(office, { command: 'rollout', digest })).rejects.toThrow('the registry was asked');
  });

  test('of a digest that was rolled out before starts a new attempt of it, and says who asked', async () => {
    const office = anOffice();
    const { rollout, service } = play(aWorld(), UNTIL_HEALTHY).world;
    const other = { ...service, healthy: undefined, active: undefined };
    await office.put({ ...rollout, phase: 'Degraded' }, other);
    office.nowMs += 60_000;
    await give(office, { command: 'rollout', digest: DIGEST, tag: 'v1', reason: 'back to it' });
    const again = await office.rollout(rolloutId('hello', aPush()));
    expect(again).toMatchObject({ phase: 'Pending', attempt: 2, startedBy: 'me (back to it)' });
    expect(sentences(again).at(-1)).toBe('v1 was started by me (back to it) again');
    expect(office.launched).toEqual([`rollout ${again.id}`]);
  });

  test('given twice with one id is one attempt, and what does not apply says so', async () => {
    const office = anOffice();
    const { rollout, service } = play(aWorld(), UNTIL_HEALTHY).world;
    await office.put({ ...rollout, phase: 'Degraded' }, { ...service, healthy: undefined });
    office.nowMs += 60_000;
    await give(office, { command: 'rollout', digest: DIGEST, tag: 'v1', id: 'one' });
    office.nowMs += 60_000;
    await give(office, { command: 'rollout', digest: DIGEST, tag: 'v1', id: 'one' });
    expect((await office.rollout(rollout.id)).attempt).toBe(2);
    await give(office, { command: 'rollout', digest: DIGEST, tag: 'v1', id: 'two' });
    expect((await office.rollout(rollout.id)).history.at(-1)).toMatchObject({
      reason: 'CommandRefused',
      message: 'rollout by me does not apply: it is Pending already',
    });
  });

  test('of what is no digest is refused', async () => {
    const office = anOffice();
    await give(office, { command: 'rollout', digest: 'v1' });
    expect((await problems(office))[0]).toContain('expected sha256: and 64 hexadecimal digits');
  });
});

describe('freeze and unfreeze', () => {
  test('hold a service that has had no rollout yet, and tell it as events', async () => {
    const office = anOffice();
    await give(office, { command: 'freeze', reason: 'audit' });
    expect((await office.service()).frozen).toEqual({ by: 'me', reason: 'audit', sinceMs: START_MS });
    await give(office, { command: 'unfreeze' });
    expect((await office.service()).frozen).toBeUndefined();
    expect(office.published.map(({ type }) => type)).toEqual([
      'dev.slipway.service.frozen.0.1.0',
      'dev.slipway.service.unfrozen.0.1.0',
    ]);
  });

  test('are told by the rollout that is in flight, which is woken', async () => {
    const office = anOffice();
    const { rollout, service } = play(aWorld(), UNTIL_GATE).world;
    await office.put(rollout, service);
    await give(office, { command: 'freeze' });
    expect((await office.rollout(rollout.id)).history.at(-1)).toMatchObject({
      reason: 'ServiceFrozen',
      message: 'me: freeze hello',
    });
    expect(office.poked).toEqual(['http://callback.invalid/1']);
  });

  test('letting go starts what waited', async () => {
    const office = anOffice();
    const { rollout, service } = aWorld();
    await office.put(rollout, service);
    await give(office, { command: 'freeze' });
    expect(office.launched).toEqual([]);
    await give(office, { command: 'unfreeze' });
    expect(office.launched).toEqual([`rollout ${rollout.id}`]);
  });
});

describe('a command', () => {
  test('on the topic of another trust domain is refused', async () => {
    const office = anOffice({
      policy: async () => ({
        services: [aService({ commandsTopic: 'payments-commands' })],
        notifications: [],
      }),
    });
    await give(office, { command: 'freeze' });
    expect(await problems(office)).toEqual([
      'commands for hello are taken from topic payments-commands only',
    ]);
    await give(office, { command: 'freeze' }, 'payments-commands');
    expect((await office.service()).frozen?.by).toBe('me');
  });

  test('for a service that is not in the policy says which there are', async () => {
    const office = anOffice();
    await give(office, { command: 'promote', service: 'helo' });
    expect(await problems(office)).toEqual(['there is no service helo; the policy has hello']);
  });

  test.each([
    [{ command: 'promot' }, /expected one of promote, pause, resume, abort, retry, undo, rollout, drain/],
    [{ command: 'freeze', gate: 'wave 1 step 2' }, /Unrecognized key: "gate"/],
    [{ command: 'drain' }, /expected the name of a target/],
    [{ command: 'abort', actor: undefined }, /expected who gives the command/],
  ])('that makes no sense is put aside with what was expected: %o', async (body, problem) => {
    const office = anOffice();
    await give(office, body);
    expect((await problems(office))[0]).toMatch(problem);
  });

  test('retry starts the new attempt with the policy of today', async () => {
    const strategy = { ...aService().strategy, progressDeadline: 1234 };
    const office = anOffice({
      policy: async () => ({ services: [aService({ strategy })], notifications: [] }),
    });
    const { rollout, service } = play(aWorld(), UNTIL_GATE).world;
    await office.put({ ...rollout, phase: 'Degraded' }, { ...service, active: undefined });
    await give(office, { command: 'retry' });
    expect((await office.rollout(rollout.id)).spec.strategy.progressDeadline).toBe(1234);
  });
});

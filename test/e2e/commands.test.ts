import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Rollout } from '../../functions/rollout/record.ts';
import { Crowd, canaryOf, oneOfTheCrowd, stableOf } from './crowd.ts';
import { GATED } from './world.ts';

/** What people say, and what comes of it on the targets. One service per test. */

const NO_WINDOW = { strategy: { ...GATED.strategy, rollbackWindow: '1ms' } };
const ALWAYS_CLOSED = { ...GATED, windows: [{}] };
/** How often a held rollout is looked at. */
const JUDGED = { interval: '1s' };

const SERVICES = [
  oneOfTheCrowd('frozen', GATED),
  oneOfTheCrowd('queued', GATED),
  oneOfTheCrowd('stepping', {
    strategy: {
      ...GATED.strategy,
      steps: [{ setWeight: 10 }, { pause: { duration: '500ms' } }, { setWeight: 50 }],
    },
    judge: JUDGED,
  }),
  oneOfTheCrowd('closed', ALWAYS_CLOSED),
  oneOfTheCrowd('undone', NO_WINDOW),
  oneOfTheCrowd('byhand', GATED),
];

let crowd: Crowd;
const digests: Record<string, string> = {};

beforeAll(async () => {
  crowd = await Crowd.open(SERVICES);
  for (const version of ['a', 'b']) digests[version] = await crowd.build(version);
});
afterAll(() => crowd?.close());

function push(service: string, tag: string): void {
  crowd.push(`${service}-${tag}`, digests[tag] ?? '');
}

function until(service: string, tag: string, isSo?: (rollout: Rollout) => boolean): Promise<Rollout> {
  return crowd.world.until(service, tag, isSo);
}

function give(service: string, command: string, change: object = {}): void {
  crowd.world.publish('rollout-commands', { service, command, actor: 'me', ...change });
}

const atGate = ({ phase, message }: Rollout) => phase === 'Paused' && message.includes('waiting for promote');
const isHeld = ({ message }: Rollout) => message.includes('is frozen by me');

async function promoted(service: string, tag: string): Promise<Rollout> {
  push(service, tag);
  await until(service, `${service}-${tag}`, atGate);
  give(service, 'promote');
  return until(service, `${service}-${tag}`, ({ phase }) => phase === 'Healthy');
}

describe.concurrent('freeze', () => {
  test('keeps a gate shut that somebody promotes, until the service is let go', async () => {
    await crowd.serve('frozen');
    push('frozen', 'a');
    const gated = await until('frozen', 'frozen-a', atGate);
    give('frozen', 'freeze');
    await until('frozen', 'frozen-a', isHeld);
    give('frozen', 'promote');
    const told = await until('frozen', 'frozen-a', ({ pause }) => pause?.promotedBy === 'me');
    expect(told.phase).toBe('Paused');
    expect(crowd.traffic('frozen').shares[canaryOf(gated)]).toBe(50);
    give('frozen', 'unfreeze');
    expect((await until('frozen', 'frozen-a')).phase).toBe('Healthy');
  });

  test('lets a push wait, and starts it when the service is let go', async () => {
    await crowd.serve('queued');
    give('queued', 'freeze');
    await crowd.world.eventually(
      () => 'the service to be frozen',
      async () => (await crowd.world.store.read('service', 'queued'))?.frozen !== undefined,
    );
    push('queued', 'a');
    const waiting = await until('queued', 'queued-a', isHeld);
    expect(waiting.phase).toBe('Pending');
    expect(waiting.launch).toBeUndefined();
    give('queued', 'unfreeze');
    await until('queued', 'queued-a', atGate);
  });

  test('raises no weight any more, although no gate is left, and an abort goes through', async () => {
    await crowd.serve('stepping');
    push('stepping', 'a');
    await until('stepping', 'stepping-a', ({ targets }) => targets['us']?.weight === 10);
    give('stepping', 'freeze');
    const held = await until(
      'stepping',
      'stepping-a',
      rollout => rollout.phase === 'Paused' && isHeld(rollout),
    );
    expect(crowd.traffic('stepping').shares).toEqual({ [stableOf('stepping')]: 90, [canaryOf(held)]: 10 });
    give('stepping', 'abort');
    expect((await until('stepping', 'stepping-a')).phase).toBe('Degraded');
    expect(crowd.traffic('stepping').shares).toEqual({ [stableOf('stepping')]: 100 });
  });
});

test.concurrent('a window of the policy lets a push wait, and promote --full does not', async () => {
  await crowd.serve('closed');
  push('closed', 'a');
  const waiting = await until('closed', 'closed-a', ({ message }) =>
    /^waits: nothing advances/.test(message),
  );
  expect(waiting.message).toBe(
    'waits: nothing advances every day 00:00 to 24:00 UTC; promote --full does not wait',
  );
  give('closed', 'promote', { full: true });
  expect((await until('closed', 'closed-a')).phase).toBe('Healthy');
});

test.concurrent('undo, when the way back is closed, puts the revision before it in place', async () => {
  await crowd.serve('undone');
  const first = await promoted('undone', 'a');
  const second = await promoted('undone', 'b');
  await crowd.world.eventually(
    () => 'the way back to be closed',
    async () => {
      await crowd.world.sweep();
      return (await crowd.world.store.read('rollout', second.id))?.targets['us']?.status === 'Settled';
    },
  );
  give('undone', 'undo');
  await until('undone', 'undone-a', ({ phase, undoes }) => phase === 'Healthy' && undoes === second.id);
  expect((await until('undone', 'undone-b')).phase).toBe('Degraded');
  expect(crowd.traffic('undone').shares).toEqual({ [canaryOf(first)]: 100 });
  expect((await crowd.world.store.read('service', 'undone'))?.quarantine).toHaveProperty(second.digest);
});

test.concurrent('rollout starts a digest that nobody pushed with a tag', async () => {
  await crowd.serve('byhand');
  give('byhand', 'rollout', { digest: digests['a'], reason: 'a drill' });
  const tag = (digests['a'] ?? '').slice('sha256:'.length, 'sha256:'.length + 12);
  const started = await until('byhand', tag, atGate);
  expect(started.startedBy).toBe('me (a drill)');
  give('byhand', 'promote');
  expect((await until('byhand', tag)).phase).toBe('Healthy');
});

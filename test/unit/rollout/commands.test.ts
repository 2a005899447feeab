import { describe, expect, test } from 'vitest';
import { applyCommand, type RolloutCommand } from '../../../functions/rollout/commands.ts';
import { transition } from '../../../functions/rollout/state.ts';
import {
  aService,
  aWorld,
  BEGUN,
  play,
  START_MS,
  sentences,
  UNTIL_FIRST_PAUSE,
  UNTIL_GATE,
  UNTIL_HEALTHY,
} from '../../worlds.ts';

function given(
  command: RolloutCommand['command'],
  change: Partial<RolloutCommand & { id: string }> = {},
): RolloutCommand & { id: string } {
  return { id: 'm1', command, service: 'hello', full: false, actor: 'ops@example.com', ...change };
}

const LOOK = {
  type: 'looked',
  position: { wave: 0, step: 3 },
  judgement: undefined,
  callback: undefined,
} as const;

describe('promote', () => {
  test('opens the gate that is shut and wakes the execution', () => {
    const { world, actions } = applyCommand(play(aWorld(), UNTIL_GATE).world, given('promote'), START_MS);
    expect(actions).toEqual([{ do: 'poke', callback: 'http://callback.invalid/1' }]);
    expect(transition(world, LOOK, START_MS).world.rollout.position).toEqual({ wave: 0, step: 4 });
  });

  test('delivered twice opens one gate', () => {
    const once = applyCommand(play(aWorld(), UNTIL_GATE).world, given('promote'), START_MS).world;
    const opened = transition(once, LOOK, START_MS).world;
    const nextGate = {
      ...opened,
      rollout: {
        ...opened.rollout,
        pause: { gate: 'wave 2 step 4', openedMs: 0, untilMs: undefined, promotedBy: undefined },
      },
    };
    expect(applyCommand(nextGate, given('promote'), START_MS).world).toBe(nextGate);
  });

  test('delivered again does not find the next rollout in flight', () => {
    const first = applyCommand(play(aWorld(), UNTIL_GATE).world, given('abort'), START_MS).world;
    const next = play(aWorld(), UNTIL_GATE).world;
    const later = { ...next, service: { ...next.service, handled: first.service.handled } };
    expect(applyCommand(later, given('abort'), START_MS).world).toBe(later);
  });

  test('for another gate is refused and says at which the rollout waits', () => {
    const { world } = applyCommand(
      play(aWorld(), UNTIL_GATE).world,
      given('promote', { gate: 'wave 2 step 4' }),
      START_MS,
    );
    expect(world.rollout.pause?.promotedBy).toBeUndefined();
    expect(sentences(world.rollout).at(-1)).toBe(
      'promote does not apply: it is for wave 2 step 4, but the rollout waits at wave 1 step 4',
    );
  });

  test('is not lost when the execution dies before it looks', () => {
    const promoted = applyCommand(play(aWorld(), UNTIL_GATE).world, given('promote'), START_MS).world;
    const revived = play(promoted, [
      { type: 'died', execution: 'one' },
      { ...BEGUN, execution: 'two' },
      LOOK,
    ]).world;
    expect(revived.rollout.position).toEqual({ wave: 0, step: 4 });
  });

  test('with nothing to open is refused', () => {
    const { world } = applyCommand(play(aWorld(), UNTIL_FIRST_PAUSE).world, given('promote'), START_MS);
    expect(sentences(world.rollout).at(-1)).toBe('promote does not apply: no gate or pause is waiting');
  });

  test('--full opens everything that is left', () => {
    const full = applyCommand(
      play(aWorld(), UNTIL_FIRST_PAUSE).world,
      given('promote', { full: true }),
      START_MS,
    ).world;
    const look = { ...LOOK, position: { wave: 0, step: 1 } };
    expect(transition(full, look, START_MS).world.rollout.position.step).toBe(2);
  });
});

describe('pause and resume', () => {
  test('a held rollout does not pass a pause whose time is up', () => {
    const held = applyCommand(play(aWorld(), UNTIL_FIRST_PAUSE).world, given('pause'), START_MS).world;
    const look = { ...LOOK, position: { wave: 0, step: 1 } };
    const stayed = transition(transition(held, look, START_MS).world, look, START_MS + 1e9).world;
    expect(stayed.rollout).toMatchObject({
      phase: 'Paused',
      position: { step: 1 },
      heldBy: 'ops@example.com',
    });
    const resumed = applyCommand(stayed, given('resume', { id: 'm2' }), START_MS).world;
    expect(resumed.rollout.heldBy).toBeUndefined();
  });
});

test('pause is refused where nothing is left to hold', () => {
  const promoting = play(aWorld(), [
    ...UNTIL_FIRST_PAUSE,
    { type: 'starting', target: 'us', stage: 'promote' },
    { type: 'starting', target: 'eu', stage: 'promote' },
  ]).world;
  const { world } = applyCommand(promoting, given('pause'), START_MS);
  expect(world.rollout.heldBy).toBeUndefined();
  expect(sentences(world.rollout).at(-1)).toBe(
    'pause does not apply: nothing is left to hold; abort takes it back',
  );
});

test('retry is refused while another rollout waits for its turn', () => {
  const aborted = applyCommand(play(aWorld(), UNTIL_GATE).world, given('abort'), START_MS).world;
  const degraded = play(aborted, [{ type: 'restored' }]).world;
  const busy = { ...degraded, service: { ...degraded.service, active: 'hello-a', waiting: 'hello-b' } };
  const { world } = applyCommand(busy, given('retry', { id: 'm2' }), START_MS, aService());
  expect(world.service.waiting).toBe('hello-b');
  expect(sentences(world.rollout).at(-1)).toContain('hello-b waits for its turn');
});

describe('abort, undo and retry', () => {
  test('abort takes the rollout back and says who asked', () => {
    const { world } = applyCommand(
      play(aWorld(), UNTIL_GATE).world,
      given('abort', { reason: 'wrong branch' }),
      START_MS,
    );
    expect(world.rollout.phase).toBe('RollingBack');
    expect(world.rollout.cause).toMatchObject({
      kind: 'Abort',
      message: 'abort by ops@example.com (wrong branch)',
    });
  });

  test('undo takes a promoted rollout back as long as what served before stands beside it', () => {
    const healthy = play(aWorld(), UNTIL_HEALTHY).world;
    for (const afterMs of [60_000, 1e8]) {
      const { rollout } = applyCommand(healthy, given('undo'), START_MS + afterMs).world;
      expect(rollout.phase).toBe('RollingBack');
    }
    const settled = transition(healthy, { type: 'settled', target: 'us', message: '' }, START_MS).world;
    const late = applyCommand(settled, given('undo'), START_MS + 60_000).world.rollout;
    expect(late.phase).toBe('Healthy');
    expect(sentences(late).at(-1)).toBe('undo does not apply: its way back is closed');
  });

  test('abort takes a promoted rollout back while its window is open, and not after', () => {
    const healthy = play(aWorld(), UNTIL_HEALTHY).world;
    expect(applyCommand(healthy, given('abort'), START_MS + 60_000).world.rollout.phase).toBe('RollingBack');
    expect(applyCommand(healthy, given('abort'), START_MS + 1e8).world.rollout.phase).toBe('Healthy');
  });

  test('retry lifts the quarantine and starts a new attempt', () => {
    const aborted = applyCommand(play(aWorld(), UNTIL_GATE).world, given('abort'), START_MS).world;
    const degraded = play(aborted, [{ type: 'restored' }]).world;
    const { world, actions } = applyCommand(degraded, given('retry', { id: 'm2' }), START_MS, aService());
    expect(world.rollout).toMatchObject({ phase: 'Pending', attempt: 2, position: { wave: 0, step: 0 } });
    expect(world.service.quarantine).toEqual({});
    expect(actions).toEqual([{ do: 'ensure', rollout: world.rollout.id }]);
  });
});

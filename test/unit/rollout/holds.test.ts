import { describe, expect, test } from 'vitest';
import { applyFreeze, type FreezeCommand } from '../../../functions/rollout/commands.ts';
import { holdOf } from '../../../functions/rollout/holds.ts';
import { transition } from '../../../functions/rollout/state.ts';
import { claimLaunch, update, type World } from '../../../functions/rollout/world.ts';
import { aService, aWorld, play, START_MS, sentences, UNTIL_FIRST_PAUSE, UNTIL_GATE } from '../../worlds.ts';

const FRIDAY_MS = Date.UTC(2026, 0, 9, 17);
const CLOSED = aService({ windows: [{ days: ['fri'], from: '16:00', to: '24:00', timeZone: 'UTC' }] });

function frozen(world: World, command: FreezeCommand['command'] = 'freeze', id = 'm1'): World {
  const given = { id, command, service: 'hello', actor: 'ops@example.com', reason: 'launch day' } as const;
  const { rollout, service } = applyFreeze(world, given, START_MS);
  return { rollout: rollout ?? world.rollout, service };
}

const CLEAR = { type: 'cleared', judgement: undefined, callback: undefined } as const;

describe('a frozen service', () => {
  test('starts nothing, and says what it waits for', () => {
    const { world, workflow } = claimLaunch(frozen(aWorld()), START_MS);
    expect(workflow).toBeUndefined();
    expect(world.rollout.message).toBe(
      'waits: hello is frozen by ops@example.com (launch day), waiting for unfreeze',
    );
    expect(claimLaunch(world, START_MS).world).toBe(world);
  });

  test('starts what waited when it is let go', () => {
    const held = claimLaunch(frozen(aWorld()), START_MS).world;
    expect(claimLaunch(frozen(held, 'unfreeze', 'm2'), START_MS).workflow).toBe('rollout');
  });

  test('raises no weight, and goes on once it is let go', () => {
    const before = frozen(play(aWorld(), UNTIL_FIRST_PAUSE).world);
    const held = transition(before, CLEAR, START_MS).world;
    expect(held.rollout).toMatchObject({ phase: 'Paused', targets: { us: { status: 'Canary', weight: 5 } } });
    const { rollout } = transition(frozen(held, 'unfreeze', 'm2'), CLEAR, START_MS).world;
    expect(rollout.phase).toBe('Progressing');
    expect(sentences(rollout).at(-1)).toBe('hello goes on');
  });

  test('is judged while it is held, and rolled back when the canary is worse', () => {
    const before = frozen(play(aWorld(), UNTIL_FIRST_PAUSE).world);
    const none = { good: 0, bad: 0 };
    const said = { verdict: 'Failed', because: 'worse', message: 'worse' } as const;
    const judgement = { ...said, atMs: START_MS, canary: none, stable: none, limit: 0, scopes: [] };
    const { rollout } = transition(before, { ...CLEAR, judgement }, START_MS).world;
    expect(rollout).toMatchObject({ phase: 'RollingBack', cause: { kind: 'Judge' } });
  });

  test('finishes what was under way on a target', () => {
    const step = { type: 'starting', target: 'us', stage: 'weight', weight: 50 } as const;
    const begun = transition(play(aWorld(), UNTIL_FIRST_PAUSE).world, step, START_MS).world;
    const held = frozen(begun);
    expect(transition(held, step, START_MS).world).toBe(held);
  });

  test('keeps a gate shut that a person opened', () => {
    const atGate = play(aWorld(), UNTIL_GATE).world;
    const { pause } = atGate.rollout;
    const opened = update(atGate, { pause: pause && { ...pause, promotedBy: 'me' } });
    const look = {
      type: 'looked',
      position: { wave: 0, step: 3 },
      judgement: undefined,
      callback: undefined,
    } as const;
    const { rollout } = transition(frozen(opened), look, START_MS).world;
    expect(rollout).toMatchObject({ phase: 'Paused', position: { wave: 0, step: 3 } });
    expect(transition(opened, look, START_MS).world.rollout.position).toEqual({ wave: 0, step: 4 });
  });

  test('is rolled back like any other, and the rollback starts', () => {
    const world = frozen(play(aWorld(), UNTIL_GATE).world);
    const event = { type: 'troubled', cause: { kind: 'Alert', message: 'burns' } } as const;
    const troubled = transition(world, event, START_MS).world;
    expect(claimLaunch(troubled, START_MS).workflow).toBe('rollback');
    const restore = { type: 'starting', target: 'us', stage: 'restore' } as const;
    expect(transition(troubled, restore, START_MS).world.rollout.targets['us']?.status).toBe('Restoring');
  });

  test('is frozen once, and let go once; the second time says why not', () => {
    const twice = frozen(frozen(aWorld()), 'freeze', 'm2');
    expect(sentences(twice.rollout).at(-1)).toContain('ops@example.com froze hello already');
    const { rollout } = frozen(aWorld(), 'unfreeze');
    expect(sentences(rollout).at(-1)).toContain('unfreeze does not apply: it is not frozen');
  });
});

describe('a window of the policy', () => {
  test('keeps a rollout from starting until it is over', () => {
    expect(claimLaunch(aWorld(CLOSED), FRIDAY_MS).workflow).toBeUndefined();
    expect(claimLaunch(aWorld(CLOSED), START_MS).workflow).toBe('rollout');
  });

  test('does not hold what a person wants out now', () => {
    expect(holdOf(update(aWorld(CLOSED), { isFull: true }), FRIDAY_MS)).toBeUndefined();
  });

  test('does not hold what replaces a digest that hurts users, and a freeze neither', () => {
    const world = update(frozen(aWorld(CLOSED)), { undoes: 'hello-1' });
    expect(holdOf(world, FRIDAY_MS)).toBeUndefined();
  });
});

describe('a launch', () => {
  test('is claimed by the first who notices', () => {
    const first = claimLaunch(aWorld(), START_MS);
    expect(first.workflow).toBe('rollout');
    expect(claimLaunch(first.world, START_MS + 1000).workflow).toBeUndefined();
  });

  test('is free again when whoever claimed it says nothing for five seconds', () => {
    const { world } = claimLaunch(aWorld(), START_MS);
    expect(claimLaunch(world, START_MS + 5000).workflow).toBe('rollout');
  });

  test('that has an execution is nobody else’s, however old', () => {
    const launch = { kind: 'rollout', execution: 'one', sinceMs: START_MS } as const;
    expect(claimLaunch(update(aWorld(), { launch }), START_MS + 86_400_000).workflow).toBeUndefined();
  });
});

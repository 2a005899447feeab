import { expect, test } from 'vitest';
import { unrestoredTargets } from '../../../functions/rollout/trouble.ts';
import { aWorld, play, START_MS, UNTIL_GATE } from '../../worlds.ts';

const TROUBLE = { type: 'troubled', cause: { kind: 'Alert', message: 'burns' } } as const;
const BEGUN_BACK = { type: 'begun', workflow: 'rollback', execution: 'back' } as const;
const RESTORED = {
  type: 'progressed',
  target: 'us',
  stage: 'restore',
  progress: { status: 'done', message: 'stable serves' },
  weight: 0,
} as const;

test('a touched target is unrestored until it is back, an untouched one never', () => {
  const begun = play(aWorld(), [...UNTIL_GATE, TROUBLE, BEGUN_BACK]).world;
  expect(unrestoredTargets(begun.rollout)).toEqual(['us']);
  const laterMs = START_MS + 60_000;
  const { world } = play(
    begun,
    [{ type: 'starting', target: 'us', stage: 'restore', weight: 0 }, RESTORED],
    laterMs,
  );
  expect(unrestoredTargets(world.rollout)).toEqual([]);
});

test('a target that failed in the rollout is still to be restored; one that was given up is not', () => {
  const failed = play(aWorld(), [
    ...UNTIL_GATE,
    { type: 'starting', target: 'us', stage: 'promote', weight: 100 },
    {
      type: 'progressed',
      target: 'us',
      stage: 'promote',
      progress: { status: 'failed', message: 'refused' },
    },
    BEGUN_BACK,
  ]).world;
  expect(failed.rollout.targets['us']?.status).toBe('Failed');
  expect(unrestoredTargets(failed.rollout)).toEqual(['us']);
  const { world } = play(
    failed,
    [{ type: 'gaveUp', target: 'us', why: 'an hour is over' }],
    START_MS + 3_600_000,
  );
  expect(unrestoredTargets(world.rollout)).toEqual([]);
});

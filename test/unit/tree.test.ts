import { describe, expect, test } from 'vitest';
import { age, drawTree, printable } from '../../cli/tree.ts';
import { aWorld, play, START_MS, UNTIL_GATE } from '../worlds.ts';

describe('the tree of a rollout', () => {
  const { rollout } = play(aWorld(), UNTIL_GATE).world;

  test('has a line for the rollout, each wave and each target, with status and weight', () => {
    const lines = drawTree(rollout, START_MS + 60_000);
    expect(lines).toHaveLength(6);
    expect(lines[0]).toMatch(/^NAME +KIND +STATUS +WEIGHT +ARCH +AGE +INFO$/);
    expect(lines[1]).toMatch(/Rollout +॥ Paused .* v1: Paused at wave 1 step 4: waiting for promote$/);
    expect(lines[2]).toMatch(/^├─ wave 1 +Wave .* step 4 of 4$/);
    expect(lines[3]).toMatch(/^│ {2}└─ us +CloudRun +✔ Canary +50% .* confirmed$/);
    expect(lines[5]).toMatch(/^ {3}└─ eu +CloudRun +◷ Armed /);
  });

  test('says beside the wave in hand what the judge says', () => {
    const none = { good: 0, bad: 0 };
    const said = { verdict: 'Inconclusive', message: '77 more canary requests are needed' } as const;
    const judgement = { ...said, atMs: START_MS, canary: none, stable: none, limit: 0, scopes: [] };
    const lines = drawTree({ ...rollout, judgement }, START_MS, 200);
    expect(lines[2]).toMatch(/step 4 of 4, Inconclusive: 77 more canary requests are needed$/);
    expect(lines[4]).toMatch(/^└─ wave 2 +Wave$/);
  });

  test('is cut to the width of the terminal', () => {
    for (const line of drawTree(rollout, START_MS, 60)) expect(line.length).toBeLessThanOrEqual(60);
  });

  test('shows what comes from outside and lets none of it act on the terminal', () => {
    const hostile = { ...rollout, message: 'red \u001b[31m bell \u0007 back \u202e line\nnext' };
    const text = drawTree(hostile, START_MS, 500).join('\n');
    for (const acting of ['\u001b', '\u0007', '\u202e']) expect(text).not.toContain(acting);
    expect(text.split('\n')).toHaveLength(6);
    expect(printable('a\u009b2Jb')).toBe('a 2Jb');
  });
});

test.each([
  [0, '0s'],
  [119_000, '119s'],
  [180_000, '3m'],
  [3 * 3_600_000, '3h'],
  [9 * 24 * 3_600_000, '9d'],
])('an age of %i ms is %s', (ms, expected) => {
  expect(age(ms)).toBe(expected);
});

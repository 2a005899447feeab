import { describe, expect, test } from 'vitest';
import { blame } from '../../../../functions/rollout/judge.ts';
import { START_MS } from '../../../worlds.ts';
import { blocks, counts, MINUTE_MS, observed, SETTING } from '../judging.ts';

type Pairs = readonly (readonly [canary: ReturnType<typeof counts>, stable: ReturnType<typeof counts>])[];

function minutes(count: number, canary: readonly [number, number], stable: readonly [number, number]): Pairs {
  return Array.from({ length: count }, () => [counts(...canary), counts(...stable)] as const);
}

function blamed(pairs: Pairs): string {
  const nowMs = START_MS + pairs.length * MINUTE_MS;
  return blame(observed({ us: { blocks: blocks(...pairs) } }), SETTING, nowMs);
}

describe('who burns', () => {
  test('is the canary when it alone fails', () => {
    expect(blamed(minutes(5, [24, 6], [569, 1]))).toBe('canary');
  });

  test('is everybody when stable fails as badly', () => {
    expect(blamed(minutes(10, [24, 6], [456, 114]))).toBe('everybody');
  });

  test('is the canary when it is far worse than a stable that burns as well', () => {
    expect(blamed(minutes(5, [10, 20], [541, 29]))).toBe('canary');
  });

  test('is unsure when nobody burns, on few requests, and without any', () => {
    expect(blamed(minutes(10, [30, 0], [569, 1]))).toBe('unsure');
    expect(blamed(minutes(1, [2, 1], [16, 3]))).toBe('unsure');
    expect(blamed([])).toBe('unsure');
  });

  test('is what the last ten minutes say, whatever was before', () => {
    const before = minutes(60, [30, 0], [570, 0]);
    expect(blamed([...before, ...minutes(10, [24, 6], [456, 114])])).toBe('everybody');
    expect(blamed([...minutes(60, [24, 6], [456, 114]), ...minutes(10, [30, 0], [570, 0])])).toBe('unsure');
  });

  test.each([
    [
      [20, 30],
      [380, 570],
    ],
    [
      [10, 40],
      [190, 760],
    ],
    [
      [0, 50],
      [0, 950],
    ],
  ] as const)(
    'is everybody after one minute in which most requests of both fail: %j and %j',
    (canary, stable) => {
      expect(blamed(minutes(1, canary, stable))).toBe('everybody');
      expect(blamed([...minutes(9, [50, 0], [949, 1]), ...minutes(1, canary, stable)])).toBe('everybody');
    },
  );

  test('is everybody after five minutes in which 15 % fail', () => {
    const pairs = [...minutes(3, [42, 8], [808, 142]), ...minutes(2, [43, 7], [807, 143])];
    expect(blamed(pairs)).toBe('everybody');
  });

  test('is the canary within two minutes when it fails one request in five', () => {
    expect(blamed(minutes(1, [40, 10], [949, 1]))).toBe('canary');
    expect(blamed([...minutes(8, [50, 0], [949, 1]), ...minutes(2, [40, 10], [949, 1])])).toBe('canary');
  });

  test('is not everybody when the canary may be half again as bad as stable', () => {
    expect(blamed(minutes(1, [32, 18], [712, 238]))).toBe('unsure');
    expect(blamed(minutes(10, [31, 19], [712, 238]))).toBe('canary');
  });

  test('is judged target by target: other ratios and shares make no difference', () => {
    const seen = {
      us: { blocks: blocks(...minutes(5, [10, 40], [190, 760])) },
      eu: { blocks: blocks(...minutes(5, [5, 0], [1998, 2])) },
    };
    expect(blame(observed(seen), SETTING, START_MS + 5 * MINUTE_MS)).toBe('everybody');
  });

  test('is the canary when it is bad on one target while everybody fails on another', () => {
    const seen = {
      us: { blocks: blocks(...minutes(5, [10, 40], [190, 760])) },
      eu: { blocks: blocks(...minutes(5, [3, 2], [190, 0])) },
    };
    expect(blame(observed(seen), SETTING, START_MS + 5 * MINUTE_MS)).toBe('canary');
  });
});

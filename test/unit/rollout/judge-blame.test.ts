import { describe, expect, test } from 'vitest';
import { blame } from '../../../functions/rollout/judge.ts';
import { START_MS } from '../../worlds.ts';
import { blocks, counts, MINUTE_MS, observed, SETTING } from './judging.ts';

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
});

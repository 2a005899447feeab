import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseHttpRoute } from '../../../functions/targets/gke-objects.ts';
import {
  hasWeights,
  percentOf,
  replicaRatio,
  replicasToCarry,
  rulesWith,
} from '../../../functions/targets/gke-traffic.ts';

const pair = { stable: 'web', canary: 'web-canary' };

function route(...rules: object[]) {
  return parseHttpRoute({ metadata: { name: 'web', resourceVersion: '1' }, spec: { rules } });
}

const split = (stable: number, canary: number) => ({
  backendRefs: [
    { name: 'web', port: 80, weight: stable },
    { name: 'web-canary', port: 80, weight: canary },
  ],
});

describe('the weights of a route', () => {
  test('are read as percent, whatever they sum to', () => {
    expect(percentOf(route(split(950, 50)), pair)).toBe(5);
    expect(percentOf(route(split(0, 0)), pair)).toBe(0);
  });

  test('are unknown where no rule has both Services', () => {
    expect(percentOf(route({ backendRefs: [{ name: 'web' }] }), pair)).toBeUndefined();
  });

  test('change in every rule that splits, and nowhere else', () => {
    const admin = { matches: ['/admin'], backendRefs: [{ name: 'admin', weight: 1 }] };
    const before = route(split(100, 0), { ...admin, timeouts: { request: '5s' } }, split(100, 0));

    const after = rulesWith(before, pair, 25);

    expect(after).toEqual([split(75, 25), { ...admin, timeouts: { request: '5s' } }, split(75, 25)]);
    expect(hasWeights(route(...after), pair, 25)).toBe(true);
    expect(hasWeights(before, pair, 25)).toBe(false);
  });
});

test('canary pods carry at least their share of what the stable pods carry', () => {
  expect(replicasToCarry(10, 5)).toBe(1);
  expect(replicasToCarry(10, 25)).toBe(3);
  expect(replicasToCarry(3, 50)).toBe(2);
  expect(replicasToCarry(0, 50)).toBe(1);
});

test('without a route the canary gets its share of the pods at most, or one pod', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 99 }), (scale, percent) => {
      const { stable, canary } = replicaRatio(scale, percent);

      expect(Math.max(stable, canary)).toBeLessThanOrEqual(scale);
      expect(Math.min(stable, canary)).toBeGreaterThanOrEqual(1);
      if (canary > 1) expect(canary * 100).toBeLessThanOrEqual(percent * (stable + canary));
    }),
  );
  expect(replicaRatio(4, 0)).toEqual({ stable: 4, canary: 0 });
  expect(replicaRatio(4, 100)).toEqual({ stable: 0, canary: 4 });
});

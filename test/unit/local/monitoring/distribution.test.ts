import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Distribution } from '../../../../local/monitoring/distribution.ts';

function distributionOf(values: readonly number[]): Distribution {
  const distribution = new Distribution();
  for (const value of values) distribution.add(value);
  return distribution;
}

const latencies = fc.array(fc.integer({ min: 0, max: 100_000 }), { maxLength: 50 });

test('counts below a limit all of lower buckets and none of higher ones', () => {
  const distribution = distributionOf([10, 20, 2000, 3000]);
  expect(distribution.countBelow(500)).toBe(2);
  expect(distribution.countBelow(1e9)).toBe(4);
  expect(distribution.countBelow(0)).toBe(0);
});

test('shares out the bucket that the limit falls into', () => {
  const from = 1.4 ** 18;
  const to = 1.4 ** 19;
  const distribution = distributionOf(Array.from({ length: 100 }, () => (from + to) / 2));
  expect(distribution.countBelow(from + (to - from) / 4)).toBeCloseTo(25);
});

test('a percentile is in the bucket of the value that has it', () => {
  const distribution = distributionOf([
    ...Array.from({ length: 95 }, () => 10),
    ...Array.from({ length: 5 }, () => 5000),
  ]);
  expect(distribution.percentile(0.5)).toBeLessThan(15);
  expect(distribution.percentile(0.99)).toBeGreaterThan(3500);
});

test('merging is the same as adding everything to one', () => {
  fc.assert(
    fc.property(latencies, latencies, (left, right) => {
      const merged = Distribution.merge([distributionOf(left), distributionOf(right)]);
      expect(JSON.stringify(merged)).toBe(JSON.stringify(distributionOf([...left, ...right])));
    }),
  );
});

test('the API’s form has one count per bucket up to the last used', () => {
  expect(distributionOf([0.5, 1.2, 1.5]).toJSON()).toMatchObject({
    count: '3',
    bucketOptions: { exponentialBuckets: { numFiniteBuckets: 66, growthFactor: 1.4, scale: 1 } },
    bucketCounts: ['1', '1', '1'],
  });
});

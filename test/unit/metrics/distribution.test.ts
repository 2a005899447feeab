import { describe, expect, test } from 'vitest';
import { countBelow, percentile } from '../../../functions/metrics/distribution.ts';

test.each([
  ['exponential', { exponentialBuckets: { scale: 1, growthFactor: 2, numFiniteBuckets: 3 } }, 4, 5],
  [
    'exponential, inside a bucket',
    { exponentialBuckets: { scale: 1, growthFactor: 2, numFiniteBuckets: 3 } },
    3,
    4,
  ],
  [
    'exponential, in the overflow',
    { exponentialBuckets: { scale: 1, growthFactor: 2, numFiniteBuckets: 3 } },
    99,
    9,
  ],
  ['linear', { linearBuckets: { offset: 0, width: 10, numFiniteBuckets: 3 } }, 15, 4],
  ['explicit', { explicitBuckets: { bounds: [1, 5, 25, 125] } }, 25, 5],
])('%s buckets', (_, bucketOptions, limit, expected) => {
  const bucketCounts = ['1', '2', '2', '4', '3'];
  expect(countBelow({ bucketCounts, bucketOptions }, limit)).toBe(expected);
});

test('no buckets hold nothing', () => {
  expect(countBelow({}, 500)).toBe(0);
});

describe('a percentile', () => {
  const bucketOptions = { linearBuckets: { offset: 0, width: 10, numFiniteBuckets: 3 } };

  test.each([
    ['inside a bucket', ['0', '10', '0'], 0.5, 5],
    ['at its end', ['0', '10', '10'], 0.5, 10],
    ['behind a gap', ['0', '5', '0', '5'], 0.75, 25],
    ['below all bounds: the lowest', ['4'], 0.95, 0],
    ['above all bounds: the highest', ['0', '0', '0', '0', '4'], 0.95, 30],
  ])('%s', (_what, bucketCounts, share, expected) => {
    const count = bucketCounts.reduce((sum, one) => sum + Number(one), 0);
    expect(percentile([{ count, bucketCounts, bucketOptions }], share)).toBe(expected);
  });

  test('of several histograms is that of all their values, whatever their buckets', () => {
    const fine = { bounds: [1, 2] };
    const coarse = { count: 1, bucketCounts: ['0', '1'], bucketOptions };
    const many = { count: 9, bucketCounts: ['0', '9'], bucketOptions: { explicitBuckets: fine } };
    expect(percentile([many, coarse], 0.5)).toBeLessThan(2);
    expect(percentile([many, coarse], 0.99)).toBeGreaterThan(9);
  });

  test('of nothing is unknown', () => {
    expect(percentile([], 0.95)).toBeUndefined();
    expect(percentile([{ count: 0 }], 0.95)).toBeUndefined();
  });
});

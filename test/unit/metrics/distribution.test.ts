import { expect, test } from 'vitest';
import { countBelow } from '../../../functions/metrics/distribution.ts';

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

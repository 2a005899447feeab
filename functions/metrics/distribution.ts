import type { protos } from '@google-cloud/monitoring';

type Distribution = protos.google.api.IDistribution;

/**
 * How many values of a histogram are below `limit`: all of the buckets below it, and of the bucket it falls into a part
 * in proportion, as Cloud Monitoring does for a distribution cut. A fraction, therefore.
 */
export function countBelow({ bucketCounts, bucketOptions }: Distribution, limit: number): number {
  let below = 0;
  for (const [bucket, counted] of (bucketCounts ?? []).entries()) {
    const count = Number(counted);
    const from = bucket === 0 ? Number.NEGATIVE_INFINITY : boundAfter(bucketOptions, bucket - 1);
    const to = boundAfter(bucketOptions, bucket);
    if (to <= limit) below += count;
    else if (from < limit && Number.isFinite(from) && Number.isFinite(to))
      below += (count * (limit - from)) / (to - from);
  }
  return below;
}

/** Upper bound of a bucket. https://cloud.google.com/monitoring/api/ref_v3/rest/v3/TypedValue#BucketOptions */
function boundAfter(options: Distribution['bucketOptions'], bucket: number): number {
  const { exponentialBuckets: exponential, linearBuckets: linear, explicitBuckets: explicit } = options ?? {};
  if (exponential) {
    const { scale, growthFactor, numFiniteBuckets } = exponential;
    return bucket > (numFiniteBuckets ?? 0) ? Infinity : (scale ?? 1) * (growthFactor ?? 1) ** bucket;
  }
  if (linear) {
    const { offset, width, numFiniteBuckets } = linear;
    return bucket > (numFiniteBuckets ?? 0) ? Infinity : (offset ?? 0) + (width ?? 0) * bucket;
  }
  return explicit?.bounds?.[bucket] ?? Infinity;
}

/** `share` (0 to 1) of all their values are below the result; undefined when there are none. */
export function percentile(distributions: readonly Distribution[], share: number): number | undefined {
  const wanted = distributions.reduce((sum, { count }) => sum + Number(count ?? 0), 0) * share;
  const bounds = [...new Set(distributions.flatMap(finiteBounds))].sort((a, b) => a - b);
  const below = (limit: number) =>
    distributions.reduce((sum, distribution) => sum + countBelow(distribution, limit), 0);
  const [lowest] = bounds;
  if (lowest === undefined) return undefined;
  let low = { bound: lowest, count: below(lowest) };
  if (low.count >= wanted) return lowest;
  // Between two bounds that follow each other values are spread evenly.
  for (const bound of bounds.slice(1)) {
    const high = { bound, count: below(bound) };
    if (high.count >= wanted) {
      return low.bound + ((bound - low.bound) * (wanted - low.count)) / (high.count - low.count);
    }
    low = high;
  }
  return low.bound;
}

/** Of the buckets that hold anything. */
function finiteBounds({ bucketCounts, bucketOptions }: Distribution): number[] {
  return (bucketCounts ?? []).flatMap((counted, bucket) => {
    if (Number(counted) === 0) return [];
    return [bucket - 1, bucket]
      .filter(one => one >= 0)
      .map(one => boundAfter(bucketOptions, one))
      .filter(Number.isFinite);
  });
}

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

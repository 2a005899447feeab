/**
 * Latencies in milliseconds, as a histogram with exponential buckets: below 1, then 66 that each reach 1.4 times as far
 * as the one before, then the rest. Those are the bounds of Google's own latency metrics.
 */
export const BUCKETS = { numFiniteBuckets: 66, growthFactor: 1.4, scale: 1 } as const;

const OVERFLOW = BUCKETS.numFiniteBuckets + 1;

export class Distribution {
  #count = 0;
  #sum = 0;
  #sumOfSquares = 0;
  /** Values per bucket, by its number. */
  readonly #buckets = new Map<number, number>();

  get count(): number {
    return this.#count;
  }

  add(value: number): void {
    this.#count++;
    this.#sum += value;
    this.#sumOfSquares += value * value;
    const bucket = bucketOf(value);
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
  }

  static merge(parts: Iterable<Distribution>): Distribution {
    const whole = new Distribution();
    for (const part of parts) {
      whole.#count += part.#count;
      whole.#sum += part.#sum;
      whole.#sumOfSquares += part.#sumOfSquares;
      for (const [bucket, count] of part.#buckets) {
        whole.#buckets.set(bucket, (whole.#buckets.get(bucket) ?? 0) + count);
      }
    }
    return whole;
  }

  /** Values below `limit`, those of the bucket it falls into in proportion: so a fraction. */
  countBelow(limit: number): number {
    let below = 0;
    for (const [bucket, count] of this.#buckets) {
      const { from, to } = boundsOf(bucket);
      if (to <= limit) below += count;
      else if (from < limit && to < Infinity) below += (count * (limit - from)) / (to - from);
    }
    return below;
  }

  /** `share` of all values, 0 to 1, are below the result. NaN when there are none. */
  percentile(share: number): number {
    let missing = this.#count * share;
    for (const bucket of [...this.#buckets.keys()].sort((a, b) => a - b)) {
      const count = this.#buckets.get(bucket) ?? 0;
      const { from, to } = boundsOf(bucket);
      if (missing <= count) return to === Infinity ? from : from + ((to - from) * missing) / count;
      missing -= count;
    }
    return Number.NaN;
  }

  /** `google.api.Distribution`. */
  toJSON(): object {
    const mean = this.#count === 0 ? 0 : this.#sum / this.#count;
    const last = Math.max(-1, ...this.#buckets.keys());
    return {
      count: String(this.#count),
      mean,
      sumOfSquaredDeviation: Math.max(0, this.#sumOfSquares - this.#count * mean * mean),
      bucketOptions: { exponentialBuckets: BUCKETS },
      bucketCounts: Array.from({ length: last + 1 }, (_, bucket) => String(this.#buckets.get(bucket) ?? 0)),
    };
  }
}

function bucketOf(value: number): number {
  if (value < BUCKETS.scale) return 0;
  const bucket = Math.floor(Math.log(value / BUCKETS.scale) / Math.log(BUCKETS.growthFactor)) + 1;
  return Math.min(bucket, OVERFLOW);
}

function boundsOf(bucket: number): { from: number; to: number } {
  const { scale, growthFactor } = BUCKETS;
  return {
    from: bucket === 0 ? 0 : scale * growthFactor ** (bucket - 1),
    to: bucket === OVERFLOW ? Infinity : scale * growthFactor ** bucket,
  };
}

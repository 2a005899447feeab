/** Exponential buckets: below `scale`, then so many that each reach `growthFactor` times as far as the one before, then the rest. */
export interface Buckets {
  readonly numFiniteBuckets: number;
  readonly growthFactor: number;
  readonly scale: number;
}

/** Of latencies in milliseconds: the bounds of Google's own latency metrics. */
export const BUCKETS: Buckets = { numFiniteBuckets: 66, growthFactor: 1.4, scale: 1 };

/** Of shares of a CPU, from a hundredth to three. */
export const SHARE_BUCKETS: Buckets = { numFiniteBuckets: 60, growthFactor: 1.1, scale: 0.01 };

/** A histogram. */
export class Distribution {
  readonly #options: Buckets;
  #count = 0;
  #sum = 0;
  #sumOfSquares = 0;
  /** Values per bucket, by its number. */
  readonly #buckets = new Map<number, number>();

  constructor(options: Buckets = BUCKETS) {
    this.#options = options;
  }

  get count(): number {
    return this.#count;
  }

  /** NaN when there are no values. */
  get mean(): number {
    return this.#sum / this.#count;
  }

  add(value: number): void {
    this.#count++;
    this.#sum += value;
    this.#sumOfSquares += value * value;
    const bucket = bucketOf(value, this.#options);
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
  }

  /** All of the same buckets. */
  static merge(parts: readonly Distribution[]): Distribution {
    const [first] = parts;
    const whole = new Distribution(first ? first.#options : BUCKETS);
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
      const { from, to } = boundsOf(bucket, this.#options);
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
      const { from, to } = boundsOf(bucket, this.#options);
      if (missing <= count) return to === Infinity ? from : from + ((to - from) * missing) / count;
      missing -= count;
    }
    return Number.NaN;
  }

  /** `google.api.Distribution`. */
  toJSON(): object {
    const mean = this.#count === 0 ? 0 : this.mean;
    const last = Math.max(-1, ...this.#buckets.keys());
    return {
      count: String(this.#count),
      mean,
      sumOfSquaredDeviation: Math.max(0, this.#sumOfSquares - this.#count * mean * mean),
      bucketOptions: { exponentialBuckets: this.#options },
      bucketCounts: Array.from({ length: last + 1 }, (_, bucket) => String(this.#buckets.get(bucket) ?? 0)),
    };
  }
}

function bucketOf(value: number, { scale, growthFactor, numFiniteBuckets }: Buckets): number {
  if (value < scale) return 0;
  const bucket = Math.floor(Math.log(value / scale) / Math.log(growthFactor)) + 1;
  return Math.min(bucket, numFiniteBuckets + 1);
}

function boundsOf(
  bucket: number,
  { scale, growthFactor, numFiniteBuckets }: Buckets,
): { from: number; to: number } {
  return {
    from: bucket === 0 ? 0 : scale * growthFactor ** (bucket - 1),
    to: bucket > numFiniteBuckets ? Infinity : scale * growthFactor ** bucket,
  };
}

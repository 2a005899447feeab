/** How often somebody may do something: `most` at once, and so many again per minute. */
export interface Rate {
  /** @returns seconds to wait; undefined when it may be done now, which then counts */
  take(who: string): number | undefined;
}

/** People who have come to rest are forgotten beyond so many. */
const MOST_KNOWN = 10_000;

/** A bucket per person that holds `most` and fills within a minute. */
export function perMinute(most: number, nowMs: () => number): Rate {
  const buckets = new Map<string, { readonly left: number; readonly atMs: number }>();
  const perMs = most / 60_000;
  return {
    take(who) {
      const atMs = nowMs();
      const bucket = buckets.get(who) ?? { left: most, atMs };
      const left = Math.min(most, bucket.left + (atMs - bucket.atMs) * perMs);
      if (left < 1) return Math.ceil((1 - left) / perMs / 1000);
      buckets.delete(who);
      buckets.set(who, { left: left - 1, atMs });
      const [oldest] = buckets.keys();
      if (buckets.size > MOST_KNOWN && oldest !== undefined) buckets.delete(oldest);
      return undefined;
    },
  };
}

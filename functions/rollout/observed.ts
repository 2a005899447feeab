/** Requests. Bad is answered with 5xx, or slower than the SLO's latency threshold. */
export interface Counts {
  readonly good: number;
  readonly bad: number;
}

/** What canary and stable answered on one target in one period. */
export interface Block {
  /** End of the period. */
  readonly endMs: number;
  readonly canary: Counts;
  readonly stable: Counts;
}

export interface ObservedTarget {
  /** `amd64`, `arm64`; undefined where the platform does not tell. */
  readonly architecture: string | undefined;
  /** The canary's share of the traffic in percent, as last confirmed. */
  readonly weight: number;
  /** Oldest first; periods without a point are left out. */
  readonly blocks: readonly Block[];
}

/** What the metrics say about one wave. */
export interface Observed {
  /** By the target's name. */
  readonly targets: Readonly<Record<string, ObservedTarget>>;
  /** End of the newest point seen; undefined when there was none. Missing metrics are not zero errors. */
  readonly newestPointMs: number | undefined;
}

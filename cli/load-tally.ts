import type { LoadOutcome } from '../local/dataplane/load.ts';

/** What came back, as `slipway load` shows it. Latencies are milliseconds from sending to the answer's end. */
export interface LoadReport {
  readonly url: string;
  readonly seconds: number;
  readonly sent: number;
  readonly answered: number;
  /** Answers that are not as expected: 500 and above, unless the caller said what is expected. */
  readonly bad: number;
  /** Requests without an answer. */
  readonly errors: number;
  /** Due and not sent, as too many were waiting. */
  readonly skipped: number;
  readonly waiting: number;
  /** By who answered, most answers first; nothing when no answer says who it is from. */
  readonly groups: readonly GroupReport[];
  readonly statuses: Readonly<Record<string, number>>;
  /** What went wrong without an answer, by the system's name for it. */
  readonly errorKinds: Readonly<Record<string, number>>;
  readonly latency: Latency;
}

export interface GroupReport {
  readonly version: string | undefined;
  readonly revision: string | undefined;
  readonly architecture: string | undefined;
  readonly region: string | undefined;
  readonly answered: number;
  readonly bad: number;
  readonly latency: Latency;
}

/** undefined before the first answer. */
export interface Latency {
  readonly p50Ms: number | undefined;
  readonly p95Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly maxMs: number | undefined;
}

interface Group {
  readonly who: Pick<GroupReport, 'version' | 'revision' | 'architecture' | 'region'>;
  readonly latencies: Latencies;
  answered: number;
  bad: number;
}

/** A service that says another name in every answer must not fill the memory. */
const MOST_KEYS = 50;
const OTHERS = '(others)';
const LONGEST_NAME = 80;

/** Counts outcomes as they come; of what it needs nothing grows with their number. */
export class LoadTally {
  answered = 0;
  bad = 0;
  errors = 0;
  readonly #isExpected: (status: number) => boolean;
  readonly #groups = new Map<string, Group>();
  readonly #statuses = new Map<string, number>();
  readonly #errorKinds = new Map<string, number>();
  readonly #latencies = new Latencies();

  constructor(isExpected: (status: number) => boolean) {
    this.#isExpected = isExpected;
  }

  add(outcome: LoadOutcome): void {
    const { status, sentMs, atMs } = outcome;
    if (status === undefined) {
      this.errors++;
      count(this.#errorKinds, outcome.errorCode ?? outcome.error ?? 'unknown');
      return;
    }
    const isBad = !this.#isExpected(status);
    const group = this.#groupOf(outcome);
    this.answered++;
    group.answered++;
    if (isBad) {
      this.bad++;
      group.bad++;
    }
    count(this.#statuses, String(status));
    this.#latencies.add(atMs - sentMs);
    group.latencies.add(atMs - sentMs);
  }

  /** Who answered, most answers first. */
  groups(): GroupReport[] {
    return [...this.#groups.values()]
      .filter(({ who }) => Object.values(who).some(name => name !== undefined))
      .sort((a, b) => b.answered - a.answered)
      .map(({ who, answered, bad, latencies }) => ({ ...who, answered, bad, latency: latencies.report() }));
  }

  latency(): Latency {
    return this.#latencies.report();
  }

  counts(): Pick<LoadReport, 'statuses' | 'errorKinds'> {
    return {
      statuses: Object.fromEntries([...this.#statuses].sort()),
      errorKinds: Object.fromEntries([...this.#errorKinds].sort()),
    };
  }

  #groupOf(outcome: LoadOutcome): Group {
    const [version, revision, architecture, region] = [
      outcome.version,
      outcome.revision,
      outcome.architecture,
      outcome.region,
    ].map(name => name?.slice(0, LONGEST_NAME));
    const key = JSON.stringify([version, revision, architecture, region]);
    const isNew = !this.#groups.has(key);
    const isFull = isNew && this.#groups.size >= MOST_KEYS;
    const known = this.#groups.get(isFull ? OTHERS : key);
    if (known) return known;
    const none = { version: OTHERS, revision: undefined, architecture: undefined, region: undefined };
    const who = isFull ? none : { version, revision, architecture, region };
    const group: Group = { who, latencies: new Latencies(), answered: 0, bad: 0 };
    this.#groups.set(isFull ? OTHERS : key, group);
    return group;
  }
}

function count(counts: Map<string, number>, key: string): void {
  const short = key.slice(0, LONGEST_NAME);
  const kept = counts.has(short) || counts.size < MOST_KEYS ? short : OTHERS;
  counts.set(kept, (counts.get(kept) ?? 0) + 1);
}

/** Each bucket is wider than the one before by this: percentiles are at most 2 % too high. */
const GROWTH = 1.02;

/** How often each latency came, by size. */
class Latencies {
  readonly #buckets = new Map<number, number>();
  #count = 0;
  #maxMs = 0;

  add(latencyMs: number): void {
    const bucket = latencyMs <= 1 ? 0 : Math.ceil(Math.log(latencyMs) / Math.log(GROWTH));
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
    this.#count++;
    this.#maxMs = Math.max(this.#maxMs, latencyMs);
  }

  report(): Latency {
    const at = (share: number) => this.#percentile(share);
    return {
      p50Ms: at(0.5),
      p95Ms: at(0.95),
      p99Ms: at(0.99),
      maxMs: this.#count > 0 ? Math.round(this.#maxMs) : undefined,
    };
  }

  #percentile(share: number): number | undefined {
    let left = Math.ceil(this.#count * share);
    for (const [bucket, amount] of [...this.#buckets].sort(([a], [b]) => a - b)) {
      left -= amount;
      if (left <= 0) return Math.min(Math.round(GROWTH ** bucket), Math.round(this.#maxMs));
    }
    return undefined;
  }
}

import type { JudgeRules } from './policy.ts';

/** Failed = measured and bad. Error = could not be measured. Inconclusive = not enough requests to tell. */
export type VerdictName = 'Successful' | 'Failed' | 'Inconclusive' | 'Error';

/** Requests. Bad is answered with 5xx, or slower than the SLO's latency threshold. */
export interface Counts {
  readonly good: number;
  readonly bad: number;
}

export interface Judgement {
  readonly verdict: VerdictName;
  readonly message: string;
  readonly atMs: number;
  readonly canary: Counts;
  readonly stable: Counts;
  /** Largest error ratio (0 to 1) the canary may show. */
  readonly limit: number;
}

export interface Measurement {
  readonly canary: Counts;
  readonly stable: Counts;
  /** End of the newest metric point; undefined when there is none. */
  readonly newestPointMs: number | undefined;
}

/** One-sided 99.9 %: wide, because the same canary is judged again and again while it runs. */
const Z = 3.09;

/** Metrics older than this many look intervals say nothing about now. */
const STALE_INTERVALS = 5;

/** Cloud Run and load balancer metrics may take this long to appear, https://cloud.google.com/monitoring/api/metrics_gcp. */
const METRIC_LAG_MS = 180_000;

/**
 * Compares the canary's error ratio with stable's over the same targets and time, and with what the SLO can bear.
 * `Failed` when even the lower confidence bound (Wilson 1927, score interval) of the canary's ratio is over the limit;
 * `Successful` when the ratio itself is within it.
 *
 * @param availability the SLO in percent, e.g. 99.5
 */
export function judge(
  measured: Measurement,
  rules: JudgeRules,
  availability: number,
  nowMs: number,
): Judgement {
  const { canary, stable } = measured;
  const limit = allowedRatio(stable, rules, availability);
  const say = (verdict: VerdictName, message: string): Judgement => ({
    verdict,
    message,
    atMs: nowMs,
    canary,
    stable,
    limit,
  });

  const staleAfterMs = METRIC_LAG_MS + STALE_INTERVALS * rules.interval * 1000;
  if (measured.newestPointMs === undefined)
    return say('Error', 'there are no metrics of canary or stable yet');
  if (nowMs - measured.newestPointMs > staleAfterMs) {
    return say('Error', `the newest metric is ${Math.round((nowMs - measured.newestPointMs) / 1000)} s old`);
  }
  const requests = total(canary);
  if (requests < rules.minRequests) {
    return say(
      'Inconclusive',
      `${requests} of ${rules.minRequests} requests: ${rules.minRequests - requests} more are needed`,
    );
  }
  const shares = `canary success rate ${percent(1 - ratio(canary))} of ${requests} requests, stable ${percent(1 - ratio(stable))} of ${total(stable)}`;
  if (lowerBound(canary) > limit) return say('Failed', `${shares}: below ${percent(1 - limit)}`);
  if (ratio(canary) <= limit) return say('Successful', `${shares}: within ${percent(1 - limit)}`);
  return say('Inconclusive', `${shares}: below ${percent(1 - limit)}, but on too few requests to tell`);
}

/** Stable's ratio plus the margin, yet never more than the burn rate that the policy bears. */
function allowedRatio(stable: Counts, rules: JudgeRules, availability: number): number {
  const budget = 1 - availability / 100;
  return Math.min(ratio(stable) + rules.margin / 100, Math.max(budget * rules.maxBurn, ratio(stable)));
}

function lowerBound(counts: Counts): number {
  const n = total(counts);
  const p = ratio(counts);
  const centre = p + (Z * Z) / (2 * n);
  const spread = Z * Math.sqrt((p * (1 - p)) / n + (Z * Z) / (4 * n * n));
  return (centre - spread) / (1 + (Z * Z) / n);
}

function total({ good, bad }: Counts): number {
  return good + bad;
}

function ratio(counts: Counts): number {
  return total(counts) === 0 ? 0 : counts.bad / total(counts);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}

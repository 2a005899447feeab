import { ApiError } from '../http.ts';
import type { Distribution } from './distribution.ts';
import { parseSeriesFilter } from './filter.ts';
import type { Slo } from './resources.ts';
import { numberIn, type TimeSeries } from './time-series.ts';
import type { Traffic } from './traffic.ts';

/** Requests in a window; fractions where a latency bound falls inside a bucket. */
export interface Requests {
  readonly good: number;
  readonly total: number;
}

export interface Window {
  readonly afterMs: number;
  readonly untilMs: number;
}

export function countRequests(slo: Slo, traffic: Traffic, window: Window): Requests {
  const indicator = slo.serviceLevelIndicator.requestBased;
  if ('distributionCut' in indicator) {
    const { distributionFilter, range } = indicator.distributionCut;
    const series = seriesOf(slo, distributionFilter, traffic, window);
    return { good: sumOf(series, value => within(value, range)), total: sumOf(series, value => value.count) };
  }
  const { goodServiceFilter, badServiceFilter, totalServiceFilter } = indicator.goodTotalRatio;
  const count = (filter: string | undefined) =>
    filter === undefined ? undefined : countOf(seriesOf(slo, filter, traffic, window));
  const [good, bad, total] = [count(goodServiceFilter), count(badServiceFilter), count(totalServiceFilter)];
  if (total !== undefined) return { good: good ?? total - (bad ?? 0), total };
  return { good: good ?? 0, total: (good ?? 0) + (bad ?? 0) };
}

/** How many times faster than allowed the error budget goes; undefined without requests. */
export function burnRate(slo: Slo, { good, total }: Requests): number | undefined {
  if (total === 0) return undefined;
  const errorRatio = Math.max(0, total - good) / total;
  // Rounded, so that a burn rate of exactly 10 is not above 10 in binary fractions.
  return Math.round((errorRatio / (1 - slo.goal)) * 1e9) / 1e9;
}

export interface BurnRateSelector {
  readonly slo: string;
  readonly lookbackMs: number;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const MAX_LOOKBACK_MS = 24 * 3_600_000;

/**
 * `select_slo_burn_rate("projects/P/services/S/serviceLevelObjectives/O", "300s")`; undefined for a filter that is no
 * selector. https://cloud.google.com/stackdriver/docs/solutions/slo-monitoring/api/timeseries-selectors
 */
export function parseBurnRateSelector(filter: string): BurnRateSelector | undefined {
  const name = /^\s*(select_slo_\w+)\s*\(/.exec(filter)?.[1];
  if (name === undefined) return undefined;
  const [, slo, amount, unit] =
    /^\s*select_slo_burn_rate\s*\(\s*"([^"]+)"\s*,\s*"(\d+)(ns|us|ms|s|m|h)"\s*\)\s*$/.exec(filter) ?? [];
  if (slo === undefined || unit === undefined) {
    throw new ApiError(
      'INVALID_ARGUMENT',
      `Could not parse ${filter}: expected select_slo_burn_rate("projects/P/services/S/serviceLevelObjectives/O", "300s").`,
    );
  }
  const lookbackMs = Number(amount) * (UNIT_MS[unit] ?? 0);
  if (lookbackMs <= 0 || lookbackMs > MAX_LOOKBACK_MS) {
    throw new ApiError(
      'INVALID_ARGUMENT',
      `The lookback period of ${filter} must be above 0 and at most 24 hours.`,
    );
  }
  return { slo, lookbackMs };
}

function seriesOf({ name }: Slo, filter: string, traffic: Traffic, window: Window): TimeSeries[] {
  const project = name.split('/')[1];
  const { metricType, matches } = parseSeriesFilter(filter);
  return traffic.read(metricType, id => id.resource.labels['project_id'] === project && matches(id), window);
}

function countOf(series: readonly TimeSeries[]): number {
  return series.flatMap(({ points }) => points).reduce((sum, point) => sum + numberIn(point), 0);
}

function sumOf(series: readonly TimeSeries[], read: (value: Distribution) => number): number {
  let sum = 0;
  for (const { value } of series.flatMap(({ points }) => points)) {
    if (typeof value !== 'number') sum += read(value);
  }
  return sum;
}

function within(
  value: Distribution,
  { min, max }: { min?: number | undefined; max?: number | undefined },
): number {
  const below = max === undefined ? value.count : value.countBelow(max);
  return below - (min === undefined ? 0 : value.countBelow(min));
}

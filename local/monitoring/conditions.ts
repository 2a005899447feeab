import { ApiError } from '../http.ts';
import { millisOf } from '../proto-json.ts';
import { parseSeriesFilter } from './filter.ts';
import { checkAggregation, parseAggregation, queryTimeSeries } from './query.ts';
import type { Condition, Slo, Threshold } from './resources.ts';
import { burnRate, countRequests, parseBurnRateSelector } from './slo.ts';
import { numberIn, type SeriesId } from './time-series.ts';
import type { Traffic } from './traffic.ts';

/** What a condition is about at one moment. */
export interface Reading {
  readonly value: number;
  /** Undefined for an SLO, which is about no single series. */
  readonly series: SeriesId | undefined;
  /** What two conditions have in common when they are about the same resource: type and labels, or the SLO's service. */
  readonly resource: string;
}

export interface ConditionData {
  readonly traffic: Traffic;
  readonly findSlo: (name: string) => Slo | undefined;
  readonly project: string;
  readonly nowMs: number;
  readonly samplePeriodMs: number;
}

/** https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alertPolicies#aggregation */
const MAX_ALIGNMENT_MS = 25 * 3_600_000;

/** Refuses what {@link readCondition} could not read. */
export function checkThreshold(
  { filter, aggregations, duration, trigger }: Threshold,
  samplePeriodMs: number,
): void {
  if (millisOf(duration) % samplePeriodMs !== 0) {
    throw new ApiError(
      'INVALID_ARGUMENT',
      `duration ${duration} must be a multiple of ${samplePeriodMs / 1000} s.`,
    );
  }
  if (parseBurnRateSelector(filter)) {
    if (aggregations.length === 0) return;
    throw new ApiError('INVALID_ARGUMENT', `A condition on an SLO takes no aggregations: ${filter}`);
  }
  const { metricType } = parseSeriesFilter(filter);
  if (millisOf(aggregations[0]?.alignmentPeriod ?? '0s') > MAX_ALIGNMENT_MS) {
    throw new ApiError('INVALID_ARGUMENT', 'The alignment period of a condition must be at most 25 hours.');
  }
  const aggregation = aggregations[0] && parseAggregation(aggregations[0], samplePeriodMs);
  if (!aggregation) {
    throw new ApiError(
      'INVALID_ARGUMENT',
      `A condition on a metric needs an aggregation with an aligner: ${filter}`,
    );
  }
  if (checkAggregation(metricType, aggregation) === 'DISTRIBUTION') {
    throw new ApiError('INVALID_ARGUMENT', `A threshold needs numbers; align ${metricType} by a percentile.`);
  }
  if (trigger?.percent !== undefined) {
    throw new ApiError('UNIMPLEMENTED', 'The local Monitoring has no trigger.percent.');
  }
}

/**
 * The newest value of every series that the condition is about; none without data. Windows end at the newest point that
 * can be read, so that the lag of the metrics does not make them shorter.
 */
export function readCondition(
  { conditionThreshold: { filter, aggregations } }: Condition,
  data: ConditionData,
): Reading[] {
  const untilMs = data.traffic.horizonMs(data.nowMs);
  const selector = parseBurnRateSelector(filter);
  if (selector) {
    const slo = data.findSlo(selector.slo);
    if (!slo) return [];
    const window = { afterMs: untilMs - selector.lookbackMs, untilMs };
    const value = burnRate(slo, countRequests(slo, data.traffic, window));
    const resource = slo.name.replace(/\/serviceLevelObjectives\/.*$/, '');
    return value === undefined ? [] : [{ value, series: undefined, resource }];
  }
  const aggregation = aggregations[0] && parseAggregation(aggregations[0], data.samplePeriodMs);
  if (!aggregation) return [];
  const startMs = untilMs - aggregation.alignmentPeriodMs;
  const query = { project: data.project, filter, startMs, endMs: untilMs, aggregation };
  return queryTimeSeries(data.traffic, query, data.nowMs).flatMap(({ points, ...series }) =>
    points[0] ? [{ value: numberIn(points[0]), series, resource: JSON.stringify(series.resource) }] : [],
  );
}

export function isViolation(value: number, { comparison, thresholdValue }: Threshold): boolean {
  return comparison === 'COMPARISON_GT' ? value > thresholdValue : value < thresholdValue;
}

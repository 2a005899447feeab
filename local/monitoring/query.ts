import { z } from 'zod';
import { ApiError } from '../http.ts';
import { check, duration, millisOf, protoEnum } from '../proto-json.ts';
import { type Aggregation, ALIGNERS, aggregate, REDUCERS } from './aggregation.ts';
import { parseSeriesFilter } from './filter.ts';
import { emptySeries } from './metrics.ts';
import type { TimeSeries, ValueType } from './time-series.ts';
import type { Measurements } from './traffic.ts';

export interface TimeSeriesQuery {
  readonly project: string;
  readonly filter: string;
  /** Points that end after this… */
  readonly startMs: number;
  /** …and not after this are wanted. */
  readonly endMs: number;
  readonly aggregation: Aggregation | undefined;
}

/** As in a request's query string and in an alert policy's condition. */
export const aggregationSchema = z.object({
  alignmentPeriod: duration.optional(),
  perSeriesAligner: protoEnum(ALIGNERS).default('ALIGN_NONE'),
  crossSeriesReducer: protoEnum(REDUCERS).default('REDUCE_NONE'),
  groupByFields: z.array(z.string()).default([]),
});

/** Undefined when nothing is to be aggregated. `minPeriodMs` is the shortest period that makes sense: one sample. */
export function parseAggregation(
  fields: z.output<typeof aggregationSchema>,
  minPeriodMs: number,
): Aggregation | undefined {
  const { alignmentPeriod, perSeriesAligner, crossSeriesReducer, groupByFields } = fields;
  const isAligned = perSeriesAligner !== 'ALIGN_NONE';
  if (!isAligned && crossSeriesReducer === 'REDUCE_NONE') return undefined;
  const alignmentPeriodMs = alignmentPeriod === undefined ? 0 : millisOf(alignmentPeriod);
  if (isAligned && alignmentPeriodMs < minPeriodMs) {
    throw new ApiError(
      'INVALID_ARGUMENT',
      `Field aggregation.alignmentPeriod had an invalid value of "${alignmentPeriod ?? ''}": the alignment period must be at least ${minPeriodMs / 1000} seconds.`,
    );
  }
  return { alignmentPeriodMs, aligner: perSeriesAligner, reducer: crossSeriesReducer, groupByFields };
}

/** Reads `aggregation.*` and `interval.*` of a `timeSeries.list` request. */
export function parseQuery(project: string, query: URLSearchParams, minPeriodMs: number): TimeSeriesQuery {
  if (query.get('secondaryAggregation.perSeriesAligner')) {
    throw new ApiError('UNIMPLEMENTED', 'The local Monitoring has no secondary aggregation.');
  }
  const aggregation = check(
    {
      alignmentPeriod: query.get('aggregation.alignmentPeriod') ?? undefined,
      perSeriesAligner: enumParameter(query.get('aggregation.perSeriesAligner')),
      crossSeriesReducer: enumParameter(query.get('aggregation.crossSeriesReducer')),
      groupByFields: query.getAll('aggregation.groupByFields'),
    },
    aggregationSchema,
  );
  const startMs = timeParameter(query, 'interval.startTime');
  const endMs = timeParameter(query, 'interval.endTime');
  if (startMs >= endMs) {
    throw new ApiError('INVALID_ARGUMENT', 'The start time must be before the end time for DELTA metrics.');
  }
  return {
    project,
    filter: query.get('filter') ?? '',
    startMs,
    endMs,
    aggregation: parseAggregation(aggregation, minPeriodMs),
  };
}

/** What can be read at `nowMs`. */
export function queryTimeSeries(
  measured: Pick<Measurements, 'read' | 'horizonMs'>,
  query: TimeSeriesQuery,
  nowMs: number,
): TimeSeries[] {
  const { metricType, matches } = parseSeriesFilter(query.filter);
  checkAggregation(metricType, query.aggregation);
  const series = measured.read(
    metricType,
    id => id.resource.labels['project_id'] === query.project && matches(id),
    { afterMs: query.startMs, untilMs: Math.min(query.endMs, measured.horizonMs(nowMs)) },
  );
  return query.aggregation ? aggregate(series, query.aggregation, query.endMs) : series;
}

/** Refuses what cannot be computed for a metric, whether there is data or not; tells the type of what comes out. */
export function checkAggregation(metricType: string, aggregation: Aggregation | undefined): ValueType {
  const series = emptySeries(metricType);
  if (!series) throw new ApiError('NOT_FOUND', `Cannot find metric(s) that match type = "${metricType}".`);
  const [result] = aggregation ? aggregate([series], aggregation, 0) : [series];
  return result?.valueType ?? series.valueType;
}

/** A page holds so many points, as the real one's: a series may go on on the next page. */
export function splitByPoints(series: readonly TimeSeries[]): TimeSeries[] {
  return series.flatMap(one => one.points.map(point => ({ ...one, points: [point] })));
}

/** Puts what {@link splitByPoints} took apart together again. */
export function joinPoints(parts: readonly TimeSeries[]): TimeSeries[] {
  const whole = Map.groupBy(parts, ({ metric, resource }) => JSON.stringify([metric, resource]));
  return [...whole.values()].flatMap(([first, ...rest]) =>
    first ? [{ ...first, points: [first, ...rest].flatMap(({ points }) => points) }] : [],
  );
}

function enumParameter(text: string | null): string | number | undefined {
  if (text === null) return undefined;
  return /^\d+$/.test(text) ? Number(text) : text;
}

function timeParameter(query: URLSearchParams, name: string): number {
  const text = query.get(name) ?? '';
  const ms = Date.parse(text);
  if (Number.isNaN(ms))
    throw new ApiError('INVALID_ARGUMENT', `${name} "${text}" is not a time such as 2026-01-05T09:00:00Z.`);
  return ms;
}

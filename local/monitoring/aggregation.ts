import { ApiError } from '../http.ts';
import { Distribution } from './distribution.ts';
import { type Labels, numberIn, type Point, type SeriesId, type TimeSeries } from './time-series.ts';

/** In the order of their numbers; empty strings are numbers that are not in use. */
export const ALIGNERS = [
  'ALIGN_NONE',
  'ALIGN_DELTA',
  'ALIGN_RATE',
  'ALIGN_INTERPOLATE',
  'ALIGN_NEXT_OLDER',
  ...Array<''>(5).fill(''),
  'ALIGN_MIN',
  'ALIGN_MAX',
  'ALIGN_MEAN',
  'ALIGN_COUNT',
  'ALIGN_SUM',
  'ALIGN_STDDEV',
  'ALIGN_COUNT_TRUE',
  'ALIGN_FRACTION_TRUE',
  'ALIGN_PERCENTILE_99',
  'ALIGN_PERCENTILE_95',
  'ALIGN_PERCENTILE_50',
  'ALIGN_PERCENTILE_05',
  '',
  'ALIGN_PERCENT_CHANGE',
  'ALIGN_COUNT_FALSE',
] as const;

export const REDUCERS = [
  'REDUCE_NONE',
  'REDUCE_MEAN',
  'REDUCE_MIN',
  'REDUCE_MAX',
  'REDUCE_SUM',
  'REDUCE_STDDEV',
  'REDUCE_COUNT',
  'REDUCE_COUNT_TRUE',
  'REDUCE_FRACTION_TRUE',
  'REDUCE_PERCENTILE_99',
  'REDUCE_PERCENTILE_95',
  'REDUCE_PERCENTILE_50',
  'REDUCE_PERCENTILE_05',
  '',
  '',
  'REDUCE_COUNT_FALSE',
] as const;

export interface Aggregation {
  readonly alignmentPeriodMs: number;
  readonly aligner: Exclude<(typeof ALIGNERS)[number], ''>;
  readonly reducer: Exclude<(typeof REDUCERS)[number], ''>;
  readonly groupByFields: readonly string[];
}

/** What the points of one period, or of one moment, become; how it is computed is in the name. */
interface Combination {
  readonly combine: (points: readonly Point[]) => Point['value'];
  readonly metricKind: 'DELTA' | 'GAUGE' | 'same';
  readonly valueType: 'INT64' | 'DOUBLE' | 'same';
  readonly takes: 'numbers' | 'distributions' | 'both';
}

const COUNT: Combination = {
  combine: points => points.length,
  metricKind: 'GAUGE',
  valueType: 'INT64',
  takes: 'both',
};
const SUM: Combination = { combine: sum, metricKind: 'same', valueType: 'same', takes: 'both' };
const MEAN: Combination = {
  combine: points => total(points) / points.length,
  metricKind: 'GAUGE',
  valueType: 'DOUBLE',
  takes: 'numbers',
};
const MIN: Combination = {
  combine: points => Math.min(...points.map(numberIn)),
  metricKind: 'GAUGE',
  valueType: 'same',
  takes: 'numbers',
};
const MAX: Combination = { ...MIN, combine: points => Math.max(...points.map(numberIn)) };

/** Periods end at `endMs` and whole periods before it; a point belongs to the period that its end falls into. */
export function aggregate(
  series: readonly TimeSeries[],
  aggregation: Aggregation,
  endMs: number,
): TimeSeries[] {
  if (aggregation.aligner === 'ALIGN_NONE') {
    if (aggregation.reducer === 'REDUCE_NONE') return [...series];
    throw new ApiError(
      'INVALID_ARGUMENT',
      `${aggregation.reducer} needs a perSeriesAligner other than ALIGN_NONE.`,
    );
  }
  const aligned = series.map(one => align(one, aggregation, endMs));
  return aggregation.reducer === 'REDUCE_NONE' ? aligned : reduce(aligned, aggregation);
}

function align(series: TimeSeries, { aligner, alignmentPeriodMs }: Aggregation, endMs: number): TimeSeries {
  const combination = aligning(aligner, alignmentPeriodMs);
  const periods = Map.groupBy(series.points, point => Math.floor((endMs - point.endMs) / alignmentPeriodMs));
  const points = [...periods]
    .sort(([a], [b]) => a - b)
    .map(([period, inPeriod]) => {
      const periodEndMs = endMs - period * alignmentPeriodMs;
      return {
        startMs: periodEndMs - alignmentPeriodMs,
        endMs: periodEndMs,
        value: combination.combine(inPeriod),
      };
    });
  return retype(series, combination, aligner, points);
}

function reduce(aligned: readonly TimeSeries[], { reducer, groupByFields }: Aggregation): TimeSeries[] {
  const combination = reducing(reducer);
  const groups = Map.groupBy(aligned, series => JSON.stringify(groupOf(series, groupByFields)));
  return [...groups.values()].flatMap(group => {
    const [first] = group;
    if (!first) return [];
    const moments = Map.groupBy(
      group.flatMap(({ points }) => points),
      ({ endMs }) => endMs,
    );
    const points = [...moments]
      .sort(([a], [b]) => b - a)
      .map(([endMs, together]) => ({
        startMs: together[0]?.startMs ?? endMs,
        endMs,
        value: combination.combine(together),
      }));
    return [retype({ ...first, ...groupOf(first, groupByFields) }, combination, reducer, points)];
  });
}

function retype(
  series: TimeSeries,
  { metricKind, valueType, takes }: Combination,
  name: string,
  points: readonly Point[],
): TimeSeries {
  const isDistribution = series.valueType === 'DISTRIBUTION';
  if (takes !== 'both' && (takes === 'distributions') !== isDistribution) {
    throw new ApiError(
      'INVALID_ARGUMENT',
      `${name} takes ${takes}; ${series.metric.type} has values of type ${series.valueType}.`,
    );
  }
  const kind = metricKind === 'same' ? series.metricKind : metricKind;
  return {
    ...series,
    metricKind: kind,
    valueType: valueType === 'same' ? series.valueType : valueType,
    points: kind === 'GAUGE' ? points.map(point => ({ ...point, startMs: point.endMs })) : points,
  };
}

function aligning(aligner: Aggregation['aligner'], periodMs: number): Combination {
  switch (aligner) {
    case 'ALIGN_DELTA':
    case 'ALIGN_SUM':
      return SUM;
    case 'ALIGN_RATE':
      return { ...MEAN, combine: points => total(points) / (periodMs / 1000) };
    case 'ALIGN_COUNT':
      return COUNT;
    case 'ALIGN_MEAN':
      return MEAN;
    case 'ALIGN_MIN':
      return MIN;
    case 'ALIGN_MAX':
      return MAX;
    case 'ALIGN_PERCENTILE_99':
    case 'ALIGN_PERCENTILE_95':
    case 'ALIGN_PERCENTILE_50':
    case 'ALIGN_PERCENTILE_05':
      return percentile(aligner);
    default:
      throw new ApiError('UNIMPLEMENTED', `The local Monitoring has no ${aligner}.`);
  }
}

function reducing(reducer: Aggregation['reducer']): Combination {
  switch (reducer) {
    case 'REDUCE_SUM':
      return SUM;
    case 'REDUCE_MEAN':
      return MEAN;
    case 'REDUCE_MIN':
      return MIN;
    case 'REDUCE_MAX':
      return MAX;
    case 'REDUCE_COUNT':
      return COUNT;
    case 'REDUCE_PERCENTILE_99':
    case 'REDUCE_PERCENTILE_95':
    case 'REDUCE_PERCENTILE_50':
    case 'REDUCE_PERCENTILE_05':
      return percentile(reducer);
    default:
      throw new ApiError('UNIMPLEMENTED', `The local Monitoring has no ${reducer}.`);
  }
}

/** The last two digits of the name are the percentage. */
function percentile(name: string): Combination {
  const share = Number(name.slice(-2)) / 100;
  return {
    combine: points => Distribution.merge(distributions(points)).percentile(share),
    metricKind: 'GAUGE',
    valueType: 'DOUBLE',
    takes: 'distributions',
  };
}

function sum(points: readonly Point[]): Point['value'] {
  const found = distributions(points);
  return found.length > 0 ? Distribution.merge(found) : total(points);
}

function total(points: readonly Point[]): number {
  return points.reduce((sum, point) => sum + numberIn(point), 0);
}

function distributions(points: readonly Point[]): Distribution[] {
  return points.flatMap(({ value }) => (typeof value === 'number' ? [] : [value]));
}

/** Of the labels only those grouped by stay, and the project. */
function groupOf({ metric, resource }: SeriesId, fields: readonly string[]): SeriesId {
  const keep: { metric: string[]; resource: string[] } = { metric: [], resource: ['project_id'] };
  for (const field of fields) {
    const [, object, key] = /^(metric|resource)\.labels?\.(?:"?)([^"]+)(?:"?)$/.exec(field) ?? [];
    if (object === 'metric' && key !== undefined) keep.metric.push(key);
    else if (object === 'resource' && key !== undefined) keep.resource.push(key);
    else if (!['project', 'metric.type', 'resource.type'].includes(field)) {
      throw new ApiError(
        'INVALID_ARGUMENT',
        `Cannot group by "${field}": expected metric.labels.K or resource.labels.K.`,
      );
    }
  }
  return {
    metric: { type: metric.type, labels: pick(metric.labels, keep.metric) },
    resource: { type: resource.type, labels: pick(resource.labels, keep.resource) },
  };
}

function pick(labels: Labels, keys: readonly string[]): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => keys.includes(key)));
}

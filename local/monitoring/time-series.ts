import type { Distribution } from './distribution.ts';

export type Labels = Readonly<Record<string, string>>;

export interface SeriesId {
  readonly metric: { readonly type: string; readonly labels: Labels };
  readonly resource: { readonly type: string; readonly labels: Labels };
}

export type ValueType = 'INT64' | 'DOUBLE' | 'DISTRIBUTION';

/** Covers the time after `startMs` up to and including `endMs`; a gauge has both the same. */
export interface Point {
  readonly startMs: number;
  readonly endMs: number;
  readonly value: number | Distribution;
}

export interface TimeSeries extends SeriesId {
  readonly metricKind: 'DELTA' | 'GAUGE';
  readonly valueType: ValueType;
  readonly unit: string;
  /** Newest first, as the API lists them. */
  readonly points: readonly Point[];
}

export function numberIn({ value }: Point): number {
  return typeof value === 'number' ? value : value.count;
}

export function timeSeriesJson({
  metric,
  resource,
  metricKind,
  valueType,
  unit,
  points,
}: TimeSeries): object {
  return {
    metric,
    resource,
    metricKind,
    valueType,
    unit,
    points: points.map(({ startMs, endMs, value }) => ({
      interval: { startTime: new Date(startMs).toISOString(), endTime: new Date(endMs).toISOString() },
      value: typedValue(value, valueType),
    })),
  };
}

function typedValue(value: Point['value'], type: ValueType): object {
  if (typeof value !== 'number') return { distributionValue: value };
  return type === 'INT64' ? { int64Value: String(value) } : { doubleValue: value };
}

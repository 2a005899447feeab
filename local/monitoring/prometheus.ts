import type { HttpReply, HttpRequest } from '../http.ts';
import { APPLICATION_METRICS, METRICS } from './metrics.ts';
import { durationMs, type Expression, PromqlError, parsePromql, type Selector } from './promql.ts';
import { type Counter, type Counters, type Element, evaluate, type Value } from './promql-evaluate.ts';
import { type Labels, numberIn, type SeriesId, type TimeSeries } from './time-series.ts';
import type { Traffic } from './traffic.ts';

export interface PrometheusQuery {
  readonly project: string;
  readonly method: 'query' | 'query_range';
  readonly parameters: URLSearchParams;
}

/** Undefined for a request that is none of Prometheus's. Parameters may be a form, as long queries are sent. */
export function parsePrometheusRequest({
  method,
  path,
  query,
  body,
}: HttpRequest): PrometheusQuery | undefined {
  const [, project, name] =
    /^\/v1\/projects\/([^/]+)\/location\/global\/prometheus\/api\/v1\/(query|query_range)$/.exec(path) ?? [];
  if (project === undefined || (method !== 'GET' && method !== 'POST')) return undefined;
  return {
    project: decodeURIComponent(project),
    method: name === 'query' ? 'query' : 'query_range',
    parameters: new URLSearchParams([...query, ...new URLSearchParams(body.toString('utf8'))]),
  };
}

/** Answers in the form of https://prometheus.io/docs/prometheus/latest/querying/api. */
export function queryPrometheus(traffic: Traffic, query: PrometheusQuery, nowMs: number): HttpReply {
  try {
    const data = query.method === 'query' ? atOnce(traffic, query, nowMs) : overTime(traffic, query, nowMs);
    return { status: 200, body: { status: 'success', data } };
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
    return { status: 400, body: { status: 'error', errorType: 'bad_data', error: error.message } };
  }
}

function atOnce(traffic: Traffic, { project, parameters }: PrometheusQuery, nowMs: number): object {
  const atMs = parameters.has('time') ? timeIn(parameters, 'time') : nowMs;
  const value = evaluate(expressionIn(parameters), atMs, countersOf(traffic, project, atMs, nowMs));
  const stamped = (one: number) => [atMs / 1000, printed(one)];
  if (typeof value === 'number') return { resultType: 'scalar', result: stamped(value) };
  return {
    resultType: 'vector',
    result: value.map(({ labels, value: one }) => ({ metric: labels, value: stamped(one) })),
  };
}

/** The most that Prometheus answers with. */
const MAX_STEPS = 11_000;

function overTime(traffic: Traffic, { project, parameters }: PrometheusQuery, nowMs: number): object {
  const expression = expressionIn(parameters);
  const [startMs, endMs] = [timeIn(parameters, 'start'), timeIn(parameters, 'end')];
  const stepMs = stepIn(parameters);
  if (endMs < startMs) throw invalid('end', 'end timestamp must not be before start time');
  if (stepMs <= 0) throw invalid('step', 'expected a duration above zero, such as 60 or 60s');
  if ((endMs - startMs) / stepMs > MAX_STEPS)
    throw new PromqlError(`exceeded maximum resolution of ${MAX_STEPS} points per timeseries`);
  const counters = countersOf(traffic, project, endMs, nowMs);
  const series = new Map<string, { metric: Labels; values: [number, string][] }>();
  for (let atMs = startMs; atMs <= endMs; atMs += stepMs) {
    for (const { labels, value } of elementsOf(evaluate(expression, atMs, counters))) {
      const key = JSON.stringify(Object.entries(labels).sort());
      const one = series.get(key) ?? { metric: labels, values: [] };
      one.values.push([atMs / 1000, printed(value)]);
      series.set(key, one);
    }
  }
  return { resultType: 'matrix', result: [...series.values()] };
}

function elementsOf(value: Value): readonly Element[] {
  return typeof value === 'number' ? [{ labels: {}, value }] : value;
}

/** Reads each selector once, however many steps there are. */
function countersOf(traffic: Traffic, project: string, endMs: number, nowMs: number): Counters {
  const knownUntilMs = Math.min(endMs, traffic.horizonMs(nowMs));
  const found = new Map<Selector, Counter[]>();
  return {
    knownUntilMs,
    find: selector => {
      const counters = found.get(selector) ?? findCounters(traffic, project, selector, knownUntilMs);
      found.set(selector, counters);
      return counters;
    },
  };
}

function findCounters(
  traffic: Traffic,
  project: string,
  { metric, matchers }: Selector,
  untilMs: number,
): Counter[] {
  if (metric !== undefined && !PROMETHEUS_NAMES.has(metric)) {
    throw new PromqlError(
      `the local Monitoring has no metric ${metric}; it has ${[...new Set(PROMETHEUS_NAMES.values())].join(', ')}`,
    );
  }
  const name = metric === undefined ? undefined : PROMETHEUS_NAMES.get(metric);
  return TYPES.filter(([, known]) => name === undefined || known === name).flatMap(([type, known]) => {
    const labelsOf = (id: SeriesId) => ({ ...id.resource.labels, ...id.metric.labels, __name__: known });
    const matches = (id: SeriesId) => {
      const labels: Labels = { ...labelsOf(id), monitored_resource: id.resource.type };
      return (
        labels['project_id'] === project &&
        matchers.every(({ label, matches: accepts }) => accepts(labels[label] ?? ''))
      );
    };
    return traffic
      .read(type, matches, { afterMs: Number.NEGATIVE_INFINITY, untilMs })
      .map(series => counterOf(series, labelsOf(series)));
  });
}

function counterOf({ points }: TimeSeries, labels: Labels): Counter {
  const oldestFirst = points.toReversed();
  let total = 0;
  return {
    labels,
    endsMs: oldestFirst.map(({ endMs }) => endMs),
    totals: oldestFirst.map(point => {
      total += numberIn(point);
      return total;
    }),
  };
}

/** Each type with its name in PromQL; of a distribution the number of its values. */
const TYPES: readonly (readonly [type: string, name: string])[] = [
  ...[...METRICS].map(([type, { valueType }]): [string, string] => [
    type,
    `${mappedName(type)}${valueType === 'DISTRIBUTION' ? '_count' : ''}`,
  ]),
  ...[...APPLICATION_METRICS.keys()].map((type): [string, string] => [type, type.split('/')[1] ?? type]),
];

/** By the names themselves, and for Google's own metrics by the type. */
const PROMETHEUS_NAMES: ReadonlyMap<string, string> = new Map(
  TYPES.flatMap(([type, name]) => [
    [name, name],
    [type, name],
  ]),
);

/** https://cloud.google.com/monitoring/promql/promql-mapping */
function mappedName(type: string): string {
  return type
    .split(/\/(.*)/)
    .map(part => part.replaceAll(/[^a-zA-Z0-9]/g, '_'))
    .slice(0, 2)
    .join(':');
}

function expressionIn(parameters: URLSearchParams): Expression {
  try {
    return parsePromql(parameters.get('query') ?? '');
  } catch (error) {
    if (error instanceof PromqlError) throw invalid('query', error.message);
    throw error;
  }
}

/** Seconds since 1970, or RFC 3339. */
function timeIn(parameters: URLSearchParams, name: string): number {
  const text = parameters.get(name) ?? '';
  const ms = /^-?\d+(\.\d+)?$/.test(text) ? Math.round(Number(text) * 1000) : Date.parse(text);
  if (Number.isNaN(ms)) throw invalid(name, `cannot parse "${text}" to a valid timestamp`);
  return ms;
}

/** Seconds, or a duration. */
function stepIn(parameters: URLSearchParams): number {
  const text = parameters.get('step') ?? '';
  return /^\d+(\.\d+)?$/.test(text) ? Math.round(Number(text) * 1000) : durationMs(text);
}

function invalid(parameter: string, message: string): PromqlError {
  return new PromqlError(`invalid parameter "${parameter}": ${message}`);
}

function printed(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}

import type { MetricServiceClient, protos } from '@google-cloud/monitoring';
import { SlipwayError } from '../errors.ts';
import type { GoogleClients } from '../google/clients.ts';
import { calling } from '../google/errors.ts';
import { countBelow } from './distribution.ts';
import type { CloudRunTarget, GkeTarget, MetricTarget, Sample, Side, Span } from './reading.ts';

export type TimeSeries = protos.google.monitoring.v3.ITimeSeries;
type Point = protos.google.monitoring.v3.IPoint;
type Timestamp = protos.google.protobuf.ITimestamp;

/** Points of one page: the latencies of so many are some 20 MB. */
const PAGE_POINTS = 5000;

const TIMEOUT_MS = 20_000;

/**
 * Requests of canary and stable as Cloud Monitoring has them, with one request per project, metric type and span, and
 * its further pages. Of each page no more is kept than a few numbers per point.
 *
 * Without a latency threshold `request_count` is read. With one `request_latencies` is, alone: its distributions tell
 * the number of requests as well, and both carry the response's class.
 */
export async function readMonitoring(
  { metrics }: Pick<GoogleClients, 'metrics'>,
  targets: readonly MetricTarget[],
  spans: readonly Span[],
  latencyThresholdMs: number | undefined,
): Promise<Sample[]> {
  const queries = spans.length > 0 ? queriesFor(targets, latencyThresholdMs !== undefined) : [];
  if (queries.length === 0) return [];
  const client = await metrics();
  const samples = await Promise.all(
    queries.flatMap(query => spans.map(span => readQuery(client, query, span, latencyThresholdMs))),
  );
  return samples.flat();
}

export interface Query {
  readonly project: string;
  readonly metricType: string;
  readonly filter: string;
  /** All that is needed to tell whose a series is, and whether it is of errors. */
  readonly groupByFields: readonly string[];
  readonly served: readonly Served[];
  /** Of a gauge the largest is of interest, of all else the sum (the default). */
  readonly combined?: 'sum' | 'largest';
}

/** One revision or Service, and how to tell its series. */
export interface Served {
  readonly target: string;
  readonly side: Side;
  readonly isOf: (labels: Labels) => boolean;
}

/** One per project and kind of target: `isLatency` of latencies, else of counts. */
export function queriesFor(targets: readonly MetricTarget[], isLatency: boolean): Query[] {
  const byProject = Map.groupBy(targets, ({ project }) => project);
  return [...byProject].flatMap(([project, group]) => {
    const run = group.filter(target => target.kind === 'cloudRun');
    const gke = group.filter(target => target.kind === 'gke');
    return [
      ...(run.length > 0 ? [cloudRunQuery(project, run, requestMetric(isLatency), [RESPONSE_CLASS])] : []),
      ...(gke.length > 0 ? [gkeQuery(project, gke, isLatency)] : []),
    ];
  });
}

function requestMetric(isLatency: boolean): string {
  return `run.googleapis.com/${isLatency ? 'request_latencies' : 'request_count'}`;
}

/** @param metricLabels those of the metric that its series are told apart by, besides the revision's */
export function cloudRunQuery(
  project: string,
  targets: readonly CloudRunTarget[],
  metricType: string,
  metricLabels: readonly string[],
): Query {
  return {
    project,
    metricType,
    filter: [
      `metric.type = "${metricType}"`,
      'resource.type = "cloud_run_revision"',
      `resource.labels.service_name = ${oneOf(targets.map(({ service }) => service))}`,
      `resource.labels.location = ${oneOf(targets.map(({ region }) => region))}`,
    ].join(' AND '),
    groupByFields: groupBy(['location', 'service_name', 'revision_name'], metricLabels),
    served: targets.flatMap(target => [
      servedBy(target, 'canary', target.canary),
      ...(target.stable === undefined ? [] : [servedBy(target, 'stable', target.stable)]),
    ]),
  };
}

function servedBy({ name, project, region, service }: CloudRunTarget, side: Side, revision: string): Served {
  return {
    target: name,
    side,
    isOf: labels =>
      labels['project_id'] === project &&
      labels['location'] === region &&
      labels['service_name'] === service &&
      labels['revision_name'] === revision,
  };
}

function gkeQuery(project: string, targets: readonly GkeTarget[], isLatency: boolean): Query {
  const metricType = `loadbalancing.googleapis.com/https/${isLatency ? 'backend_latencies' : 'backend_request_count'}`;
  const names = targets.flatMap(target => [
    backendNames(target, target.canary),
    backendNames(target, target.stable),
  ]);
  return {
    project,
    metricType,
    filter: [
      `metric.type = "${metricType}"`,
      'resource.type = "https_lb_rule"',
      `resource.labels.backend_target_name = monitoring.regex.full_match("${backendPattern(names)}")`,
    ].join(' AND '),
    groupByFields: groupBy(['backend_target_name', 'backend_scope'], [RESPONSE_CLASS]),
    served: targets.flatMap(target => [servedAs(target, 'canary'), servedAs(target, 'stable')]),
  };
}

function servedAs(target: GkeTarget, side: Side): Served {
  const name = new RegExp(`^${backendPattern([backendNames(target, target[side])])}$`);
  return {
    target: target.name,
    side,
    isOf: labels =>
      labels['project_id'] === target.project &&
      name.test(labels['backend_target_name'] ?? '') &&
      // The scope is a zone, the cluster may be regional: all that tells clusters of one project apart.
      (labels['backend_scope'] ?? '').startsWith(target.location),
  };
}

/** Length of a resource name, less `gkegw1-`, two hashes, a port of five digits and hyphens. */
const ROOM_FOR_NAMES = 31;

/**
 * What a Service adds to the name of its backend service. GKE cuts it when that gets too long, and what is cut could be
 * the `-canary` that tells the two apart.
 */
function backendNames({ name, namespace }: GkeTarget, service: string): string {
  if (namespace.length + service.length > ROOM_FOR_NAMES) {
    throw new SlipwayError(
      `Target ${name}: the load balancer's metrics do not tell Service ${namespace}/${service} from others, because namespace and name have more than ${ROOM_FOR_NAMES} characters together and GKE cuts them. Shorten one of them, or let Prometheus count (targets[].gke.prometheus).`,
      { code: 'InvalidArgument', operation: `find the metrics of target ${name}` },
    );
  }
  return `${namespace}-${service}`;
}

/** GKE names the backend service of a Gateway `gkegw1-HASH-NAMESPACE-SERVICE-PORT-HASH`. */
function backendPattern(names: readonly string[]): string {
  return `gkegw1-[a-z0-9]{4}-(${[...new Set(names)].join('|')})-[0-9]{1,5}-[a-z0-9]{12}`;
}

export function oneOf(values: readonly string[]): string {
  return `one_of(${[...new Set(values)].map(value => `"${value}"`).join(', ')})`;
}

const RESPONSE_CLASS = 'response_code_class';

export function groupBy(resourceLabels: readonly string[], metricLabels: readonly string[]): string[] {
  return [
    ...['project_id', ...resourceLabels].map(label => `resource.labels.${label}`),
    ...metricLabels.map(label => `metric.labels.${label}`),
  ];
}

/** What is kept of one series, which may come in parts on several pages. */
interface Series {
  readonly served: readonly Served[];
  readonly isError: boolean;
  readonly isCumulative: boolean;
  /** By their ends: so that a point that comes twice counts once. */
  readonly points: Map<number, Counted>;
}

interface Counted {
  readonly startMs: number;
  readonly endMs: number;
  readonly requests: number;
  readonly slow: number;
}

async function readQuery(
  client: MetricServiceClient,
  query: Query,
  span: Span,
  thresholdMs: number | undefined,
): Promise<Sample[]> {
  const known = new Map<string, Series>();
  for await (const page of pagesOf(client, query, span)) {
    for (const one of page) {
      const { points } = seriesOf(known, query, one);
      for (const point of one.points ?? []) {
        const counted = countOf(point, thresholdMs);
        points.set(counted.endMs, counted);
      }
    }
  }
  return [...known.values()].flatMap(series => samplesOf(series, span));
}

export async function* pagesOf(
  client: MetricServiceClient,
  { project, metricType, filter, groupByFields, combined = 'sum' }: Query,
  { afterMs, untilMs, periodMs, isSummed }: Span,
): AsyncGenerator<readonly TimeSeries[]> {
  const operation = `monitoring.timeSeries.list ${metricType} in ${project}`;
  const request = {
    name: `projects/${project}`,
    filter,
    interval: { startTime: timestamp(afterMs), endTime: timestamp(untilMs) },
    view: 'FULL' as const,
    pageSize: PAGE_POINTS,
    ...(isSummed ? { aggregation: { ...COMBINED[combined], ...groups(periodMs, groupByFields) } } : {}),
  };
  let pageToken = '';
  do {
    const [page, , answer] = await calling(operation, () =>
      client.listTimeSeries({ ...request, pageToken }, { autoPaginate: false, timeout: TIMEOUT_MS }),
    );
    failIfIncomplete(operation, answer.executionErrors ?? []);
    yield page;
    pageToken = answer.nextPageToken ?? '';
  } while (pageToken !== '');
}

/** Sums by the ends of points, without interpolation: what {@link blocksOf} does with points. */
const COMBINED = {
  sum: { perSeriesAligner: 'ALIGN_SUM', crossSeriesReducer: 'REDUCE_SUM' },
  largest: { perSeriesAligner: 'ALIGN_MEAN', crossSeriesReducer: 'REDUCE_MAX' },
} as const;

function groups(periodMs: number, groupByFields: readonly string[]) {
  return { alignmentPeriod: timestamp(periodMs), groupByFields: [...groupByFields] };
}

/** A judge that sees half of the metrics, perhaps the canary's good requests missing, would be misled. */
function failIfIncomplete(operation: string, errors: readonly protos.google.rpc.IStatus[]): void {
  if (errors.length === 0) return;
  const messages = errors.map(({ message }) => message).join('; ');
  throw new SlipwayError(`${operation}: the answer is incomplete: ${messages}`, {
    code: 'Unavailable',
    operation,
  });
}

function seriesOf(known: Map<string, Series>, { served }: Query, one: TimeSeries): Series {
  const labels = { ...one.resource?.labels, ...one.metric?.labels };
  const key = JSON.stringify(Object.entries(labels).sort());
  const series = known.get(key) ?? {
    ...whose(labels, served),
    isCumulative: one.metricKind === 'CUMULATIVE',
    points: new Map(),
  };
  known.set(key, series);
  return series;
}

type Labels = Readonly<Record<string, string>>;

/** Whose requests a series is about, and whether it is of errors. */
export function whose(
  labels: Labels,
  served: readonly Served[],
): { readonly served: readonly Served[]; readonly isError: boolean } {
  const responseClass = labels[RESPONSE_CLASS] ?? '';
  return {
    // The load balancer's class 0 is a client that went away before there was an answer.
    served: responseClass === '0' ? [] : served.filter(({ isOf }) => isOf(labels)),
    isError: responseClass.startsWith('5'),
  };
}

function countOf({ value, interval }: Point, thresholdMs: number | undefined): Counted {
  const time = { startMs: millisOf(interval?.startTime), endMs: millisOf(interval?.endTime) };
  const distribution = value?.distributionValue;
  if (!distribution)
    return { ...time, requests: Number(value?.int64Value ?? value?.doubleValue ?? 0), slow: 0 };
  const requests = Number(distribution.count ?? 0);
  const slow = thresholdMs === undefined ? 0 : requests - countBelow(distribution, thresholdMs);
  return { ...time, requests, slow };
}

function samplesOf({ served, isError, isCumulative, points }: Series, span: Span): Sample[] {
  const counted = isCumulative ? deltas([...points.values()], span) : [...points.values()];
  return counted
    .filter(({ startMs, endMs }) => isWithin(startMs, endMs, span))
    .flatMap(({ endMs, requests, slow }) =>
      served.map(({ target, side }) => ({ target, side, endMs, requests, bad: isError ? requests : slow })),
    );
}

function isWithin(startMs: number, endMs: number, { afterMs, sinceMs, untilMs, isSummed }: Span): boolean {
  return endMs > afterMs && endMs <= untilMs && (isSummed || startMs >= sinceMs);
}

/**
 * A cumulative point counts from its start, which is that of the point before, or, after a reset, another. The first one
 * is only where the second counts from, unless it started inside the span.
 */
function deltas(points: readonly Counted[], { afterMs }: Span): Counted[] {
  const ordered = points.toSorted((a, b) => a.endMs - b.endMs);
  return ordered.flatMap((point, index) => {
    const before = ordered[index - 1];
    if (before?.startMs === point.startMs) {
      const { requests, slow } = point;
      return [
        { ...point, startMs: before.endMs, requests: requests - before.requests, slow: slow - before.slow },
      ];
    }
    return point.startMs >= afterMs ? [point] : [];
  });
}

/** Of a moment, or of a duration. */
function timestamp(ms: number): { seconds: number; nanos: number } {
  return { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000 };
}

export function millisOf(time: Timestamp | null | undefined): number {
  return Number(time?.seconds ?? 0) * 1000 + Math.floor((time?.nanos ?? 0) / 1_000_000);
}

import type { MetricServiceClient, protos } from '@google-cloud/monitoring';
import { SlipwayError } from '../errors.ts';
import { calling } from '../google/errors.ts';
import { countBelow } from './distribution.ts';

type TimeSeries = protos.google.monitoring.v3.ITimeSeries;
type Point = protos.google.monitoring.v3.IPoint;
type Timestamp = protos.google.protobuf.ITimestamp;

/** Requests. Bad is a 5xx, or an answer slower than the threshold where one is given. */
export interface Counts {
  readonly good: number;
  readonly bad: number;
}

/** What to count of one target. */
export type MetricTarget = CloudRunTarget | GkeTarget;

export interface CloudRunTarget {
  readonly name: string;
  readonly kind: 'cloudRun';
  readonly project: string;
  readonly region: string;
  readonly service: string;
  /** Revision. */
  readonly canary: string;
  /** Revision; undefined when nothing served before. */
  readonly stable: string | undefined;
}

export interface GkeTarget {
  readonly name: string;
  readonly kind: 'gke';
  readonly project: string;
  /** Region or zone of the cluster. */
  readonly location: string;
  readonly cluster: string;
  readonly namespace: string;
  /** Name of the Kubernetes Service. */
  readonly canary: string;
  /** Name of the Kubernetes Service. */
  readonly stable: string;
}

export interface TargetCounts {
  readonly canary: Counts;
  readonly stable: Counts;
}

export interface Reading {
  /** By the target's name. */
  readonly targets: Readonly<Record<string, TargetCounts>>;
  /** End of the newest point seen; undefined when there was none. Missing metrics are not zero errors. */
  readonly newestPointMs: number | undefined;
}

export interface Window {
  readonly sinceMs: number;
  readonly untilMs: number;
}

export interface CountOptions {
  /** Answers that take longer are bad too. Reads the latency distributions instead of the counts. */
  readonly latencyThresholdMs?: number | undefined;
}

/**
 * Counts the requests of canary and stable on each target, with one request per project and metric type; two when the
 * window is longer than two hours.
 *
 * The last hour comes as it was written, one point a minute: aligned, it would not tell how old the newest point is. What
 * is before comes as one sum. Points that reach over the start of the window are left out, for canary and stable alike.
 * Cloud Run and the load balancer write deltas, so a restart resets nothing. Points become readable up to three minutes
 * late.
 */
export async function readCounts(
  metrics: MetricServiceClient,
  targets: readonly MetricTarget[],
  window: Window,
  options: CountOptions = {},
): Promise<Reading> {
  const queries = queriesFor(targets, options);
  const answers = await Promise.all(
    queries.flatMap(query => spansOf(window).map(span => listTimeSeries(metrics, query, span))),
  );
  const series = answers.flat();
  const ends = series.flatMap(({ points }) => (points ?? []).map(point => millisOf(point.interval?.endTime)));
  return {
    targets: Object.fromEntries(targets.map(target => [target.name, countsOf(target, series, options)])),
    newestPointMs: ends.length === 0 ? undefined : ends.reduce((newest, end) => Math.max(newest, end)),
  };
}

/** A part of the window; with `sumMs` its last so many milliseconds come as one point per series. */
interface Span extends Window {
  readonly sumMs?: number;
}

const MINUTE_MS = 60_000;
const RECENT_MS = 60 * MINUTE_MS;

/** Cuts on full minutes, where points end, and sums full minutes only: so that nothing is interpolated. */
function spansOf({ sinceMs, untilMs }: Window): Span[] {
  if (untilMs <= sinceMs) return [];
  if (untilMs - sinceMs <= 2 * RECENT_MS) return [{ sinceMs, untilMs }];
  const cutMs = floorToMinute(untilMs - RECENT_MS);
  return [
    { sinceMs, untilMs: cutMs, sumMs: floorToMinute(cutMs - sinceMs) },
    { sinceMs: cutMs, untilMs },
  ];
}

function floorToMinute(ms: number): number {
  return Math.floor(ms / MINUTE_MS) * MINUTE_MS;
}

interface Query {
  readonly project: string;
  readonly metricType: string;
  readonly filter: string;
}

function queriesFor(targets: readonly MetricTarget[], options: CountOptions): Query[] {
  const byProject = Map.groupBy(targets, ({ project, kind }) => JSON.stringify([project, kind]));
  return [...byProject.values()].flatMap(group => {
    const project = group[0]?.project ?? '';
    const run = group.filter(target => target.kind === 'cloudRun');
    const gke = group.filter(target => target.kind === 'gke');
    return [
      ...(run.length > 0 ? [cloudRunQuery(project, run, options)] : []),
      ...(gke.length > 0 ? [gkeQuery(project, gke, options)] : []),
    ];
  });
}

function cloudRunQuery(project: string, targets: readonly CloudRunTarget[], options: CountOptions): Query {
  const metric = options.latencyThresholdMs === undefined ? 'request_count' : 'request_latencies';
  const metricType = `run.googleapis.com/${metric}`;
  return {
    project,
    metricType,
    filter: [
      `metric.type = "${metricType}"`,
      'resource.type = "cloud_run_revision"',
      `resource.labels.service_name = ${oneOf(targets.map(({ service }) => service))}`,
      `resource.labels.location = ${oneOf(targets.map(({ region }) => region))}`,
    ].join(' AND '),
  };
}

function gkeQuery(project: string, targets: readonly GkeTarget[], options: CountOptions): Query {
  const metric = options.latencyThresholdMs === undefined ? 'backend_request_count' : 'backend_latencies';
  const metricType = `loadbalancing.googleapis.com/https/${metric}`;
  const backends = targets.flatMap(target => [
    backendPattern(target, target.canary),
    backendPattern(target, target.stable),
  ]);
  return {
    project,
    metricType,
    filter: [
      `metric.type = "${metricType}"`,
      'resource.type = "https_lb_rule"',
      `resource.labels.backend_target_name = monitoring.regex.full_match("${[...new Set(backends)].join('|')}")`,
    ].join(' AND '),
  };
}

/** Length of a resource name, less `gkegw1-`, two hashes, a port of five digits and hyphens. */
const ROOM_FOR_NAMES = 31;

/**
 * GKE names the backend service of a Gateway `gkegw1-HASH-NAMESPACE-SERVICE-PORT-HASH`, and cuts namespace and service
 * when that gets too long. What is cut could be the `-canary` that tells the two apart.
 */
function backendPattern({ name, namespace }: GkeTarget, service: string): string {
  if (namespace.length + service.length > ROOM_FOR_NAMES) {
    throw new SlipwayError(
      `Target ${name}: the load balancer's metrics do not tell Service ${namespace}/${service} from others, because namespace and name have more than ${ROOM_FOR_NAMES} characters together and GKE cuts them. Shorten one of them.`,
      { code: 'InvalidArgument', operation: `find the metrics of target ${name}` },
    );
  }
  return `gkegw1-[a-z0-9]{4}-${namespace}-${service}-[0-9]{1,5}-[a-z0-9]{12}`;
}

function oneOf(values: readonly string[]): string {
  return `one_of(${[...new Set(values)].map(value => `"${value}"`).join(', ')})`;
}

async function listTimeSeries(
  metrics: MetricServiceClient,
  { project, metricType, filter }: Query,
  span: Span,
): Promise<TimeSeries[]> {
  return calling(`monitoring.timeSeries.list ${metricType} in ${project}`, async () => {
    const [series] = await metrics.listTimeSeries({
      name: `projects/${project}`,
      filter,
      interval: { startTime: timestamp(span.sinceMs), endTime: timestamp(span.untilMs) },
      view: 'FULL',
      ...(span.sumMs === undefined ? {} : { aggregation: sumOver(span.sumMs) }),
    });
    return series.map(one => ({ ...one, points: pointsWithin(one.points, span) }));
  });
}

function sumOver(ms: number): protos.google.monitoring.v3.IAggregation {
  return { alignmentPeriod: { seconds: ms / 1000 }, perSeriesAligner: 'ALIGN_DELTA' };
}

function countsOf(target: MetricTarget, series: readonly TimeSeries[], options: CountOptions): TargetCounts {
  const count = (served: string | undefined) =>
    total(served === undefined ? [] : series.filter(isOf(target, served)), options);
  return { canary: count(target.canary), stable: count(target.stable) };
}

/** Tells the series of one revision or Service of a target. */
function isOf(target: MetricTarget, served: string): (series: TimeSeries) => boolean {
  if (target.kind === 'cloudRun') {
    const { project, region, service } = target;
    return ({ resource }) =>
      resource?.labels?.['project_id'] === project &&
      resource.labels['location'] === region &&
      resource.labels['service_name'] === service &&
      resource.labels['revision_name'] === served;
  }
  const name = new RegExp(`^${backendPattern(target, served)}$`);
  return ({ resource }) =>
    resource?.labels?.['project_id'] === target.project &&
    name.test(resource.labels['backend_target_name'] ?? '') &&
    // The scope is a zone, the cluster may be regional: all that tells clusters of one project apart.
    (resource.labels['backend_scope'] ?? '').startsWith(target.location);
}

function total(series: readonly TimeSeries[], { latencyThresholdMs }: CountOptions): Counts {
  let good = 0;
  let bad = 0;
  for (const { metric, points } of series) {
    const responseClass = metric?.labels?.['response_code_class'] ?? '';
    // The load balancer's class 0 is a client that went away before there was an answer.
    if (responseClass === '0') continue;
    const isError = responseClass.startsWith('5');
    for (const point of points ?? []) {
      const { requests, slow } = measure(point, latencyThresholdMs);
      bad += isError ? requests : slow;
      good += isError ? 0 : requests - slow;
    }
  }
  return { good, bad };
}

function measure({ value }: Point, thresholdMs: number | undefined): { requests: number; slow: number } {
  if (!value?.distributionValue) return { requests: Number(value?.int64Value ?? 0), slow: 0 };
  const requests = Number(value.distributionValue.count ?? 0);
  const fast = thresholdMs === undefined ? requests : countBelow(value.distributionValue, thresholdMs);
  return { requests, slow: requests - Math.round(fast) };
}

function pointsWithin(points: TimeSeries['points'], { sinceMs, untilMs }: Window): Point[] {
  return (points ?? []).filter(
    ({ interval }) => millisOf(interval?.startTime) >= sinceMs && millisOf(interval?.endTime) <= untilMs,
  );
}

function timestamp(ms: number): Timestamp {
  return { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000 };
}

function millisOf(time: Timestamp | null | undefined): number {
  return Number(time?.seconds ?? 0) * 1000 + Math.floor((time?.nanos ?? 0) / 1_000_000);
}

import type { MetricServiceClient, protos } from '@google-cloud/monitoring';
import type { SideSignals, SignalPoint } from '../console/contract.ts';
import { SlipwayError } from '../errors.ts';
import type { MetricClients } from './blocks.ts';
import { percentile } from './distribution.ts';
import {
  cloudRunQuery,
  groupBy,
  millisOf,
  oneOf,
  pagesOf,
  type Query,
  queriesFor,
  whose,
} from './monitoring.ts';
import { hasQueries, readPrometheus } from './prometheus.ts';
import { ceilTo, floorTo, type GkeTarget, type MetricTarget, type Side, type Span } from './reading.ts';

type Distribution = protos.google.api.IDistribution;
type TypedValue = protos.google.monitoring.v3.ITypedValue;

export interface SignalReading {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly periodMs: number;
  /** Oldest first; those of which nothing is known are left out. */
  readonly points: readonly SignalPoint[];
  /** What could not be read, in words. */
  readonly warnings: readonly string[];
}

/** What one point of a series says about one side of one target. */
interface Sample extends Measured {
  readonly target: string;
  readonly side: Side;
  readonly startMs: number;
  readonly endMs: number;
}

interface Measured {
  readonly requests?: number;
  readonly errors?: number;
  /** Milliseconds. */
  readonly latencies?: Distribution;
  /** Shares of the CPU that an instance has: 0 to 1, each the mean of a while. */
  readonly cpu?: Distribution | number;
}

const MINUTE_MS = 60_000;

/** Points that a picture has room for. */
const MOST_PERIODS = 120;

/** Points are read as they are while they are few; beyond, Monitoring adds them up. Targets times minutes. */
const MOST_RAW = 600;

/**
 * The four golden signals of canary and stable: traffic, errors and latency from the distributions of latencies, which tell
 * all three in one request per project; saturation from CPU. What cannot be read is said in `warnings`, and the rest is
 * there. The newest points may miss what is on its way for up to three minutes.
 */
export async function readSignals(
  clients: MetricClients,
  targets: readonly MetricTarget[],
  minutes: number,
  nowMs: number,
): Promise<SignalReading> {
  const span = spanOf(targets.length, minutes, nowMs);
  const monitored = targets.filter(target => !hasQueries(target));
  const readings = await Promise.all([
    orWarning(() => readQueries(clients, queriesFor(monitored, true), span, requestsIn)),
    orWarning(() => readQueries(clients, cpuQueries(targets), span, cpuIn)),
    orWarning(() => askPrometheus(clients, targets.filter(hasQueries), span)),
  ]);
  const samples = readings.flatMap(reading => reading.samples);
  const periodMs = span.isSummed ? span.periodMs : periodFor(samples, span);
  const warnings = readings.flatMap(reading => reading.warnings);
  return {
    sinceMs: span.afterMs,
    untilMs: span.untilMs,
    periodMs,
    points: pointsOf(samples, span, periodMs),
    warnings: [...new Set([...warnings, ...missingCpu(targets, samples)])],
  };
}

function spanOf(targets: number, minutes: number, nowMs: number): Span {
  const periodMs = Math.ceil(minutes / MOST_PERIODS) * MINUTE_MS;
  const isSummed = targets * minutes > MOST_RAW;
  const untilMs = isSummed ? floorTo(nowMs, periodMs) : nowMs;
  const afterMs = untilMs - minutes * MINUTE_MS;
  return { afterMs, sinceMs: afterMs, untilMs, periodMs, isSummed };
}

/** As long as the longest sample, and so long that the periods have room in a picture. */
function periodFor(samples: readonly Sample[], { afterMs, untilMs }: Span): number {
  const lengths = samples.map(({ startMs, endMs }) => endMs - startMs).filter(ms => ms > 0);
  const sampleMs = lengths.reduce((longest, ms) => Math.max(longest, ms), 0) || MINUTE_MS;
  return ceilTo((untilMs - afterMs) / MOST_PERIODS, sampleMs);
}

interface Samples {
  readonly samples: readonly Sample[];
  readonly warnings: readonly string[];
}

/** One at fault must not hide the others. */
async function orWarning(read: () => Promise<Samples>): Promise<Samples> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof SlipwayError) return { samples: [], warnings: [error.message] };
    throw error;
  }
}

type Measure = (value: TypedValue, isError: boolean) => Measured;

async function readQueries(
  clients: MetricClients,
  queries: readonly Query[],
  span: Span,
  measure: Measure,
): Promise<Samples> {
  if (queries.length === 0) return { samples: [], warnings: [] };
  const client = await clients.metrics();
  const readings = await Promise.all(
    queries.map(query =>
      orWarning(async () => ({ samples: await readQuery(client, query, span, measure), warnings: [] })),
    ),
  );
  return {
    samples: readings.flatMap(({ samples }) => samples),
    warnings: readings.flatMap(({ warnings }) => warnings),
  };
}

async function readQuery(
  client: MetricServiceClient,
  query: Query,
  span: Span,
  measure: Measure,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  for await (const page of pagesOf(client, query, span)) {
    for (const series of page) {
      const { served, isError } = whose(
        { ...series.resource?.labels, ...series.metric?.labels },
        query.served,
      );
      for (const { interval, value } of series.points ?? []) {
        const endMs = millisOf(interval?.endTime);
        const startMs = interval?.startTime ? millisOf(interval.startTime) : endMs;
        const measured = measure(value ?? {}, isError);
        samples.push(...served.map(({ target, side }) => ({ target, side, startMs, endMs, ...measured })));
      }
    }
  }
  return samples;
}

function requestsIn({ distributionValue }: TypedValue, isError: boolean): Measured {
  const requests = Number(distributionValue?.count ?? 0);
  return {
    requests,
    errors: isError ? requests : 0,
    ...(distributionValue ? { latencies: distributionValue } : {}),
  };
}

function cpuIn({ distributionValue, doubleValue }: TypedValue): Measured {
  const cpu = distributionValue ?? doubleValue;
  return cpu === null || cpu === undefined ? {} : { cpu };
}

function cpuQueries(targets: readonly MetricTarget[]): Query[] {
  const byProject = Map.groupBy(targets, ({ project }) => project);
  return [...byProject].flatMap(([project, group]) => {
    const run = group.filter(target => target.kind === 'cloudRun');
    const gke = group.filter(target => target.kind === 'gke');
    return [
      ...(run.length > 0
        ? [cloudRunQuery(project, run, 'run.googleapis.com/container/cpu/utilizations', [])]
        : []),
      ...(gke.length > 0 ? [gkeCpuQuery(project, gke)] : []),
    ];
  });
}

/** Of the CPU that a container asks for, as that is what it was promised. */
function gkeCpuQuery(project: string, targets: readonly GkeTarget[]): Query {
  const metricType = 'kubernetes.io/container/cpu/request_utilization';
  const pods = targets.flatMap(({ canary, stable }) => [podPattern(canary), podPattern(stable)]);
  return {
    project,
    metricType,
    combined: 'largest',
    filter: [
      `metric.type = "${metricType}"`,
      'resource.type = "k8s_container"',
      `resource.labels.cluster_name = ${oneOf(targets.map(({ cluster }) => cluster))}`,
      `resource.labels.namespace_name = ${oneOf(targets.map(({ namespace }) => namespace))}`,
      `resource.labels.pod_name = monitoring.regex.full_match("${[...new Set(pods)].join('|')}")`,
    ].join(' AND '),
    groupByFields: groupBy(['location', 'cluster_name', 'namespace_name', 'pod_name'], []),
    served: targets.flatMap(target => [
      { target: target.name, side: 'canary', isOf: isPodOf(target, target.canary) },
      { target: target.name, side: 'stable', isOf: isPodOf(target, target.stable) },
    ]),
  };
}

/** What Kubernetes makes names of has no vowels, so that `hello-…` is no pod of `hello-canary`. */
const SAFE = '[bcdfghjklmnpqrstvwxz2456789]';

/** `DEPLOYMENT-HASH-SUFFIX`; the last hyphen goes where the name would get too long. */
function podPattern(deployment: string): string {
  return `${deployment}-${SAFE}{1,10}-?${SAFE}{5}`;
}

function isPodOf(target: GkeTarget, deployment: string): Query['served'][number]['isOf'] {
  const pattern = new RegExp(`^${podPattern(deployment)}$`);
  return labels =>
    labels['project_id'] === target.project &&
    labels['location'] === target.location &&
    labels['cluster_name'] === target.cluster &&
    labels['namespace_name'] === target.namespace &&
    pattern.test(labels['pod_name'] ?? '');
}

async function askPrometheus(
  clients: MetricClients,
  targets: Parameters<typeof readPrometheus>[1],
  span: Span,
): Promise<Samples> {
  if (targets.length === 0) return { samples: [], warnings: [] };
  const { samples, warnings } = await readPrometheus(clients, targets, [span]);
  const silent = targets.map(
    ({ name }) => `${name}: its Prometheus queries count requests, so nothing is known of its latency`,
  );
  return {
    samples: samples.map(({ bad, ...sample }) => ({
      ...sample,
      errors: bad,
      startMs: sample.endMs - span.periodMs,
    })),
    warnings: [...warnings, ...silent],
  };
}

function missingCpu(targets: readonly MetricTarget[], samples: readonly Sample[]): string[] {
  const measured = new Set(samples.flatMap(({ target, cpu }) => (cpu === undefined ? [] : [target])));
  const busy = new Set(samples.map(({ target }) => target));
  return targets
    .filter(({ name }) => busy.has(name) && !measured.has(name))
    .map(({ name, kind }) =>
      kind === 'gke'
        ? `${name}: Monitoring has no CPU utilisation; a container has one when it requests CPU`
        : `${name}: Monitoring has no CPU utilisation`,
    );
}

/** Whole periods only: the one that goes on, or began before, would seem to have had less traffic. */
function pointsOf(samples: readonly Sample[], { afterMs, untilMs }: Span, periodMs: number): SignalPoint[] {
  const periods = Map.groupBy(samples, ({ endMs }) => ceilTo(endMs, periodMs));
  return [...periods]
    .filter(([endMs]) => endMs - periodMs >= afterMs && endMs <= untilMs)
    .sort(([a], [b]) => a - b)
    .map(([endMs, within]) => ({
      endMs,
      canary: sideOf(
        within.filter(({ side }) => side === 'canary'),
        periodMs,
      ),
      stable: sideOf(
        within.filter(({ side }) => side === 'stable'),
        periodMs,
      ),
    }));
}

const SHARE = 0.95;

function sideOf(samples: readonly Sample[], periodMs: number): SideSignals {
  const counted = samples.filter(({ requests }) => requests !== undefined);
  const requests = counted.reduce((sum, sample) => sum + (sample.requests ?? 0), 0);
  const errors = counted.reduce((sum, sample) => sum + (sample.errors ?? 0), 0);
  const latencyMs = percentile(
    samples.flatMap(({ latencies }) => latencies ?? []),
    SHARE,
  );
  const saturation = saturationOf(samples);
  return {
    ...(counted.length > 0 ? { requestsPerSecond: requests / (periodMs / 1000) } : {}),
    ...(requests > 0 ? { errorRatio: errors / requests } : {}),
    ...(latencyMs === undefined ? {} : { latencyMs }),
    ...(saturation === undefined ? {} : { saturation }),
  };
}

/** The target that is worst off. */
function saturationOf(samples: readonly Sample[]): number | undefined {
  const measured = samples.filter(({ cpu }) => cpu !== undefined);
  const shares = [...Map.groupBy(measured, ({ target }) => target).values()].flatMap(ofTarget => {
    const numbers = ofTarget.flatMap(({ cpu }) => (typeof cpu === 'number' ? [cpu] : []));
    const spread = ofTarget.flatMap(({ cpu }) => (typeof cpu === 'object' ? [cpu] : []));
    return [...numbers, percentile(spread, SHARE) ?? []].flat();
  });
  return shares.length === 0 ? undefined : Math.max(...shares);
}

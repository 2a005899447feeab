import type { Block, Counts } from '../rollout/observed.ts';

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
  /** Name of the Deployment, and of the Kubernetes Service. */
  readonly canary: string;
  /** Name of the Deployment, and of the Kubernetes Service. */
  readonly stable: string;
  /** PromQL that counts instead of the load balancer's metrics; see the policy. */
  readonly prometheus?: PrometheusQueries | undefined;
}

export interface PrometheusQueries {
  readonly requests: string;
  readonly bad: string;
}

export interface Window {
  /** Since when the canary has had traffic: points that reach back over it are left out, for canary and stable alike. */
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Blocks that end until then are known already and are not read again. The end of a block. */
  readonly knownUntilMs?: number | undefined;
}

export type Side = 'canary' | 'stable';

/** What one point says about one side of one target. Fractions of requests are possible. */
export interface Sample {
  readonly target: string;
  readonly side: Side;
  readonly endMs: number;
  readonly requests: number;
  readonly bad: number;
}

/** A part of the window: points that end after `afterMs` and not after `untilMs`, and start at `sinceMs` or later. */
export interface Span {
  readonly afterMs: number;
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Length of a block. */
  readonly periodMs: number;
  /** Whether the other side is to add up each block: what came long ago would be too many points. */
  readonly isSummed: boolean;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Cloud Run and the load balancer write a point a minute, https://cloud.google.com/monitoring/api/metrics_gcp. */
const SAMPLE_MS = MINUTE_MS;

/**
 * One span as a rule. What is older than an hour in a window of more than two comes in blocks of ten minutes: a day of
 * 40 targets would be half a million points. Blocks of either kind end on multiples of `periodMs`.
 */
export function spansOf({ sinceMs, untilMs, knownUntilMs }: Window, periodMs: number): Span[] {
  const afterMs = Math.max(sinceMs, knownUntilMs ?? sinceMs);
  if (untilMs <= afterMs) return [];
  const recent = { afterMs, sinceMs, untilMs, periodMs, isSummed: false };
  if (untilMs - afterMs <= 2 * HOUR_MS) return [recent];
  // A sum does not tell where its first point started.
  const firstMs = ceilTo(Math.max(afterMs, sinceMs + SAMPLE_MS), periodMs);
  const sumMs = ceilTo(10 * MINUTE_MS, periodMs);
  const cutMs = firstMs + floorTo(untilMs - HOUR_MS - firstMs, sumMs);
  if (cutMs <= firstMs) return [recent];
  return [
    { afterMs: firstMs, sinceMs, untilMs: cutMs, periodMs: sumMs, isSummed: true },
    { ...recent, afterMs: cutMs },
  ];
}

/** Points have a phase of their own per series: by their ends on one grid, canary's and stable's meet in one block. */
export function blocksOf(samples: readonly Sample[], periodMs: number): Block[] {
  const byBlock = Map.groupBy(samples, ({ endMs }) => ceilTo(endMs, periodMs));
  return [...byBlock]
    .sort(([a], [b]) => a - b)
    .map(([endMs, within]) => ({
      endMs,
      canary: countsOf(within.filter(({ side }) => side === 'canary')),
      stable: countsOf(within.filter(({ side }) => side === 'stable')),
    }));
}

/** Rounded once per block: rounded per point, the part of a bucket that is slow would be all of it or nothing. */
function countsOf(samples: readonly Sample[]): Counts {
  const requests = Math.round(samples.reduce((sum, sample) => sum + sample.requests, 0));
  const bad = Math.round(samples.reduce((sum, sample) => sum + sample.bad, 0));
  return { good: Math.max(0, requests - bad), bad };
}

export function ceilTo(ms: number, stepMs: number): number {
  return Math.ceil(ms / stepMs) * stepMs;
}

export function floorTo(ms: number, stepMs: number): number {
  return Math.floor(ms / stepMs) * stepMs;
}

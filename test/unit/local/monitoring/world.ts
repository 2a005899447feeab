import { VirtualClock } from '../../../../local/clock.ts';
import type { ServedBy } from '../../../../local/dataplane/dataplane.ts';
import { MonitoringCore, type MonitoringOptions } from '../../../../local/monitoring/core.ts';

export interface Published {
  readonly topic: string;
  readonly data: { readonly version: string; readonly incident: Readonly<Record<string, unknown>> };
}

export interface Burst {
  readonly good?: number;
  readonly bad?: number;
  readonly latencyMs?: number;
}

/** Monitoring in virtual time that samples every second and evaluates every second. */
export function world(options: Partial<MonitoringOptions> = {}) {
  const clock = new VirtualClock();
  const published: Published[] = [];
  const core = new MonitoringCore({
    clock,
    publish: (topic, data) => published.push({ topic, data: data as Published['data'] }),
    samplePeriodMs: 1000,
    visibleAfterMs: 0,
    evaluateEveryMs: 1000,
    ...options,
  });
  const serve = (by: ServedBy, { good = 0, bad = 0, latencyMs = 10 }: Burst) => {
    const atMs = clock.nowMs();
    for (let i = 0; i < good; i++) core.record({ atMs, by, status: 200, latencyMs });
    for (let i = 0; i < bad; i++) core.record({ atMs, by, status: 500, latencyMs });
  };
  /** The same burst at the start of every second. */
  const serveFor = async (seconds: number, by: ServedBy, burst: Burst) => {
    for (let second = 0; second < seconds; second++) {
      serve(by, burst);
      await clock.advance(1000);
    }
  };
  return { clock, core, published, serve, serveFor };
}

export function cloudRun(revision: string, more: Partial<ServedBy & { kind: 'cloudRun' }> = {}): ServedBy {
  return { kind: 'cloudRun', project: 'acme', region: 'us-east4', service: 'hello', revision, ...more };
}

export function gke(service: string, more: Partial<ServedBy & { kind: 'gke' }> = {}): ServedBy {
  return {
    kind: 'gke',
    project: 'acme',
    location: 'us-central1',
    cluster: 'main',
    namespace: 'default',
    service,
    port: 8080,
    ...more,
  };
}

export const RUN_COUNT = 'metric.type="run.googleapis.com/request_count" resource.type="cloud_run_revision"';

/** Good and total requests of Cloud Run service hello, as an SLO. */
export function availabilitySlo(goal: number) {
  return {
    displayName: 'availability',
    goal,
    rollingPeriod: '2592000s',
    serviceLevelIndicator: {
      requestBased: {
        goodTotalRatio: {
          goodServiceFilter: `${RUN_COUNT} metric.label."response_code_class"!="5xx"`,
          totalServiceFilter: RUN_COUNT,
        },
      },
    },
  };
}

import { describe, expect, test } from 'vitest';
import type { MonitoringCore } from '../../../../local/monitoring/core.ts';
import type { TimeSeries } from '../../../../local/monitoring/time-series.ts';
import { cloudRun, gke, RUN_COUNT, world } from './world.ts';

interface Request {
  readonly filter?: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly aggregation?: Readonly<Record<string, string>>;
  readonly groupBy?: readonly string[];
}

function list(core: MonitoringCore, request: Request): TimeSeries[] {
  const query = new URLSearchParams({
    filter: request.filter ?? RUN_COUNT,
    'interval.startTime': new Date(request.startMs).toISOString(),
    'interval.endTime': new Date(request.endMs).toISOString(),
  });
  for (const [key, value] of Object.entries(request.aggregation ?? {}))
    query.append(`aggregation.${key}`, value);
  for (const field of request.groupBy ?? []) query.append('aggregation.groupByFields', field);
  return core.listTimeSeries('acme', query);
}

function values(series: readonly TimeSeries[]): unknown[] {
  return series.map(({ points }) => points.map(({ value }) => value));
}

describe('points', () => {
  test('are one per sample period and label set, newest first', async () => {
    const { clock, core, serve } = world();
    const startMs = clock.nowMs();
    serve(cloudRun('hello-1'), { good: 3, bad: 1 });
    await clock.advance(1000);
    serve(cloudRun('hello-1'), { good: 5 });
    await clock.advance(1000);

    const series = list(core, { startMs, endMs: clock.nowMs() });

    expect(series.map(({ metric, resource }) => [metric.labels, resource.labels])).toEqual(
      ['200', '500'].map(code => [
        { response_code: code, response_code_class: `${code[0]}xx` },
        {
          project_id: 'acme',
          location: 'us-east4',
          service_name: 'hello',
          revision_name: 'hello-1',
          configuration_name: 'hello',
        },
      ]),
    );
    expect(values(series)).toEqual([[5, 3], [1]]);
    expect(series[0]?.points.map(({ startMs: from, endMs: to }) => [from - startMs, to - startMs])).toEqual([
      [1000, 2000],
      [0, 1000],
    ]);
  });

  test('are visible only some time after their end, as they are in Cloud Monitoring', async () => {
    const { clock, core, serve } = world({ samplePeriodMs: 60_000, visibleAfterMs: 120_000 });
    const startMs = clock.nowMs();
    serve(cloudRun('hello-1'), { good: 1 });

    await clock.advance(179_999);
    const before = list(core, { startMs, endMs: clock.nowMs() });
    await clock.advance(1);
    const after = list(core, { startMs, endMs: clock.nowMs() });

    expect(before).toEqual([]);
    expect(values(after)).toEqual([[1]]);
  });

  test('outside the interval are not listed, nor are other projects', async () => {
    const { clock, core, serveFor } = world();
    const startMs = clock.nowMs();
    await serveFor(3, cloudRun('hello-1'), { good: 1 });
    await serveFor(1, cloudRun('hello-1', { project: 'other' }), { good: 1 });

    expect(values(list(core, { startMs: startMs + 1000, endMs: startMs + 2000 }))).toEqual([[1]]);
    expect(values(list(core, { startMs, endMs: clock.nowMs() }))).toEqual([[1, 1, 1]]);
  });

  test('that are too old are forgotten', async () => {
    const { clock, core, serveFor } = world({ retentionMs: 3000 });
    const startMs = clock.nowMs();
    await serveFor(10, cloudRun('hello-1'), { good: 1 });
    expect(values(list(core, { startMs, endMs: clock.nowMs() }))).toEqual([[1, 1, 1]]);
  });

  test('of a request that is reported late land where they belong', async () => {
    const { clock, core } = world();
    const startMs = clock.nowMs();
    const request = { by: cloudRun('hello-1'), status: 200, latencyMs: 1 };
    core.record({ ...request, atMs: startMs });
    core.record({ ...request, atMs: startMs + 2000 });
    core.record({ ...request, atMs: startMs + 500 });
    core.record({ ...request, atMs: startMs + 1000 });
    await clock.advance(3000);

    expect(values(list(core, { startMs, endMs: clock.nowMs() }))).toEqual([[1, 1, 2]]);
  });
});

describe('aggregation', () => {
  test('sums per period and group, and keeps the labels it groups by', async () => {
    const { clock, core, serveFor } = world();
    const startMs = clock.nowMs();
    await serveFor(4, cloudRun('hello-1'), { good: 2 });
    await serveFor(2, cloudRun('hello-2'), { good: 1, bad: 1 });

    const series = list(core, {
      startMs,
      endMs: clock.nowMs(),
      aggregation: {
        alignmentPeriod: '3s',
        perSeriesAligner: 'ALIGN_DELTA',
        crossSeriesReducer: 'REDUCE_SUM',
      },
      groupBy: ['resource.label.revision_name', 'metric.labels.response_code_class'],
    });

    expect(series.map(({ resource, metric }) => [resource.labels, metric.labels])).toEqual([
      [{ project_id: 'acme', revision_name: 'hello-1' }, { response_code_class: '2xx' }],
      [{ project_id: 'acme', revision_name: 'hello-2' }, { response_code_class: '2xx' }],
      [{ project_id: 'acme', revision_name: 'hello-2' }, { response_code_class: '5xx' }],
    ]);
    expect(values(series)).toEqual([[2, 6], [2], [2]]);
  });

  test.each([
    ['ALIGN_SUM', 'DELTA', 'INT64', 12],
    ['ALIGN_RATE', 'GAUGE', 'DOUBLE', 3],
    ['ALIGN_COUNT', 'GAUGE', 'INT64', 4],
    ['ALIGN_MEAN', 'GAUGE', 'DOUBLE', 3],
    ['ALIGN_MAX', 'GAUGE', 'INT64', 3],
  ])('%s makes a %s of %s', async (perSeriesAligner, metricKind, valueType, value) => {
    const { clock, core, serveFor } = world();
    const startMs = clock.nowMs();
    await serveFor(4, cloudRun('hello-1'), { good: 3 });

    const [series] = list(core, {
      startMs,
      endMs: clock.nowMs(),
      aggregation: { alignmentPeriod: '4s', perSeriesAligner },
    });

    expect(series).toMatchObject({ metricKind, valueType, points: [{ value }] });
  });

  test('latencies have percentiles', async () => {
    const { clock, core, serveFor } = world();
    const startMs = clock.nowMs();
    await serveFor(1, cloudRun('hello-1'), { good: 90, latencyMs: 10 });
    await serveFor(1, cloudRun('hello-2'), { good: 10, latencyMs: 900 });

    const [series] = list(core, {
      filter: 'metric.type = "run.googleapis.com/request_latencies"',
      startMs,
      endMs: clock.nowMs(),
      aggregation: {
        alignmentPeriod: '2s',
        perSeriesAligner: 'ALIGN_DELTA',
        crossSeriesReducer: 'REDUCE_PERCENTILE_95',
      },
    });

    expect(series?.valueType).toBe('DOUBLE');
    expect(series?.points[0]?.value).toBeGreaterThan(700);
  });

  test.each([
    [{ perSeriesAligner: 'ALIGN_DELTA' }, 'alignment period must be at least 1 seconds'],
    [
      { perSeriesAligner: 'ALIGN_DELTA', alignmentPeriod: '0.5s' },
      'alignment period must be at least 1 seconds',
    ],
    [{ crossSeriesReducer: 'REDUCE_SUM' }, 'needs a perSeriesAligner'],
    [{ perSeriesAligner: 'ALIGN_STDDEV', alignmentPeriod: '1s' }, 'has no ALIGN_STDDEV'],
    [{ perSeriesAligner: 'ALIGN_PERCENTILE_99', alignmentPeriod: '1s' }, 'takes distributions'],
    [{ perSeriesAligner: 'ALIGN_NONSENSE', alignmentPeriod: '1s' }, 'expected one of ALIGN_NONE'],
  ])('%j is refused', (aggregation, message) => {
    const { clock, core } = world();
    const request = { startMs: clock.nowMs() - 1000, endMs: clock.nowMs(), aggregation };
    expect(() => list(core, request)).toThrow(message);
  });
});

describe('GKE', () => {
  test('has the load balancer’s labels, with the backend named as the Gateway names it', async () => {
    const { clock, core, serve } = world();
    const startMs = clock.nowMs();
    serve(gke('hello-canary'), { bad: 2 });
    await clock.advance(1000);

    const [series] = list(core, {
      filter: 'metric.type = "loadbalancing.googleapis.com/https/backend_request_count"',
      startMs,
      endMs: clock.nowMs(),
    });

    expect(series?.resource.type).toBe('https_lb_rule');
    expect(series?.resource.labels['backend_target_name']).toMatch(
      /^gkegw1-[a-z0-9]{4}-default-hello-canary-8080-[a-z0-9]{12}$/,
    );
    expect(series?.metric.labels).toEqual({ response_code: '500', response_code_class: '500' });
    expect(series?.points.map(({ value }) => value)).toEqual([2]);
  });

  test('cuts backend names at 63 characters', async () => {
    const { clock, core, serve } = world();
    const startMs = clock.nowMs();
    serve(gke('access-advisor-middleware', { namespace: 'payments', port: 8000 }), { good: 1 });
    await clock.advance(1000);

    const [series] = list(core, {
      filter: 'metric.type = "loadbalancing.googleapis.com/https/backend_request_count"',
      startMs,
      endMs: clock.nowMs(),
    });

    expect(series?.resource.labels['backend_target_name']).toMatch(
      /^gkegw1-.{4}-payment-access-advisor-middleware-8000-.{12}$/,
    );
    expect(series?.resource.labels['backend_target_name']).toHaveLength(63);
  });
});

test('a metric that nobody writes is not found', () => {
  const { clock, core } = world();
  const filter = 'metric.type = "run.googleapis.com/request_counts"';
  const request = { filter, startMs: clock.nowMs() - 1000, endMs: clock.nowMs() };
  expect(() => list(core, request)).toThrow(
    'Cannot find metric(s) that match type = "run.googleapis.com/request_counts".',
  );
});

import {
  AlertPolicyServiceClient,
  MetricServiceClient,
  NotificationChannelServiceClient,
  ServiceMonitoringServiceClient,
} from '@google-cloud/monitoring';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { options } from '../../functions/google/clients.ts';
import { calling } from '../../functions/google/errors.ts';
import { type HttpServer, serve } from '../../local/http.ts';
import { monitoringApi } from '../../local/monitoring/http.ts';
import { availabilitySlo, cloudRun, world as monitoring, RUN_COUNT } from '../unit/local/monitoring/world.ts';

let world: ReturnType<typeof monitoring>;
let api: HttpServer;
let services: ServiceMonitoringServiceClient;
let policies: AlertPolicyServiceClient;
let channels: NotificationChannelServiceClient;
let metrics: MetricServiceClient;

beforeEach(async () => {
  world = monitoring();
  api = await serve(monitoringApi(world.core));
  services = new ServiceMonitoringServiceClient(options(api.url));
  policies = new AlertPolicyServiceClient(options(api.url));
  channels = new NotificationChannelServiceClient(options(api.url));
  metrics = new MetricServiceClient(options(api.url));
});

afterEach(async () => {
  world.core.stop();
  await Promise.all([services, policies, channels, metrics].map(client => client.close()));
  await api.close();
});

const SLO = 'projects/acme/services/hello/serviceLevelObjectives/availability';

async function makeSlo() {
  await services.createService({
    parent: 'projects/acme',
    serviceId: 'hello',
    service: { displayName: 'Hello', custom: {} },
  });
  const { rollingPeriod: _, ...slo } = availabilitySlo(0.995);
  const [made] = await services.createServiceLevelObjective({
    parent: 'projects/acme/services/hello',
    serviceLevelObjectiveId: 'availability',
    serviceLevelObjective: { ...slo, rollingPeriod: { seconds: 30 * 86_400 } },
  });
  return made;
}

async function makeGuard() {
  const [channel] = await channels.createNotificationChannel({
    name: 'projects/acme',
    notificationChannel: { type: 'pubsub', labels: { topic: 'projects/acme/topics/slo-alerts' } },
  });
  const [policy] = await policies.createAlertPolicy({
    name: 'projects/acme',
    alertPolicy: {
      displayName: 'rollout-guard',
      combiner: 'AND',
      severity: 'CRITICAL',
      enabled: { value: true },
      conditions: [
        {
          displayName: '10x over 5s',
          conditionThreshold: {
            filter: `select_slo_burn_rate("${SLO}", "5s")`,
            comparison: 'COMPARISON_GT',
            thresholdValue: 10,
            duration: { seconds: 0 },
          },
        },
        {
          displayName: 'enough requests',
          conditionThreshold: {
            filter: RUN_COUNT,
            comparison: 'COMPARISON_GT',
            thresholdValue: 50,
            duration: { seconds: 0 },
            aggregations: [
              {
                alignmentPeriod: { seconds: 5 },
                perSeriesAligner: 'ALIGN_DELTA',
                crossSeriesReducer: 'REDUCE_SUM',
              },
            ],
          },
        },
      ],
      notificationChannels: [channel.name ?? ''],
      userLabels: { rollout_service: 'hello' },
      alertStrategy: { autoClose: { seconds: 1800 } },
    },
  });
  return { channel, policy };
}

test('an SLO, a channel and a burn-rate policy made by the clients open an incident', async () => {
  await makeSlo();
  const { policy } = await makeGuard();

  await world.serveFor(2, cloudRun('hello-2'), { good: 80, bad: 20 });

  expect(world.published.map(({ topic }) => topic)).toEqual(['projects/acme/topics/slo-alerts']);
  const incident = world.published[0]?.data.incident;
  expect(incident?.['state']).toBe('open');
  expect(incident?.['policy_user_labels']).toEqual({ rollout_service: 'hello' });
  expect(incident?.['condition']).toEqual({
    name: policy.conditions?.[0]?.name,
    displayName: '10x over 5s',
    conditionThreshold: {
      filter: `select_slo_burn_rate("${SLO}", "5s")`,
      aggregations: [],
      comparison: 'COMPARISON_GT',
      thresholdValue: 10,
      duration: '0s',
    },
  });
});

test('services and SLOs are read, listed, changed and deleted', async () => {
  const made = await makeSlo();
  const [listed] = await services.listServiceLevelObjectives({ parent: 'projects/acme/services/hello' });
  const [updated] = await services.updateServiceLevelObjective({
    serviceLevelObjective: { name: SLO, goal: 0.99 },
    updateMask: { paths: ['goal'] },
  });
  const [found] = await services.getServiceLevelObjective({ name: SLO });

  expect(made.name).toBe(SLO);
  expect(listed.map(({ name }) => name)).toEqual([SLO]);
  expect(updated.goal).toBe(0.99);
  expect(found.goal).toBe(0.99);
  expect(Number(found.rollingPeriod?.seconds)).toBe(30 * 86_400);
  expect(found.serviceLevelIndicator?.requestBased?.goodTotalRatio?.totalServiceFilter).toBe(RUN_COUNT);

  await services.deleteServiceLevelObjective({ name: SLO });
  const read = calling('read', () => services.getServiceLevelObjective({ name: SLO }));
  await expect(read).rejects.toMatchObject({ code: 'NotFound' });
  const [all] = await services.listServices({ parent: 'projects/acme' });
  expect(all.map(({ name }) => name)).toEqual(['projects/acme/services/hello']);
});

test('policies and channels are read, listed, changed and deleted', async () => {
  await makeSlo();
  const { policy, channel } = await makeGuard();
  const name = policy.name ?? '';
  const [listed] = await policies.listAlertPolicies({ name: 'projects/acme' });
  const [updated] = await policies.updateAlertPolicy({
    alertPolicy: { name, displayName: 'guard', enabled: { value: false } },
    updateMask: { paths: ['display_name', 'enabled'] },
  });

  expect(listed.map(item => item.name)).toEqual([name]);
  expect(listed[0]?.combiner).toBe('AND');
  expect(listed[0]?.severity).toBe('CRITICAL');
  expect(updated.displayName).toBe('guard');
  expect(updated.enabled?.value).toBe(false);
  expect(updated.conditions).toHaveLength(2);

  const deleting = calling('delete', () => channels.deleteNotificationChannel({ name: channel.name ?? '' }));
  await expect(deleting).rejects.toMatchObject({ code: 'Conflict' });
  await policies.deleteAlertPolicy({ name });
  await channels.deleteNotificationChannel({ name: channel.name ?? '' });
  const [left] = await channels.listNotificationChannels({ name: 'projects/acme' });
  expect(left).toEqual([]);
});

function seconds(ms: number) {
  return { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000 };
}

test('time series come aligned and reduced, page by page', async () => {
  const startMs = world.clock.nowMs();
  await world.serveFor(4, cloudRun('hello-1'), { good: 2 });
  await world.serveFor(4, cloudRun('hello-2'), { good: 1, bad: 1 });
  const request = {
    name: 'projects/acme',
    filter: RUN_COUNT,
    interval: { startTime: seconds(startMs), endTime: seconds(world.clock.nowMs()) },
    aggregation: {
      alignmentPeriod: { seconds: 2 },
      perSeriesAligner: 'ALIGN_DELTA' as const,
      crossSeriesReducer: 'REDUCE_SUM' as const,
      groupByFields: ['resource.label.revision_name'],
    },
  };

  const [page, , response] = await metrics.listTimeSeries(
    { ...request, pageSize: 3 },
    { autoPaginate: false },
  );
  const [all] = await metrics.listTimeSeries(request);

  const pointsOf = (series: typeof all) =>
    series.flatMap(({ resource, points }) =>
      (points ?? []).map(({ value }) => [resource?.labels?.['revision_name'], Number(value?.int64Value)]),
    );
  expect(response.nextPageToken).toBe('3');
  expect(pointsOf(page)).toEqual([
    ['hello-1', 4],
    ['hello-1', 4],
    ['hello-2', 4],
  ]);
  expect(pointsOf(all)).toEqual([
    ['hello-1', 4],
    ['hello-1', 4],
    ['hello-2', 4],
    ['hello-2', 4],
  ]);
});

test('latencies come as distributions, headers without points', async () => {
  const startMs = world.clock.nowMs();
  await world.serveFor(1, cloudRun('hello-1'), { good: 3, latencyMs: 100 });
  const request = {
    name: 'projects/acme',
    filter: 'metric.type = "run.googleapis.com/request_latencies"',
    interval: { startTime: seconds(startMs), endTime: seconds(world.clock.nowMs()) },
  };

  const [[full]] = await metrics.listTimeSeries({ ...request, view: 'FULL' });
  const [[headers]] = await metrics.listTimeSeries({ ...request, view: 'HEADERS' });

  expect(full?.valueType).toBe('DISTRIBUTION');
  expect(full?.metricKind).toBe('DELTA');
  expect(Number(full?.points?.[0]?.value?.distributionValue?.count)).toBe(3);
  expect(full?.points?.[0]?.value?.distributionValue?.mean).toBe(100);
  expect(headers?.metric?.type).toBe('run.googleapis.com/request_latencies');
  expect(headers?.points).toEqual([]);
});

test.each([
  ['metric.type = "run.googleapis.com/nope"', 'NotFound'],
  ['resource.type = "cloud_run_revision"', 'InvalidArgument'],
  ['metric.type = ', 'InvalidArgument'],
])('a query for %s is refused as %s', async (filter, code) => {
  const interval = { startTime: seconds(0), endTime: seconds(1000) };
  const list = calling('list', () => metrics.listTimeSeries({ name: 'projects/acme', filter, interval }));
  await expect(list).rejects.toMatchObject({ code });
});

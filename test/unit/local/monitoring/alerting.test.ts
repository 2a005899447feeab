import { describe, expect, test } from 'vitest';
import type { MonitoringOptions } from '../../../../local/monitoring/core.ts';
import { availabilitySlo, cloudRun, RUN_COUNT, world as monitoring } from './world.ts';

const SLO = 'projects/acme/services/hello/serviceLevelObjectives/availability';
const TOPIC = 'projects/acme/topics/slo-alerts';

function burnRate(threshold: number, lookback: string) {
  return {
    displayName: `burn rate over ${lookback}`,
    conditionThreshold: {
      filter: `select_slo_burn_rate("${SLO}", "${lookback}")`,
      comparison: 'COMPARISON_GT',
      thresholdValue: threshold,
      duration: '0s',
    },
  };
}

function atLeastRequests(count: number, period: string) {
  return {
    displayName: `at least ${count} requests`,
    conditionThreshold: {
      filter: RUN_COUNT,
      comparison: 'COMPARISON_GT',
      thresholdValue: count - 1,
      duration: '0s',
      aggregations: [
        { alignmentPeriod: period, perSeriesAligner: 'ALIGN_DELTA', crossSeriesReducer: 'REDUCE_SUM' },
      ],
    },
  };
}

/** Monitoring with an SLO of 99.5 % on Cloud Run service hello and a channel to Pub/Sub. */
function world(options: Partial<MonitoringOptions> = {}) {
  const all = monitoring(options);
  all.core.createService('acme', 'hello', { displayName: 'Hello' });
  all.core.createSlo('projects/acme/services/hello', 'availability', availabilitySlo(0.995));
  const channel = all.core.createChannel('acme', { type: 'pubsub', labels: { topic: TOPIC } });
  const guard = (more: object = {}) =>
    all.core.createPolicy('acme', {
      displayName: 'rollout-guard',
      combiner: 'AND',
      severity: 'CRITICAL',
      conditions: [burnRate(10, '5s')],
      notificationChannels: [channel.name],
      userLabels: { rollout_service: 'hello' },
      ...more,
    });
  const states = () => all.published.map(({ data }) => data.incident['state']);
  return { ...all, channel, guard, states };
}

const HEALTHY = { good: 100 };
const BURNING = { good: 90, bad: 10 };

describe('an incident', () => {
  test('opens when the budget burns too fast and closes when it does no more', async () => {
    const { guard, serveFor, published, core } = world();
    guard();

    await serveFor(10, cloudRun('hello-1'), HEALTHY);
    expect(published).toEqual([]);
    await serveFor(5, cloudRun('hello-1'), BURNING);
    const opened = core.incidents.at(-1);
    await serveFor(10, cloudRun('hello-1'), HEALTHY);

    expect(published.map(({ topic }) => topic)).toEqual([TOPIC, TOPIC]);
    const [open, closed] = published.map(({ data }) => data.incident);
    expect(open?.['state']).toBe('open');
    expect(closed?.['state']).toBe('closed');
    expect(closed?.['incident_id']).toBe(open?.['incident_id']);
    expect(opened?.closedMs).toBeTypeOf('number');
  });

  test('is told of in schema version 1.2', async () => {
    const { guard, serveFor, published, core } = world();
    const policy = guard();
    await serveFor(10, cloudRun('hello-1'), BURNING);
    const [incident] = core.incidents;

    expect(published[0]?.data).toEqual({
      version: '1.2',
      incident: {
        incident_id: incident?.id,
        renotify: false,
        scoping_project_id: 'acme',
        scoping_project_number: expect.any(Number),
        url: expect.stringContaining(`incidents/${incident?.id}?project=acme`),
        severity: 'Critical',
        started_at: Math.floor((incident?.openedMs ?? 0) / 1000),
        ended_at: null,
        state: 'open',
        summary: expect.stringContaining('beyond the threshold of 10 with a value of 20.000'),
        observed_value: '20.000',
        threshold_value: '10',
        resource_id: '',
        resource_name: '',
        resource_display_name: '',
        resource_type_display_name: '',
        resource: { type: '', labels: {} },
        metric: { type: '', displayName: '', labels: {} },
        metadata: { system_labels: {}, user_labels: {} },
        policy_name: 'rollout-guard',
        policy_user_labels: { rollout_service: 'hello' },
        condition_name: 'burn rate over 5s',
        condition: {
          name: policy.conditions[0]?.name,
          displayName: 'burn rate over 5s',
          conditionThreshold: policy.conditions[0]?.conditionThreshold,
        },
      },
    });
  });

  test('is not opened by no data', async () => {
    const { guard, clock, published } = world();
    guard({ combiner: 'OR', conditions: [burnRate(10, '5s'), { ...atLeastRequests(0, '5s') }] });
    await clock.advance(600_000);
    expect(published).toEqual([]);
  });

  test('stays open without data until autoClose', async () => {
    const { guard, clock, serveFor, states } = world();
    guard({ alertStrategy: { autoClose: '1800s' } });
    await serveFor(5, cloudRun('hello-1'), BURNING);

    await clock.advance(1_700_000);
    expect(states()).toEqual(['open']);
    await clock.advance(200_000);
    expect(states()).toEqual(['open', 'closed']);
  });

  test('needs all conditions when they are combined by AND', async () => {
    const { guard, serveFor, states } = world();
    guard({ conditions: [burnRate(10, '5s'), atLeastRequests(500, '5s')] });

    await serveFor(10, cloudRun('hello-1'), { good: 9, bad: 1 });
    expect(states()).toEqual([]);
    await serveFor(5, cloudRun('hello-1'), BURNING);
    expect(states()).toEqual(['open']);
  });

  test('needs conditions on one resource when they are combined by AND_WITH_MATCHING_RESOURCE', async () => {
    const perRevision = (count: number, more: string) => {
      const { displayName, conditionThreshold } = atLeastRequests(count, '5s');
      const aggregations = [{ alignmentPeriod: '5s', perSeriesAligner: 'ALIGN_DELTA' }];
      const filter = `${RUN_COUNT} ${more}`;
      return { displayName, conditionThreshold: { ...conditionThreshold, filter, aggregations } };
    };
    const conditions = [
      perRevision(1, 'metric.labels.response_code_class="5xx"'),
      perRevision(10, 'metric.labels.response_code_class="2xx"'),
    ];
    const { guard, serve, serveFor, states, core } = world();
    guard({ conditions, combiner: 'AND_WITH_MATCHING_RESOURCE' });
    serve(cloudRun('hello-2'), { bad: 5 });
    await serveFor(1, cloudRun('hello-1'), { good: 20 });
    expect(states()).toEqual([]);

    guard({ conditions, combiner: 'AND', displayName: 'anywhere' });
    await serveFor(1, cloudRun('hello-1'), { good: 20 });
    expect(core.incidents.map(({ policy }) => policy.displayName)).toEqual(['anywhere']);

    await serveFor(1, cloudRun('hello-2'), { good: 20, bad: 1 });
    expect(states()).toEqual(['open', 'open']);
  });

  test('never opens for an SLO and a metric whose resources shall match', async () => {
    const { guard, serveFor, states } = world();
    guard({
      conditions: [burnRate(10, '5s'), atLeastRequests(1, '5s')],
      combiner: 'AND_WITH_MATCHING_RESOURCE',
    });
    await serveFor(10, cloudRun('hello-1'), BURNING);
    expect(states()).toEqual([]);
  });

  test('is not opened by one condition while the other only was met before its data ended', async () => {
    const { guard, clock, serve, serveFor, states } = world();
    const errors = atLeastRequests(1, '5s');
    const filter = `${RUN_COUNT} metric.labels.response_code_class="5xx"`;
    guard({
      conditions: [
        { ...errors, conditionThreshold: { ...errors.conditionThreshold, filter } },
        atLeastRequests(500, '5s'),
      ],
    });
    await serveFor(1, cloudRun('hello-1'), { bad: 1 });
    await clock.advance(10_000);
    serve(cloudRun('hello-1'), { good: 1000 });
    await clock.advance(2000);
    expect(states()).toEqual([]);
  });

  test('needs one series to hold for the whole duration, not one after the other', async () => {
    const { guard, serveFor, states } = world();
    const { displayName, conditionThreshold } = atLeastRequests(5, '1s');
    const aggregations = [{ alignmentPeriod: '1s', perSeriesAligner: 'ALIGN_DELTA' }];
    guard({
      conditions: [
        { displayName, conditionThreshold: { ...conditionThreshold, aggregations, duration: '2s' } },
      ],
    });
    for (const revision of ['hello-1', 'hello-2', 'hello-3']) {
      await serveFor(2, cloudRun(revision), { good: 10 });
    }
    expect(states()).toEqual([]);
    await serveFor(1, cloudRun('hello-3'), { good: 10 });
    expect(states()).toEqual(['open']);
  });

  test('needs its condition to hold for the whole duration', async () => {
    const { guard, serveFor, states } = world();
    const condition = burnRate(10, '1s');
    guard({
      conditions: [{ ...condition, conditionThreshold: { ...condition.conditionThreshold, duration: '3s' } }],
    });

    await serveFor(3, cloudRun('hello-1'), BURNING);
    await serveFor(1, cloudRun('hello-1'), HEALTHY);
    await serveFor(3, cloudRun('hello-1'), BURNING);
    expect(states()).toEqual([]);
    await serveFor(1, cloudRun('hello-1'), BURNING);
    expect(states()).toEqual(['open']);
  });

  test('of a metric condition names the series', async () => {
    const { guard, serveFor, published } = world();
    const errors = atLeastRequests(5, '5s');
    guard({
      conditions: [
        {
          ...errors,
          conditionThreshold: {
            ...errors.conditionThreshold,
            filter: `${RUN_COUNT} metric.labels.response_code_class="5xx"`,
            aggregations: [{ alignmentPeriod: '5s', perSeriesAligner: 'ALIGN_DELTA' }],
          },
        },
      ],
    });
    await serveFor(1, cloudRun('hello-1'), BURNING);

    expect(published[0]?.data.incident).toMatchObject({
      observed_value: '10.000',
      resource: { type: 'cloud_run_revision', labels: { revision_name: 'hello-1' } },
      metric: { type: 'run.googleapis.com/request_count', labels: { response_code_class: '5xx' } },
      resource_name: 'hello',
    });
  });

  test('sees the canary’s share of the whole service and no more', async () => {
    const { guard, serve, serveFor, states } = world();
    guard();
    for (let second = 0; second < 20; second++) {
      serve(cloudRun('hello-2'), { bad: 5 });
      await serveFor(1, cloudRun('hello-1'), { good: 95 });
    }
    expect(states()).toEqual([]);
    for (let second = 0; second < 20; second++) {
      serve(cloudRun('hello-2'), { bad: 6 });
      await serveFor(1, cloudRun('hello-1'), { good: 94 });
    }
    expect(states()).toEqual(['open']);
  });

  test('comes only as late as its metrics', async () => {
    const { guard, serveFor, states } = world({
      samplePeriodMs: 60_000,
      visibleAfterMs: 120_000,
      evaluateEveryMs: 60_000,
    });
    guard({ conditions: [burnRate(10, '300s')] });
    await serveFor(600, cloudRun('hello-1'), HEALTHY);

    // Three of five minutes at 20 times the budget are 12 times; the third is readable after five.
    await serveFor(299, cloudRun('hello-1'), BURNING);
    expect(states()).toEqual([]);
    await serveFor(1, cloudRun('hello-1'), BURNING);
    expect(states()).toEqual(['open']);
  });
});

describe('notifications', () => {
  test('go out for the prompts that the policy names', async () => {
    const { guard, serveFor, states } = world();
    guard({ alertStrategy: { notificationPrompts: ['OPENED'] } });
    await serveFor(5, cloudRun('hello-1'), BURNING);
    await serveFor(10, cloudRun('hello-1'), HEALTHY);
    expect(states()).toEqual(['open']);
  });

  test('are repeated while the incident is open, marked as such', async () => {
    const { guard, channel, serveFor, published } = world();
    guard({
      alertStrategy: {
        notificationChannelStrategy: [{ notificationChannelNames: [channel.name], renotifyInterval: '3s' }],
      },
    });
    await serveFor(8, cloudRun('hello-1'), BURNING);
    expect(published.map(({ data }) => data.incident['renotify'])).toEqual([false, true, true]);
  });

  test('that cannot be published are tried again', async () => {
    let isUp = false;
    const received: object[] = [];
    const { guard, serveFor, core } = world({
      publish: (_, data) => {
        if (!isUp) throw new Error('no such topic');
        received.push(data);
      },
    });
    guard();
    await serveFor(3, cloudRun('hello-1'), BURNING);
    expect(core.notifier.unsent).toHaveLength(1);
    isUp = true;
    await serveFor(3, cloudRun('hello-1'), BURNING);

    expect(received).toHaveLength(1);
    expect(core.notifier.unsent).toEqual([]);
  });

  test('of the test kind look different', () => {
    const { core, channel, published } = world();
    core.sendTestNotification(channel.name);
    expect(published[0]?.data).toMatchObject({
      version: 'test',
      incident: { state: 'OPEN', documentation: 'Test documentation', incident_id: '12345' },
    });
  });
});

describe('policies', () => {
  test('that are disabled open nothing', async () => {
    const { guard, serveFor, published } = world();
    guard({ enabled: false });
    await serveFor(10, cloudRun('hello-1'), BURNING);
    expect(published).toEqual([]);
  });

  test('that are deleted take their incident along silently', async () => {
    const { guard, serveFor, states, core } = world();
    const { name } = guard();
    await serveFor(5, cloudRun('hello-1'), BURNING);
    core.deletePolicy(name);
    await serveFor(10, cloudRun('hello-1'), HEALTHY);
    expect(states()).toEqual(['open']);
    expect(core.incidents[0]?.closedMs).toBeDefined();
  });

  test('change while they are watched', async () => {
    const { guard, serveFor, states, core } = world();
    const { name } = guard({ conditions: [burnRate(100, '5s')] });
    await serveFor(5, cloudRun('hello-1'), BURNING);
    expect(states()).toEqual([]);
    core.updatePolicy(name, { conditions: [burnRate(10, '5s')] }, 'conditions');
    await serveFor(1, cloudRun('hello-1'), BURNING);
    expect(states()).toEqual(['open']);
  });

  test.each([
    [{ conditions: [] }, "'conditions'"],
    [{ conditions: [{ displayName: 'x', conditionAbsent: {} }] }, 'threshold conditions only'],
    [{ combiner: 'XOR' }, 'expected one of AND, OR, AND_WITH_MATCHING_RESOURCE'],
    [{ alertStrategy: { autoClose: '60s' } }, 'expected 30 minutes to 7 days'],
    [{ alertStrategy: { notificationPrompts: ['CLOSED'] } }, 'expected [OPENED] or [OPENED, CLOSED]'],
    [{ conditions: [condition({ comparison: 'COMPARISON_GE' })] }, 'COMPARISON_GT, COMPARISON_LT'],
    [{ conditions: [atLeastRequests(1, '90001s')] }, 'at most 25 hours'],
    [{ userLabels: { 'Rollout Service': 'x' } }, 'label keys are lowercase'],
    [{ notificationChannels: ['projects/acme/notificationChannels/1'] }, 'was not found'],
    [{ conditions: [burnRate(10, '25h')] }, 'at most 24 hours'],
    [{ conditions: [condition({ filter: 'select_slo_health("x")' })] }, 'expected select_slo_burn_rate'],
    [
      {
        conditions: [
          condition({
            filter: 'select_slo_burn_rate("projects/acme/services/x", "5m")',
            aggregations: undefined,
          }),
        ],
      },
      'was not found',
    ],
    [{ conditions: [condition({ filter: RUN_COUNT, aggregations: [] })] }, 'needs an aggregation'],
    [{ conditions: [condition({ duration: '0.5s' })] }, 'multiple of 1 s'],
    [
      { conditions: [condition({ filter: RUN_COUNT.replace('count', 'latencies') })] },
      'align run.googleapis.com/request_latencies by a percentile',
    ],
    [{ conditions: [condition({ denominatorFilter: RUN_COUNT })] }, 'denominatorFilter'],
  ])('%j are refused', (more, message) => {
    const { guard } = world();
    expect(() => guard(more)).toThrow(message);
  });
});

function condition(more: object) {
  const base = atLeastRequests(1, '5s');
  return { ...base, conditionThreshold: { ...base.conditionThreshold, ...more } };
}

describe('SLOs', () => {
  test('of latency burn by the share of answers above the threshold', async () => {
    const { core, guard, serveFor, published } = world();
    core.createSlo('projects/acme/services/hello', 'latency', {
      displayName: 'latency',
      goal: 0.95,
      rollingPeriod: '2592000s',
      serviceLevelIndicator: {
        requestBased: {
          distributionCut: {
            distributionFilter: RUN_COUNT.replace('request_count', 'request_latencies'),
            range: { max: 500 },
          },
        },
      },
    });
    const latency = burnRate(9, '2s');
    const filter = latency.conditionThreshold.filter.replace('availability', 'latency');
    guard({ conditions: [{ ...latency, conditionThreshold: { ...latency.conditionThreshold, filter } }] });

    await serveFor(2, cloudRun('hello-1'), { good: 10, latencyMs: 100 });
    expect(published).toEqual([]);
    await serveFor(1, cloudRun('hello-1'), { good: 10, latencyMs: 2000 });

    expect(published[0]?.data.incident['observed_value']).toBe('10.000');
  });

  test.each([
    [{ goal: 1 }, "'goal'"],
    [{ rollingPeriod: '3600s' }, 'expected whole days'],
    [{ rollingPeriod: undefined }, 'expected one of rollingPeriod and calendarPeriod'],
    [{ serviceLevelIndicator: { basicSli: { availability: {} } } }, 'request-based indicators only'],
    [indicator({ goodServiceFilter: RUN_COUNT }), 'exactly two of'],
    [indicator({ goodServiceFilter: RUN_COUNT, totalServiceFilter: 'nonsense' }), 'Could not parse filter'],
    [
      indicator({
        goodServiceFilter: RUN_COUNT,
        totalServiceFilter: RUN_COUNT.replace('count', 'latencies'),
      }),
      'expected a metric of numbers',
    ],
  ])('%j are refused', (more, message) => {
    const { core } = world();
    const create = () =>
      core.createSlo('projects/acme/services/hello', 'other', { ...availabilitySlo(0.9), ...more });
    expect(create).toThrow(message);
  });
});

function indicator(goodTotalRatio: object) {
  return { serviceLevelIndicator: { requestBased: { goodTotalRatio } } };
}

test('a channel in use goes only by force, and then from its policies too', () => {
  const { core, guard, channel } = world();
  const { name } = guard();
  expect(() => core.deleteChannel(channel.name, false)).toThrow(`is used by ${name}`);
  core.deleteChannel(channel.name, true);
  expect(core.policies.get(name).notificationChannels).toEqual([]);
});

test('stop ends the evaluation', async () => {
  const { core, guard, clock, serve, published } = world();
  guard();
  core.stop();
  serve(cloudRun('hello-1'), BURNING);
  await clock.advance(60_000);
  expect(published).toEqual([]);
});

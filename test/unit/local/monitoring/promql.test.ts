import { beforeEach, describe, expect, test } from 'vitest';
import type { HttpReply } from '../../../../local/http.ts';
import { monitoringApi } from '../../../../local/monitoring/http.ts';
import { cloudRun, gke, world as monitoring } from './world.ts';

let world: ReturnType<typeof monitoring>;
let noonMs: number;

/** Ten seconds in which stable answers 10 a second, and the canary 2, one of them with an error. */
beforeEach(async () => {
  world = monitoring();
  world.core.stop();
  noonMs = world.clock.nowMs();
  for (let second = 0; second < 10; second++) {
    world.serve(gke('hello'), { good: 10 });
    world.serve(gke('hello-canary'), { good: 1, bad: 1 });
    world.serve(cloudRun('hello-1'), { good: 5 });
    await world.clock.advance(1000);
  }
});

function ask(
  method: 'query' | 'query_range',
  parameters: Readonly<Record<string, string>>,
  project = 'acme',
): HttpReply {
  return world.core.queryPrometheus({ project, method, parameters: new URLSearchParams(parameters) });
}

/** Values of an instant query, with the labels that tell them apart. */
function values(query: string, ...labels: readonly string[]): unknown {
  const { status, body } = ask('query', { query });
  expect(body).toMatchObject({ status: 'success' });
  expect(status).toBe(200);
  const data = (body as { data: { resultType: string; result: unknown } }).data;
  if (data.resultType === 'scalar') return (data.result as [number, string])[1];
  return (data.result as { metric: Record<string, string>; value: [number, string] }[]).map(
    ({ metric, value }) => [...labels.map(label => metric[label]), value[1]],
  );
}

describe('counts what the data plane served', () => {
  test.each([
    ['sum(increase(http_requests_total{deployment="hello"}[10s]))', '100'],
    ['sum(increase(http_requests_total{deployment="hello-canary"}[5s]))', '10'],
    ['sum(increase(http_requests_total{deployment="hello-canary",code=~"5.."}[1m]))', '10'],
    ['sum(increase(http_requests_total{deployment=~"hello.*",code!="500"}[2s]))', '22'],
    ['sum(increase(http_requests_total{deployment!~"hello-.*"}[1s500ms]))', '20'],
    ['sum(rate(http_requests_total{deployment="hello"}[4s]))', '10'],
    ['sum(http_requests_total{deployment="hello"})', '100'],
    ['sum(increase(loadbalancing_googleapis_com:https_backend_request_count[10s]))', '120'],
    [
      'sum(increase(loadbalancing_googleapis_com:https_backend_latencies_count{response_code_class="500"}[10s]))',
      '10',
    ],
    ['sum(increase({"run.googleapis.com/request_count", revision_name="hello-1"}[10s]))', '50'],
    ['sum(increase({__name__="run_googleapis_com:request_count"}[10s]))', '50'],
    ['count(increase(http_requests_total{monitored_resource="prometheus_target"}[10s]))', '3'],
  ])('%s is %s', (query, expected) => {
    expect(values(query)).toEqual([[expected]]);
  });

  test('with the labels of an application in a cluster', () => {
    const { body } = ask('query', { query: 'http_requests_total{deployment="hello"}' });
    expect(body).toMatchObject({
      data: {
        resultType: 'vector',
        result: [
          {
            metric: {
              __name__: 'http_requests_total',
              project_id: 'acme',
              location: 'us-central1',
              cluster: 'main',
              namespace: 'default',
              job: 'hello',
              deployment: 'hello',
              code: '200',
            },
          },
        ],
      },
    });
  });

  test('of one project only', () => {
    const { body } = ask('query', { query: 'http_requests_total' }, 'other');
    expect(body).toEqual({ status: 'success', data: { resultType: 'vector', result: [] } });
  });
});

describe('the language', () => {
  test.each([
    ['1 + 2 * 3 - 4 / 2', '5'],
    ['-(1 + 2) * 2', '-6'],
    ['.5e1', '5'],
    ['0 / 0', 'NaN'],
    ['1 / 0', '+Inf'],
  ])('%s is %s', (query, expected) => {
    expect(values(query)).toBe(expected);
  });

  test('sums by labels, before or after, or without some', () => {
    const expected = [
      ['hello', '100'],
      ['hello-canary', '20'],
    ];
    const increase = '(increase(http_requests_total[10s]))';
    expect(values(`sum by (deployment) ${increase}`, 'deployment')).toEqual(expected);
    expect(values(`sum${increase} by (deployment,)`, 'deployment')).toEqual(expected);
    expect(values(`sum without (code) ${increase}`, 'deployment')).toEqual(expected);
    expect(values(`max by (deployment) ${increase}`)).toEqual([['100'], ['10']]);
    expect(values(`min${increase}`)).toEqual([['10']]);
    expect(values(`avg${increase}`)).toEqual([['40']]);
  });

  test('computes with vectors whose labels are the same, and with numbers', () => {
    const all = 'sum by (deployment) (increase(http_requests_total[10s]))';
    const good = 'sum by (deployment) (increase(http_requests_total{code="200"}[10s]))';
    expect(values(`${all} - ${good}`)).toEqual([['0'], ['10']]);
    expect(values(`100 * (1 - ${good} / ${all})`)).toEqual([['0'], ['50']]);
    expect(values(`${all} / 10`)).toEqual([['10'], ['2']]);
  });

  test('or adds what is missing', () => {
    const missing = 'sum(increase(http_requests_total{code="404"}[10s]))';
    expect(values(missing)).toEqual([]);
    expect(values(`${missing} or vector(0)`)).toEqual([['0']]);
    expect(values('vector(1) or vector(0)')).toEqual([['1']]);
  });

  test('label_replace sets a label, with what the pattern found', () => {
    const canary = 'sum by (deployment) (increase(http_requests_total{code="500"}[10s]))';
    expect(values(`label_replace(${canary}, "mark", "7", "", "")`, 'mark')).toEqual([['7', '10']]);
    expect(values(`label_replace(${canary}, "app", "$1", "deployment", "(.*)-canary")`, 'app')).toEqual([
      ['hello', '10'],
    ]);
  });

  test('may have comments and any quotes', () => {
    const query = "sum( # all of them\n increase(http_requests_total{deployment='hello', code=`200`}[10s]))";
    expect(values(query)).toEqual([['100']]);
  });
});

describe('over time', () => {
  const query = 'sum(increase(http_requests_total{deployment="hello-canary"}[2s]))';
  const range = (from: number, to: number, step: string) => ({
    query,
    start: String(noonMs / 1000 + from),
    end: new Date(noonMs + to * 1000).toISOString(),
    step,
  });
  const points = ({ body }: HttpReply) => {
    const { data } = body as { data: { result: { values: [number, string][] }[] } };
    return data.result.map(({ values: all }) => all.map(([at, value]) => [at - noonMs / 1000, value]));
  };

  test('each step is one evaluation', () => {
    expect(points(ask('query_range', range(2, 8, '3s')))).toEqual([
      [
        [2, '4'],
        [5, '4'],
        [8, '4'],
      ],
    ]);
  });

  test('a counter that rises no more says zero, and one that did not exist yet nothing', async () => {
    await world.clock.advance(10_000);
    expect(points(ask('query_range', range(-4, 20, '8')))).toEqual([
      [
        [4, '4'],
        [12, '0'],
        [20, '0'],
      ],
    ]);
  });

  test('what is not visible yet is not there', async () => {
    world = monitoring({ visibleAfterMs: 5000 });
    world.core.stop();
    noonMs = world.clock.nowMs();
    await world.serveFor(10, gke('hello-canary'), { good: 1 });
    expect(points(ask('query_range', range(2, 10, '2')))).toEqual([
      [
        [2, '2'],
        [4, '2'],
        [6, '1'],
      ],
    ]);
  });

  test('a number is a series', () => {
    const { body } = ask('query_range', { ...range(0, 2, '1'), query: '7' });
    expect(body).toMatchObject({ data: { resultType: 'matrix', result: [{ metric: {} }] } });
  });

  test.each([
    [{ step: '0' }, 'invalid parameter "step": expected a duration above zero, such as 60 or 60s'],
    [{ step: 'often' }, 'invalid parameter "step": expected a duration above zero, such as 60 or 60s'],
    [{ start: 'noon' }, 'invalid parameter "start": cannot parse "noon" to a valid timestamp'],
    [{ end: '1' }, 'invalid parameter "end": end timestamp must not be before start time'],
    [{ step: '1ms', start: '0' }, 'exceeded maximum resolution of 11000 points per timeseries'],
  ])('%j is refused', (wrong, error) => {
    const reply = ask('query_range', { ...range(2, 8, '3s'), ...wrong });
    expect(reply).toEqual({ status: 400, body: { status: 'error', errorType: 'bad_data', error } });
  });
});

describe('what is wrong or not supported is refused as Prometheus does', () => {
  test.each([
    ['', '1:1: parse error: expected an expression, found the end'],
    ['sum(', '1:5: parse error: expected an expression, found the end'],
    ['sum(http_requests_total\n)}', '2:2: parse error: expected an operator or the end, found "}"'],
    ['http_requests_total{code=5}', '1:26: parse error: expected a string, found "5"'],
    ['http_requests_total[5]', '1:21: parse error: expected a duration, found "5"'],
    ['http_requests_total{code=~"("}', 'parse error: Invalid regular expression'],
    ['1 ~ 2', '1:3: parse error: unexpected character "~"'],
    ['increase(http_requests_total)', 'increase() takes a metric and a range'],
    ['http_requests_total[5m]', 'a range such as [60s] belongs into increase() or rate()'],
    ['sum(1)', 'expected type instant vector, got scalar'],
    ['vector(http_requests_total)', 'expected type scalar, got instant vector'],
    ['http_requests_total + sum(http_requests_total)[5m:1m]', 'found "["'],
    ['sum by (code) (x) ^ 2', '"^" is not supported by the local Monitoring'],
    ['http_requests_total offset 5m', '"offset" is not supported by the local Monitoring'],
    ['http_requests_total > 5', '">" is not supported'],
    ['http_requests_total and http_requests_total', '"and" is not supported'],
    ['histogram_quantile(0.9, x)', 'the function "histogram_quantile" is not supported'],
    ['my_requests_total', 'has no metric my_requests_total; it has run_googleapis_com:request_count, '],
    [
      'label_replace(http_requests_total, "code", "", "", "") + label_replace(http_requests_total, "code", "", "", "")',
      'many-to-many matching not allowed',
    ],
  ])('%s', (query, error) => {
    const { status, body } = ask('query', { query });
    expect(status).toBe(400);
    expect(body).toMatchObject({
      status: 'error',
      errorType: 'bad_data',
      error: expect.stringContaining(error),
    });
  });
});

test.each([
  ['GET', 'v1/projects/acme/location/global/prometheus/api/v1/query', 200],
  ['POST', 'v1/projects/acme/location/global/prometheus/api/v1/query', 200],
  ['GET', 'v1/projects/acme/location/europe-west1/prometheus/api/v1/query', 501],
  ['GET', 'v1/projects/acme/location/global/prometheus/api/v1/labels', 501],
])('%s /%s is answered with %i', async (method, path, status) => {
  const form = new URLSearchParams({ query: '1' });
  const isGet = method === 'GET';
  const reply = await monitoringApi(world.core)({
    method,
    path: `/${path}`,
    query: isGet ? form : new URLSearchParams(),
    headers: {},
    body: Buffer.from(isGet ? '' : String(form)),
  });
  expect(reply.status).toBe(status);
});

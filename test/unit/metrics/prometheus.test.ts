import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readBlocks } from '../../../functions/metrics/blocks.ts';
import type { GkeTarget, Window } from '../../../functions/metrics/reading.ts';
import { type HttpReply, type HttpServer, serve } from '../../../local/http.ts';
import { arm } from './targets.ts';

const NOON_SECONDS = Date.UTC(2026, 0, 5, 12) / 1000;
const REQUESTS = 'sum(increase(http_requests_total{deployment="$deployment"}[$interval]))';
const BAD = 'sum(increase(http_requests_total{deployment="$deployment",code=~"5.."}[$interval]))';
const counted: GkeTarget = { ...arm, prometheus: { requests: REQUESTS, bad: BAD } };

/** Marks of a combined query's series, in the order in which queries are asked. */
const [CANARY, CANARY_BAD, STABLE, STABLE_BAD] = ['0', '1', '2', '3'] as const;

interface Asked {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly form: URLSearchParams;
}

let api: HttpServer;
let answer: (asked: Asked) => HttpReply;
let asked: Asked[];

beforeAll(async () => {
  api = await serve(({ path, headers, body }) => {
    const one = {
      path,
      authorization: headers['authorization'],
      form: new URLSearchParams(body.toString('utf8')),
    };
    asked.push(one);
    return answer(one);
  });
});

beforeEach(() => {
  asked = [];
  answer = () => matrix();
});

afterAll(() => api.close());

type Points = readonly (readonly [secondsAfterNoon: number, value: string])[];

/** As Prometheus answers a range query: each series with the mark of its query. */
function matrix(...series: readonly (readonly [mark: string, points: Points, labels?: object])[]): HttpReply {
  const result = series.map(([mark, points, labels = {}]) => ({
    metric: { ...labels, slipway_query: mark },
    values: points.map(([seconds, value]) => [NOON_SECONDS + seconds, value]),
  }));
  return { status: 200, body: { status: 'success', data: { resultType: 'matrix', result } } };
}

function read(targets: readonly GkeTarget[] = [counted], window: Partial<Window> = {}) {
  const clients = {
    monitoringUrl: api.url,
    accessToken: async () => 'token-1',
    metrics: () => Promise.reject(new Error('no time series are needed')),
  };
  const sinceMs = NOON_SECONDS * 1000;
  return readBlocks(clients, targets, { sinceMs, untilMs: sinceMs + 600_000, ...window });
}

function table(blocks: Awaited<ReturnType<typeof read>>['targets'][string] | undefined) {
  return (blocks ?? []).map(({ endMs, canary, stable }) => [
    endMs / 1000 - NOON_SECONDS,
    [canary.good, canary.bad],
    [stable.good, stable.bad],
  ]);
}

test('all queries of a project are one request, with the names and the length of a block filled in', async () => {
  answer = () =>
    matrix(
      [
        CANARY,
        [
          [60, '10'],
          [120, '12'],
        ],
      ],
      [CANARY_BAD, [[120, '2']]],
      [
        STABLE,
        [
          [60, '90'],
          [120, '88'],
        ],
      ],
      [
        STABLE_BAD,
        [
          [60, '0'],
          [120, '1'],
        ],
      ],
    );

  const { targets, newestPointMs } = await read();

  expect(table(targets['arm'])).toEqual([
    [60, [10, 0], [90, 0]],
    [120, [10, 2], [87, 1]],
  ]);
  expect(newestPointMs).toBe((NOON_SECONDS + 120) * 1000);
  expect(asked).toHaveLength(1);
  expect(asked[0]?.path).toBe('/v1/projects/acme/location/global/prometheus/api/v1/query_range');
  expect(asked[0]?.authorization).toBe('Bearer token-1');
  const { start, end, step, query } = Object.fromEntries(asked[0]?.form ?? []);
  expect([Number(start) - NOON_SECONDS, Number(end) - NOON_SECONDS, step]).toEqual([60, 600, '60']);
  expect(query?.split('\n').filter(line => line.startsWith('sum'))).toEqual([
    'sum(increase(http_requests_total{deployment="hello-canary"}[60s]))',
    'sum(increase(http_requests_total{deployment="hello-canary",code=~"5.."}[60s]))',
    'sum(increase(http_requests_total{deployment="hello"}[60s]))',
    'sum(increase(http_requests_total{deployment="hello",code=~"5.."}[60s]))',
  ]);
});

test('forty targets are one request, and queries that are the same are asked once', async () => {
  const wave = Array.from({ length: 40 }, (_, index) => ({ ...counted, name: `arm-${index}` }));
  answer = () => matrix([CANARY, [[60, '3']]]);
  const { targets } = await read(wave);
  expect(asked).toHaveLength(1);
  expect(asked[0]?.form.get('query')?.match(/label_replace/g)).toHaveLength(4);
  expect(Object.keys(targets)).toHaveLength(40);
  expect(table(targets['arm-39'])).toEqual([[60, [3, 0], [0, 0]]]);
});

test('several series of one answer add up, and extrapolated fractions are rounded at the end', async () => {
  answer = () =>
    matrix(
      [CANARY, [[60, '10.4']], { pod: 'a' }],
      [CANARY, [[60, '9.4']], { pod: 'b' }],
      [CANARY_BAD, [[60, '1.6']]],
    );
  const { targets } = await read();
  expect(table(targets['arm'])).toEqual([[60, [18, 2], [0, 0]]]);
});

describe('no data', () => {
  test('is no point: no block, and nothing new', async () => {
    expect(await read()).toEqual({ targets: { arm: [] }, newestPointMs: undefined, warnings: [] });
  });

  test('differs from zero requests', async () => {
    answer = () => matrix([STABLE, [[60, '0']]]);
    const { targets, newestPointMs } = await read();
    expect(table(targets['arm'])).toEqual([[60, [0, 0], [0, 0]]]);
    expect(newestPointMs).toBe((NOON_SECONDS + 60) * 1000);
  });

  test('is what a bad query with a zero at every moment says about requests', async () => {
    answer = () =>
      matrix([
        CANARY_BAD,
        [
          [60, '0'],
          [120, '0'],
        ],
      ]);
    expect((await read()).newestPointMs).toBeUndefined();
  });

  test('is what NaN and infinity are', async () => {
    answer = () =>
      matrix(
        [
          CANARY,
          [
            [60, 'NaN'],
            [120, '+Inf'],
            [180, '4'],
          ],
        ],
        [CANARY_BAD, [[180, 'NaN']]],
      );
    const { targets } = await read();
    expect(table(targets['arm'])).toEqual([[180, [4, 0], [0, 0]]]);
  });

  test('of requests, with bad ones all the same, is as many requests', async () => {
    answer = () => matrix([CANARY_BAD, [[60, '3']]]);
    const { targets } = await read();
    expect(table(targets['arm'])).toEqual([[60, [0, 3], [0, 0]]]);
  });

  test('may come as null', async () => {
    const data = { resultType: 'matrix', result: null };
    answer = () => ({ status: 200, body: { status: 'success', data } });
    expect((await read()).newestPointMs).toBeUndefined();
  });
});

test('warnings are handed on once, with the answer', async () => {
  const data = { resultType: 'matrix', result: [] };
  const warnings = ['some stores did not answer', 'some stores did not answer'];
  answer = () => ({ status: 200, body: { status: 'success', data, warnings } });
  expect((await read()).warnings).toEqual(['some stores did not answer']);
});

describe('the window', () => {
  const startOf = () => Number(asked[0]?.form.get('start')) - NOON_SECONDS;

  test('has whole blocks only, so that none counts what was before it or is to come', async () => {
    const sinceMs = NOON_SECONDS * 1000 + 61_000;
    await read([counted], { sinceMs, untilMs: sinceMs + 300_000 });
    expect(startOf()).toBe(180);
    expect(Number(asked[0]?.form.get('end')) - NOON_SECONDS).toBe(360);
  });

  test('goes on right after the blocks that are known', async () => {
    await read([counted], { knownUntilMs: (NOON_SECONDS + 120) * 1000 });
    expect(startOf()).toBe(180);
  });

  test('without a whole block is not asked for', async () => {
    const { newestPointMs } = await read([counted], { untilMs: NOON_SECONDS * 1000 + 59_000 });
    expect(newestPointMs).toBeUndefined();
    expect(asked).toEqual([]);
  });

  test('of a day is two requests, the older with an interval of ten minutes', async () => {
    await read([counted], { untilMs: (NOON_SECONDS + 86_400) * 1000 });
    expect(asked.map(({ form }) => [form.get('step'), form.get('query')?.includes('[600s]')])).toEqual([
      ['600', true],
      ['60', false],
    ]);
    const points = asked.map(({ form }) => (Number(form.get('end')) - Number(form.get('start'))) / 60);
    expect(points.every(count => count < 1440)).toBe(true);
  });
});

describe('a refusal', () => {
  const parseError = {
    status: 400,
    body: { status: 'error', errorType: 'bad_data', error: '1:5: parse error: unexpected "}"' },
  };

  test('of a query names target, query and what Prometheus said, and no retry can help', async () => {
    const broken = { ...counted, name: 'broken', prometheus: { requests: REQUESTS, bad: `${BAD}}` } };
    answer = ({ form }) => (form.get('query')?.includes('))}') ? parseError : matrix());
    await expect(read([counted, broken])).rejects.toMatchObject({
      name: 'SlipwayError',
      code: 'InvalidArgument',
      canRetry: false,
      message: expect.stringMatching(
        /^Target broken: its Prometheus query "bad" is refused: .*1:5: parse error: unexpected "}"\. The query was: sum\(increase\(/,
      ),
    });
  });

  test('of all queries together says what Prometheus said', async () => {
    answer = ({ form }) => (form.get('query')?.includes(' or ') ? parseError : matrix());
    await expect(read()).rejects.toMatchObject({
      code: 'InvalidArgument',
      operation: 'prometheus.query_range in acme',
      message: 'prometheus.query_range in acme: 1:5: parse error: unexpected "}"',
    });
  });

  test.each([
    [
      403,
      { error: { code: 403, message: 'Permission monitoring.timeSeries.list denied' } },
      'PermissionDenied',
      false,
    ],
    [429, { error: { code: 429, message: 'Quota exceeded' } }, 'ResourceExhausted', true],
    [503, { status: 'error', errorType: 'unavailable', error: 'try later' }, 'Unavailable', true],
    [502, '<html>Bad Gateway</html>', 'Unavailable', true],
    [
      422,
      { status: 'error', errorType: 'execution', error: 'many-to-many matching' },
      'InvalidArgument',
      false,
    ],
    [200, { status: 'error', errorType: 'bad_data', error: 'no' }, 'InvalidArgument', false],
    [200, { status: 'success', data: { resultType: 'vector', result: [] } }, 'InvalidArgument', false],
  ])('with status %i and %j is %s', async (status, body, code, canRetry) => {
    answer = () => ({ status, body });
    await expect(read()).rejects.toMatchObject({ name: 'SlipwayError', code, canRetry });
  });

  test.each(['requests', 'bad'] as const)(
    'comes from here, when %s cannot tell canary from stable or block from block',
    async what => {
      const fixed = { ...counted, prometheus: { ...counted.prometheus, requests: REQUESTS, bad: BAD } };
      fixed.prometheus[what] = 'sum(increase(http_requests_total{deployment="$deployment"}[60s]))';
      await expect(read([fixed])).rejects.toMatchObject({
        code: 'InvalidArgument',
        message: expect.stringContaining(`Target arm: expected $interval in its Prometheus query "${what}"`),
      });
      expect(asked).toEqual([]);
    },
  );
});

test('nobody who answers is trouble that may pass', async () => {
  const gone = await serve(() => ({ status: 200 }));
  await gone.close();
  const clients = {
    monitoringUrl: gone.url,
    accessToken: async () => undefined,
    metrics: () => Promise.reject(new Error('no time series are needed')),
  };
  const window = { sinceMs: 0, untilMs: 600_000 };
  await expect(readBlocks(clients, [counted], window)).rejects.toMatchObject({
    name: 'SlipwayError',
    code: 'Unavailable',
  });
});

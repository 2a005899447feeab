import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type GoogleClients, googleClients } from '../../../functions/google/clients.ts';
import { readBlocks } from '../../../functions/metrics/blocks.ts';
import type { MetricTarget } from '../../../functions/metrics/reading.ts';
import { type HttpServer, serve } from '../../../local/http.ts';
import { us } from './targets.ts';

/** Answers of Cloud Monitoring as they look on the wire, page by page, to the real client. */
let api: HttpServer;
let clients: GoogleClients;
let pages: object[];
let requests: URLSearchParams[];

beforeAll(async () => {
  api = await serve(({ query }) => {
    requests.push(query);
    return { status: 200, body: pages[Number(query.get('pageToken') ?? 0)] ?? {} };
  });
  clients = googleClients({ monitoring: api.url });
});

beforeEach(() => {
  pages = [];
  requests = [];
});

afterAll(async () => {
  await (await clients.metrics()).close();
  await api.close();
});

const SECOND = 1000;
const NOON = Date.UTC(2026, 0, 5, 12);

interface Recorded {
  readonly revision: string;
  readonly code?: string;
  readonly kind?: 'DELTA' | 'CUMULATIVE';
  /** Start and end after noon in seconds, and the value. */
  readonly points: readonly (readonly [start: number, end: number, value: number | object])[];
}

function series({ revision, code = '200', kind = 'DELTA', points }: Recorded): object {
  const time = (second: number) => new Date(NOON + second * SECOND).toISOString();
  return {
    metric: {
      type: 'run.googleapis.com/request_count',
      labels: { response_code: code, response_code_class: `${code[0]}xx` },
    },
    resource: {
      type: 'cloud_run_revision',
      labels: {
        project_id: 'acme',
        location: 'us-east4',
        service_name: 'hello',
        revision_name: revision,
        configuration_name: 'hello',
      },
    },
    metricKind: kind,
    valueType: 'INT64',
    points: points
      .map(([start, end, value]) => ({
        interval: { startTime: time(start), endTime: time(end) },
        value: typeof value === 'number' ? { int64Value: String(value) } : { distributionValue: value },
      }))
      .reverse(),
  };
}

function read(window: { from?: number; known?: number; until?: number } = {}, thresholdMs?: number) {
  const { from = 0, known, until = 600 } = window;
  const targets: MetricTarget[] = [us];
  return readBlocks(
    clients,
    targets,
    {
      sinceMs: NOON + from * SECOND,
      untilMs: NOON + until * SECOND,
      knownUntilMs: known === undefined ? undefined : NOON + known * SECOND,
    },
    { latencyThresholdMs: thresholdMs },
  );
}

/** End of each block after noon in seconds, then good and bad of canary and of stable. */
function table(blocks: Awaited<ReturnType<typeof read>>['targets'][string] | undefined) {
  return (blocks ?? []).map(({ endMs, canary, stable }) => [
    (endMs - NOON) / SECOND,
    [canary.good, canary.bad],
    [stable.good, stable.bad],
  ]);
}

test('series with phases of their own share blocks', async () => {
  pages = [
    {
      timeSeries: [
        series({ revision: 'hello-2', points: [[13, 73, 4]] }),
        series({ revision: 'hello-2', code: '503', points: [[13, 73, 1]] }),
        series({
          revision: 'hello-1',
          points: [
            [59, 119, 90],
            [119, 179, 91],
          ],
        }),
      ],
    },
  ];

  const { targets, newestPointMs } = await read();

  expect(table(targets['us'])).toEqual([
    [120, [4, 1], [90, 0]],
    [180, [0, 0], [91, 0]],
  ]);
  expect(newestPointMs).toBe(NOON + 179 * SECOND);
});

test('points that reach over the start are left out on both sides, those that touch it are not', async () => {
  pages = [
    {
      timeSeries: [
        series({
          revision: 'hello-2',
          points: [
            [0, 60, 100],
            [60, 120, 1],
          ],
        }),
        series({
          revision: 'hello-1',
          points: [
            [29, 89, 100],
            [89, 149, 2],
          ],
        }),
      ],
    },
  ];
  const { targets } = await read({ from: 60 });
  expect(table(targets['us'])).toEqual([
    [120, [1, 0], [0, 0]],
    [180, [0, 0], [2, 0]],
  ]);
});

test('a reading that goes on from known blocks misses none of a point that began before they ended', async () => {
  const points = [
    [13, 73, 1],
    [73, 133, 2],
    [133, 193, 3],
  ] as const;
  pages = [{ timeSeries: [series({ revision: 'hello-2', points })] }];

  const first = await read({ until: 120 });
  const second = await read({ known: 120 });

  expect(table(first.targets['us'])).toEqual([[120, [1, 0], [0, 0]]]);
  expect(table(second.targets['us'])).toEqual([
    [180, [2, 0], [0, 0]],
    [240, [3, 0], [0, 0]],
  ]);
  expect(requests[1]?.get('interval.startTime')).toBe('2026-01-05T12:02:00.000Z');
});

test('gaps are no blocks, and a point that was late is in the next reading', async () => {
  pages = [
    {
      timeSeries: [
        series({
          revision: 'hello-1',
          points: [
            [0, 60, 1],
            [180, 240, 1],
          ],
        }),
      ],
    },
  ];
  const before = await read();
  pages = [
    {
      timeSeries: [
        series({
          revision: 'hello-1',
          points: [
            [0, 60, 1],
            [60, 120, 5],
            [180, 240, 1],
          ],
        }),
      ],
    },
  ];
  const after = await read();

  expect(table(before.targets['us']).map(([end]) => end)).toEqual([60, 240]);
  expect(table(after.targets['us'])).toEqual([
    [60, [0, 0], [1, 0]],
    [120, [0, 0], [5, 0]],
    [240, [0, 0], [1, 0]],
  ]);
});

test('three minutes of lag are no points, however long the window is', async () => {
  pages = [{ timeSeries: [] }];
  const { targets, newestPointMs } = await read({ until: 180 });
  expect(targets).toEqual({ us: [] });
  expect(newestPointMs).toBeUndefined();
});

test('points of another revision are no news of canary or stable', async () => {
  pages = [{ timeSeries: [series({ revision: 'hello-0', points: [[0, 60, 9]] })] }];
  expect(await read()).toEqual({ targets: { us: [] }, newestPointMs: undefined, warnings: [] });
});

test('a point that comes twice, on one page or two, counts once', async () => {
  const twice = series({ revision: 'hello-2', points: [[0, 60, 4]] });
  pages = [
    { timeSeries: [twice, twice], nextPageToken: '1' },
    {
      timeSeries: [
        series({
          revision: 'hello-2',
          points: [
            [0, 60, 4],
            [60, 120, 2],
          ],
        }),
      ],
    },
  ];
  const { targets } = await read();
  expect(table(targets['us'])).toEqual([
    [60, [4, 0], [0, 0]],
    [120, [2, 0], [0, 0]],
  ]);
});

test('a series that goes on on the next page is read to its end', async () => {
  pages = [
    { timeSeries: [series({ revision: 'hello-2', points: [[60, 120, 2]] })], nextPageToken: '1' },
    { timeSeries: [series({ revision: 'hello-2', points: [[0, 60, 1]] })], nextPageToken: '2' },
    { timeSeries: [series({ revision: 'hello-1', points: [[0, 60, 7]] })] },
  ];
  const { targets } = await read();
  expect(table(targets['us'])).toEqual([
    [60, [1, 0], [7, 0]],
    [120, [2, 0], [0, 0]],
  ]);
  expect(requests.map(query => [query.get('pageToken'), query.get('pageSize')])).toEqual([
    ['', '5000'],
    ['1', '5000'],
    ['2', '5000'],
  ]);
});

describe('a cumulative series', () => {
  test('counts what came between its points, and from the start again after a reset', async () => {
    const points = [
      [-3000, 30, 1000],
      [-3000, 90, 1010],
      [-3000, 150, 1030],
      // Restarted at 12:02:50.
      [170, 210, 4],
      [170, 270, 9],
    ] as const;
    pages = [{ timeSeries: [series({ revision: 'hello-1', kind: 'CUMULATIVE', points })] }];
    const { targets } = await read();
    expect(table(targets['us'])).toEqual([
      [120, [0, 0], [10, 0]],
      [180, [0, 0], [20, 0]],
      [240, [0, 0], [4, 0]],
      [300, [0, 0], [5, 0]],
    ]);
  });

  test('counts a gap where it ends', async () => {
    const points = [
      [0, 60, 5],
      [0, 240, 50],
    ] as const;
    pages = [{ timeSeries: [series({ revision: 'hello-2', kind: 'CUMULATIVE', points })] }];
    const { targets } = await read();
    expect(table(targets['us'])).toEqual([
      [60, [5, 0], [0, 0]],
      [240, [45, 0], [0, 0]],
    ]);
  });

  test('of which the start is known already is not counted from there again', async () => {
    const points = [
      [10, 150, 1000],
      [10, 210, 1003],
    ] as const;
    pages = [{ timeSeries: [series({ revision: 'hello-2', kind: 'CUMULATIVE', points })] }];
    const { targets } = await read({ known: 120 });
    expect(table(targets['us'])).toEqual([[240, [3, 0], [0, 0]]]);
  });

  test('in parts on two pages is one series', async () => {
    const part = (...point: [number, number, number]) =>
      series({ revision: 'hello-2', kind: 'CUMULATIVE', points: [point] });
    pages = [{ timeSeries: [part(0, 120, 8)], nextPageToken: '1' }, { timeSeries: [part(0, 60, 5)] }];
    const { targets } = await read();
    expect(table(targets['us'])).toEqual([
      [60, [5, 0], [0, 0]],
      [120, [3, 0], [0, 0]],
    ]);
  });
});

describe('with a latency threshold', () => {
  /** Bounds 100, 200, 400, 800 ms. */
  const histogram = (bucketCounts: readonly number[]) => ({
    count: String(bucketCounts.reduce((sum, count) => sum + count, 0)),
    bucketOptions: { exponentialBuckets: { numFiniteBuckets: 3, growthFactor: 2, scale: 100 } },
    bucketCounts: bucketCounts.map(String),
  });

  test('the latencies alone are asked for; slow answers and errors are bad', async () => {
    pages = [
      {
        timeSeries: [
          series({ revision: 'hello-2', points: [[0, 60, histogram([5, 3, 0, 2])]] }),
          series({ revision: 'hello-2', code: '500', points: [[0, 60, histogram([4])]] }),
        ],
      },
    ];
    const { targets } = await read({}, 400);
    expect(table(targets['us'])).toEqual([[60, [8, 6], [0, 0]]]);
    expect(requests).toHaveLength(1);
    expect(requests[0]?.get('filter')).toContain('metric.type = "run.googleapis.com/request_latencies"');
  });

  test('of a bucket on both sides of the threshold the part above is slow, over the whole block', async () => {
    // Of 200 to 400 ms a quarter is above 350 ms: of four points with one request each, one.
    const points = [0, 10, 20, 30].map(second => [second, second + 10, histogram([0, 0, 1])] as const);
    pages = [{ timeSeries: [series({ revision: 'hello-2', points })] }];
    const { targets } = await read({}, 350);
    expect(table(targets['us'])).toEqual([[60, [3, 1], [0, 0]]]);
  });

  test('an empty distribution is no request', async () => {
    pages = [{ timeSeries: [series({ revision: 'hello-2', points: [[0, 60, {}]] })] }];
    const { targets } = await read({}, 350);
    expect(table(targets['us'])).toEqual([[60, [0, 0], [0, 0]]]);
  });
});

test('an answer that Monitoring calls incomplete is an error that a retry may cure, not half of the truth', async () => {
  pages = [
    {
      timeSeries: [series({ revision: 'hello-2', code: '500', points: [[0, 60, 4]] })],
      executionErrors: [{ code: 14, message: 'region us-east4 did not answer' }],
    },
  ];
  await expect(read()).rejects.toMatchObject({
    name: 'SlipwayError',
    code: 'Unavailable',
    canRetry: true,
    message: expect.stringContaining('incomplete: region us-east4 did not answer'),
  });
});

test('a day is asked for as sums by revision and class, and as the points of its last hour', async () => {
  const day = 24 * 3600;
  pages = [{ timeSeries: [] }];
  await read({ until: day });

  expect(requests).toHaveLength(2);
  const [sums, points] = requests.toSorted((a, b) =>
    String(a.get('interval.startTime')).localeCompare(String(b.get('interval.startTime'))),
  );
  expect(sums?.get('aggregation.alignmentPeriod')).toBe('600s');
  expect(sums?.get('aggregation.perSeriesAligner')).toBe('14');
  expect(sums?.get('aggregation.crossSeriesReducer')).toBe('4');
  expect(sums?.getAll('aggregation.groupByFields')).toEqual([
    'resource.labels.project_id',
    'resource.labels.location',
    'resource.labels.service_name',
    'resource.labels.revision_name',
    'metric.labels.response_code_class',
  ]);
  expect(sums?.get('interval.endTime')).toBe(points?.get('interval.startTime'));
  expect(points?.has('aggregation.alignmentPeriod')).toBe(false);
});

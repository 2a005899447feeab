import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ReplayOptions, replay } from '../../../cli/commands/replay.ts';
import { chart } from '../../../cli/replay/chart.ts';
import { readTraffic } from '../../../cli/replay/read.ts';
import { replayRollout } from '../../../cli/replay/simulate.ts';
import { parsePolicy, type Service } from '../../../functions/rollout/policy.ts';
import { Paper } from './terminal.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'slipway-replay-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const TARGETS = [
  { name: 'us', cloudRun: { project: 'acme', region: 'us-east4', service: 'hello' } },
  { name: 'eu', cloudRun: { project: 'acme', region: 'europe-west1', service: 'hello' } },
];

function policyWith(change: object = {}, name = 'hello'): string {
  const strategy = {
    waves: [['us'], ['eu']],
    steps: [
      { setWeight: 10 },
      { pause: { duration: '10m' } },
      { setWeight: 50 },
      { pause: { duration: '10m' } },
    ],
  };
  const slo = { availability: 99.5 };
  const service = { name, image: 'registry.example/acme/hello', targets: TARGETS, strategy, slo, ...change };
  return JSON.stringify({ services: [service] });
}

function serviceWith(change: object = {}): Service {
  const result = parsePolicy(policyWith(change), 'rollouts.yaml');
  const [service] = result.ok ? result.policy.services : [];
  if (!service) throw new Error(JSON.stringify(result));
  return service;
}

async function file(name: string, text: string): Promise<string> {
  const written = path.join(folder, name);
  await writeFile(written, text);
  return written;
}

async function replayed(requests: string, change: Partial<ReplayOptions> = {}, policy = policyWith()) {
  const paper = new Paper();
  const options = {
    policy: await file('rollouts.yaml', policy),
    gate: 600,
    output: 'json',
    ...change,
  } as const;
  const answer = await replay(requests, options, paper);
  return { answer, paper, report: options.output === 'json' ? JSON.parse(paper.output) : undefined };
}

const STEADY = 'rps: 100\ntraffic: [{canary: {errorRatio: 0.001}, stable: {errorRatio: 0.001}}]\n';

describe('slipway replay', () => {
  test('says that a good canary would have been promoted, and when', async () => {
    const { answer, report } = await replayed(await file('steady.yaml', STEADY));
    expect(answer).toBe('yes');
    expect(report).toMatchObject({ service: 'hello', outcome: 'promoted', judge: { stops: false } });
    // Two waves of two pauses, no look late.
    expect(report.atSeconds).toBe(2400);
    expect(report.steps.map(({ what }: { what: string }) => what)).toEqual([
      ...['setWeight 10', 'pause 10m', 'setWeight 50', 'pause 10m', 'promote'],
      ...['setWeight 10', 'pause 10m', 'setWeight 50', 'pause 10m', 'promote'],
    ]);
    expect(report.alerts.every(({ fires }: { fires: boolean }) => !fires)).toBe(true);
  });

  test('says when the judge would have stopped a bad one, after how many bad requests, and what alerts would have done', async () => {
    const bad = 'rps: 100\ntraffic: [{canary: {errorRatio: 0.3}, stable: {errorRatio: 0.001}}]\n';
    const { answer, report, paper } = await replayed(await file('bad.yaml', bad));
    expect(answer).toBe('no');
    expect(report).toMatchObject({ outcome: 'stopped', cause: 'Judge', place: { wave: 1, step: 2 } });
    // Metrics are three minutes late, so the first block is seen at the fourth look.
    expect(report.atSeconds).toBe(240);
    // 10 % of the 50 requests a second to one of two targets, for four minutes, 30 % of them bad.
    expect(report.canary).toEqual({ requests: 1200, bad: 360 });
    expect(report.judge).toMatchObject({ stops: true, atSeconds: 240, canary: { bad: 360 } });
    const [guard] = report.alerts;
    expect(guard).toMatchObject({ policy: 'rollout-guard', fires: true, wayIn: 'Cloud Run' });
    expect(guard.atSeconds).toBeGreaterThan(600);
    expect(paper.errors).toBe('');
  });

  test('lets an alert stop what no judge looks at, also after promotion', async () => {
    const late = [
      'rps: 100',
      'traffic:',
      '  - {for: 45m, canary: {errorRatio: 0}, stable: {errorRatio: 0}}',
      '  - {canary: {errorRatio: 0.5}}',
    ].join('\n');
    const policy = policyWith({ judge: 'off' });
    const { answer, report } = await replayed(await file('late.yaml', late), {}, policy);
    expect(answer).toBe('no');
    expect(report).toMatchObject({ outcome: 'stopped', cause: 'Alert', judge: 'off' });
    expect(report.message).toContain('SLO alert rollout-guard: the budget of Cloud Run burns');
    expect(report.history.map(({ reason }: { reason: string }) => reason)).toContain('RolloutCompleted');
    expect(report.atSeconds).toBeGreaterThan(45 * 60);
  });

  test('replays a recording by target and side, by offsets or by the clock, and sees one bad target alone', async () => {
    const minutes = Array.from({ length: 30 }, (_, minute) => minute + 1);
    const csv = (time: (minute: number) => string) =>
      [
        'time,target,side,requests,bad',
        ...minutes.flatMap(minute => [
          `${time(minute)},us,canary,300,${minute > 12 ? 60 : 0}`,
          `${time(minute)},us,stable,2700,3`,
        ]),
      ].join('\n');
    const offsets = await replayed(
      await file(
        'offsets.csv',
        csv(minute => `${minute}m`),
      ),
      { lag: 0 },
    );
    const clock = (minute: number) => new Date(Date.UTC(2026, 0, 5, 9, minute)).toISOString();
    const instants = await replayed(await file('instants.csv', csv(clock)), { lag: 0 });
    expect(offsets.answer).toBe('no');
    expect(offsets.report).toMatchObject({
      cause: 'Judge',
      atSeconds: 13 * 60,
      place: { wave: 1, step: 4 },
      canary: { requests: 3900, bad: 60 },
    });
    expect({ ...instants.report, history: [] }).toEqual({ ...offsets.report, history: [] });
  });

  test('cannot tell when the recording ends before anything is decided', async () => {
    const csv =
      'time,target,side,requests,bad\n60,us,canary,5,0\n60,us,stable,45,0\n120,us,canary,5,0\n120,us,stable,45,0\n';
    const { answer, report } = await replayed(await file('short.csv', csv), { lag: 0 });
    expect(answer).toBe('unknown');
    expect(report).toMatchObject({ outcome: 'unknown', judge: { stops: false } });
    expect(report.atSeconds).toBeLessThan(600);
  });

  test('waits for a person who does not come when too few requests ever tell', async () => {
    const few = 'rps: 0.02\ntraffic: [{canary: {errorRatio: 0}, stable: {errorRatio: 0}}]\n';
    const { answer, report } = await replayed(await file('few.yaml', few));
    expect(answer).toBe('unknown');
    expect(report.outcome).toBe('waiting');
    expect(report.message).toMatch(/for too long, waiting for promote or abort/);
  });

  test('opens a gate after as long as a person takes', async () => {
    const strategy = { waves: [['us', 'eu']], steps: [{ setWeight: 50 }, { pause: {} }] };
    const { report } = await replayed(
      await file('gate.yaml', STEADY),
      { gate: 1800 },
      policyWith({ strategy }),
    );
    expect(report).toMatchObject({ outcome: 'promoted', atSeconds: 1800 });
  });

  test('replays what the judge saw of a rollout, by its record', async () => {
    const point = (minute: number, bad: number) => ({
      atMs: 1_000_000 + minute * 60_000,
      wave: 0,
      verdict: 'Inconclusive',
      canary: { good: minute * 100 - bad, bad },
      stable: { good: minute * 900, bad: 0 },
      limit: 0.01,
    });
    const history = [
      { atMs: 1_000_000, reason: 'TrafficWeightUpdated', target: 'us', weight: 10, message: '' },
    ];
    const trend = [point(1, 0), point(2, 0), point(3, 20), point(4, 40)];
    const record = { id: 'hello-1', service: 'hello', trend, history };
    const rollout = await file('record.json', JSON.stringify(record));
    const paper = new Paper();
    const policy = await file('rollouts.yaml', policyWith());
    expect(await replay(undefined, { rollout, policy, gate: 0, output: 'json' }, paper)).toBe('no');
    expect(JSON.parse(paper.output)).toMatchObject({
      cause: 'Judge',
      atSeconds: 180,
      lagSeconds: 0,
      canary: { requests: 300, bad: 20 },
    });
  });

  test('draws it for people', async () => {
    const bad = 'rps: 100\ntraffic: [{canary: {errorRatio: 0.3}, stable: {errorRatio: 0.001}}]\n';
    const { paper } = await replayed(await file('bad.yaml', bad), { output: 'text' });
    expect(paper.output).toMatch(/^TIME +LASTED +WAVE +STEP +WHAT +WEIGHT +VERDICT/m);
    expect(paper.output).toMatch(/^0s +4m +1 +2 +pause 10m +10 % +Failed +30 % of 300 /m);
    expect(paper.output).toContain(
      'Stopped after 4m (wave 1 step 2, 10 %), after 360 bad of 1200 canary requests: Halt hello',
    );
    expect(paper.output).toMatch(/^judge +4m +360 of 1200 /m);
    expect(paper.output).toMatch(
      /^rollout-guard +16m +3600 of 12000 +the budget of Cloud Run burns 10\.4x over 5m$/m,
    );
    expect(paper.output).toContain('█');
    expect(paper.output).toContain('Metrics are seen 3m late (--lag).');
  });
});

describe('what replay cannot read', () => {
  const service = serviceWith();
  const problemsOf = (text: string, name = 'x.yaml') => {
    try {
      readTraffic(text, name, service);
      return [];
    } catch (error) {
      return String(error instanceof Error ? error.message : error).split('\n');
    }
  };

  test('is told with file, line and column, all at once', () => {
    const csv = 'time,target,side,requests,bad\n1m,mars,canary,5,0\n  2m,us,left,5,6\nsoon,us,stable,x,0\n';
    expect(problemsOf(csv, 'x.csv')).toEqual([
      'x.csv:2:4: target: expected a target of the service: us, eu, found "mars"',
      'x.csv:3:9: side: expected canary or stable, found "left"',
      'x.csv:3:16: bad: expected no more than the 5 requests, found "6"',
      'x.csv:4:1: time: expected 90s, 10m, 1h30m, seconds, or a time such as 2026-01-05T09:00:00Z, found "soon"',
      'x.csv:4:16: requests: expected a whole number from 0, found "x"',
    ]);
  });

  test.each([
    ['x.csv', '1m,us,canary,5,0\n', 'x.csv:1:1: expected a first line that names the columns'],
    ['x.csv', 'time,side,requests,bad,colour\n', 'x.csv:1:24: unknown column "colour"'],
    ['x.csv', 'time,target,side,requests,bad\n1m,us\n', 'x.csv:2:1: expected 5 columns, found 2'],
    ['x.csv', 'time,target,side,requests,bad\n', 'x.csv:1:1: expected at least one line of requests'],
    [
      'x.csv',
      'time,target,side,requests,bad\n1m,us,canary,5,0\n60,us,canary,5,0\n',
      'x.csv:3:1: time: expected one line for us, canary and this time',
    ],
    [
      'x.csv',
      'time,target,side,requests,bad\n1m,us,canary,5,0\n2026-01-05T09:00:00Z,us,canary,5,0\n',
      'x.csv:3:1: time: expected all times to be offsets',
    ],
    ['x.yaml', 'traffic: [\n', 'x.yaml:2:1: '],
    ['x.yaml', 'hello\n', 'x.yaml:1:1: expected "rows" (what was recorded), or "traffic"'],
    [
      'x.yaml',
      'rps: 1\ntraffic:\n  - canary: {errorRatio: 5}\n',
      'x.yaml:3:26: traffic[0].canary.errorRatio: expected a share from 0 to 1, found 5',
    ],
    ['x.yaml', 'rps: 1\ntraffic:\n  - {}\n  - {}\n', 'x.yaml:3:5: traffic[0]: expected "for"'],
    [
      'x.yaml',
      'traffic:\n  - stable: {rps: 5}\n',
      'x.yaml:2:5: traffic[0].canary: expected rps, for canary here',
    ],
    [
      'x.yaml',
      'rps: 1\ntraffic:\n  - {targets: {mars: {}}}\n',
      'x.yaml:3:16: traffic[0].targets.mars: expected a target of the service: us, eu',
    ],
    ['x.yaml', 'rps: 1\nspeed: 2\ntraffic: [{}]\n', 'x.yaml:2:1: speed: unknown key'],
    [
      'x.json',
      '[{"time": 60, "side": "canary", "requests": 5}]',
      'x.json:1:2: [0].bad: expected a whole number from 0, found nothing',
    ],
  ])('%s %j', (name, text, message) => {
    expect(problemsOf(text, name)[0]).toContain(message);
  });

  test('is nothing, or two things', async () => {
    const paper = new Paper();
    const policy = await file('rollouts.yaml', policyWith());
    const both = { rollout: 'x.json', policy, gate: 0, output: 'text' } as const;
    await expect(replay('x.csv', both, paper)).rejects.toThrow('one of them');
    const none = { policy, gate: 0, output: 'text' } as const;
    await expect(replay(undefined, none, paper)).rejects.toThrow('one of them');
    const other = { policy, gate: 0, service: 'other', output: 'text' } as const;
    await expect(replay(await file('s.yaml', STEADY), other, paper)).rejects.toThrow(
      'has no service "other"; its services: hello',
    );
    const record = await file('odd.json', '{"id": "x"}');
    await expect(
      replay(undefined, { rollout: record, policy, gate: 0, output: 'text' }, paper),
    ).rejects.toThrow('expected what `slipway get rollout NAME -o json` prints');
  });
});

describe('the simulation', () => {
  test('is the same whenever it is run', () => {
    const run = () => {
      const service = serviceWith();
      const traffic = readTraffic(STEADY, 'x.yaml', service);
      const { canaryUntil: _, ...result } = replayRollout(service, traffic, {
        lagMs: 0,
        gateMs: 0,
        alertsAct: true,
      });
      return JSON.stringify(result);
    };
    expect(run()).toBe(run());
  });

  test('is not held by a window of the policy', () => {
    const service = serviceWith({ windows: [{}] });
    const traffic = readTraffic(STEADY, 'x.yaml', service);
    const rules = { lagMs: 0, gateMs: 0, alertsAct: true };
    expect(replayRollout(service, traffic, rules).outcome).toBe('promoted');
  });

  test('freezes where everybody burns and the policy asks who it is', () => {
    const strategy = {
      waves: [['us', 'eu']],
      steps: [{ setWeight: 50 }, { pause: { duration: '30m' } }],
      onBurn: 'attribute',
    };
    const service = serviceWith({ strategy });
    const burning = 'rps: 100\ntraffic: [{canary: {errorRatio: 0.2}, stable: {errorRatio: 0.2}}]\n';
    const traffic = readTraffic(burning, 'x.yaml', service);
    const { outcome, rollout } = replayRollout(service, traffic, { lagMs: 0, gateMs: 0, alertsAct: false });
    expect(outcome).toBe('waiting');
    expect(rollout).toMatchObject({ phase: 'Paused', heldBy: 'the judge' });
  });
});

describe('the picture', () => {
  test('has bars up to the value and a line at the limit', () => {
    const points = [0, 0.5, 1].map((value, index) => ({ atMs: index * 60_000, value, limit: 0.5 }));
    const drawn = chart(points, { columns: 10, rows: 4 }, ms => `${ms / 60_000}m`);
    expect(drawn).toHaveLength(6);
    expect(drawn[0]).toMatch(/^ *110 % ┤ {2}▅$/);
    expect(drawn.at(-1)).toMatch(/0m to 2m$/);
    expect(chart([], { columns: 10, rows: 4 }, String)).toEqual([]);
  });
});

describe('the documentation', () => {
  const page = readFileSync(new URL('../../../docs/tools.md', import.meta.url), 'utf8');
  const policy = readFileSync(new URL('../../../rollouts.yaml', import.meta.url), 'utf8');
  const result = parsePolicy(policy, 'rollouts.yaml');
  const [service] = result.ok ? result.policy.services : [];
  const blocks = [...page.matchAll(/^```(yaml|csv)\n([\s\S]*?)^```/gm)].map(([, kind = '', text = '']) => ({
    kind,
    text,
  }));

  test('shows files that can be read', () => {
    if (!service) throw new Error('rollouts.yaml has no service');
    expect(blocks).toHaveLength(4);
    for (const { kind, text } of blocks) readTraffic(text, `example.${kind}`, service);
  });

  test('shows what comes of the first one', async () => {
    const paper = new Paper();
    const requests = await file('incident.yaml', blocks[0]?.text ?? '');
    const answer = await replay(
      requests,
      { policy: await file('rollouts.yaml', policy), gate: 600, output: 'text' },
      paper,
    );
    const [, ...lines] = paper.output.split('\n');
    expect(answer).toBe('no');
    expect(page).toContain(lines.join('\n').trimEnd());
  });
});

import { describe, expect, test } from 'vitest';
import type { RolloutChange, RolloutView, Signals } from '../../../functions/console/contract.ts';
import { changed } from '../../../functions/console/page/changes.js';
import { effectOf, effectOnService, fateOf } from '../../../functions/console/page/effects.js';
import { age, bytes, figure, listed, percent, span } from '../../../functions/console/page/format.js';
import { headline } from '../../../functions/console/page/headline.js';
import { scale, spread, ticks, timeTicks } from '../../../functions/console/page/scale.js';
import { errorRatios, signalLine, valueAt, weightsOverTime } from '../../../functions/console/page/series.js';
import { short, told, visible } from '../../../functions/console/page/text.js';
import { h } from '../../../functions/console/page/vdom.js';
import { rolloutView } from '../../../functions/console/views.ts';
import { signed } from '../../../functions/rollout/commands.ts';
import { type HistoryEntry, note } from '../../../functions/rollout/record.ts';
import type { World } from '../../../functions/rollout/world.ts';
import { START_MS } from '../../worlds.ts';
import { exampleService, midRollout, rejected, rolledBack } from './page-records.ts';

function viewOf(world: World): RolloutView {
  const around = { spec: exampleService(world.service.name), inFlight: undefined, before: undefined };
  return rolloutView(world, around, 'acme', START_MS);
}

const MID = viewOf(midRollout('shop', START_MS));

function with_(
  change: Partial<RolloutView['rollout']>,
  service: Partial<RolloutView['service']> = {},
): RolloutView {
  return { ...MID, rollout: { ...MID.rollout, ...change }, service: { ...MID.service, ...service } };
}

describe('text from outside', () => {
  test('shows what a reader would not see', () => {
    expect(visible('a\u001b[31mb\u0007\u0000c')).toBe('a⟨ESC⟩[31mb⟨BEL⟩⟨NUL⟩c');
    expect(visible('\u202eevil\u2066\u200b\ufeff\u2028')).toBe(
      '⟨U+202E⟩evil⟨U+2066⟩⟨U+200B⟩⟨U+FEFF⟩⟨U+2028⟩',
    );
    expect(visible('line\nnext')).toBe('line⟨LF⟩next');
    expect(visible('half \ud83d')).toBe('half \ufffd');
  });

  test('keeps accents, other scripts and emoji, but no heaps of accents', () => {
    expect(visible('Zürich café e\u0301 مرحبا ⚠\ufe0f')).toBe('Zürich café e\u0301 مرحبا ⚠\ufe0f');
    expect(visible(`z${'\u0301'.repeat(50)}`)).toBe(`z${'\u0301'.repeat(3)}…`);
  });

  test('is shown in its beginning where it is long, and whole on demand', () => {
    const long = told('x'.repeat(10_000));
    expect(long.tag).toBe('details');
    expect(JSON.stringify(long)).toContain('all 10,000 characters');
    expect(told('x').tag).toBe('bdi');
    expect(short('x'.repeat(200), 10)).toBe('xxxxxxxxxx…');
  });
});

test('what a view returns is flat, and nothing is left of what is not shown', () => {
  const { children } = h('p', {}, 'a', undefined, false, ['b', [3, null]]);
  expect(children).toEqual(['a', 'b', '3']);
});

describe('figures', () => {
  test.each([
    [0, '0 s', '0 s'],
    [119_000, '119 s', '1 min 59 s'],
    [180_000, '3 min', '3 min'],
    [3_900_000, '65 min', '1 h 05 min'],
    [4 * 24 * 3_600_000, '4 d', '96 h'],
  ])('%i ms are %s old and last %s', (ms, old, lasts) => {
    expect(age(ms)).toBe(old);
    expect(span(ms)).toBe(lasts);
  });

  test('have three digits that count', () => {
    expect(percent(0.010499)).toBe('1.05 %');
    expect(figure(1234.5)).toBe('1,235');
    expect(figure(0.012345)).toBe('0.0123');
    expect(bytes(48_210_000)).toBe('48 MB');
    expect(listed(['us', 'eu', 'arm'])).toBe('us, eu and arm');
  });
});

describe('the headline', () => {
  const say = (view: RolloutView) => Object.values(headline(view, START_MS)).filter(Boolean).join(' ');

  test('says what gets how much, whether it is healthy, and what it waits for', () => {
    expect(say(MID)).toBe(
      'v1.1.0 gets 25 % on us and arm. No trouble seen, but 208 more requests of the canary are needed to be sure. It waits another 6 min at wave 1 step 4.',
    );
  });

  test('says who has to act at a gate, in a pause that is over, when held and when frozen', () => {
    const pause = { gate: 'wave 1 step 6', openedMs: START_MS, untilMs: undefined, promotedBy: undefined };
    expect(say(with_({ pause }))).toMatch(
      /It waits for a person to promote it, at the gate of wave 1 step 6\.$/,
    );
    expect(say(with_({ pause: { ...pause, untilMs: START_MS - 1 } }))).toMatch(
      /it waits for the judge, or for you/,
    );
    expect(say(with_({ heldBy: 'ann' }))).toMatch(/ann paused it, and somebody has to resume it\.$/);
    const frozen = { by: 'bob', reason: undefined, sinceMs: START_MS };
    expect(say(with_({}, { frozen }))).toMatch(/bob froze the service\.$/);
  });

  test('says what was taken back, and where it was not', () => {
    const back = viewOf(rolledBack('shop', START_MS));
    expect(say(back)).toBe('v1.1.0 was taken back. What served before serves again.');
    const { us } = back.rollout.targets;
    if (!us) throw new Error('there is no target us');
    const targets = { ...back.rollout.targets, us: { ...us, status: 'Failed' as const } };
    expect(say({ ...back, rollout: { ...back.rollout, targets } })).toMatch(/serves again, but NOT on us\.$/);
  });

  test('says that an image was refused, and how long the way back is open', () => {
    expect(say(viewOf(rejected('shop', START_MS)))).toBe('v1.3.0 was refused. No target was touched.');
    const healthy = with_({ phase: 'Healthy', windowEndsMs: START_MS + 600_000 });
    expect(say(healthy)).toBe(
      'v1.1.0 serves everything on us, eu, asia and arm. For 10 min more an SLO alert takes it back, and so can you.',
    );
  });
});

describe('a command', () => {
  const effect = (command: 'promote' | 'abort' | 'freeze', view = MID) =>
    effectOf({ command }, view, START_MS).join(' ');

  test('says beforehand what it will do', () => {
    expect(effect('promote')).toBe(
      'The pause at wave 1 step 4 ends, 6 min early, without waiting for the judge. v1.1.0 goes on to 50 % on us and arm.',
    );
    expect(effect('abort')).toMatch(/^v1\.1\.0 is taken back now\. Everything on us and arm goes back/);
    expect(effect('freeze')).toMatch(/^No rollout of shop starts or advances/);
  });

  test('for the service says it without a rollout', () => {
    expect(effectOnService({ command: 'drain', target: 'us' }, 'shop').join(' ')).toBe(
      'The region of us leaves the load balancer: its users are sent to the other regions. It stays out until somebody gives undrain.',
    );
  });
});

describe('what became of a command', () => {
  const known = (view: RolloutView) => ({ ...view, history: view.rollout.history });
  const fate = (view: RolloutView, command: 'abort' | 'promote' | 'freeze' = 'abort', afterMs = 0) =>
    fateOf({ id: 'c1', button: { command }, sentMs: START_MS }, known(view), START_MS + afterMs);
  const told = (reason: HistoryEntry['reason'], message: string, id = 'c1', view = MID) => {
    const { rollout } = midRollout('shop', START_MS);
    const { history } = signed(id, rollout, note(rollout, START_MS, reason, message));
    return { ...view, rollout: { ...view.rollout, history } };
  };

  test('is read from the entries that name it: taken, and done when all is as before', () => {
    expect(fate(MID).fate).toBe('sent');
    const aborted = told('RolloutAborted', 'me: abort');
    expect(fate(aborted)).toEqual({ fate: 'taken', message: 'me: abort' });
    const { phase, message } = viewOf(rolledBack('shop', START_MS)).rollout;
    expect(fate({ ...aborted, rollout: { ...aborted.rollout, phase, message } })).toEqual({
      fate: 'done',
      message,
    });
    expect(fate(told('RolloutPromoted', 'me: promote'), 'promote')).toEqual({
      fate: 'done',
      message: 'me: promote',
    });
  });

  test('is no other command’s: what somebody else gave at the same time does not count', () => {
    expect(fate(told('RolloutAborted', 'me: abort', 'c2')).fate).toBe('sent');
    expect(fate(told('CommandRefused', 'abort does not apply: c1', 'c2')).fate).toBe('sent');
    expect(fate(viewOf(rolledBack('shop', START_MS))).fate).toBe('sent');
  });

  test('is refused with the reason, or has no answer after a while', () => {
    const message = 'abort does not apply: the rollout is Healthy';
    expect(fate(told('CommandRefused', message))).toEqual({ fate: 'refused', message });
    expect(fate(MID, 'abort', 25_000).fate).toBe('silent');
  });

  test('is read from the service where no rollout tells of it', () => {
    const sent = { id: 'c1', button: { command: 'freeze' }, sentMs: START_MS } as const;
    const frozen = { by: 'bob', reason: undefined, sinceMs: START_MS };
    const of = (service: object) =>
      fateOf(sent, { history: [], service: { drained: {}, frozen: undefined, ...service } }, START_MS).fate;
    expect([of({}), of({ frozen })]).toEqual(['sent', 'done']);
  });
});

describe('a change', () => {
  const { history: _, spec: __, verification: ___, trend: ____, ...slim } = MID.rollout;
  const last = MID.rollout.history.at(-1);
  if (!last) throw new Error('the rollout has no history');
  const entry = { ...last, sequence: last.sequence + 1, message: 'new' };
  const change: RolloutChange = { ...MID, rollout: slim, history: [entry], trend: [] };

  test('adds what is new and keeps the rest', () => {
    const { rollout } = changed(MID, change);
    expect(rollout.history).toHaveLength(MID.rollout.history.length + 1);
    expect(rollout.spec).toEqual(MID.rollout.spec);
    expect(rollout.verification).toEqual(MID.rollout.verification);
    expect(rollout.trend).toEqual(MID.rollout.trend);
  });

  test('that comes twice changes nothing more', () => {
    const once = changed(MID, change);
    expect(changed(once, change)).toEqual(once);
  });

  test('takes away what the record has no more', () => {
    const { pause: _, ...over } = slim;
    expect(changed(MID, { ...change, rollout: { ...over, pause: undefined } }).rollout.pause).toBeUndefined();
  });

  test('of another attempt begins its trend anew', () => {
    expect(changed(MID, { ...change, rollout: { ...slim, attempt: 2 } }).rollout.trend).toEqual([]);
  });
});

describe('the charts', () => {
  test('have round lines up to the largest value', () => {
    expect(ticks(0.0137)).toEqual([0, 0.005, 0.01, 0.015]);
    expect(ticks(100)).toEqual([0, 25, 50, 75, 100]);
    expect(ticks(0)).toEqual([0, 1]);
    expect(ticks(Number.NaN)).toEqual([0, 1]);
  });

  test('have round times, as many as there is room for', () => {
    const marks = timeTicks(START_MS + 1, START_MS + 600_000, 5);
    expect(marks.map(({ atMs }) => (atMs - START_MS) / 60_000)).toEqual([2, 4, 6, 8, 10]);
    expect(marks[0]?.label).toMatch(/^\d\d:\d\d$/);
  });

  test('map values to places, also where all values are one', () => {
    expect(scale([0, 10], [100, 0])(2.5)).toBe(75);
    expect(scale([5, 5], [0, 100])(5)).toBe(0);
  });

  test('move names apart that would cover each other, within the room', () => {
    expect(spread([50, 51, 52], 10, [0, 60])).toEqual([40, 50, 60]);
    expect(spread([5, 90], 10, [0, 100])).toEqual([5, 90]);
  });

  test('show the weight of every target as steps up to now', () => {
    const lines = weightsOverTime(MID.rollout, START_MS);
    expect(lines.map(({ target }) => target)).toEqual(['us', 'eu', 'asia', 'arm']);
    expect(lines[0]?.points.map(({ value }) => value)).toEqual([0, 5, 25, 25]);
    expect(lines[1]?.points.map(({ value }) => value)).toEqual([0, 0]);
  });

  test('know the weight of a target whose changes have left the history', () => {
    const rest = { ...MID.rollout, history: MID.rollout.history.slice(-1) };
    expect(weightsOverTime(rest, START_MS)[0]?.points.map(({ value }) => value)).toEqual([25, 25]);
  });

  test('break the error ratios between waves, and where there was no request', () => {
    const point = {
      atMs: 1,
      wave: 0,
      verdict: 'Inconclusive',
      stable: { good: 99, bad: 1 },
      limit: 0.05,
    } as const;
    const lines = errorRatios([
      { ...point, canary: { good: 0, bad: 0 } },
      { ...point, atMs: 2, canary: { good: 8, bad: 2 } },
      { ...point, atMs: 3, wave: 1, canary: { good: 10, bad: 0 } },
    ]);
    expect(lines.canary).toEqual([[{ atMs: 2, value: 0.2 }], [{ atMs: 3, value: 0 }]]);
    expect(lines.limit.map(segment => segment.length)).toEqual([2, 1]);
  });

  test('leave a gap where a signal is unknown', () => {
    const point = (endMs: number, latencyMs?: number) => ({
      endMs,
      canary: latencyMs === undefined ? {} : { latencyMs },
      stable: {},
    });
    const points = [point(1, 20), point(2), point(3, 30), point(4, 40)];
    const signals: Signals = { sinceMs: 0, untilMs: 4, periodMs: 1, points, warnings: [] };
    expect(signalLine(signals, 'latencyMs', 'canary')).toEqual([
      [{ atMs: 1, value: 20 }],
      [
        { atMs: 3, value: 30 },
        { atMs: 4, value: 40 },
      ],
    ]);
    expect(signalLine(signals, 'latencyMs', 'stable')).toEqual([]);
  });

  test('say under the crosshair what held then, of steps the last and of lines the nearest', () => {
    const segment = [
      { atMs: 0, value: 1 },
      { atMs: 10, value: 2 },
    ];
    expect(valueAt([segment], 9, true)?.value).toBe(1);
    expect(valueAt([segment], 9, false)?.value).toBe(2);
    expect(valueAt([segment], -1, true)).toBeUndefined();
    expect(valueAt([], 1, false)).toBeUndefined();
  });
});

import { describe, expect, test } from 'vitest';
import {
  eventText,
  rolloutChange,
  rolloutEvent,
  servicesChange,
  servicesEvent,
} from '../../../functions/console/changes.ts';
import type { RolloutView, ServiceRow } from '../../../functions/console/contract.ts';
import { rolloutView } from '../../../functions/console/views.ts';
import { note, type Rollout, withTrend } from '../../../functions/rollout/record.ts';
import { aService, aWorld, play, START_MS, UNTIL_GATE } from '../../worlds.ts';

const { rollout: gated, service } = play(aWorld(), UNTIL_GATE).world;

function viewOf(rollout: Rollout, nowMs = START_MS): RolloutView {
  return rolloutView(
    { rollout, service },
    { spec: aService(), inFlight: undefined, before: undefined },
    'acme',
    nowMs,
  );
}

function judged(rollout: Rollout, atMs: number): Rollout {
  const counts = { good: 10, bad: 0 };
  return withTrend(rollout, {
    atMs,
    verdict: 'Successful',
    canary: counts,
    stable: counts,
    limit: 0.1,
  } as Parameters<typeof withTrend>[1]);
}

const before = judged(gated, START_MS + 1);
const view = viewOf(before);
const changedRecord = judged(note(before, START_MS + 5, 'AlertRecorded', 'burns'), START_MS + 6);

describe('what a listener is told of a rollout', () => {
  test('all of it, when it comes', () => {
    const event = rolloutEvent(view, undefined);
    expect(event.name).toBe('rollout');
    expect(event.data).toEqual(view);
  });

  test('all of it, when it comes with an id that is none, however long', () => {
    for (const id of ['', '1:2', `1:${'.'.repeat(200_000)}!`, `1.${'.'.repeat(200_000)}!`]) {
      expect(rolloutEvent(view, id).name, id.slice(0, 10)).toBe('rollout');
    }
  });

  test('nothing, when only time has passed', () => {
    expect(rolloutChange(view, viewOf(before, START_MS + 1000))).toBeUndefined();
  });

  test('only what is new of history and trend, and neither policy nor image again', () => {
    const event = rolloutChange(view, viewOf(changedRecord));
    expect(event?.name).toBe('change');
    expect(event?.data).toMatchObject({
      history: [{ reason: 'AlertRecorded', message: 'burns' }],
      trend: [{ atMs: START_MS + 6 }],
      rollout: { id: gated.id, phase: 'Paused' },
    });
    expect(event?.data).not.toHaveProperty('rollout.spec');
    expect(event?.data).not.toHaveProperty('rollout.history');
  });

  test('the policy again, when that has changed', () => {
    const spec = { ...before.spec, commandsTopic: 'elsewhere' };
    const event = rolloutChange(view, viewOf({ ...before, spec }));
    expect(event?.data).toMatchObject({ rollout: { spec: { commandsTopic: 'elsewhere' } } });
  });

  test('never what is nobody’s business: callback, claims, evidence', () => {
    const secret = { ...before, callback: 'https://callback.invalid/secret', launch: undefined, deaths: 2 };
    const text = JSON.stringify(rolloutEvent(viewOf(secret), undefined));
    expect(text).not.toContain('callback.invalid');
    expect(text).not.toContain('"evidence"');
    expect(text).not.toContain('"deaths"');
  });
});

describe('who comes back with the id of the last event', () => {
  const known = rolloutEvent(view, undefined).id;

  test('is told what was missed, by any instance', () => {
    const event = rolloutEvent(viewOf(changedRecord), known);
    expect(event.name).toBe('change');
    expect(event.data).toMatchObject({ history: [{ message: 'burns' }], trend: [{ atMs: START_MS + 6 }] });
  });

  test.each<[string, Rollout]>([
    ['another attempt has begun its trend anew', { ...changedRecord, trend: changedRecord.trend.slice(1) }],
    ['more has happened than the history keeps', withLongHistory(changedRecord)],
    ['the record is of older days', { ...before, history: before.history.slice(0, 3) }],
  ])('is told all again when %s', (_what, record) => {
    expect(rolloutEvent(viewOf(record), known).name).toBe('rollout');
  });

  test.each(['', 'nonsense', '1.2', '1.2.3.4.5\nx', '9'.repeat(500)])('is told all with the id "%s"', id => {
    expect(rolloutEvent(view, id).name).toBe('rollout');
  });

  test('goes on where the record thinned its trend out', () => {
    let record = before;
    for (let index = 2; index < 245; index++) record = judged(record, START_MS + index);
    expect(record.trend.length).toBeLessThan(240);
    expect(rolloutEvent(viewOf(record), known).name).toBe('change');
  });
});

function withLongHistory(rollout: Rollout): Rollout {
  let long = rollout;
  for (let index = 0; index < 400; index++) long = note(long, START_MS + 10, 'AlertRecorded', `${index}`);
  return long;
}

describe('rows of services', () => {
  const row = (name: string, change: Partial<ServiceRow> = {}): ServiceRow => ({
    name,
    drained: [],
    quarantined: 0,
    openIncidents: 0,
    ...change,
  });
  const rows = [row('api'), row('shop')];

  test('come all at first, and then those that changed', () => {
    expect(servicesEvent(rows, undefined)?.data).toEqual(rows);
    expect(servicesChange(rows, [row('api'), row('shop', { openIncidents: 1 })])?.data).toEqual([
      row('shop', { openIncidents: 1 }),
    ]);
    expect(servicesChange(rows, [row('api'), row('shop')])).toBeUndefined();
  });

  test('do not come again to who has them', () => {
    expect(servicesEvent(rows, servicesEvent(rows, undefined)?.id)).toBeUndefined();
  });
});

test('an event is one line of JSON, whatever is in it', () => {
  const hostile = 'a\n\ndata: b\r\nevent: c\u2028</script>\u202e';
  const text = eventText({ name: 'change', id: 'x', data: { message: hostile } });
  expect(text.split('\n')).toHaveLength(5);
  expect(JSON.parse(text.split('\n')[2]?.slice('data: '.length) ?? '')).toEqual({ message: hostile });
});

import { beforeEach, describe, expect, test } from 'vitest';
import { type Feeds, openFeeds, type Subject } from '../../../functions/console/feed.ts';
import { openLine } from '../../../functions/console/line.ts';
import { SlipwayError } from '../../../functions/errors.ts';
import { VirtualClock } from '../../../local/clock.ts';
import { Paper } from './asking.ts';

/** A number that is watched: listeners are told it whole, then by how much it rose. */
let value: number;
let reads: number;
let failure: Error | undefined;
let clock: VirtualClock;
let feeds: Feeds;
let troubles: [string, unknown][];

const counter: Subject<number> = {
  key: 'counter',
  everyMs: () => 1000,
  async read() {
    reads++;
    if (failure) throw failure;
    return value;
  },
  first: (view, lastId) =>
    lastId === String(view) ? undefined : { name: 'rollout', id: String(view), data: view },
  change: (before, view) =>
    view === before ? undefined : { name: 'change', id: String(view), data: view - before },
};

beforeEach(() => {
  value = 1;
  reads = 0;
  failure = undefined;
  clock = new VirtualClock();
  troubles = [];
  feeds = openFeeds(
    (ms, callback) => clock.after(ms, callback),
    (key, error) => troubles.push([key, error]),
  );
});

async function listen(lastId?: string, subject = counter): Promise<Paper> {
  const paper = new Paper();
  const seat = await feeds.join(subject, lastId);
  seat.take(openLine(paper, (ms, callback) => clock.after(ms, callback), seat.leave));
  return paper;
}

const told = (paper: Paper) => paper.events().map(({ name, data }) => [name, data]);

describe('many who watch the same', () => {
  test('cost one read per interval', async () => {
    const papers = await Promise.all(Array.from({ length: 200 }, () => listen()));
    expect(reads).toBe(1);
    value = 5;
    await clock.advance(10_000);
    expect(reads).toBe(11);
    for (const paper of papers)
      expect(told(paper)).toEqual([
        ['rollout', 1],
        ['change', 4],
      ]);
  });

  test('who comes later is told all, and from then on what changes', async () => {
    const first = await listen();
    value = 2;
    await clock.advance(1000);
    const second = await listen();
    value = 5;
    await clock.advance(1000);
    expect(told(first)).toEqual([
      ['rollout', 1],
      ['change', 1],
      ['change', 3],
    ]);
    expect(told(second)).toEqual([
      ['rollout', 2],
      ['change', 3],
    ]);
    expect(reads).toBe(3);
  });

  test('who comes later is told the time of day of the last look, although nothing has changed since', async () => {
    const watched: Subject<{ value: number; nowMs: number }> = {
      key: 'clock',
      everyMs: () => 1000,
      read: async () => ({ value, nowMs: clock.nowMs() }),
      first: view => ({ name: 'rollout', data: view }),
      change: (before, view) => (before.value === view.value ? undefined : { name: 'change', data: view }),
    };
    const sinceMs = clock.nowMs();
    const join = async () => {
      const paper = new Paper();
      const seat = await feeds.join(watched, undefined);
      seat.take(openLine(paper, (ms, callback) => clock.after(ms, callback), seat.leave));
      return told(paper);
    };
    await join();
    await clock.advance(120_000);
    expect(await join()).toEqual([['rollout', { value: 1, nowMs: sinceMs + 120_000 }]]);
  });

  test('what may be left alone is read less often', async () => {
    const slow = { ...counter, everyMs: (view: number) => (view === 5 ? 10_000 : 1000) };
    await listen(undefined, slow);
    await clock.advance(3000);
    value = 5;
    await clock.advance(1000);
    expect(reads).toBe(5);
    await clock.advance(20_000);
    expect(reads).toBe(7);
  });

  test('who comes back and has missed nothing is told nothing', async () => {
    const paper = await listen('1');
    await clock.advance(3000);
    expect(paper.text).toBe('');
  });

  test('whoever has gone costs nothing, and after the last nothing is read', async () => {
    const [one, two] = [await listen(), await listen()];
    one.destroy();
    value = 2;
    await clock.advance(1000);
    expect(told(one)).toEqual([['rollout', 1]]);
    expect(feeds.listeners()).toBe(1);
    two.destroy();
    await clock.advance(60_000);
    expect(reads).toBe(2);
    expect(feeds.listeners()).toBe(0);
  });

  test('different things are read apart', async () => {
    await listen();
    await listen(undefined, { ...counter, key: 'another' });
    expect(reads).toBe(2);
  });

  test('each hears of its own: one that leaves while it waits for the first read leaves nothing behind', async () => {
    const seat = await feeds.join(counter, undefined);
    seat.leave();
    seat.leave();
    await clock.advance(5000);
    expect(reads).toBe(1);
    expect(feeds.listeners()).toBe(0);
  });
});

describe('when the records cannot be read', () => {
  test('the first who asks is told why, and nothing goes on', async () => {
    failure = new SlipwayError('no such rollout', { code: 'NotFound', operation: 'read' });
    await expect(feeds.join(counter, undefined)).rejects.toBe(failure);
    await clock.advance(60_000);
    expect(reads).toBe(1);
    expect(feeds.listeners()).toBe(0);
  });

  test('those who listen are told once, and go on when it is over', async () => {
    const paper = await listen();
    failure = new SlipwayError('the store is away', { code: 'Unavailable', operation: 'read' });
    await clock.advance(20_000);
    const during = reads;
    failure = undefined;
    value = 3;
    await clock.advance(5000);
    expect(told(paper)).toEqual([
      ['rollout', 1],
      ['problem', { message: 'the store is away' }],
      ['rollout', 3],
    ]);
    expect(during).toBeLessThanOrEqual(6);
  });

  test('those who come meanwhile are told what was known, and why there is no more', async () => {
    await listen();
    failure = new SlipwayError('the store is away', { code: 'Unavailable', operation: 'read' });
    await clock.advance(1000);
    expect(told(await listen())).toEqual([
      ['rollout', 1],
      ['problem', { message: 'the store is away' }],
    ]);
    expect(told(await listen('1'))).toEqual([['problem', { message: 'the store is away' }]]);
  });

  test('that it is over is told although nothing has changed', async () => {
    const paper = await listen();
    failure = new SlipwayError('the store is away', { code: 'Unavailable', operation: 'read' });
    await clock.advance(1000);
    failure = undefined;
    await clock.advance(60_000);
    expect(told(paper).slice(2)).toEqual([['rollout', 1]]);
  });

  test('what is no error of ours is not repeated to them, but told once to whoever keeps the log', async () => {
    const paper = await listen();
    failure = new Error('password=hunter2');
    await clock.advance(1000);
    expect(told(paper).at(-1)).toEqual(['problem', { message: 'the console cannot read its records' }]);
    await clock.advance(20_000);
    expect(troubles).toEqual([['counter', failure]]);
  });
});

describe('a line', () => {
  test('says every 15 s that it is still there', async () => {
    const paper = await listen();
    const { length } = paper.text;
    await clock.advance(45_000);
    expect(paper.text.slice(length)).toBe(': still here\n\n'.repeat(3));
  });

  test('ends in good order after four minutes, and takes its timers along', async () => {
    const paper = await listen();
    await clock.advance(240_000);
    expect(paper.isOver).toBe('ended');
    const { length } = paper.text;
    await clock.advance(60_000);
    expect(paper.text).toHaveLength(length);
    expect(feeds.listeners()).toBe(0);
  });

  test('is dropped when its other side does not take the end either', async () => {
    const paper = new Paper();
    const stuck = { ...paper, end: () => undefined };
    const seat = await feeds.join(counter, undefined);
    seat.take(openLine(stuck, (ms, callback) => clock.after(ms, callback), seat.leave));
    await clock.advance(240_000);
    expect(feeds.listeners()).toBe(1);
    await clock.advance(5000);
    expect(paper.isOver).toBe('destroyed');
    expect(feeds.listeners()).toBe(0);
  });

  test('is dropped when its other side takes nothing any more, and the others go on', async () => {
    const [slow, quick] = [await listen(), await listen()];
    slow.backlog = 1_000_001;
    value = 2;
    await clock.advance(1000);
    expect(slow.isOver).toBe('destroyed');
    expect(told(quick)).toEqual([
      ['rollout', 1],
      ['change', 1],
    ]);
    expect(feeds.listeners()).toBe(1);
  });
});

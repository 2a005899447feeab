import { describe, expect, test } from 'vitest';
import { Outbox, type Pace } from '../../../functions/notify/outbox.ts';
import type { Outcome } from '../../../functions/notify/post.ts';
import { sleep, VirtualClock } from '../../../local/clock.ts';

const SLACK: Pace = { burst: 4, perSecond: 1, sumsUp: true };
const WEBHOOK: Pace = { burst: 2, perSecond: 10, sumsUp: false };
const DELIVERED: Outcome = { kind: 'delivered' };
const UNAVAILABLE: Outcome = { kind: 'failed', why: 'it answered 503' };
const PATIENCE_MS = 45_000;

interface Sent {
  readonly items: readonly number[];
  readonly atMs: number;
  readonly timeoutMs: number;
}

/** An outbox in virtual time. @param answer what the destination says to the nth message, counting from 0 */
function anOutbox(pace: Pace, answer: (index: number) => Outcome = () => DELIVERED) {
  const clock = new VirtualClock(0);
  const sent: Sent[] = [];
  const outbox = new Outbox<number>({
    pace,
    nowMs: () => clock.nowMs(),
    wait: ms => sleep(clock, ms),
    compare: (a, b) => a - b,
    send: async (items, timeoutMs) => {
      sent.push({ items, atMs: clock.nowMs(), timeoutMs });
      return answer(sent.length - 1);
    },
  });
  const outcomes: Record<number, Outcome['kind']> = {};
  function add(item: number, patienceMs = PATIENCE_MS): void {
    void outbox.add(item, clock.nowMs() + patienceMs).then(({ kind }) => {
      outcomes[item] = kind;
    });
  }
  return { clock, sent, outcomes, add };
}

const itemsOf = (sent: readonly Sent[]) => sent.map(({ items }) => items);

describe('messages to one destination', () => {
  test('go out in their order, though they came in another', async () => {
    const { clock, sent, outcomes, add } = anOutbox(SLACK);
    for (const item of [3, 1, 2]) add(item);
    await clock.advance(5000);
    expect(itemsOf(sent)).toEqual([[1], [2], [3]]);
    expect(outcomes).toEqual({ 1: 'delivered', 2: 'delivered', 3: 'delivered' });
  });

  test('of a storm are summed up: some at once, all others as one, none dropped', async () => {
    const { clock, sent, outcomes, add } = anOutbox(SLACK);
    for (let item = 1; item <= 40; item++) add(item);
    await clock.advance(10_000);
    expect(sent.map(({ items }) => items.length)).toEqual([1, 1, 1, 37]);
    expect(new Set(sent.flatMap(({ items }) => items)).size).toBe(40);
    expect(Object.keys(outcomes)).toHaveLength(40);
  });

  test('of a long storm keep to the pace', async () => {
    const { clock, sent, add } = anOutbox(SLACK);
    for (let item = 1; item <= 300; item++) {
      add(item);
      await clock.advance(100);
    }
    await clock.advance(10_000);
    expect(sent.flatMap(({ items }) => items)).toHaveLength(300);
    expect(sent.length).toBeLessThanOrEqual(4 + 40);
  });

  test('to a webhook are never summed up, and keep to the pace', async () => {
    const { clock, sent, add } = anOutbox(WEBHOOK);
    for (let item = 1; item <= 12; item++) add(item);
    await clock.advance(5000);
    expect(itemsOf(sent)).toEqual(Array.from({ length: 12 }, (_, index) => [index + 1]));
    expect((sent.at(-1)?.atMs ?? 0) - (sent[0]?.atMs ?? 0)).toBe(1000);
  });
});

describe('a destination that does not answer', () => {
  test('is tried again after 1, 2 and 4 s', async () => {
    const { clock, sent, outcomes, add } = anOutbox(SLACK, index => (index < 3 ? UNAVAILABLE : DELIVERED));
    add(1);
    await clock.advance(20_000);
    expect(sent.map(({ atMs }) => atMs)).toEqual([250, 1250, 3250, 7250]);
    expect(outcomes).toEqual({ 1: 'delivered' });
  });

  test('is tried again when it says so, if there is time', async () => {
    const busy: Outcome = { kind: 'failed', why: 'it answered 429', retryAfterMs: 7000 };
    const { clock, sent, outcomes, add } = anOutbox(SLACK, index => (index === 0 ? busy : DELIVERED));
    add(1);
    await clock.advance(20_000);
    expect(sent.map(({ atMs }) => atMs)).toEqual([250, 7250]);
    expect(outcomes).toEqual({ 1: 'delivered' });
  });

  test('that wants more time than there is gets it: until then everything comes back at once', async () => {
    const busy: Outcome = { kind: 'failed', why: 'it answered 429', retryAfterMs: 90_000 };
    const { clock, sent, outcomes, add } = anOutbox(SLACK, index => (index === 0 ? busy : DELIVERED));
    add(1);
    await clock.advance(1000);
    expect(outcomes).toEqual({ 1: 'failed' });
    add(2);
    await clock.advance(1000);
    expect(outcomes).toEqual({ 1: 'failed', 2: 'failed' });
    expect(sent).toHaveLength(1);
    await clock.advance(90_000);
    add(3);
    await clock.advance(1000);
    expect(outcomes).toEqual({ 1: 'failed', 2: 'failed', 3: 'delivered' });
  });

  test('is given up before the deadline, and never asked with too little time for the answer', async () => {
    const { clock, sent, outcomes, add } = anOutbox(SLACK, () => UNAVAILABLE);
    add(1, 6000);
    await clock.advance(6000);
    expect(outcomes).toEqual({ 1: 'failed' });
    expect(sent.map(({ atMs }) => atMs)).toEqual([250, 1250]);
    for (const { timeoutMs } of sent) expect(timeoutMs).toBeGreaterThanOrEqual(3000);
  });
});

test('none is kept beyond its deadline, though an older event comes in between and is told first', async () => {
  const clock = new VirtualClock(0);
  const heldMs: number[] = [];
  const outbox = new Outbox<number>({
    pace: WEBHOOK,
    nowMs: () => clock.nowMs(),
    wait: ms => sleep(clock, ms),
    compare: (a, b) => a - b,
    send: async (_, timeoutMs) => {
      await sleep(clock, timeoutMs);
      return timeoutMs > 9000 ? DELIVERED : UNAVAILABLE;
    },
  });
  async function hold(item: number): Promise<void> {
    const sinceMs = clock.nowMs();
    await outbox.add(item, sinceMs + 20_000);
    heldMs.push(clock.nowMs() - sinceMs);
  }
  const held = [hold(2), hold(3)];
  await clock.advance(9000);
  held.push(hold(1));
  await clock.advance(60_000);
  await Promise.all(held);
  expect(Math.max(...heldMs)).toBeLessThanOrEqual(20_000);
});

test('what nothing can change but a person is not tried again', async () => {
  const { clock, sent, outcomes, add } = anOutbox(SLACK, () => ({
    kind: 'refused',
    why: 'it answered 404 no_service',
  }));
  add(1);
  await clock.advance(20_000);
  expect(sent).toHaveLength(1);
  expect(outcomes).toEqual({ 1: 'refused' });
});

import { expect, test } from 'vitest';
import { blocksOf, type Sample, type Side, spansOf } from '../../../functions/metrics/reading.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** A whole hour. */
const NOON = Date.UTC(2026, 0, 5, 12);

function sample(side: Side, endMs: number, requests: number, bad = 0): Sample {
  return { target: 'us', side, endMs, requests, bad };
}

test('canary and stable meet in one block, although their points end at different seconds', () => {
  const blocks = blocksOf(
    [
      sample('canary', NOON + 17_000, 10, 1),
      sample('stable', NOON + 59_000, 90),
      sample('stable', NOON + MINUTE, 5, 5),
      sample('canary', NOON + MINUTE + 17_000, 20),
    ],
    MINUTE,
  );

  expect(blocks).toEqual([
    { endMs: NOON + MINUTE, canary: { good: 9, bad: 1 }, stable: { good: 90, bad: 5 } },
    { endMs: NOON + 2 * MINUTE, canary: { good: 20, bad: 0 }, stable: { good: 0, bad: 0 } },
  ]);
});

test('a period without a point is no block, one with points of zero requests is', () => {
  const blocks = blocksOf([sample('stable', NOON + 3 * MINUTE, 0), sample('stable', NOON, 7)], MINUTE);
  expect(blocks.map(({ endMs, stable }) => [endMs - NOON, stable.good])).toEqual([
    [0, 7],
    [3 * MINUTE, 0],
  ]);
});

test('fractions are rounded once per block', () => {
  const slow = Array.from({ length: 10 }, (_, index) => sample('canary', NOON - index, 1, 0.4));
  expect(blocksOf(slow, MINUTE)[0]?.canary).toEqual({ good: 6, bad: 4 });
});

test('there are never fewer than no good requests', () => {
  expect(blocksOf([sample('canary', NOON, 2, 3)], MINUTE)[0]?.canary).toEqual({ good: 0, bad: 3 });
});

test('a window of up to two hours is one span', () => {
  const window = { sinceMs: NOON + 5, untilMs: NOON + 2 * HOUR };
  expect(spansOf(window, MINUTE)).toEqual([
    { afterMs: NOON + 5, sinceMs: NOON + 5, untilMs: NOON + 2 * HOUR, periodMs: MINUTE, isSummed: false },
  ]);
});

test('what is known already is not read again, but points may start before it ended', () => {
  const window = { sinceMs: NOON, knownUntilMs: NOON + HOUR, untilMs: NOON + HOUR + MINUTE };
  expect(spansOf(window, MINUTE)).toEqual([
    {
      afterMs: NOON + HOUR,
      sinceMs: NOON,
      untilMs: NOON + HOUR + MINUTE,
      periodMs: MINUTE,
      isSummed: false,
    },
  ]);
});

test('an empty window has no spans', () => {
  expect(spansOf({ sinceMs: NOON, untilMs: NOON }, MINUTE)).toEqual([]);
  expect(spansOf({ sinceMs: NOON, knownUntilMs: NOON + HOUR, untilMs: NOON + HOUR }, MINUTE)).toEqual([]);
});

test('a day is summed in blocks of ten minutes up to its last hour, without a gap between', () => {
  const [old, recent] = spansOf({ sinceMs: NOON + 1234, untilMs: NOON + 24 * HOUR }, MINUTE);

  // A point that ends after 12:02 cannot have started before the window.
  expect(old).toMatchObject({ afterMs: NOON + 2 * MINUTE, periodMs: 10 * MINUTE, isSummed: true });
  expect(old?.untilMs).toBe(NOON + 22 * HOUR + 52 * MINUTE);
  expect(recent).toMatchObject({ afterMs: old?.untilMs, periodMs: MINUTE, isSummed: false });
  expect(recent?.untilMs).toBe(NOON + 24 * HOUR);
});

test('a day that goes on from known evidence begins where that ends', () => {
  const known = NOON + HOUR;
  const [old] = spansOf({ sinceMs: NOON, knownUntilMs: known, untilMs: NOON + 24 * HOUR }, MINUTE);
  expect(old?.afterMs).toBe(known);
});

test.each([45_000, 7 * MINUTE, 90 * MINUTE])('sums fill whole blocks of %i ms', periodMs => {
  const [old, ...others] = spansOf({ sinceMs: NOON, untilMs: NOON + 24 * HOUR }, periodMs);
  expect(old?.isSummed).toBe(true);
  expect((old?.periodMs ?? 0) % periodMs).toBe(0);
  expect((old?.afterMs ?? 1) % periodMs).toBe(0);
  expect(((old?.untilMs ?? 1) - (old?.afterMs ?? 0)) % (old?.periodMs ?? 1)).toBe(0);
  expect(others).toHaveLength(1);
});

test('blocks of many hours are not summed', () => {
  const spans = spansOf({ sinceMs: NOON, untilMs: NOON + 3 * HOUR }, 4 * HOUR);
  expect(spans.map(({ isSummed }) => isSummed)).toEqual([false]);
});

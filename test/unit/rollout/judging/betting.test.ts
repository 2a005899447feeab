import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bet,
  betOnOne,
  betOnTwo,
  ladderAbove,
  ladderBelow,
  newStake,
  worth,
} from '../../../../functions/rollout/judging/betting.ts';
import { poisson, randomFrom } from '../../../bench/judge/random.ts';

const ratio = fc.constantFrom(0.0001, 0.001, 0.01, 0.1, 0.5);
const margin = fc.constantFrom(0, 0.005, 0.01, 0.1, 0.3);
const requests = fc.integer({ min: 1, max: 12 });

/** Probability of so many bad ones. */
function binomial(all: number, bad: number, share: number): number {
  let ways = 1;
  for (let k = 1; k <= bad; k++) ways = (ways * (all - bad + k)) / k;
  return ways * share ** bad * (1 - share) ** (all - bad);
}

/** What one block is expected to pay, over all its outcomes, by alternative. */
function expectedPayoffs(
  canary: { requests: number; ratio: number },
  stable: { requests: number; ratio: number },
  payoffs: (canaryBad: number, stableBad: number) => number[],
): number[] {
  const expected: number[] = [];
  for (let a = 0; a <= canary.requests; a++) {
    for (let b = 0; b <= stable.requests; b++) {
      const probability =
        binomial(canary.requests, a, canary.ratio) * binomial(stable.requests, b, stable.ratio);
      for (const [index, log] of payoffs(a, b).entries()) {
        expected[index] = (expected[index] ?? 0) + probability * Math.exp(log);
      }
    }
  }
  return expected;
}

describe('no block is expected to pay while the doubted hypothesis holds, whatever was guessed of stable', () => {
  const away = fc.constantFrom(0, 0.01, 0.3, 1);

  test('that the canary is not worse by more than the margin', () => {
    fc.assert(
      fc.property(requests, requests, ratio, ratio, margin, away, (n, m, stable, guess, most, better) => {
        const canary = (stable + most) * (1 - better);
        const ladder = ladderAbove(guess + most, 10);
        const expected = expectedPayoffs(
          { requests: n, ratio: canary },
          { requests: m, ratio: stable },
          (a, b) => pay(n, a, m, b, ladder, guess, most),
        );
        expect(Math.max(...expected)).toBeLessThan(1 + 1e-9);
      }),
      { numRuns: 150 },
    );
  });

  test('that it is', () => {
    fc.assert(
      fc.property(requests, requests, ratio, ratio, margin, away, (n, m, stable, guess, most, worse) => {
        const limit = stable + most;
        const canary = limit + (1 - limit) * worse;
        const ladder = ladderBelow(guess / 3, guess + most);
        const expected = expectedPayoffs(
          { requests: n, ratio: canary },
          { requests: m, ratio: stable },
          (a, b) => pay(n, a, m, b, ladder, guess, most),
        );
        expect(Math.max(...expected)).toBeLessThan(1 + 1e-9);
      }),
      { numRuns: 150 },
    );
  });

  test('that one ratio is within its bound', () => {
    for (const bound of [0.001, 0.05, 0.5]) {
      for (const share of [bound, bound / 2, 0]) {
        const expected = expectedPayoffs({ requests: 12, ratio: share }, { requests: 1, ratio: 0 }, a =>
          betOnOne({ good: 12 - a, bad: a }, ladderAbove(bound, 6), bound),
        );
        expect(Math.max(...expected)).toBeLessThan(1 + 1e-9);
      }
    }
  });

  function pay(n: number, a: number, m: number, b: number, ladder: number[], guess: number, most: number) {
    const block = { canary: { good: n - a, bad: a }, stable: { good: m - b, bad: b } };
    return betOnTwo(block, ladder, guess, most);
  }
});

test('at most one healthy canary in twenty ever turns 1 into 20, looked at after each of 200 blocks', () => {
  const [canary, stable] = [poisson(30), poisson(570)];
  const bad = { canary: poisson(0.3), stable: poisson(5.7) };
  let reached = 0;
  for (let run = 0; run < 500; run++) {
    const random = randomFrom(4, run, 0);
    let stake = newStake(10);
    for (let block = 0; block < 200 && worth(stake) < 20; block++) {
      const seen = {
        canary: { good: canary(random), bad: bad.canary(random) },
        stable: { good: stable(random), bad: bad.stable(random) },
      };
      stake = bet(stake, betOnTwo(seen, ladderAbove(0.01, 10), 0.01, 0));
    }
    if (worth(stake) >= 20) reached += 1;
  }
  // With exactly one in twenty there would be more than this in one of a million tests.
  expect(reached).toBeLessThan(52);
});

test('a block in which canary or stable had no requests pays back what was staked', () => {
  const [none, some] = [
    { good: 0, bad: 0 },
    { good: 10, bad: 5 },
  ];
  const ladder = ladderAbove(0.01, 10);
  expect(betOnTwo({ canary: none, stable: some }, ladder, 0.01, 0)).toEqual(ladder.map(() => 0));
  expect(betOnTwo({ canary: some, stable: none }, ladder, 0.01, 0)).toEqual(ladder.map(() => 0));
  expect(worth(bet(newStake(2), [0, 0]))).toBeCloseTo(1, 12);
});

test('the alternatives rise from just above the bound to nearly all', () => {
  for (const bound of [1e-6, 0.001, 0.1, 0.8]) {
    const ladder = ladderAbove(bound, 10);
    expect(ladder).toHaveLength(10);
    expect(ladder[0]).toBeGreaterThan(bound);
    expect(ladder[9]).toBeGreaterThanOrEqual(0.95);
    expect(ladder[9]).toBeLessThan(1);
    expect(ladder.toSorted((a, b) => a - b)).toEqual(ladder);
  }
});

test('what is above the most capital is given away, and evidence of old does not outweigh what is new', () => {
  let stake = newStake(1);
  for (let block = 0; block < 50; block++) stake = bet(stake, [5], 1000);
  expect(worth(stake)).toBeLessThan(1001);
  expect(worth(bet(stake, [-7], 1000))).toBeLessThan(1);
});

import { expect, test } from 'vitest';
import { type Evidence, judge, type Setting } from '../../../../functions/rollout/judge.ts';
import { limitOf, requestsToDetect } from '../../../../functions/rollout/judging/estimate.ts';

const ALLOWANCE = { margin: 0.01, mostRatio: 0.05, waves: 2 };

const SETTING: Setting = {
  rules: { interval: 60, minRequests: 1, margin: 1, maxBurn: 10, maxExtension: 1800 },
  availability: 99.5,
  waves: ALLOWANCE.waves,
};

/** A stream of numbers from 0 to 1 that is the same every time (mulberry32). */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Canary requests until the judge says Failed, looking after every `block` of them. */
function requestsOfTheJudge(
  canary: Parameters<typeof requestsToDetect>[0],
  block: number,
  seed: number,
): number {
  const random = chance(seed);
  const answers = (requests: number, errorRatio: number) => {
    let bad = 0;
    for (let index = 0; index < requests; index++) if (random() < errorRatio) bad++;
    return { good: requests - bad, bad };
  };
  const stableRequests = Math.round((block * (1 - canary.share)) / canary.share);
  let evidence: Evidence | undefined;
  const blocks = [];
  for (let round = 1; round * block < 100_000; round++) {
    const endMs = round * 60_000;
    blocks.push({
      endMs,
      canary: answers(block, canary.errorRatio),
      stable: answers(stableRequests, canary.stableErrorRatio),
    });
    const sinceMs = evidence?.untilMs ?? 0;
    const fresh = blocks.filter(one => one.endMs > sinceMs);
    const target = { architecture: 'amd64', weight: canary.share * 100, blocks: fresh };
    const observed = { targets: { us: target, eu: { ...target, blocks: [] } }, newestPointMs: endMs };
    const judged = judge(evidence, observed, SETTING, endMs);
    evidence = judged.evidence;
    if (judged.judgement.verdict === 'Failed') return round * block;
  }
  return Infinity;
}

test.each([
  { errorRatio: 0.2, stableErrorRatio: 0.0005, share: 0.05 },
  { errorRatio: 0.2, stableErrorRatio: 0.005, share: 0.5 },
  { errorRatio: 0.1, stableErrorRatio: 0.001, share: 0.25 },
  { errorRatio: 0.04, stableErrorRatio: 0.001, share: 0.05 },
  { errorRatio: 1, stableErrorRatio: 0.001, share: 0.05 },
])('a canary like %j is failed after about as many requests as estimated', canary => {
  const estimate = requestsToDetect(canary, ALLOWANCE);
  const block = Math.max(1, Math.round(estimate / 20));
  const runs = Array.from({ length: 15 }, (_, seed) => requestsOfTheJudge(canary, block, seed + 1));
  const median = runs.toSorted((a, b) => a - b)[7] ?? 0;
  expect(median / estimate).toBeGreaterThan(0.5);
  expect(median / estimate).toBeLessThan(2);
});

test('a canary that is allowed is never failed', () => {
  expect(limitOf(0.001, ALLOWANCE)).toBeCloseTo(0.011, 9);
  const allowed = { errorRatio: 0.011, stableErrorRatio: 0.001, share: 0.5 };
  expect(requestsToDetect(allowed, ALLOWANCE)).toBe(Infinity);
});

test('a worse canary takes fewer requests, and one whose stable is known better', () => {
  const of = (errorRatio: number, share: number) =>
    requestsToDetect({ errorRatio, stableErrorRatio: 0.001, share }, ALLOWANCE);
  expect(of(0.2, 0.5)).toBeLessThan(of(0.1, 0.5));
  expect(of(0.1, 0.05)).toBeLessThan(of(0.1, 0.5));
});

test('a burning canary is failed where there is no stable beside it', () => {
  const alone = { errorRatio: 0.2, stableErrorRatio: 0.001, share: 1 };
  expect(requestsToDetect(alone, ALLOWANCE)).toBeLessThan(200);
  expect(requestsToDetect(alone, { ...ALLOWANCE, mostRatio: 1 })).toBe(Infinity);
});

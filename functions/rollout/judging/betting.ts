import type { Counts } from '../observed.ts';

/**
 * Testing by betting. Somebody who doubts a hypothesis stakes 1 and bets against it, block after block, at odds that are
 * fair or worse when it is true. So his capital is not expected to grow then, and the probability that it *ever* reaches
 * 1/α is at most α, however often one looks and whenever one stops (Ville 1939).
 *
 * - G. Shafer: Testing by betting: a strategy for statistical and scientific communication. JRSS A 184 (2021).
 * - R. Turner, A. Ly, P. Grünwald: Generic E-variables for exact sequential k-sample tests that allow for optional
 *   stopping. J. Statistical Planning and Inference 230 (2024): the bet on two proportions.
 * - R. Turner, P. Grünwald: Exact anytime-valid confidence intervals for contingency tables and beyond. Statistics &
 *   Probability Letters 198 (2023): the same for a difference that is not zero.
 * - A. Ramdas, P. Grünwald, V. Vovk, G. Shafer: Game-theoretic statistics and safe anytime-valid inference. Statistical
 *   Science 38 (2023).
 *
 * Proofs are in docs/judge.md.
 */
export interface Stake {
  /** Blocks that were bet on. */
  readonly rounds: number;
  /** Capital by alternative; what has not entered yet is not in it. */
  readonly capital: readonly number[];
}

/**
 * A capital that grew without bound would take as long to shrink, and what it says would no longer be about now. To give
 * some of it away keeps the bet valid; so much per alternative, so that worse news never make a bet on bad news smaller.
 */
const MOST_CAPITAL = 1e12;

export function newStake(alternatives: number): Stake {
  return { rounds: 0, capital: Array<number>(alternatives).fill(0) };
}

/**
 * One block. Of the initial 1, the share 1/(k(k+1)) enters the game with block k: so a canary that turns bad after hours
 * meets a bet that has not been lost on its good hours.
 *
 * @param logPayoffs by alternative, the logarithm of what a stake of 1 becomes
 * @param mostCapital what is above is given away
 */
export function bet(stake: Stake, logPayoffs: readonly number[], mostCapital = MOST_CAPITAL): Stake {
  const rounds = stake.rounds + 1;
  const entry = 1 / (rounds * (rounds + 1) * logPayoffs.length);
  const most = mostCapital / logPayoffs.length;
  const capital: number[] = [];
  for (const [index, logPayoff] of logPayoffs.entries()) {
    capital.push(Math.min(((stake.capital[index] ?? 0) + entry) * Math.exp(logPayoff), most));
  }
  return { rounds, capital };
}

/** What 1 has become: the e-value. */
export function worth({ rounds, capital }: Stake): number {
  let sum = 1 / (rounds + 1);
  for (const part of capital) sum += part;
  return sum;
}

/** Odds of the alternatives close to a bound, as multiples of the bound's. */
const NEAR = [1.1, 1.3, 1.7];

/** From there to odds of 19 to 1 the alternatives are as far apart as they are many. */
const FAR_FROM = 2.5;
const FAR_TO = 19;

/** Error ratios from just above `bound` to nearly 1. */
export function ladderAbove(bound: number, alternatives: number): number[] {
  const odds = bound / (1 - bound);
  const first = FAR_FROM * odds;
  const last = Math.max(FAR_TO, 40 * odds);
  const steps = alternatives - NEAR.length - 1;
  const factor = (last / first) ** (1 / steps);
  const ladder = NEAR.map(multiple => ratioOf(multiple * odds));
  for (let step = 0, far = first; step <= steps; step++, far *= factor) ladder.push(ratioOf(far));
  return ladder;
}

function ratioOf(odds: number): number {
  return odds / (1 + odds);
}

/** Shares of the way from the best alternative to the bound. */
const BELOW = [0, 0.3, 0.55, 0.75, 0.9];
export const ALTERNATIVES_BELOW = BELOW.length;

/** Error ratios from `best` to just below `bound`. */
export function ladderBelow(best: number, bound: number): number[] {
  return BELOW.map(share => best + share * (bound - best));
}

/** Bets that the ratio of the canary is an alternative against that it is on the other side of `bound`. */
export function betOnOne({ good, bad }: Counts, alternatives: readonly number[], bound: number): number[] {
  return alternatives.map(ratio => logLikelihoodRatio(good, bad, ratio, bound));
}

/** One block of one target. */
export interface Pair {
  readonly canary: Counts;
  readonly stable: Counts;
}

/**
 * Bets that the ratios of canary and stable are (alternative, `stableRatio`) against that the difference is on the other
 * side of `margin`. Nothing is won or lost when one of them had no requests.
 *
 * @param stableRatio must not know this block
 */
export function betOnTwo(
  { canary, stable }: Pair,
  alternatives: readonly number[],
  stableRatio: number,
  margin: number,
): number[] {
  const canaryRequests = canary.good + canary.bad;
  const stableRequests = stable.good + stable.bad;
  if (canaryRequests === 0 || stableRequests === 0) return alternatives.map(() => 0);
  const payoffs: number[] = [];
  for (const ratio of alternatives) {
    const stableNull = nearestNull(canaryRequests, ratio, stableRequests, stableRatio, margin);
    payoffs.push(
      logLikelihoodRatio(canary.good, canary.bad, ratio, stableNull + margin) +
        logLikelihoodRatio(stable.good, stable.bad, stableRatio, stableNull),
    );
  }
  return payoffs;
}

function logLikelihoodRatio(good: number, bad: number, ratio: number, nullRatio: number): number {
  return (bad > 0 ? bad * Math.log(ratio / nullRatio) : 0) + good * Math.log((1 - ratio) / (1 - nullRatio));
}

/**
 * The point (t + margin, t) from which the alternative is hardest to tell: it minimises n·KL(ratio‖t + margin) +
 * m·KL(stableRatio‖t), which is convex in t. Newton's method, kept between the two ends where the derivative has
 * different signs.
 */
function nearestNull(
  canaryRequests: number,
  canaryRatio: number,
  stableRequests: number,
  stableRatio: number,
  margin: number,
): number {
  const shifted = canaryRatio - margin;
  const mean = (canaryRequests * shifted + stableRequests * stableRatio) / (canaryRequests + stableRequests);
  if (margin === 0) return mean;
  let low = Math.max(Math.min(shifted, stableRatio), 0);
  let high = Math.min(Math.max(shifted, stableRatio), 1 - margin);
  let t = mean > low && mean < high ? mean : (low + high) / 2;
  for (let round = 0; round < 60; round++) {
    const s = t + margin;
    const canaryVariance = s * (1 - s);
    const stableVariance = t * (1 - t);
    const slope =
      (canaryRequests * (s - canaryRatio)) / canaryVariance +
      (stableRequests * (t - stableRatio)) / stableVariance;
    if (slope > 0) high = t;
    else low = t;
    const curvature =
      canaryRequests * (canaryRatio / (s * s) + (1 - canaryRatio) / ((1 - s) * (1 - s))) +
      stableRequests * (stableRatio / (t * t) + (1 - stableRatio) / ((1 - t) * (1 - t)));
    const newton = t - slope / curvature;
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - t) <= 1e-12 * t) return next;
    t = next;
  }
  return t;
}

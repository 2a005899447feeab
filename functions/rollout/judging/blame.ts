import type { Counts, Observed } from '../observed.ts';
import type { Pair } from './betting.ts';
import { addBlocks, type Bounds, boundsOf, type Period, periodsOf, type Setting } from './evidence.ts';
import { ratio, sum, total } from './sight.ts';

const WINDOW_MS = 600_000;

/**
 * Of all that a standard normal variable takes, 0.5 % is above 2.576. So a bound is wrong with a probability of about 0.5 %
 * each time it is asked for, of a few percent where there are but a handful of requests, and there are two windows.
 */
const Z = 2.576;

/** Where half of all requests fail, a canary with one percentage point more is as bad as stable, not worse: up to 1.5 times. */
const AS_BAD = 1.5;

export type Blame = 'canary' | 'everybody' | 'unsure';

/**
 * Whether what burns is the canary or everybody, from the blocks of the last ten minutes alone. `everybody` needs proof
 * that stable burns its budget and that the canary is no worse than stable by more than the margin, or half of stable's
 * own ratio where that is more.
 *
 * Unlike the judge it does not look at its own numbers until they suit it: others decide when it is asked. So these are
 * bounds for a fixed sample, which take far fewer requests. It looks at all ten minutes, and at those since stable's ratio
 * first rose above the budget: the good minutes before a failure of everybody would hide it. Where one says the canary and
 * the other everybody it is unsure.
 */
export function blame(observed: Observed, setting: Setting, nowMs: number): Blame {
  const bounds = boundsOf(setting);
  const periods = periodsOf(observed, nowMs - WINDOW_MS, nowMs);
  const answers = new Set([periods, sinceStableBurns(periods, bounds)].map(some => blameFor(some, bounds)));
  answers.delete('unsure');
  const [answer = 'unsure', ...others] = answers;
  return others.length === 0 ? answer : 'unsure';
}

/** All periods when stable never burnt. */
function sinceStableBurns(periods: readonly Period[], { budget }: Bounds): readonly Period[] {
  const first = periods.findIndex(
    ({ blocks }) => ratio(sum([...blocks.values()].map(({ stable }) => stable))) > budget,
  );
  return first === -1 ? periods : periods.slice(first);
}

function blameFor(periods: readonly Period[], bounds: Bounds): Blame {
  const totals = periods.reduce<Record<string, Pair>>((sums, { blocks }) => addBlocks(sums, blocks), {});
  const pairs = Object.values(totals);
  const comparable = pairs.filter(({ canary, stable }) => total(canary) > 0 && total(stable) > 0);
  if (comparable.length === 0) return 'unsure';
  if (excess(comparable).lower > bounds.margin || comparable.some(pair => isFarWorse(pair, bounds))) {
    return 'canary';
  }
  const burns = wilson(sum(pairs.map(({ stable }) => stable))).lower > bounds.budget;
  const isAsGood = excess(comparable).upper <= bounds.margin || excess(comparable, AS_BAD).upper <= 0;
  return burns && isAsGood ? 'everybody' : 'unsure';
}

/** A canary that is bad on one target must not hide behind the others. */
function isFarWorse(pair: Pair, { margin }: Bounds): boolean {
  return excess([pair]).lower > margin && excess([pair], AS_BAD).lower > 0;
}

interface Interval {
  readonly lower: number;
  readonly upper: number;
}

/** For one ratio. E. B. Wilson: Probable inference, the law of succession, and statistical inference. JASA 22 (1927). */
function wilson(counts: Counts): Interval {
  const requests = total(counts);
  const share = Z ** 2 / requests;
  const middle = (ratio(counts) + share / 2) / (1 + share);
  const variance = (ratio(counts) * (1 - ratio(counts))) / requests + share / (4 * requests);
  const half = (Z * Math.sqrt(variance)) / (1 + share);
  return { lower: Math.max(0, middle - half), upper: Math.min(1, middle + half) };
}

/**
 * Bounds of what the canary's ratio is beyond stable's, or beyond a multiple of that, on the average over the targets by
 * the canary's requests: what the canary's users got beyond what stable would have given them. R. G. Newcombe: Interval
 * estimation for the difference between independent proportions, method 10. Statistics in Medicine 17 (1998). Over targets,
 * and with the multiple, the squared distances add up as variances do.
 */
function excess(pairs: readonly Pair[], multiple = 1): Interval {
  const requests = total(sum(pairs.map(({ canary }) => canary)));
  let [beyond, below, above] = [0, 0, 0];
  for (const { canary, stable } of pairs) {
    const weight = total(canary) / requests;
    const [c, s] = [wilson(canary), wilson(stable)];
    beyond += weight * (ratio(canary) - multiple * ratio(stable));
    below += weight ** 2 * ((ratio(canary) - c.lower) ** 2 + (multiple * (s.upper - ratio(stable))) ** 2);
    above += weight ** 2 * ((c.upper - ratio(canary)) ** 2 + (multiple * (ratio(stable) - s.lower)) ** 2);
  }
  return { lower: beyond - Math.sqrt(below), upper: beyond + Math.sqrt(above) };
}

import { ALTERNATIVES_BELOW, bet, betOnOne, ladderAbove, newStake, worth } from './betting.ts';
import {
  addBlocks,
  addPayoffs,
  boundsOf,
  initialState,
  type Period,
  payoffsOf,
  periodsOf,
  play,
  type Setting,
  type State,
  scopesOf,
  stableRatios,
} from './evidence.ts';
import type { Observed } from './observed.ts';
import { sum } from './sight.ts';

const WINDOW_MS = 600_000;

/** Probability at most of blaming everybody while stable is within its budget. */
const FALSE_BURN = 0.01;
/** The same of each of the two statements about the canary. */
const FALSE_BLAME = 0.05;

/** Where half of all requests fail, a canary with one percentage point more is as bad as stable, not worse. */
const AS_BAD = 1 / 2;

const BURN = 8;

/**
 * Whether what burns is the canary or everybody, from the blocks of the last ten minutes alone. `everybody` needs proof
 * that stable burns its budget and that the canary is no worse than stable by more than the margin, or half of stable's
 * own ratio where that is more.
 */
export function blame(
  observed: Observed,
  setting: Setting,
  nowMs: number,
): 'canary' | 'everybody' | 'unsure' {
  const periods = periodsOf(observed, nowMs - WINDOW_MS, nowMs);
  if (isCanaryWorse(observed, periods, setting)) return 'canary';
  return doesEverybodyBurn(periods, setting) ? 'everybody' : 'unsure';
}

function isCanaryWorse(observed: Observed, periods: readonly Period[], setting: Setting): boolean {
  const scopes = scopesOf(observed);
  const bounds = boundsOf(setting);
  const state = periods.reduce(
    (at, period) => play(at, period, scopes, bounds),
    initialState(scopes, undefined),
  );
  const mean = scopes.reduce((total, { names: [name], share }) => {
    const stakes = state.stakes[name];
    return total + share * (stakes ? worth(stakes.worse) : 1);
  }, 0);
  return mean >= 1 / FALSE_BLAME;
}

function doesEverybodyBurn(periods: readonly Period[], setting: Setting): boolean {
  const bounds = boundsOf(setting);
  let totals: State['totals'] = {};
  let burns = newStake(BURN);
  let asBad = newStake(ALTERNATIVES_BELOW);
  for (const { blocks } of periods) {
    const guess = stableRatios(totals, bounds.budget);
    const stable = sum([...blocks.values()].map(block => block.stable));
    burns = bet(burns, betOnOne(stable, ladderAbove(bounds.budget, BURN), bounds.budget));
    const payoffs = [...blocks].flatMap(([name, block]) => {
      const margin = Math.max(bounds.margin, guess(name) * AS_BAD);
      return payoffsOf(block, guess(name), { ...bounds, margin });
    });
    if (payoffs.length > 0) asBad = bet(asBad, payoffs.reduce(addPayoffs).notWorse);
    totals = addBlocks(totals, blocks);
  }
  return worth(burns) >= 1 / FALSE_BURN && worth(asBad) >= 1 / FALSE_BLAME;
}

import { FALSE_ALARM, WORSE_SHARE } from '../../../functions/rollout/judge.ts';
import { bet, newStake, type Stake, worth } from '../../../functions/rollout/judging/betting.ts';
import {
  type Bounds,
  BURN,
  boundsOf,
  burnPayoffs,
  type Setting,
  stableRatios,
  WORSE,
  worsePayoffs,
} from '../../../functions/rollout/judging/evidence.ts';
import { poisson, type Random } from './random.ts';
import { type Minute, RULES } from './rules.ts';

/** A day, looked at every minute. */
export const MINUTES = 1440;

/** A service with a canary. */
export interface Scene {
  readonly requestsPerSecond: number;
  /** The canary's share of the requests, 0 to 1. */
  readonly weight: number;
  readonly stableRatio: number;
  readonly canaryRatio: number;
}

export function settingOf(margin: number): Setting {
  const rules = { interval: 60, minRequests: 20, margin, maxBurn: 10, maxExtension: 1800 };
  return { rules, availability: 99.5, waves: 1 };
}

/** Draws minutes of a scene, always into the same object. */
export function minutesOf(scene: Scene, random: Random): () => Minute {
  const { requestsPerSecond, weight, stableRatio, canaryRatio } = scene;
  const canary = requestsPerSecond * 60 * weight;
  const rest = requestsPerSecond * 60 * (1 - 2 * weight);
  const canaryGood = poisson(canary * (1 - canaryRatio));
  const canaryBad = poisson(canary * canaryRatio);
  const baselineGood = poisson(canary * (1 - stableRatio));
  const baselineBad = poisson(canary * stableRatio);
  const restGood = poisson(rest * (1 - stableRatio));
  const restBad = poisson(rest * stableRatio);
  const minute: Minute = {
    canaryGood: 0,
    canaryBad: 0,
    stableGood: 0,
    stableBad: 0,
    baselineRequests: 0,
    baselineBad: 0,
  };
  return () => {
    const good = baselineGood(random);
    const bad = baselineBad(random);
    minute.canaryGood = canaryGood(random);
    minute.canaryBad = canaryBad(random);
    minute.baselineRequests = good + bad;
    minute.baselineBad = bad;
    minute.stableGood = good + restGood(random);
    minute.stableBad = bad + restBad(random);
    return minute;
  };
}

/**
 * The judge's bets on a canary that is worse, of one target, without the rest of the judge: a day of it takes
 * milliseconds. That `judge` fails in the same minute is checked before every bench.
 *
 * @returns told every minute, it says whether the canary is Failed
 */
export function quickJudge(setting: Setting): (minute: Minute) => boolean {
  const bounds: Bounds = boundsOf(setting);
  let worse: Stake = newStake(WORSE);
  let burn: Stake = newStake(BURN);
  let requests = 0;
  let stable = { good: 0, bad: 0 };
  const nothing = { good: 0, bad: 0 };
  return minute => {
    const block = {
      canary: { good: minute.canaryGood, bad: minute.canaryBad },
      stable: { good: minute.stableGood, bad: minute.stableBad },
    };
    const canaryRequests = minute.canaryGood + minute.canaryBad;
    if (canaryRequests > 0) {
      const guess = stableRatios({ us: { canary: nothing, stable } }, bounds.budget)('us');
      worse = bet(worse, worsePayoffs(block, guess, bounds));
      burn = bet(burn, burnPayoffs(block, bounds));
      requests += canaryRequests;
    }
    stable = { good: stable.good + minute.stableGood, bad: stable.bad + minute.stableBad };
    if (requests < setting.rules.minRequests) return false;
    return WORSE_SHARE * worth(worse) + (1 - WORSE_SHARE) * worth(burn) >= 1 / FALSE_ALARM;
  };
}

/** When a canary was taken back. */
export interface Stop {
  readonly minute: number;
  /** Bad requests that it had served by then. */
  readonly bad: number;
}

export interface Watched {
  /** By margin; undefined where it was never Failed. */
  readonly judged: readonly (Stop | undefined)[];
  /** By rule and by the number of failed checks it takes. */
  readonly stopped: readonly (readonly (Stop | undefined)[])[];
  /** By rule, the checks that failed; of a day that was watched to its end. */
  readonly failedChecks: readonly number[];
}

/**
 * Watches one canary with every rule until all have stopped, a day at most.
 *
 * @param limits by rule, the numbers of failed checks that are tried
 */
export function watchCanary(
  scene: Scene,
  margins: readonly number[],
  limits: readonly (readonly number[])[],
  random: Random,
): Watched {
  const next = minutesOf(scene, random);
  const judges = margins.map(margin => quickJudge(settingOf(margin)));
  const rules = RULES.map(rule => rule.watch());
  const judged: (Stop | undefined)[] = judges.map(() => undefined);
  const stopped: (Stop | undefined)[][] = limits.map(each => each.map(() => undefined));
  const failedChecks = rules.map(() => 0);
  let bad = 0;
  for (let minute = 1; minute <= MINUTES; minute++) {
    const seen = next();
    bad += seen.canaryBad;
    let isOver = true;
    judges.forEach((isFailed, index) => {
      if (judged[index]) return;
      if (isFailed(seen)) judged[index] = { minute, bad };
      else isOver = false;
    });
    rules.forEach((hasFailed, rule) => {
      if (hasFailed(seen)) failedChecks[rule] = (failedChecks[rule] ?? 0) + 1;
      const count = failedChecks[rule] ?? 0;
      limits[rule]?.forEach((limit, index) => {
        const stops = stopped[rule];
        if (!stops || stops[index]) return;
        if (count >= limit) stops[index] = { minute, bad };
        else isOver = false;
      });
    });
    if (isOver) break;
  }
  return { judged, stopped, failedChecks };
}

import { isHigh } from './mann-whitney.ts';

/** What was seen in one minute. */
export interface Minute {
  canaryGood: number;
  canaryBad: number;
  stableGood: number;
  stableBad: number;
  /** A part of stable that is as large as the canary. */
  baselineRequests: number;
  baselineBad: number;
}

/** A rule that counts checks which failed, and takes the canary back when there are so many. */
export interface Rule {
  readonly name: string;
  readonly failedChecks: number;
  /** For one canary; told every minute, it says whether a check has just failed. */
  readonly watch: () => (minute: Minute) => boolean;
}

export const RULES: readonly Rule[] = [
  {
    // https://docs.flagger.app/usage/metrics, https://docs.flagger.app/usage/how-it-works: request-success-rate of at
    // least 99 over an interval of 1m, threshold 5: failed checks before it rolls back. Flagger takes a minute without
    // requests for a failed check as well; here it is none.
    name: 'Flagger',
    failedChecks: 5,
    watch: () => minute => isBelow(minute.canaryGood, minute.canaryBad, 0.99),
  },
  {
    // https://argo-rollouts.readthedocs.io/en/stable/features/analysis/: successCondition result >= 0.95, interval 5m,
    // failureLimit 3, "three such measurements". By the field's own description it takes a fourth.
    name: 'Argo',
    failedChecks: 3,
    watch: () => {
      let [minutes, good, bad] = [0, 0, 0];
      return minute => {
        minutes += 1;
        good += minute.canaryGood;
        bad += minute.canaryBad;
        if (minutes < 5) return false;
        const isFailed = isBelow(good, bad, 0.95);
        [minutes, good, bad] = [0, 0, 0];
        return isFailed;
      };
    },
  },
  {
    // https://spinnaker.io/docs/guides/user/canary/best-practices/: a baseline as large as the canary, at least 50 points
    // per run, so one run an hour over points of a minute; the error rate is a critical metric, direction increase.
    name: 'Kayenta',
    failedChecks: 1,
    watch: () => {
      let [minutes, canary, baseline]: [number, number[], number[]] = [0, [], []];
      return minute => {
        minutes += 1;
        const canaryRequests = minute.canaryGood + minute.canaryBad;
        if (canaryRequests > 0) canary.push(minute.canaryBad / canaryRequests);
        if (minute.baselineRequests > 0) baseline.push(minute.baselineBad / minute.baselineRequests);
        if (minutes < 60) return false;
        const isFailed = isHigh(canary, baseline);
        [minutes, canary, baseline] = [0, [], []];
        return isFailed;
      };
    },
  },
];

function isBelow(good: number, bad: number, share: number): boolean {
  return good + bad > 0 && good / (good + bad) < share;
}

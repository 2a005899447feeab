import { FALSE_ALARM, WORSE_SHARE } from '../judge.ts';

/** A bad canary as the judge meets it. Ratios are 0 to 1. */
export interface BadCanary {
  readonly errorRatio: number;
  readonly stableErrorRatio: number;
  /** The canary's share of the requests that the judge looks at. */
  readonly share: number;
}

/** What the judge lets a canary get away with. Ratios are 0 to 1. */
export interface Allowance {
  /** More than stable by so much. */
  readonly margin: number;
  /** So much, whatever stable does: the error ratio at which the budget burns `maxBurn` times too fast. */
  readonly mostRatio: number;
  /** How many waves share the judge's level. */
  readonly waves: number;
}

/** All targets of a wave together have at least this share of the level. */
const POOLED_SHARE = 1 / 2;

/** The part of the stake that is on the right one of about ten alternatives, of the half that enters with the first block. */
const ENTRY_SHARE = 1 / 20;

/**
 * About how many canary requests the judge needs until it says Failed: what its bet has to win, over what it wins per
 * request, in nats. The latter is the Kullback–Leibler divergence from the nearest canary that would be allowed, because
 * the bet is on the truth or next to it. Infinity for a canary that is allowed.
 */
export function requestsToDetect(canary: BadCanary, allowance: Allowance): number {
  const { margin, mostRatio, waves } = allowance;
  const nats = (share: number) => Math.log(waves / (FALSE_ALARM * POOLED_SHARE * share * ENTRY_SHARE));
  return Math.min(
    nats(WORSE_SHARE) / growthAboveStable(canary, margin),
    nats(1 - WORSE_SHARE) / growthAbove(canary, mostRatio),
  );
}

/** From which error ratio on a canary is not allowed. */
export function limitOf(stableErrorRatio: number, { margin, mostRatio }: Allowance): number {
  return Math.min(stableErrorRatio + margin, mostRatio);
}

function growthAbove({ errorRatio }: BadCanary, mostRatio: number): number {
  return errorRatio > mostRatio ? divergence(errorRatio, mostRatio) : 0;
}

/** Stable is known from its requests only, so what is allowed nearest may put both between what they are. */
function growthAboveStable({ errorRatio, stableErrorRatio, share }: BadCanary, margin: number): number {
  if (share >= 1 || errorRatio <= stableErrorRatio + margin) return 0;
  const stablePerCanary = (1 - share) / share;
  const cost = (stable: number) =>
    divergence(errorRatio, stable + margin) + stablePerCanary * divergence(stableErrorRatio, stable);
  let [low, high] = [stableErrorRatio, errorRatio - margin];
  for (let round = 0; round < 60; round++) {
    const [left, right] = [low + (high - low) / 3, high - (high - low) / 3];
    if (cost(left) < cost(right)) high = right;
    else low = left;
  }
  return cost((low + high) / 2);
}

/** KL(p‖q) of two error ratios, in nats per request. */
function divergence(p: number, q: number): number {
  return part(p, q) + part(1 - p, 1 - q);
}

function part(p: number, q: number): number {
  return p === 0 ? 0 : p * Math.log(p / q);
}

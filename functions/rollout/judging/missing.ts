import { type Stake, worth } from './betting.ts';

/** More than this many canary requests is never. */
const TOO_MANY = 1e8;

/**
 * Canary requests until a bet is worth as much, if they go on as they were.
 *
 * @param growth by alternative, what the logarithm of the capital gains per canary request
 * @returns infinity when they would never do
 */
export function requestsUntil(stake: Stake, growth: readonly number[], worthWanted: number): number {
  if (worth(stake) >= worthWanted) return 0;
  const next = stake.rounds + 1;
  const entry = 1 / (next * (next + 1) * growth.length);
  const isEnough = (requests: number) =>
    growth.reduce(
      (total, rate, index) => total + ((stake.capital[index] ?? 0) + entry) * Math.exp(rate * requests),
      0,
    ) >= worthWanted;
  return firstAt(isEnough);
}

/** The first number at which it is so, of something that stays so: up by doubling, then by halving. */
function firstAt(isSo: (requests: number) => boolean): number {
  let high = 1;
  while (!isSo(high)) {
    high *= 2;
    if (high > TOO_MANY) return Number.POSITIVE_INFINITY;
  }
  let low = Math.floor(high / 2);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (isSo(middle)) high = middle;
    else low = middle;
  }
  return high;
}

import type { Counts } from '../observed.ts';
import type { Pair } from './betting.ts';

/** What canary and stable have shown on some targets, and the largest error ratio (0 to 1) the canary might show. */
export interface Sight extends Pair {
  readonly limit: number;
}

/**
 * The limit is the ratio stable would show with the canary's shares of the targets, and the margin; but no more than the
 * burn rate allows.
 */
export function sight(
  totals: Readonly<Record<string, Pair>>,
  members: readonly string[],
  { margin, burn }: { readonly margin: number; readonly burn: number },
): Sight {
  const pairs = members.flatMap(name => totals[name] ?? []);
  const canary = sum(pairs.map(pair => pair.canary));
  const stable = sum(pairs.map(pair => pair.stable));
  const comparable = pairs.filter(pair => total(pair.canary) > 0 && total(pair.stable) > 0);
  const requests = comparable.reduce((count, pair) => count + total(pair.canary), 0);
  const expectedBad = comparable.reduce((bad, pair) => bad + total(pair.canary) * ratio(pair.stable), 0);
  const stableRatio = requests > 0 ? expectedBad / requests : ratio(stable);
  return { canary, stable, limit: Math.min(stableRatio + margin, burn, 1) };
}

/** What came after `earlier`. */
export function since(
  totals: Readonly<Record<string, Pair>>,
  earlier: Readonly<Record<string, Pair>>,
): Record<string, Pair> {
  const rest = Object.entries(totals).map(([name, { canary, stable }]) => [
    name,
    {
      canary: minus(canary, earlier[name]?.canary ?? NONE),
      stable: minus(stable, earlier[name]?.stable ?? NONE),
    },
  ]);
  return Object.fromEntries(rest);
}

export function say({ canary, stable }: Pair): string {
  const of = (counts: Counts) =>
    total(counts) === 0 ? 'unknown, no requests' : `${percent(1 - ratio(counts))} of ${total(counts)}`;
  const requests = total(canary) === 0 ? '' : ' requests';
  return `canary success rate ${of(canary)}${requests}, stable ${of(stable)}`;
}

export const NONE: Counts = { good: 0, bad: 0 };

export function sum(counts: readonly Counts[]): Counts {
  let [good, bad] = [0, 0];
  for (const each of counts) {
    good += each.good;
    bad += each.bad;
  }
  return { good, bad };
}

function minus(a: Counts, b: Counts): Counts {
  return { good: a.good - b.good, bad: a.bad - b.bad };
}

export function total({ good, bad }: Counts): number {
  return good + bad;
}

export function ratio(counts: Counts): number {
  return total(counts) === 0 ? 0 : counts.bad / total(counts);
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}

/** `45 s`, `12 min`, `3.5 h` */
export function span(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.ceil(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

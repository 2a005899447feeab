import type { Block, Counts, Observed } from '../observed.ts';
import type { JudgeRules } from '../policy.ts';
import {
  ALTERNATIVES_BELOW,
  bet,
  betOnOne,
  betOnTwo,
  ladderAbove,
  ladderBelow,
  newStake,
  type Pair,
  type Stake,
} from './betting.ts';
import { NONE, sum, total } from './sight.ts';

export interface Setting {
  readonly rules: JudgeRules;
  /** SLO in percent. */
  readonly availability: number;
  /** Waves of the rollout: they share the false-alarm level. */
  readonly waves: number;
}

/**
 * What the judge keeps between two looks: plain JSON, a third of a kilobyte a target. Logarithms are of base e, with three decimals.
 */
export interface Evidence {
  /** Blocks that end until then are in it, and what becomes known about them later is lost; undefined when none is. */
  readonly untilMs: number | undefined;
  /** By the target's name. */
  readonly totals: Readonly<Record<string, Pair>>;
  /** By the scope's name. */
  readonly stakes: Readonly<Record<string, StoredStakes>>;
}

type Bet = keyof Stakes;
export type StoredStakes = Readonly<Record<Bet, readonly number[]>> & { readonly rounds: number };

/** The bets on one scope, each against the hypothesis that the opposite holds. */
export interface Stakes {
  /** The canary is worse than stable by more than the margin. */
  readonly worse: Stake;
  /** The canary burns the budget faster than it may. */
  readonly burn: Stake;
  /** It is not. */
  readonly notWorse: Stake;
  /** It does not. */
  readonly slowBurn: Stake;
}

export interface State {
  readonly totals: Readonly<Record<string, Pair>>;
  readonly stakes: Readonly<Record<string, Stakes>>;
}

/** Error ratios, 0 to 1. */
export interface Bounds {
  /** The canary's ratio may be larger than stable's by this much. */
  readonly margin: number;
  /** The canary's ratio may be this large whatever stable does. */
  readonly burn: number;
  /** What the SLO allows; the first guess of stable's ratio. */
  readonly budget: number;
}

export function boundsOf({ rules, availability }: Setting): Bounds {
  const budget = 1 - availability / 100;
  return { margin: rules.margin / 100, burn: rules.maxBurn * budget, budget };
}

/** Targets that are judged together, and their share of the false-alarm level. */
export interface Scope {
  /** The first is the name of its stakes; a platform of one target has two. */
  readonly names: readonly [string, ...string[]];
  readonly members: readonly string[];
  readonly share: number;
}

export const POOLED = 'all';

/** Alternatives of each bet. */
export const WORSE = 10;
export const BURN = 6;

/** From there on a bound bounds nothing, and there is nothing to bet on. */
export const NO_BOUND = 0.95;

/**
 * For Successful, evidence of an hour ago must not outweigh the last minutes: it counts for no more than fifty times what
 * a verdict needs.
 */
const MOST_CAPITAL_FOR_SUCCESS = 1000;

/**
 * All targets together get half of the level, the platforms a quarter and the targets a quarter. Scopes of the same
 * targets are one scope, with the sum of their shares.
 */
export function scopesOf({ targets }: Observed): Scope[] {
  const members = Object.keys(targets).sort();
  const platforms = Map.groupBy(members, name => targets[name]?.architecture);
  const known = [...platforms].filter(([architecture]) => architecture !== undefined);
  const scopes: Scope[] = [
    { names: [POOLED], members, share: known.length > 0 ? 1 / 2 : 3 / 4 },
    ...known.map(([architecture, group]) => ({
      names: [`platform ${architecture}`] as const,
      members: group,
      share: 1 / 4 / known.length,
    })),
    ...members.map(name => ({
      names: [`target ${name}`] as const,
      members: [name],
      share: 1 / 4 / members.length,
    })),
  ];
  return [...Map.groupBy(scopes, scope => scope.members.join()).values()].map(same => same.reduce(merge));
}

function merge(a: Scope, b: Scope): Scope {
  return { names: [...a.names, ...b.names], members: a.members, share: a.share + b.share };
}

export function initialState(scopes: readonly Scope[], before: Evidence | undefined): State {
  return {
    totals: before?.totals ?? {},
    stakes: Object.fromEntries(scopes.map(({ names: [name] }) => [name, unpack(before?.stakes[name])])),
  };
}

/** Blocks of all targets that end at the same time, by the target's name. */
export interface Period {
  readonly endMs: number;
  readonly blocks: ReadonlyMap<string, Block>;
}

/** Oldest first. */
export function periodsOf({ targets }: Observed, sinceMs: number, untilMs: number): Period[] {
  const byEnd = new Map<number, Map<string, Block>>();
  for (const name of Object.keys(targets).sort()) {
    for (const block of targets[name]?.blocks ?? []) {
      if (block.endMs <= sinceMs || block.endMs > untilMs) continue;
      const blocks = byEnd.get(block.endMs) ?? new Map<string, Block>();
      byEnd.set(block.endMs, blocks.set(name, block));
    }
  }
  return [...byEnd].map(([endMs, blocks]) => ({ endMs, blocks })).sort((a, b) => a.endMs - b.endMs);
}

/** Bets on one period, then learns from it what stable's ratios are. */
export function play(state: State, { blocks }: Period, scopes: readonly Scope[], bounds: Bounds): State {
  const guess = stableRatios(state.totals, bounds.budget);
  const payoffs = new Map([...blocks].map(([name, block]) => [name, payoffsOf(block, guess(name), bounds)]));
  return {
    stakes: Object.fromEntries(
      scopes.map(({ names: [name], members }) => {
        const before = state.stakes[name] ?? unpack(undefined);
        const played = members.flatMap(member => payoffs.get(member) ?? []);
        return [name, played.length === 0 ? before : betAll(before, played.reduce(addPayoffs))];
      }),
    ),
    totals: addBlocks(state.totals, blocks),
  };
}

/** A bad request that nobody saw: what a guess of stable's ratio rests on before there are requests. */
const PRIOR_BAD = 0.5;

/**
 * Stable's ratio as known so far, by target: from its own requests, drawn to the ratio of all targets where they are few,
 * and that to the SLO. Never from the canary's requests: then its errors would make a bet on more errors look worse.
 */
export function stableRatios(
  totals: Readonly<Record<string, Pair>>,
  budget: number,
): (name: string) => number {
  const pooled = sum(Object.values(totals).map(({ stable }) => stable));
  const common = shrunk(pooled, budget);
  return name => shrunk(totals[name]?.stable ?? NONE, common);
}

function shrunk({ good, bad }: Counts, prior: number): number {
  return (bad + PRIOR_BAD) / (good + bad + PRIOR_BAD / prior);
}

/** Logarithms, by bet and alternative. */
export type Payoffs = Readonly<Record<Bet, readonly number[]>>;

/** What the bets on one block of one target pay; nothing when the canary had no requests. */
export function payoffsOf(block: Pair, stableRatio: number, bounds: Bounds): Payoffs | [] {
  if (total(block.canary) === 0) return [];
  const { margin, burn } = bounds;
  const limit = stableRatio + margin;
  return {
    worse: worsePayoffs(block, stableRatio, bounds),
    burn: burnPayoffs(block, bounds),
    notWorse:
      limit < NO_BOUND
        ? betOnTwo(block, ladderBelow(stableRatio / 3, limit), stableRatio, margin)
        : noPayoffs(ALTERNATIVES_BELOW),
    slowBurn:
      burn < NO_BOUND
        ? betOnOne(block.canary, ladderBelow(burn / 50, burn), burn)
        : noPayoffs(ALTERNATIVES_BELOW),
  };
}

export function worsePayoffs(block: Pair, stableRatio: number, { margin }: Bounds): number[] {
  const limit = stableRatio + margin;
  return limit < NO_BOUND
    ? betOnTwo(block, ladderAbove(limit, WORSE), stableRatio, margin)
    : noPayoffs(WORSE);
}

export function burnPayoffs({ canary }: Pair, { burn }: Bounds): number[] {
  return burn < NO_BOUND ? betOnOne(canary, ladderAbove(burn, BURN), burn) : noPayoffs(BURN);
}

function noPayoffs(alternatives: number): number[] {
  return Array<number>(alternatives).fill(0);
}

/**
 * The product of the payoffs on each target, which is not the payoff on the sum of their requests: targets with other
 * error ratios and other shares of canary traffic would then look like a difference of canary and stable (Simpson 1951).
 */
export function addPayoffs(a: Payoffs, b: Payoffs): Payoffs {
  return {
    worse: addEach(a.worse, b.worse),
    burn: addEach(a.burn, b.burn),
    notWorse: addEach(a.notWorse, b.notWorse),
    slowBurn: addEach(a.slowBurn, b.slowBurn),
  };
}

export function scaled(payoffs: Payoffs, factor: number): Payoffs {
  const scale = (values: readonly number[]) => values.map(value => value * factor);
  return {
    worse: scale(payoffs.worse),
    burn: scale(payoffs.burn),
    notWorse: scale(payoffs.notWorse),
    slowBurn: scale(payoffs.slowBurn),
  };
}

function addEach(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, index) => value + (b[index] ?? 0));
}

function betAll(stakes: Stakes, payoffs: Payoffs): Stakes {
  return {
    worse: bet(stakes.worse, payoffs.worse),
    burn: bet(stakes.burn, payoffs.burn),
    notWorse: bet(stakes.notWorse, payoffs.notWorse, MOST_CAPITAL_FOR_SUCCESS),
    slowBurn: bet(stakes.slowBurn, payoffs.slowBurn, MOST_CAPITAL_FOR_SUCCESS),
  };
}

export function addBlocks(
  totals: Readonly<Record<string, Pair>>,
  blocks: ReadonlyMap<string, Block>,
): Record<string, Pair> {
  const added = { ...totals };
  for (const [name, { canary, stable }] of blocks) {
    const before = totals[name];
    added[name] = {
      canary: sum([before?.canary ?? NONE, canary]),
      stable: sum([before?.stable ?? NONE, stable]),
    };
  }
  return added;
}

export function pack({ totals, stakes }: State, untilMs: number | undefined): Evidence {
  const packed = Object.entries(stakes).map(([name, { worse, burn, notWorse, slowBurn }]) => [
    name,
    {
      rounds: worse.rounds,
      worse: logs(worse),
      burn: logs(burn),
      notWorse: logs(notWorse),
      slowBurn: logs(slowBurn),
    },
  ]);
  return { untilMs, totals, stakes: Object.fromEntries(packed) };
}

/** Less than what enters with the next block for months. */
const LEAST_LOG = -30;

function logs({ capital }: Stake): number[] {
  return capital.map(part => Math.max(Math.round(Math.log(part) * 1000) / 1000, LEAST_LOG));
}

function unpack(stored: StoredStakes | undefined): Stakes {
  const stake = (name: Bet, alternatives: number): Stake =>
    stored
      ? { rounds: stored.rounds, capital: stored[name].map(log => (log <= LEAST_LOG ? 0 : Math.exp(log))) }
      : newStake(alternatives);
  return {
    worse: stake('worse', WORSE),
    burn: stake('burn', BURN),
    notWorse: stake('notWorse', ALTERNATIVES_BELOW),
    slowBurn: stake('slowBurn', ALTERNATIVES_BELOW),
  };
}

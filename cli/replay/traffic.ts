import { NONE, ratio, sum, total } from '../../functions/rollout/judging/sight.ts';
import type { Block, Counts } from '../../functions/rollout/observed.ts';

/** A target of the rollout that is replayed, as it is at the moment. Times are milliseconds since the replay began. */
export interface ReplayedTarget {
  readonly name: string;
  /** Since when its wave serves; undefined before. */
  readonly servesSinceMs: number | undefined;
  /** The canary's share in percent. */
  readonly weight: number;
  /** Of its wave. */
  readonly members: number;
}

/** The requests that a rollout is replayed with. */
export interface Traffic {
  /** In words: where it comes from. */
  readonly description: string;
  /** What the target answered in periods that end after `fromMs` and not after `toMs`; asked in order of time. */
  blocks(target: ReplayedTarget, fromMs: number, toMs: number): readonly Block[];
  /** From then on it is known what the target answered. */
  beginsMs(target: ReplayedTarget): number;
  /** After that nothing is known of it any more. */
  endsMs(target: ReplayedTarget): number;
  /** What stable alone is taken to have served before that. */
  before(target: string): Rate | undefined;
}

export interface Rate {
  readonly requestsPerSecond: number;
  /** 0 to 1. */
  readonly errorRatio: number;
}

/** One line of a recording: requests of one side of one target in a period. */
export interface Row {
  readonly target: string;
  readonly side: 'canary' | 'stable';
  /** End of the period, since the wave of the target began to serve. */
  readonly endMs: number;
  readonly counts: Counts;
}

/** What was measured is given back as it stands, whatever the weights are. */
export function recorded(rows: readonly Row[], description: string): Traffic {
  const byTarget = new Map<string, Map<number, Block>>();
  for (const { target, side, endMs, counts } of rows) {
    const blocks = byTarget.get(target) ?? new Map<number, Block>();
    byTarget.set(target, blocks);
    blocks.set(endMs, { ...(blocks.get(endMs) ?? { endMs, canary: NONE, stable: NONE }), [side]: counts });
  }
  const series = new Map(
    [...byTarget].map(([name, blocks]) => [name, [...blocks.values()].sort((a, b) => a.endMs - b.endMs)]),
  );
  const begins = new Map([...series].map(([name, blocks]) => [name, beginningOf(blocks)]));
  return {
    description,
    blocks({ name, servesSinceMs }, fromMs, toMs) {
      if (servesSinceMs === undefined) return [];
      const ended = (series.get(name) ?? []).map(block => ({ ...block, endMs: block.endMs + servesSinceMs }));
      return ended.filter(({ endMs }) => endMs > fromMs && endMs <= toMs);
    },
    beginsMs: ({ servesSinceMs = Infinity }) => servesSinceMs,
    endsMs: ({ name, servesSinceMs = 0 }) => servesSinceMs + (series.get(name)?.at(-1)?.endMs ?? 0),
    before: name => begins.get(name),
  };
}

/** All requests of the first period, and stable's errors on the whole: a single period says little about these. */
function beginningOf(blocks: readonly Block[]): Rate {
  const [first] = blocks;
  const seconds = periodMs(blocks.map(({ endMs }) => endMs)) / 1000;
  const requests = first ? total(first.canary) + total(first.stable) : 0;
  const stable = sum(blocks.map(block => block.stable));
  return { requestsPerSecond: requests / seconds, errorRatio: ratio(stable) };
}

const MINUTE_MS = 60_000;

/** The shortest time between two ends; a minute where there are not two. */
export function periodMs(endsMs: readonly number[]): number {
  const sorted = [...new Set(endsMs)].sort((a, b) => a - b);
  const gaps = sorted.slice(1).map((endMs, index) => endMs - (sorted[index] ?? 0));
  return gaps.length === 0 ? MINUTE_MS : Math.min(...gaps);
}

/** What canary and stable do for a while, written down rather than measured. */
export interface Stretch {
  /** undefined: from then on. */
  readonly seconds: number | undefined;
  readonly canary: WrittenSide;
  readonly stable: WrittenSide;
  /** Targets that are otherwise. */
  readonly targets: Readonly<
    Record<string, { readonly canary?: WrittenSide; readonly stable?: WrittenSide }>
  >;
}

export interface WrittenSide {
  /** On all targets of the wave together; without it as many of the service's requests as the weight gives it. */
  readonly requestsPerSecond?: number | undefined;
  readonly errorRatio?: number | undefined;
}

/**
 * Steady requests whose errors come evenly: twice the same replay.
 *
 * @param requestsPerSecond to the whole service; every target gets as many
 */
export function written(
  stretches: readonly Stretch[],
  requestsPerSecond: number,
  targets: number,
  description: string,
): Traffic {
  const perTarget = requestsPerSecond / targets;
  const counters = new Map<string, Counter>();
  const counter = (key: string) => {
    const known = counters.get(key) ?? new Counter();
    counters.set(key, known);
    return known;
  };
  const lasts = stretches.reduce((all, { seconds = Infinity }) => all + seconds * 1000, 0);
  return {
    description,
    blocks(target, fromMs, toMs) {
      const stretch = stretchAt(stretches, fromMs);
      if (!stretch || toMs <= fromMs) return [];
      const seconds = (toMs - fromMs) / 1000;
      const side = (name: 'canary' | 'stable', weight: number) => {
        const { requestsPerSecond: all, errorRatio = 0 } = {
          ...stretch[name],
          ...stretch.targets[target.name]?.[name],
        };
        const isServed = weight > 0 && (name === 'stable' || target.servesSinceMs !== undefined);
        const rate = all === undefined ? (perTarget * weight) / 100 : all / target.members;
        return counter(`${target.name} ${name}`).count(isServed ? rate * seconds : 0, errorRatio);
      };
      return [
        { endMs: toMs, canary: side('canary', target.weight), stable: side('stable', 100 - target.weight) },
      ];
    },
    beginsMs: () => 0,
    endsMs: () => lasts,
    before(name) {
      const [first] = stretches;
      const stable = { ...first?.stable, ...first?.targets[name]?.stable };
      return { requestsPerSecond: perTarget, errorRatio: stable.errorRatio ?? 0 };
    },
  };
}

function stretchAt(stretches: readonly Stretch[], atMs: number): Stretch | undefined {
  let endMs = 0;
  for (const stretch of stretches) {
    endMs += (stretch.seconds ?? Infinity) * 1000;
    if (atMs < endMs) return stretch;
  }
  return undefined;
}

/** Turns rates into whole requests: what is left of one period is in the next. */
class Counter {
  #requests = 0;
  #bad = 0;

  count(requests: number, errorRatio: number): Counts {
    const due = this.#requests + requests;
    const whole = wholeOf(due);
    this.#requests = due - whole;
    const dueBad = this.#bad + whole * errorRatio;
    const bad = Math.min(wholeOf(dueBad), whole);
    this.#bad = dueBad - bad;
    return { good: whole - bad, bad };
  }
}

/** What is all but whole is whole: binary fractions fall short. */
function wholeOf(number: number): number {
  return Math.floor(number + 1e-9);
}

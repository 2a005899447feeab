import { type Evidence, type Judgement, judge, type Setting } from '../../../functions/rollout/judge.ts';
import type { Block, Counts, Observed } from '../../../functions/rollout/observed.ts';
import { START_MS } from '../../worlds.ts';

export const MINUTE_MS = 60_000;

export const SETTING: Setting = {
  rules: { interval: 60, minRequests: 20, margin: 1, maxBurn: 10, maxExtension: 600 },
  availability: 99.5,
  waves: 1,
};

export function withRules(rules: Partial<Setting['rules']>): Setting {
  return { ...SETTING, rules: { ...SETTING.rules, ...rules } };
}

export function counts(good: number, bad = 0): Counts {
  return { good, bad };
}

/** One block a minute; the first ends a minute after `START_MS`. */
export function blocks(...pairs: (readonly [canary: Counts, stable: Counts])[]): Block[] {
  return pairs.map(([canary, stable], index) => ({
    endMs: START_MS + (index + 1) * MINUTE_MS,
    canary,
    stable,
  }));
}

export interface Seen {
  readonly blocks: readonly Block[];
  readonly architecture?: string;
  readonly weight?: number;
}

export function observed(targets: Readonly<Record<string, Seen>>): Observed {
  const ends = Object.values(targets).flatMap(target => target.blocks.map(({ endMs }) => endMs));
  return {
    targets: Object.fromEntries(
      Object.entries(targets).map(([name, { architecture, weight = 5, blocks: seen }]) => [
        name,
        { architecture, weight, blocks: seen },
      ]),
    ),
    newestPointMs: ends.length === 0 ? undefined : Math.max(...ends),
  };
}

/** One target that has shown this in one minute, judged at its end. */
export function verdictOn(canary: Counts, stable: Counts, setting = SETTING): Judgement {
  return judgedAt(1, { us: { blocks: blocks([canary, stable]) } }, setting);
}

export function judgedAt(
  minute: number,
  targets: Readonly<Record<string, Seen>>,
  setting = SETTING,
  before?: Evidence,
): Judgement {
  return judge(before, observed(targets), setting, START_MS + minute * MINUTE_MS).judgement;
}

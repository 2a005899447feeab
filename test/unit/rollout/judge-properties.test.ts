import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judge } from '../../../functions/rollout/judge.ts';
import type { Block, Counts, Observed } from '../../../functions/rollout/observed.ts';
import { START_MS } from '../../worlds.ts';
import { blocks, counts, judgedAt, MINUTE_MS, observed, SETTING, withRules } from './judging.ts';

/** From nothing to much, with errors from none to all. */
const some = fc
  .tuple(fc.constantFrom(0, 1, 5, 30, 300, 5000), fc.constantFrom(0, 0.001, 0.01, 0.05, 0.3, 1))
  .map(
    ([requests, share]): Counts =>
      counts(requests - Math.round(requests * share), Math.round(requests * share)),
  );
const minutes = fc.array(fc.tuple(some, some), { minLength: 1, maxLength: 8 });
const settings = fc
  .tuple(fc.constantFrom(0, 0.5, 1, 5), fc.constantFrom(1, 10))
  .map(([margin, maxBurn]) => withRules({ margin, maxBurn }));
const runs = { numRuns: 400 };

type Minutes = (readonly [Counts, Counts])[];

/** With as many more bad requests of the canary in that minute, in addition to its good ones or instead of them. */
function worse(pairs: Minutes, index: number, more: number, instead: boolean): Minutes {
  return pairs.map(([{ good, bad }, stable], at) => {
    if (at !== index % pairs.length) return [{ good, bad }, stable];
    const failed = instead ? Math.min(more, good) : more;
    return [counts(instead ? good - failed : good, bad + failed), stable];
  });
}

describe('more bad requests of the canary', () => {
  const property = (instead: boolean, check: (before: string, after: string) => void) =>
    fc.assert(
      fc.property(
        minutes,
        settings,
        fc.nat(7),
        fc.constantFrom(1, 3, 50, 2000),
        (pairs, setting, at, more) => {
          const verdict = (seen: Minutes) =>
            judgedAt(pairs.length, { us: { blocks: blocks(...seen) } }, setting).verdict;
          check(verdict(pairs), verdict(worse(pairs, at, more, instead)));
        },
      ),
      runs,
    );

  test('instead of good ones leave Failed what was Failed', () => {
    property(true, (before, after) => {
      if (before === 'Failed') expect(after).toBe('Failed');
      else if (before !== 'Successful') expect(after).not.toBe('Successful');
    });
  });

  test('in addition never turn Failed into Successful', () => {
    property(false, (before, after) => {
      if (before === 'Failed') expect(after).not.toBe('Successful');
    });
  });
});

test('zero requests of the canary are never Successful nor Failed', () => {
  fc.assert(
    fc.property(fc.array(some, { minLength: 1, maxLength: 8 }), settings, (stable, setting) => {
      const seen = stable.map(each => [counts(0), each] as const);
      const judgement = judgedAt(stable.length, { us: { blocks: blocks(...seen) } }, setting);
      expect(['Inconclusive', 'Error']).toContain(judgement.verdict);
    }),
    runs,
  );
});

test('the order of targets, and of blocks, makes no difference', () => {
  fc.assert(
    fc.property(minutes, minutes, (us, eu) => {
      const [a, b] = [{ blocks: blocks(...us) }, { blocks: blocks(...eu) }];
      const turned = { us: { blocks: a.blocks.toReversed() }, eu: { blocks: b.blocks.toReversed() } };
      expect(judgedAt(8, turned)).toEqual(judgedAt(8, { eu: b, us: a }));
    }),
    runs,
  );
});

describe('looks', () => {
  const HOUR = 60;
  const hour = fc.array(fc.tuple(some, some), { minLength: HOUR, maxLength: HOUR });

  function upTo(all: readonly Block[], minute: number, afterMs: number): Observed {
    const untilMs = START_MS + minute * MINUTE_MS;
    return observed({ us: { blocks: all.filter(({ endMs }) => endMs > afterMs && endMs <= untilMs) } });
  }

  /** Judged at each of these minutes, handing on the evidence as JSON; the last judgement. */
  function judgedAll(all: readonly Block[], at: readonly number[]) {
    let judged: ReturnType<typeof judge> | undefined;
    for (const minute of at) {
      const before: ReturnType<typeof judge>['evidence'] | undefined =
        judged && JSON.parse(JSON.stringify(judged.evidence));
      const seen = upTo(all, minute, before?.untilMs ?? START_MS);
      judged = judge(before, seen, SETTING, START_MS + minute * MINUTE_MS);
    }
    return judged;
  }

  test('may be many or few, and be repeated: the evidence is the same but for its rounding', () => {
    fc.assert(
      fc.property(hour, pairs => {
        const all = blocks(...pairs);
        const every = Array.from({ length: HOUR }, (_, minute) => minute + 1);
        const often = judgedAll(
          all,
          every.flatMap(minute => [minute, minute]),
        );
        const once = judgedAll(all, [HOUR]);
        expect(often?.evidence.untilMs).toBe(once?.evidence.untilMs);
        expect(often?.evidence.totals).toEqual(once?.evidence.totals);
        const [a, b] = [often?.evidence.stakes['all'], once?.evidence.stakes['all']];
        for (const bet of ['worse', 'burn', 'notWorse', 'slowBurn'] as const) {
          a?.[bet].forEach((log, index) => {
            expect(Math.abs(log - (b?.[bet][index] ?? Number.NaN))).toBeLessThan(0.05);
          });
        }
      }),
      { numRuns: 10 },
    );
  });

  test('count a late point where it belongs, as long as it is not later than ten minutes', () => {
    const all = blocks(...Array.from({ length: 30 }, () => [counts(50, 1), counts(950, 1)] as const));
    const late = all.filter((_, index) => index !== 24);
    const nowMs = START_MS + 30 * MINUTE_MS;
    const first = judge(undefined, upTo(late, 30, START_MS), SETTING, nowMs);
    const then = judge(first.evidence, upTo(all, 30, first.evidence.untilMs ?? 0), SETTING, nowMs);
    const atOnce = judge(undefined, upTo(all, 30, START_MS), SETTING, nowMs);
    expect(then.judgement).toEqual(atOnce.judgement);
  });

  test('forget what comes later', () => {
    const all = blocks(...Array.from({ length: 30 }, () => [counts(50), counts(950)] as const));
    const nowMs = START_MS + 30 * MINUTE_MS;
    const first = judge(undefined, upTo(all.slice(1), 30, START_MS), SETTING, nowMs);
    const then = judge(first.evidence, upTo(all, 30, START_MS), SETTING, nowMs);
    expect(then.judgement).toEqual(first.judgement);
  });

  test('keep a few kilobytes of 40 targets', () => {
    const target = {
      architecture: 'amd64',
      blocks: blocks(...Array.from({ length: 60 }, () => [counts(50, 1), counts(950, 1)] as const)),
    };
    const targets = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`region-${index}`, target]));
    const { evidence } = judge(undefined, observed(targets), SETTING, START_MS + 60 * MINUTE_MS);
    expect(JSON.stringify(evidence).length).toBeLessThan(16_000);
  });
});

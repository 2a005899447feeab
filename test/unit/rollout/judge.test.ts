import { describe, expect, test } from 'vitest';
import { judge } from '../../../functions/rollout/judge.ts';
import { START_MS } from '../../worlds.ts';
import { blocks, counts, judgedAt, MINUTE_MS, observed, SETTING, verdictOn, withRules } from './judging.ts';

const STABLE = counts(9990, 10);

describe('the judge', () => {
  test('fails a canary that fails one request in five, with the numbers', () => {
    const judgement = verdictOn(counts(80, 20), STABLE);
    expect(judgement).toMatchObject({
      verdict: 'Failed',
      because: 'worse',
      canary: counts(80, 20),
      stable: STABLE,
      message: 'canary success rate 80.00% of 100 requests, stable 99.90% of 10000: below 98.90%',
    });
    expect(judgement.limit).toBeCloseTo(0.011, 10);
  });

  test('passes a canary that is as good as stable once there are requests enough to tell', () => {
    const judgement = verdictOn(counts(999, 1), STABLE);
    expect(judgement.verdict).toBe('Successful');
    expect(judgement.message).toBe(
      'canary success rate 99.90% of 1000 requests, stable 99.90% of 10000: within 98.90%',
    );
  });

  test('does not take few requests without an error for proof, and says how many are missing and how long that takes', () => {
    const judgement = verdictOn(counts(100), STABLE);
    const { verdict, missing, message } = judgement;
    expect(verdict).toBe('Inconclusive');
    expect(missing?.requests).toBeGreaterThan(100);
    expect(missing?.requests).toBeLessThan(1000);
    expect(missing?.seconds).toBe(Math.ceil((missing?.requests ?? 0) / (100 / 60)));
    expect(message).toContain(`: ${missing?.requests} more canary requests are needed, `);
    expect(message).toContain('at the present rate');
  });

  test('has a verdict when the requests that it said were missing have come', () => {
    const first = verdictOn(counts(100), STABLE);
    const more = first.missing?.requests ?? 0;
    const later = judgedAt(2, {
      us: { blocks: blocks([counts(100), STABLE], [counts(more), counts(99.9 * more, 0.1 * more)]) },
    });
    expect(later.verdict).toBe('Successful');
  });

  test('judges nothing on fewer requests than the policy wants', () => {
    const judgement = verdictOn(counts(0, 60), STABLE, withRules({ minRequests: 100 }));
    expect(judgement.verdict).toBe('Inconclusive');
    expect(judgement.missing).toEqual({ requests: 40, seconds: 40 });
  });

  test('says that it is too close to tell when no number of requests would', () => {
    const judgement = verdictOn(counts(98_900, 1100), counts(1_998_000, 2000));
    expect(judgement.verdict).toBe('Inconclusive');
    expect(judgement.missing).toBeUndefined();
    expect(judgement.message).toMatch(/: too close to 98\.90% to tell$/);
  });

  test('never calls zero requests Successful, and says that none come', () => {
    const judgement = judgedAt(
      1,
      { us: { weight: 0.1, blocks: blocks([counts(0), STABLE]) } },
      withRules({ minRequests: 1, margin: 100, maxBurn: 1000 }),
    );
    expect(judgement.verdict).toBe('Inconclusive');
    expect(judgement.missing?.seconds).toBeUndefined();
    expect(judgement.message).toMatch(/more canary requests are needed, and none come/);
  });

  test('bears no more than the burn rate of the policy, however much worse than stable it may be', () => {
    const judgement = verdictOn(counts(900, 100), counts(9000, 1000), withRules({ margin: 50, maxBurn: 2 }));
    expect(judgement).toMatchObject({ verdict: 'Failed', because: 'burn', limit: 0.010000000000000009 });
    expect(judgement.message).toBe(
      'canary success rate 90.00% of 1000 requests, stable 90.00% of 10000: below 99.00%, which burns the error budget more than 2 times as fast as it lasts',
    );
  });

  test('catches a canary that turns bad after hours, and shows what it did lately', () => {
    const good = Array.from({ length: 300 }, () => [counts(300), counts(5695, 5)] as const);
    const bad = Array.from({ length: 2 }, () => [counts(240, 60), counts(5695, 5)] as const);
    const judgement = judgedAt(302, { us: { blocks: blocks(...good, ...bad) } });
    expect(judgement.verdict).toBe('Failed');
    expect(judgement.canary).toEqual(counts(300 * 300 + 480, 120));
    expect(judgement.message).toMatch(/^lately canary success rate 9\d\.\d\d% of 3000 requests/);
  });

  test('passes a canary that had errors only while it started', () => {
    const start = [counts(57, 3), counts(1140)] as const;
    const later = Array.from({ length: 40 }, () => [counts(60), counts(1140)] as const);
    expect(judgedAt(41, { us: { blocks: blocks(start, ...later) } }).verdict).toBe('Successful');
  });

  test('needs more evidence when the rollout has more waves to be wrong in', () => {
    const canary = counts(92, 8);
    const stable = counts(9990, 10);
    expect(verdictOn(canary, stable, withRules({ margin: 0.5 })).verdict).toBe('Failed');
    const waves = 1000;
    expect(verdictOn(canary, stable, { ...withRules({ margin: 0.5 }), waves }).verdict).toBe('Inconclusive');
  });
});

describe('without metrics the judge says Error', () => {
  test('when there is no point at all', () => {
    const judgement = judgedAt(1, { us: { blocks: [] } });
    expect(judgement).toMatchObject({
      verdict: 'Error',
      message: 'there are no metrics of canary or stable yet',
    });
  });

  test('when the newest is older than the lag of metrics and five looks', () => {
    const targets = { us: { blocks: blocks([counts(1000), STABLE]) } };
    expect(judgedAt(9, targets).verdict).toBe('Successful');
    expect(judgedAt(10, targets)).toMatchObject({
      verdict: 'Error',
      message: 'the newest metric is 9 min old',
    });
  });

  test('when the canary has none although its weight lets expect requests', () => {
    const blind = judgedAt(1, { us: { weight: 5, blocks: blocks([counts(0), counts(1900)]) } });
    expect(blind.verdict).toBe('Error');
    expect(blind.message).toBe(
      'the metrics have no request of the canary on target us (about 100 expected at 5% beside 1900 of stable)',
    );
    expect(judgedAt(1, { us: { weight: 1, blocks: blocks([counts(0), counts(1900)]) } }).verdict).toBe(
      'Inconclusive',
    );
  });

  test('when one of several targets is the one that has none', () => {
    const judgement = judgedAt(1, {
      eu: { blocks: blocks([counts(0), counts(1900)]) },
      us: { blocks: blocks([counts(1000), counts(19_000)]) },
    });
    expect(judgement.verdict).toBe('Error');
    expect(judgement.scopes.map(({ scope, verdict }) => [scope, verdict])).toEqual([
      ['target eu', 'Error'],
      ['target us', 'Successful'],
    ]);
  });

  test('and keeps what it knew', () => {
    const nowMs = START_MS + 30 * MINUTE_MS;
    const known = observed({ us: { blocks: blocks([counts(900), STABLE]) } });
    const { evidence } = judge(undefined, known, SETTING, nowMs);
    const blind = judge(evidence, { targets: {}, newestPointMs: undefined }, SETTING, nowMs + MINUTE_MS);
    expect(blind.judgement.verdict).toBe('Error');
    expect(blind.judgement.canary).toEqual(counts(900));
    expect(blind.evidence).toEqual(evidence);
  });
});

describe('the judge looks at platforms and targets apart', () => {
  const fine = blocks([counts(1000), counts(18_980, 20)]);
  const sick = blocks([counts(40, 10), counts(949, 1)]);

  test('and says that only arm64 regressed', () => {
    const judgement = judgedAt(1, {
      arm: { architecture: 'arm64', blocks: sick },
      eu: { architecture: 'amd64', blocks: fine },
      us: { architecture: 'amd64', blocks: fine },
    });
    expect(judgement.verdict).toBe('Failed');
    expect(judgement.message).toBe(
      'only platform arm64: canary success rate 80.00% of 50 requests, stable 99.89% of 950: below 98.89%',
    );
    expect(judgement.scopes.map(({ scope, verdict }) => [scope, verdict])).toEqual([
      ['platform arm64', 'Failed'],
      ['platform amd64', 'Successful'],
      ['target arm', 'Failed'],
      ['target eu', 'Successful'],
      ['target us', 'Successful'],
    ]);
  });

  test('and names the one target of a platform', () => {
    const judgement = judgedAt(1, {
      eu: { architecture: 'amd64', blocks: fine },
      us: { architecture: 'amd64', blocks: sick },
    });
    expect(judgement.message).toMatch(/^only target us: /);
    expect(judgement.scopes.map(({ scope }) => scope)).toEqual(['target eu', 'target us']);
  });

  test('and has no parts to speak of when there is one target', () => {
    expect(judgedAt(1, { us: { architecture: 'amd64', blocks: sick } }).scopes).toEqual([]);
  });

  test('so that targets with other error ratios and other shares are no difference of canary and stable', () => {
    const minutes = (canary: number, stable: number, share: number) =>
      blocks(
        ...Array.from(
          { length: 20 },
          () =>
            [
              counts(canary * (1 - share), canary * share),
              counts(stable * (1 - share), stable * share),
            ] as const,
        ),
      );
    const judgement = judgedAt(
      20,
      { flaky: { blocks: minutes(1000, 1000, 0.04) }, sound: { blocks: minutes(100, 10_000, 0.001) } },
      withRules({ margin: 0 }),
    );
    const shares = [judgement.canary, judgement.stable].map(({ good, bad }) => bad / (good + bad));
    expect(shares[0]).toBeGreaterThan(5 * (shares[1] ?? 0));
    expect(judgement.verdict).toBe('Inconclusive');
  });
});

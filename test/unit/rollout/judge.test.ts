import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judge, type Measurement } from '../../../functions/rollout/judge.ts';
import type { JudgeRules } from '../../../functions/rollout/policy.ts';
import { START_MS } from '../../worlds.ts';

const RULES: JudgeRules = { interval: 60, minRequests: 100, margin: 1, maxBurn: 10, maxExtension: 600 };

function verdict(measured: Partial<Measurement>, rules = RULES) {
  const measurement = {
    canary: { good: 0, bad: 0 },
    stable: { good: 10_000, bad: 10 },
    newestPointMs: START_MS,
    ...measured,
  };
  return judge(measurement, rules, 99.5, START_MS + 1000);
}

describe('the judge', () => {
  test('fails a canary that fails one request in five', () => {
    const { verdict: name, message } = verdict({ canary: { good: 80, bad: 20 } });
    expect(name).toBe('Failed');
    expect(message).toBe('canary success rate 80.00% of 100 requests, stable 99.90% of 10010: below 98.90%');
  });

  test('passes a canary that is as good as stable', () => {
    expect(verdict({ canary: { good: 999, bad: 1 } }).verdict).toBe('Successful');
  });

  test('says how many requests are missing', () => {
    const { verdict: name, message } = verdict({ canary: { good: 0, bad: 60 } });
    expect(name).toBe('Inconclusive');
    expect(message).toBe('60 of 100 requests: 40 more are needed');
  });

  test('does not take few bad requests for proof', () => {
    expect(verdict({ canary: { good: 98, bad: 2 } }).verdict).toBe('Inconclusive');
  });

  test('takes missing and stale metrics for an error, never for no errors', () => {
    expect(verdict({ canary: { good: 1000, bad: 0 }, newestPointMs: undefined }).verdict).toBe('Error');
    expect(verdict({ canary: { good: 1000, bad: 0 }, newestPointMs: START_MS - 3_600_000 }).verdict).toBe(
      'Error',
    );
  });

  test('bears no more than the burn rate of the policy, however bad stable is within the margin', () => {
    const strict = { ...RULES, margin: 50, maxBurn: 2 };
    expect(verdict({ canary: { good: 900, bad: 100 } }, strict).verdict).toBe('Failed');
  });

  test('never calls zero requests Successful', () => {
    expect(verdict({ canary: { good: 0, bad: 0 } }, { ...RULES, minRequests: 1 }).verdict).toBe(
      'Inconclusive',
    );
  });

  test('more bad requests never turn Failed into Successful', () => {
    const count = fc.nat(5000);
    fc.assert(
      fc.property(count, count, count, (good, bad, more) => {
        const before = verdict({ canary: { good, bad } }).verdict;
        const after = verdict({ canary: { good, bad: bad + more } }).verdict;
        expect(before === 'Failed' && after === 'Successful').toBe(false);
      }),
    );
  });
});

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readCounts } from '../../bench/cost/counts.ts';
import { ASSUMED, looksPerWave, Model, pollsPerTarget, shapeOf, usd } from '../../bench/cost/model.ts';
import { fillIn } from '../../bench/cost/page.ts';
import { PRICES, READ_ON } from '../../bench/cost/prices.ts';
import { quotas } from '../../bench/cost/quotas.ts';
import { costTables } from '../../bench/cost/tables.ts';
import { sum, times } from '../../bench/cost/use.ts';

const model = new Model(readCounts());
const page = readFileSync(new URL('../../../docs/cost.md', import.meta.url), 'utf8');

test('docs/cost.md has the tables that `npm run bench -- cost` prints', () => {
  expect(fillIn(page, costTables(model))).toBe(page);
  expect(page).toContain(`read on ${READ_ON}`);
});

test('a table without a place on the page is an error that names it', () => {
  expect(() => fillIn('# Cost\n', costTables(model))).toThrow('<!-- table rollouts -->');
});

test.each(['steps.internal', 'steps.external', 'store.read', 'store.write', 'calls.activity', 'run.write'])(
  'the parts make up the %s of the canary that was recorded',
  name => {
    const { totals, seen } = model.counts;
    const { waves, cloudRun, gke } = shapeOf(model.service);
    const composed = sum([
      model.part('rollout.fixed'),
      times(model.part('rollout.wave'), waves),
      times(model.part('rollout.cloudRun'), cloudRun),
      times(model.part('rollout.gke'), gke),
      times(model.part('look'), seen.looks),
      times(model.part('poll.cloudRun'), seen.polls - seen.pollsOfGke),
      times(model.part('poll.gke'), seen.pollsOfGke),
    ]);
    expect(composed[name] ?? 0).toBeCloseTo(totals.canary[name] ?? 0, 1);
  },
);

test('looks and polls follow from the durations of rollouts.yaml', () => {
  // Two pauses of ten minutes and a gate, looked at every minute.
  expect(looksPerWave(model.service)).toBe(20 + ASSUMED.gateMinutes);
  // Ready within a minute, then three weights and a promotion, asked for every five seconds.
  expect(pollsPerTarget(model.service)).toBe(12 + 4 * 3);
});

test('what is free is taken off, and never more than was used', () => {
  const { usd: price, per, free } = PRICES['steps.internal'];
  expect(usd({ 'steps.internal': free }, true)).toBe(0);
  expect(usd({ 'steps.internal': 1 }, true)).toBe(0);
  expect(usd({ 'steps.internal': free + per }, true)).toBeCloseTo(price, 10);
  expect(usd({ 'steps.internal': per })).toBeCloseTo(price, 10);
});

test('the quota that bites first comes first, and every one says from where on', () => {
  const found = quotas(model).map(({ at }) => at);
  expect(found).toEqual(found.toSorted((a, b) => a - b));
  expect(found.every(at => at > 0)).toBe(true);
});

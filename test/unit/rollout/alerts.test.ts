import { expect, test } from 'vitest';
import { ALERT_POLICIES } from '../../../functions/rollout/alerts.ts';

test('the policies are the canary’s and those of the workbook, as far back as Cloud Monitoring looks', () => {
  expect(ALERT_POLICIES.map(({ burnRate, windowsSeconds }) => [burnRate, ...windowsSeconds])).toEqual([
    [10, 300],
    [14.4, 3600, 300],
    [6, 21_600, 1800],
    [3, 86_400, 7200],
  ]);
});

test('a burn that fires the last three for the whole of their window costs 2, 5 and 10 % of a month’s budget', () => {
  const month = 30 * 86_400;
  const costs = ALERT_POLICIES.slice(1).map(({ burnRate, windowsSeconds }) =>
    Math.round((100 * burnRate * Math.max(...windowsSeconds)) / month),
  );
  expect(costs).toEqual([2, 5, 10]);
});

test('only the canary’s needs a number of requests: the others look at hours', () => {
  expect(ALERT_POLICIES.map(({ minRequests }) => minRequests > 0)).toEqual([true, false, false, false]);
});

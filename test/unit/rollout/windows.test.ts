import { describe, expect, test } from 'vitest';
import { parsePolicy, type Window } from '../../../functions/rollout/policy.ts';
import { closedWindow } from '../../../functions/rollout/windows.ts';

const WEEKEND: Window = { days: ['sat', 'sun'], from: '00:00', to: '24:00', timeZone: 'UTC' };
const NIGHTS: Window = { days: ['mon', 'fri'], from: '22:00', to: '06:00', timeZone: 'Europe/Zurich' };

function isClosed(windows: readonly Window[], time: string): boolean {
  return closedWindow(windows, Date.parse(time)) !== undefined;
}

describe('closedWindow', () => {
  test('is closed from the first minute to before the last', () => {
    expect(isClosed([WEEKEND], '2026-01-09T23:59:59Z')).toBe(false);
    expect(isClosed([WEEKEND], '2026-01-10T00:00:00Z')).toBe(true);
    expect(isClosed([WEEKEND], '2026-01-11T23:59:59Z')).toBe(true);
    expect(isClosed([WEEKEND], '2026-01-12T00:00:00Z')).toBe(false);
  });

  test('past midnight belongs to the day on which it began, also from Sunday to Monday', () => {
    expect(isClosed([NIGHTS], '2026-01-09T22:30:00+01:00')).toBe(true);
    expect(isClosed([NIGHTS], '2026-01-10T05:59:00+01:00')).toBe(true);
    expect(isClosed([NIGHTS], '2026-01-10T06:00:00+01:00')).toBe(false);
    expect(isClosed([NIGHTS], '2026-01-09T05:00:00+01:00')).toBe(false);
    const sundays: Window = { days: ['sun'], from: '22:00', to: '06:00', timeZone: 'UTC' };
    expect(isClosed([sundays], '2026-01-12T05:00:00Z')).toBe(true);
  });

  test('goes by the clock on the wall of its time zone, in summer as in winter', () => {
    const evenings: Window = { days: ['wed'], from: '18:00', to: '20:00', timeZone: 'Europe/Zurich' };
    expect(isClosed([evenings], '2026-01-14T17:30:00Z')).toBe(true);
    expect(isClosed([evenings], '2026-07-15T17:30:00Z')).toBe(true);
    expect(isClosed([evenings], '2026-07-15T18:30:00Z')).toBe(false);
  });

  test('says which one it is', () => {
    expect(closedWindow([NIGHTS, WEEKEND], Date.parse('2026-01-10T12:00:00Z'))).toBe(
      'sat, sun 00:00 to 24:00 UTC',
    );
  });

  test('without windows nothing is closed', () => {
    expect(closedWindow([], 0)).toBeUndefined();
  });
});

test('a policy names windows by day, time and zone, and every mistake in them is told', () => {
  const policy = (windows: string) =>
    parsePolicy(
      `services: [{name: hello, image: a.dev/b, targets: [{name: us, cloudRun: {project: p, region: r, service: s}}], windows: ${windows}}]`,
      'rollouts.yaml',
    );
  const read = policy('[{days: [fri], from: "16:00"}]');
  expect(read.ok && read.policy.services[0]?.windows).toEqual([
    { days: ['fri'], from: '16:00', to: '24:00', timeZone: 'UTC' },
  ]);
  const refused = policy('[{days: [friday], from: "25:00", timeZone: Mars/Olympus}]');
  expect(refused.ok ? [] : refused.problems.map(({ path, message }) => `${path}: ${message}`)).toEqual([
    expect.stringMatching(/windows.*days.*: expected mon, tue, wed, thu, fri, sat, sun/),
    expect.stringMatching(/windows.*from: expected a time of day/),
    expect.stringMatching(/windows.*timeZone: expected an IANA time zone/),
  ]);
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  askedRoutes,
  percentOf,
  type Route,
  sameRoutes,
  servedRoutes,
  shares,
  tagged,
  toTraffic,
  withoutTag,
  withShare,
  withTag,
} from '../../../functions/targets/cloud-run-traffic.ts';

const LATEST = 'TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST' as const;
const REVISION = 'TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION' as const;

function route(revision: string, percent: number, tag?: string): Route {
  return { revision, percent, tag };
}

describe('what a service asks for', () => {
  test('without traffic is everything for the latest ready revision, by name', () => {
    expect(askedRoutes({ latestReadyRevision: 'projects/p/revisions/hello-a' })).toEqual([
      { revision: 'hello-a', percent: 100, tag: undefined },
    ]);
  });

  test('of LATEST: the share gets a name, the tag goes on following', () => {
    const service = {
      latestReadyRevision: 'hello-b',
      traffic: [
        { type: LATEST, percent: 40, tag: 'newest' },
        { type: REVISION, revision: 'hello-a', percent: 60 },
      ],
    };

    expect(toTraffic(askedRoutes(service))).toEqual([
      { type: REVISION, revision: 'hello-b', percent: 40 },
      { type: LATEST, percent: 0, tag: 'newest' },
      { type: REVISION, revision: 'hello-a', percent: 60 },
    ]);
  });

  test('is the same as what is served when only the writing differs', () => {
    const service = {
      latestReadyRevision: 'hello-b',
      traffic: [
        { type: LATEST, percent: 40 },
        { type: LATEST, percent: 0, tag: 'newest' },
        { type: REVISION, revision: 'hello-a', percent: 60, tag: 'old' },
      ],
      trafficStatuses: [
        { type: REVISION, revision: 'hello-a', percent: 30 },
        { type: REVISION, revision: 'hello-a', percent: 30, tag: 'old' },
        { type: LATEST, revision: 'hello-b', percent: 0, tag: 'newest' },
        { type: LATEST, revision: 'hello-b', percent: 40 },
      ],
    };

    expect(sameRoutes(askedRoutes(service), servedRoutes(service))).toBe(true);
    expect(sameRoutes(askedRoutes(service), [route('hello-a', 60), route('hello-b', 40)])).toBe(false);
  });
});

describe('a share', () => {
  test('is taken from the partner first', () => {
    const routes = [route('other', 30), route('stable', 70)];

    expect(shares(withShare(routes, 'canary', 50, 'stable'))).toEqual([
      { revision: 'canary', percent: 50 },
      { revision: 'other', percent: 30 },
      { revision: 'stable', percent: 20 },
    ]);
  });

  test('is taken from the others when the partner has not enough', () => {
    const routes = [route('stable', 20), route('b', 50), route('c', 30)];

    expect(shares(withShare(routes, 'canary', 60, 'stable'))).toEqual([
      { revision: 'canary', percent: 60 },
      { revision: 'c', percent: 30 },
      { revision: 'b', percent: 10 },
    ]);
  });

  test('goes back to the partner, even if that serves nothing now', () => {
    expect(withShare([route('canary', 100, 'canary')], 'canary', 0, 'stable')).toEqual([
      route('canary', 0, 'canary'),
      { revision: 'stable', percent: 100, tag: undefined },
    ]);
  });

  test('stays where there is nobody to give it to', () => {
    const routes = [route('canary', 100)];

    expect(withShare(routes, 'canary', 5, undefined)).toEqual(routes);
  });

  const revision = fc.constantFrom('stable', 'canary', 'b', 'c');
  const tags = fc.uniqueArray(fc.constantFrom('stable', 'canary', 'theirs', 'mine'), { maxLength: 3 });
  const routes = fc
    .tuple(
      fc.array(revision, { minLength: 1, maxLength: 5 }),
      fc.array(fc.nat(100), { minLength: 5, maxLength: 5 }),
      tags,
    )
    .map(([revisions, cuts, names]) => splitUp(revisions, cuts, names));

  test('is what was asked for, and the sum stays 100 and other tags stay, whatever there was', () => {
    fc.assert(
      fc.property(routes, fc.nat(100), (before, percent) => {
        const after = withShare(before, 'canary', percent, 'stable');

        expect(percentOf(after, 'canary')).toBe(percent);
        expect(after.reduce((sum, entry) => sum + entry.percent, 0)).toBe(100);
        for (const { tag, revision: owner } of before) if (tag) expect(tagged(after, tag)).toBe(owner);
      }),
    );
  });

  test('set twice is set once', () => {
    fc.assert(
      fc.property(routes, fc.nat(100), (before, percent) => {
        const once = withShare(before, 'canary', percent, 'stable');

        expect(withShare(once, 'canary', percent, 'stable')).toEqual(once);
      }),
    );
  });
});

describe('a tag', () => {
  test('moves from wherever it was', () => {
    const routes = [route('a', 100, 'stable'), route('b', 0, 'canary')];

    expect(withTag(routes, 'stable', 'b')).toEqual([
      { revision: 'a', percent: 100, tag: undefined },
      route('b', 0, 'canary'),
      route('b', 0, 'stable'),
    ]);
  });

  test('is taken off only where it was meant', () => {
    const routes = [route('a', 100), route('b', 0, 'canary')];

    expect(withoutTag(routes, 'canary', 'c')).toEqual(routes);
    expect(withoutTag(routes, 'canary', 'b')).toEqual([route('a', 100)]);
  });
});

/** Entries for the revisions whose shares are cut out of 100 at the given places; the last gets the rest. */
function splitUp(revisions: readonly string[], cuts: readonly number[], tags: readonly string[]): Route[] {
  let left = 100;
  return revisions.map((revision, index) => {
    const percent = index === revisions.length - 1 ? left : Math.min(left, cuts[index] ?? 0);
    left -= percent;
    return { revision, percent, tag: tags[index] };
  });
}

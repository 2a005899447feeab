import { describe, expect, it } from 'vitest';
import { formatPlatform, parsePlatform, rank, samePlatform } from '../../../functions/image/platforms.ts';

function same(one: string, other: string): boolean {
  const [a, b] = [parsePlatform(one), parsePlatform(other)];
  return a !== undefined && b !== undefined && samePlatform(a, b);
}

describe('platforms', () => {
  it.each([
    ['linux/arm64', 'linux/arm64/v8'],
    ['linux/amd64', 'linux/amd64/v1'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm64', 'linux/aarch64'],
    ['linux/amd64', 'linux/x86_64'],
    ['linux/arm/v6', 'linux/armel'],
    ['linux/arm/v7', 'linux/arm/7'],
  ])('%s is %s', (one, other) => {
    expect(same(one, other)).toBe(true);
    expect(same(other, one)).toBe(true);
  });

  it.each([
    ['linux/amd64', 'linux/amd64/v3'],
    ['linux/arm/v6', 'linux/arm/v7'],
    ['linux/arm64', 'linux/arm'],
    ['linux/arm64', 'windows/arm64'],
    ['linux/arm64/v9', 'linux/arm64'],
  ])('%s is not %s', (one, other) => {
    expect(same(one, other)).toBe(false);
  });

  it('leaves out a variant that goes without saying', () => {
    expect(formatPlatform({ os: 'linux', architecture: 'arm64', variant: 'v8' })).toBe('linux/arm64');
    expect(formatPlatform({ os: 'linux', architecture: 'arm', variant: 'v6' })).toBe('linux/arm/v6');
    expect(formatPlatform({ os: 'linux', architecture: 'arm64', variant: '' })).toBe('linux/arm64');
  });

  it.each(['', 'linux', 'linux/', '/arm64', 'linux/arm64/v8/x', 'Linux/arm64'])(
    '%j is not a platform',
    text => {
      expect(parsePlatform(text)).toBeUndefined();
    },
  );
});

describe('what was built for one platform', () => {
  function ranked(built: readonly string[], wanted: string): string[] {
    const asks = parsePlatform(wanted) ?? { os: '', architecture: '' };
    const ranks = built.flatMap(text => {
      const platform = parsePlatform(text);
      const level = platform && rank(platform, asks);
      return level === undefined ? [] : [{ text, level }];
    });
    return ranks.toSorted((a, b) => b.level - a.level).map(({ text }) => text);
  }

  it.each([
    ['linux/amd64', ['linux/amd64']],
    ['linux/amd64/v3', ['linux/amd64/v3', 'linux/amd64/v2', 'linux/amd64']],
    ['linux/arm/v7', ['linux/arm/v7', 'linux/arm/v6', 'linux/arm/v5']],
    ['linux/arm64', ['linux/arm64']],
    ['linux/arm64/v9', ['linux/arm64/v9', 'linux/arm64/v8.2', 'linux/arm64']],
    ['linux/386', ['linux/386']],
    ['windows/amd64', []],
  ])('runs on %s, the best first: %j', (wanted, expected) => {
    const all = [
      ...['linux/arm/v5', 'linux/arm/v6', 'linux/arm/v7', 'linux/arm/v8', 'linux/386', 'linux/amd64'],
      ...['linux/amd64/v2', 'linux/amd64/v3', 'linux/amd64/v4', 'linux/arm64', 'linux/arm64/v8.2'],
      'linux/arm64/v9',
    ];
    expect(ranked(all, wanted)).toEqual(expected);
  });
});

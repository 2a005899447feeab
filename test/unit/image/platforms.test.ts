import { describe, expect, it } from 'vitest';
import { formatPlatform, parsePlatform, samePlatform } from '../../../functions/image/platforms.ts';

function same(one: string, other: string): boolean {
  const [a, b] = [parsePlatform(one), parsePlatform(other)];
  return a !== undefined && b !== undefined && samePlatform(a, b);
}

describe('platforms', () => {
  it.each([
    ['linux/arm64', 'linux/arm64/v8'],
    ['linux/amd64', 'linux/amd64/v1'],
    ['linux/arm', 'linux/arm/v7'],
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

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { globMatches } from '../../../functions/rollout/globs.ts';

test.each([
  ['v*', 'v1.2', true],
  ['v*', 'w1', false],
  ['*', '', true],
  ['', '', true],
  ['', 'a', false],
  ['v?', 'v', false],
  ['v?', 'v1', true],
  ['a*b*c', 'a-b-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['1.2', '1x2', false],
  ['v**', 'v', true],
])('%j on %j is %j', (glob, text, expected) => {
  expect(globMatches(glob, text)).toBe(expected);
});

test('a glob is what the regular expression for it would be', () => {
  const glob = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
  const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 });
  fc.assert(
    fc.property(glob, text, (one, other) => {
      const pattern = new RegExp(`^${one.replaceAll('*', '.*').replaceAll('?', '.')}$`);
      expect(globMatches(one, other)).toBe(pattern.test(other));
    }),
  );
});

test('no tag keeps the push function busy, whatever the stars', () => {
  expect(globMatches('*a*a*a*a*a*a*a*a*b', 'a'.repeat(128))).toBe(false);
});

import { expect, test } from 'vitest';
import { parseSubscriptionFilter } from '../../../../local/pubsub/filter.ts';

const attributes = { action: 'INSERT', 'ce-type': 'dev.slipway.weight', 'iana.org/tag': 'de' };

test.each([
  ['', true],
  ['attributes.action = "INSERT"', true],
  ['attributes.action="DELETE"', false],
  ['attributes.action != "DELETE"', true],
  ['attributes.missing != "x"', true],
  ['attributes:action', true],
  ['attributes:missing', false],
  ['-attributes:missing', true],
  ['NOT attributes:action', false],
  ['hasPrefix(attributes.ce-type, "dev.slipway.")', true],
  ['hasPrefix(attributes.missing, "")', false],
  ['attributes."iana.org/tag" = "de"', true],
  ['attributes:action AND attributes:missing', false],
  ['attributes:missing OR attributes:action', true],
  ['(attributes:missing OR attributes:action) AND NOT attributes.action = "DELETE"', true],
])('%s matches: %s', (filter, expected) => {
  expect(parseSubscriptionFilter(filter)(attributes)).toBe(expected);
});

test.each([
  ['attributes.a = b', 'expected a string at position 14'],
  ['attributes.a > "b"', 'expected "=" or "!="'],
  ['attributes.a = "b" attributes:c', 'expected the end of the filter'],
  ['attributes:a AND attributes:b OR attributes:c', 'expected parentheses between AND and OR'],
  ['(attributes:a', 'expected ")"'],
  ['attributes:a and attributes:b', 'expected the end of the filter'],
  ['hasSuffix(attributes.a, "b")', 'expected "attributes"'],
  ['attributes.a = "b', 'unexpected text'],
  [`attributes.a = "${'b'.repeat(256)}"`, 'longer than 256 bytes'],
])('%s is refused: %s', (filter, message) => {
  expect(() => parseSubscriptionFilter(filter)).toThrow(message);
});

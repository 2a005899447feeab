// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are expressions of the workflow language
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compile } from '../../../../local/workflows/compile.ts';
import { parseExpression } from '../../../../local/workflows/expressions.ts';
import { decodeJson, encodeJson } from '../../../../local/workflows/json.ts';
import { binary } from '../../../../local/workflows/operators.ts';
import { ExpressionError } from '../../../../local/workflows/tokens.ts';
import { equals } from '../../../../local/workflows/values.ts';

const ROLLOUT = readFileSync(new URL('../../../../workflows/rollout.yaml', import.meta.url), 'utf8');

/** A source with one piece cut out and another put in its place. */
const damaged = fc
  .record({
    at: fc.nat(ROLLOUT.length),
    length: fc.nat(40),
    piece: fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom('- ', ': ', '{', '[', '${', '}', '\n', '    ', 'next: '),
    ),
  })
  .map(({ at, length, piece }) => ROLLOUT.slice(0, at) + piece + ROLLOUT.slice(at + length));

test('a damaged source is compiled or refused with places, and never breaks the compiler', () => {
  fc.assert(
    fc.property(damaged, source => {
      const { program, problems } = compile(source);
      const errors = problems.filter(({ severity }) => severity === 'error');
      expect(program === undefined).toBe(errors.length > 0);
      for (const { line, column, message } of problems) {
        expect(line).toBeGreaterThan(0);
        expect(column).toBeGreaterThan(0);
        expect(message).not.toBe('');
      }
    }),
    { numRuns: 150 },
  );
});

test.each([
  ['brackets', '['.repeat(5000)],
  ['parentheses', `- s:\n    return: \${${'('.repeat(10_000)}}`],
  ['blocks', Array.from({ length: 300 }, (_, depth) => `${'  '.repeat(depth)}- s${depth}:`).join('\n')],
])('very deep %s are refused like anything else', (_what, source) => {
  expect(compile(source).program).toBeUndefined();
});

test('any text is an expression or an ExpressionError', () => {
  const words = fc.array(
    fc.constantFrom(
      'a',
      '1',
      '.5',
      '"s"',
      'not',
      'and',
      'in',
      '+',
      '-',
      '(',
      ')',
      '[',
      ']',
      '{',
      '}',
      ':',
      ',',
      '.',
      '==',
      ' ',
    ),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        words.map(list => list.join(' ')),
      ),
      text => {
        try {
          parseExpression(text);
        } catch (error) {
          expect(error).toBeInstanceOf(ExpressionError);
        }
      },
    ),
  );
});

test('a quotient floored times the divisor plus the remainder is the dividend', () => {
  const small = fc.bigInt({ min: -1000n, max: 1000n });
  fc.assert(
    fc.property(
      small,
      small.filter(value => value !== 0n),
      (dividend, divisor) => {
        const quotient = binary('//', dividend, divisor);
        const remainder = binary('%', dividend, divisor);
        expect(binary('+', binary('*', quotient, divisor), remainder)).toBe(dividend);
        expect(quotient).toBe(BigInt(Math.floor(Number(dividend) / Number(divisor))));
      },
    ),
  );
});

test('JSON survives decoding and encoding', () => {
  fc.assert(
    fc.property(fc.json(), text => {
      const value = decodeJson(text);
      const again = decodeJson(encodeJson(value));
      expect(equals(value, again)).toBe(true);
      expect(JSON.parse(encodeJson(value))).toEqual(JSON.parse(encodeJson(again)));
    }),
  );
});

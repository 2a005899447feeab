import { expect, test } from 'vitest';
import { cut, pad, widthOf, wrapped } from '../../../cli/width.ts';

test.each([
  ['', 0],
  ['hello', 5],
  ['├─ ✔ …', 6],
  ['日本', 4],
  ['e\u0301', 1],
  ['한국어', 6],
  ['👍', 2],
])('%j takes its columns', (text, columns) => {
  expect(widthOf(text)).toBe(columns);
});

test('a text is cut by columns, never in the middle of a character', () => {
  expect(cut('hello', 5)).toBe('hello');
  expect(cut('hello', 4)).toBe('hel…');
  expect(cut('日本語', 5)).toBe('日本…');
  expect(cut('日本語', 4)).toBe('日…');
  expect(cut('👍👍', 3)).toBe('👍…');
  expect(cut('x'.repeat(10_000), 0)).toBe('');
});

test('a text is wrapped between words, and what is too much is left out', () => {
  expect(wrapped('one two  three', 7, 3)).toEqual(['one two', 'three']);
  expect(wrapped('one two three four', 8, 2)).toEqual(['one two', 'three f…']);
  expect(wrapped('日本語 b', 5, 2)).toEqual(['日本…', 'b']);
  expect(wrapped(' ', 5, 2)).toEqual([]);
});

test('a text is padded by columns', () => {
  expect(`${pad('日本', 6)}|`).toBe('日本  |');
  expect(pad('hello', 3)).toBe('hello');
});

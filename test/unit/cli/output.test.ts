import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { data } from '../../../cli/data.ts';
import { bytes, json, painter, printable, safeTable, table, terminalOf } from '../../../cli/output.ts';
import { withProgress } from '../../../cli/progress.ts';
import { Paper } from './terminal.ts';

function processWith(isTTY: boolean, env: NodeJS.ProcessEnv): NodeJS.Process {
  const stream = { isTTY, columns: 80, write: () => true };
  return Object.assign(Object.create(null), { env, stdout: stream, stderr: stream });
}

test.each([
  ['a terminal', true, {}, true],
  ['a terminal whose user wants no colour', true, { NO_COLOR: '1' }, false],
  ['a terminal that has none', true, { TERM: 'dumb' }, false],
  ['a file or pipe', false, {}, false],
])('%s', (_what, isTTY, env, hasColour) => {
  const terminal = terminalOf(processWith(isTTY, env));
  expect(terminal.hasColour).toBe(hasColour);
  expect(painter(terminal)('red', 'x')).toBe(hasColour ? '\u001b[31mx\u001b[39m' : 'x');
});

test('text from outside cannot act on a terminal, nor turn or hide what stands around it', () => {
  expect(printable('a\u001b[2Jb\nc\u202ed\u200be\ufefff')).toBe('a [2Jb c d e f');
  expect(printable('Grüezi 世界 ✔')).toBe('Grüezi 世界 ✔');
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1234, '1.2 kB'],
  [52_400_000, '52 MB'],
  [1_000_000_000, '1.0 GB'],
])('%i bytes are %s', (count, text) => {
  expect(bytes(count)).toBe(text);
});

test('columns are as wide as their widest cell', () => {
  expect(
    table([
      ['A', 'B', 'C'],
      ['long', 'x'],
      ['y', 'wide', 'z'],
    ]),
  ).toEqual(['A     B     C', 'long  x', 'y     wide  z']);
});

describe('progress', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test.each([
    ['is not told of what takes a moment', true, 900, ''],
    [
      'is told of what takes longer than a second, and wiped away',
      true,
      1100,
      '\r\u001b[Kreading, 1 s\r\u001b[K',
    ],
    ['is not told where no line can be drawn again', false, 5000, ''],
  ])('%s', async (_what, canRedraw, takesMs, told) => {
    const paper = new Paper({}, canRedraw);
    const work = () => new Promise(resolve => setTimeout(resolve, takesMs, 'done'));
    const ended = withProgress(paper, () => 'reading', work);
    await vi.advanceTimersByTimeAsync(takesMs);
    expect(await ended).toBe('done');
    expect(paper.errors).toBe(told);
  });
});

test('a table of what comes from outside has no wide cells but the last, and no more than the terminal’s columns', () => {
  const hostile = ['x'.repeat(10_000), 'a\u001b[2J\nb', 'last \u202e'];
  const [header = '', row = ''] = safeTable([['NAME', 'TAG', 'INFO'], hostile], 80);
  expect(header.indexOf('TAG')).toBe(50);
  expect(row).toBe(`${'x'.repeat(47)}…  a [2J b  last`);
  expect(
    safeTable(
      [
        ['NAME', 'INFO'],
        ['hello', 'y'.repeat(200)],
      ],
      20,
    )[1],
  ).toBe(`hello  ${'y'.repeat(12)}…`);
});

test('what is for programs says the same and acts on no terminal', async () => {
  const value = { text: 'a\u009b2J\u202e b\u2028', list: ['\u001b[31m', 'two\nlines'], none: null };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  const acting = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e\u2028]/;
  for (const text of [json(value), await data(value, 'yaml')]) expect(text).not.toMatch(acting);
  expect(JSON.parse(json(value))).toEqual(value);
  expect(parse(await data(value, 'yaml'))).toEqual(value);
});

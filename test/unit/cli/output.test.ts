import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { bytes, painter, printable, table, terminalOf } from '../../../cli/output.ts';
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

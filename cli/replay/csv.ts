import type { Problem } from '../../functions/rollout/policy-problems.ts';
import type { WrittenRow } from './rows.ts';

const COLUMNS = ['time', 'target', 'side', 'requests', 'bad'] as const;
const REQUIRED = ['time', 'side', 'requests', 'bad'];

interface Cell {
  readonly text: string;
  /** From 1. */
  readonly column: number;
}

/** Lines of a CSV file whose first line names its columns. */
export function csvRows(source: string, file: string): { rows: WrittenRow[]; problems: Problem[] } {
  const problem = (line: number, column: number, message: string): Problem => ({
    file,
    line,
    column,
    path: '',
    message,
  });
  const lines = source.replace(/^\ufeff/, '').split(/\r?\n/);
  const named = (lines[0] ?? '').includes(',') ? cellsOf(lines[0] ?? '') : [];
  const names = named.map(({ text }) => text.toLowerCase());
  const missing = REQUIRED.filter(name => !names.includes(name));
  if (missing.length > 0) {
    const message = `expected a first line that names the columns ${COLUMNS.join(',')}; there is no ${missing.join(', no ')}`;
    return { rows: [], problems: [problem(1, 1, message)] };
  }
  const problems = named
    .filter(({ text }) => !COLUMNS.some(name => name === text.toLowerCase()))
    .map(({ text, column }) =>
      problem(1, column, `unknown column "${text}"; the columns are ${COLUMNS.join(', ')}`),
    );
  const rows: WrittenRow[] = [];
  for (const [index, line] of lines.entries()) {
    if (index === 0 || line.trim() === '' || line.startsWith('#')) continue;
    const cells = cellsOf(line);
    if (cells.length !== names.length) {
      problems.push(problem(index + 1, 1, `expected ${names.length} columns, found ${cells.length}`));
      continue;
    }
    const cell = (name: string) => cells[names.indexOf(name)];
    const text = (name: string) => cell(name)?.text ?? '';
    rows.push({
      time: text('time'),
      target: cell('target')?.text,
      side: text('side').toLowerCase(),
      requests: numberIn(text('requests')),
      bad: numberIn(text('bad')),
      at: (field, message) =>
        problem(
          index + 1,
          cell(field)?.column ?? 1,
          `${field}: ${message}, found ${JSON.stringify(text(field))}`,
        ),
    });
  }
  return { rows, problems };
}

function numberIn(text: string): number {
  return text === '' ? Number.NaN : Number(text);
}

/** No field of these has a comma in it; quotes around one are taken off. */
function cellsOf(line: string): Cell[] {
  let column = 1;
  return line.split(',').map(raw => {
    const cell = {
      text: raw.trim().replace(/^"(.*)"$/, '$1'),
      column: column + raw.length - raw.trimStart().length,
    };
    column += raw.length + 1;
    return cell;
  });
}

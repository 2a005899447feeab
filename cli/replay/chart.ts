import { percent } from '../../functions/rollout/wording.ts';

export interface ChartPoint {
  readonly atMs: number;
  /** 0 to 1. */
  readonly value: number;
  readonly limit: number;
}

export interface ChartSize {
  readonly columns: number;
  readonly rows: number;
}

/** Eighths of a character's height. */
const BARS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/**
 * Bars of a ratio over time, and a line for what it must not exceed. Of the points that share a column the highest counts.
 *
 * @param label of a time: `12m`
 */
export function chart(
  points: readonly ChartPoint[],
  { columns, rows }: ChartSize,
  label: (atMs: number) => string,
): string[] {
  const [first] = points;
  const last = points.at(-1);
  if (!first || !last) return [];
  const cells = columnsOf(points, Math.min(columns, points.length));
  const top = Math.max(...cells.flatMap(({ value, limit }) => [value, limit])) * 1.1 || 1;
  const axis = (row: number) => percent((top * (rows - row)) / rows);
  const labels = Array.from({ length: rows }, (_, row) =>
    row === 0 || row === Math.floor(rows / 2) ? axis(row) : '',
  );
  const width = Math.max(...labels.map(text => text.length), '0 %'.length);
  const lines = labels.map((text, row) => {
    const drawn = cells.map(cell => cellAt(cell, row, rows, top)).join('');
    return `${text.padStart(width)} ┤${drawn}`.trimEnd();
  });
  const end = label(last.atMs);
  const begin = label(first.atMs);
  const isNarrow = cells.length <= begin.length + end.length;
  const ruler = isNarrow ? `${begin} to ${end}` : `${begin.padEnd(cells.length - end.length)}${end}`;
  return [
    ...lines,
    `${'0 %'.padStart(width)} └${'─'.repeat(cells.length)}`,
    `${' '.repeat(width + 2)}${ruler}`,
  ];
}

function columnsOf(points: readonly ChartPoint[], columns: number): { value: number; limit: number }[] {
  return Array.from({ length: columns }, (_, column) => {
    const from = Math.floor((column * points.length) / columns);
    const to = Math.max(from + 1, Math.floor(((column + 1) * points.length) / columns));
    const some = points.slice(from, to);
    return {
      value: Math.max(...some.map(({ value }) => value)),
      limit: Math.min(...some.map(({ limit }) => limit)),
    };
  });
}

function cellAt(
  { value, limit }: { value: number; limit: number },
  row: number,
  rows: number,
  top: number,
): string {
  const height = top / rows;
  const bottom = height * (rows - 1 - row);
  const hasLimit = limit >= bottom && limit < bottom + height;
  const filled = Math.round(Math.min(1, Math.max(0, (value - bottom) / height)) * 8);
  if (hasLimit) return value > limit ? '━' : '─';
  return BARS[filled] ?? ' ';
}

import { styleText } from 'node:util';

/**
 * What the command line ends with, the same for every command; a script may rely on it.
 * `no` is an answer: the image is refused, the policy has problems, nothing would start.
 */
export const EXIT_CODES = {
  yes: { code: 0, meaning: 'accepted, without problems, would roll out' },
  no: { code: 1, meaning: 'rejected, with problems, would not roll out' },
  unknown: { code: 2, meaning: 'could not tell: usage, network, credentials, a file that cannot be read' },
} as const;

export type Answer = keyof typeof EXIT_CODES;

/** What a command knows of the process it runs in. */
export interface Terminal {
  readonly env: NodeJS.ProcessEnv;
  /** What was asked for; text that ends in a line feed. */
  readonly out: (text: string) => void;
  /** What is said about it: errors, progress. */
  readonly err: (text: string) => void;
  /** Columns of what a person sees; undefined where nobody does and nothing is cut. */
  readonly columns: number | undefined;
  readonly hasColour: boolean;
  /** Whether a line on `err` can be drawn again. */
  readonly canRedraw: boolean;
}

export function terminalOf({ env, stdout, stderr }: NodeJS.Process): Terminal {
  return {
    env,
    out: text => void stdout.write(text),
    err: text => void stderr.write(text),
    columns: stdout.isTTY ? stdout.columns : undefined,
    hasColour: stdout.isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb',
    canRedraw: stderr.isTTY && env['TERM'] !== 'dumb',
  };
}

export type Colour = 'green' | 'red' | 'yellow' | 'dim' | 'bold';

/** https://no-color.org: no colour where the variable is set, nor where nobody looks. */
export function painter({
  hasColour,
}: Pick<Terminal, 'hasColour'>): (colour: Colour, text: string) => string {
  return (colour, text) => (hasColour ? styleText(colour, text, { validateStream: false }) : text);
}

export type Painter = ReturnType<typeof painter>;

/**
 * Names and messages come from outside: none of their control characters reaches the terminal, nor what turns the
 * direction of writing round or takes no room.
 */
export function printable(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+/g,
    ' ',
  );
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** `1.2 MB`, by thousands as registries count. */
export function bytes(count: number): string {
  const power = count < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(count) / 3));
  const amount = count / 1000 ** power;
  return `${power === 0 ? amount : amount.toFixed(amount < 10 ? 1 : 0)} ${UNITS[power]}`;
}

/** Columns as wide as their widest cell, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const count = Math.max(0, ...rows.map(row => row.length));
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(...rows.map(row => (row[column] ?? '').length)),
  );
  return rows.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

export function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

export function lines(text: readonly string[]): string {
  return text.map(line => `${line}\n`).join('');
}

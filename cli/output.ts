import { styleText } from 'node:util';
import { cut, pad, widthOf } from './width.ts';

/**
 * What the command line ends with, the same for every command; a script may rely on it.
 * `no` is an answer: the image is refused, the policy has problems, nothing would start, the rollout failed.
 */
export const EXIT_CODES = {
  yes: { code: 0, meaning: 'accepted, without problems, would roll out; Healthy; the command took effect' },
  no: {
    code: 1,
    meaning: 'rejected, with problems, would not roll out; ended other than Healthy; the command was refused',
  },
  unknown: {
    code: 2,
    meaning: 'could not tell: usage, network, credentials, a file that cannot be read, not over in time',
  },
  interrupted: { code: 130, meaning: 'ended by Ctrl-C' },
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
  /** What `out` is drawn on; undefined where nobody looks, or nothing can be drawn again. */
  readonly screen?: Screen | undefined;
  /** Calls the listener at Ctrl-C, until what is returned is called; without it Ctrl-C ends the process. */
  readonly onInterrupt?: ((listener: () => void) => () => void) | undefined;
}

export interface Screen {
  /** As they are now. */
  readonly columns: number;
  readonly rows: number;
  /** Until what is returned is called. */
  readonly onResize: (listener: () => void) => () => void;
}

export function terminalOf(process: NodeJS.Process): Terminal {
  const { env, stdout, stderr } = process;
  return {
    env,
    out: text => void stdout.write(text),
    err: text => void stderr.write(text),
    columns: stdout.isTTY ? stdout.columns : undefined,
    hasColour: stdout.isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb',
    canRedraw: stderr.isTTY && env['TERM'] !== 'dumb',
    screen: stdout.isTTY && env['TERM'] !== 'dumb' ? screenOf(stdout) : undefined,
    onInterrupt(listener) {
      const signals = ['SIGINT', 'SIGTERM'] as const;
      for (const signal of signals) process.on(signal, listener);
      return () => {
        for (const signal of signals) process.off(signal, listener);
      };
    },
  };
}

export function screenOf(stream: NodeJS.WriteStream): Screen {
  return {
    get columns() {
      return stream.columns || 80;
    },
    get rows() {
      return stream.rows || 24;
    },
    onResize(listener) {
      stream.on('resize', listener);
      return () => void stream.off('resize', listener);
    },
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
    Math.max(...rows.map(row => widthOf(row[column] ?? ''))),
  );
  return rows.map(row =>
    row
      .map((cell, column) => pad(cell, widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

const WIDEST_CELL = 48;

/**
 * A table of what comes from outside: all of it printable, every column but the last of at most 48, and lines no wider
 * than the terminal, where there is one.
 */
export function safeTable(rows: readonly (readonly string[])[], columns: number | undefined): string[] {
  const safe = rows.map(row =>
    row.map((cell, column) =>
      column === row.length - 1 ? printable(cell) : cut(printable(cell), WIDEST_CELL),
    ),
  );
  return table(safe).map(line => (columns === undefined ? line : cut(line, columns)));
}

/** Control characters and what turns writing round are escaped: the text may end on a terminal. */
export function json(value: unknown, indent: number | undefined = 2): string {
  return `${escaped(JSON.stringify(value, undefined, indent))}\n`;
}

/** Of text in which such characters are inside double quotes only. */
export function escaped(text: string): string {
  return text.replace(
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

export function lines(text: readonly string[]): string {
  return text.map(line => `${line}\n`).join('');
}

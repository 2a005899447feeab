import { fitsInt64, type Value } from './values.ts';

/** Thrown for text that is no expression; `at` is the character in the text, from 0. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

export type Token =
  | { readonly kind: 'number' | 'string'; readonly text: string; readonly value: Value; readonly at: number }
  | { readonly kind: 'word' | 'symbol' | 'end'; readonly text: string; readonly at: number };

/** Operators in one spelling or the other; `not`, `And` or `IN` in mixed case are ordinary names. */
const KEYWORDS = new Set(['and', 'AND', 'or', 'OR', 'not', 'NOT', 'in']);

export function isKeyword(text: string): boolean {
  return KEYWORDS.has(text);
}

const SPACE = /\s+/y;
const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/sy;
const SYMBOL = /\/\/|==|!=|<=|>=|[-+*/%<>=.,:()[\]{}]/y;

export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = match(SPACE, text, 0).length;
  while (at < text.length) {
    const token = readToken(text, at);
    tokens.push(token);
    at += token.text.length;
    at += match(SPACE, text, at).length;
  }
  return [...tokens, { kind: 'end', text: '', at }];
}

function readToken(text: string, at: number): Token {
  const word = match(WORD, text, at);
  if (word) return { kind: 'word', text: word, at };
  const number = match(NUMBER, text, at);
  if (number) return { kind: 'number', text: number, value: numberValue(number, at), at };
  const string = match(STRING, text, at);
  if (string) return { kind: 'string', text: string, value: unescaped(string, at), at };
  const symbol = match(SYMBOL, text, at);
  if (symbol) return { kind: 'symbol', text: symbol, at };
  const quote = text[at] === '"' || text[at] === "'";
  throw new ExpressionError(quote ? 'the string is not closed' : `unexpected character '${text[at]}'`, at);
}

function match(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}

function numberValue(text: string, at: number): Value {
  if (!/^\d+$/.test(text)) return Number(text);
  const value = BigInt(text);
  // The smallest integer is written as a minus sign and a literal that is one too large by itself.
  if (!fitsInt64(-value)) throw new ExpressionError(`${text} does not fit into a 64-bit integer`, at);
  return value;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  '\\': '\\',
  '/': '/',
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
};

function unescaped(quoted: string, at: number): string {
  return quoted.slice(1, -1).replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (whole, hex, letter) => {
    if (hex) return String.fromCharCode(Number.parseInt(hex, 16));
    const character = ESCAPES[letter];
    if (character === undefined) throw new ExpressionError(`unknown escape '${whole}' in a string`, at);
    return character;
  });
}

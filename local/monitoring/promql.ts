/**
 * The part of PromQL that the local Monitoring understands, as a tree: metrics with label matchers and ranges,
 * `increase` and `rate`, `sum`, `min`, `max`, `avg` and `count` with `by` or `without`, `+ - * /`, `or`, `vector` and
 * `label_replace`. https://prometheus.io/docs/prometheus/latest/querying/basics/
 */
export type Expression =
  | { readonly kind: 'number'; readonly value: number }
  | Selector
  | { readonly kind: 'change'; readonly name: 'increase' | 'rate'; readonly of: Selector }
  | { readonly kind: 'vector'; readonly of: Expression }
  | LabelReplace
  | Aggregate
  | Binary;

export interface Selector {
  readonly kind: 'selector';
  /** Undefined when the label `__name__` tells. */
  readonly metric: string | undefined;
  readonly matchers: readonly Matcher[];
  readonly rangeMs: number | undefined;
}

export interface Matcher {
  readonly label: string;
  readonly matches: (value: string) => boolean;
}

export interface LabelReplace {
  readonly kind: 'labelReplace';
  readonly of: Expression;
  readonly label: string;
  readonly replacement: string;
  readonly source: string;
  readonly pattern: RegExp;
}

export interface Aggregate {
  readonly kind: 'aggregate';
  readonly operator: 'sum' | 'min' | 'max' | 'avg' | 'count';
  /** With `isWithout` all labels but these are grouped by. */
  readonly labels: readonly string[];
  readonly isWithout: boolean;
  readonly of: Expression;
}

export interface Binary {
  readonly kind: 'binary';
  readonly operator: '+' | '-' | '*' | '/' | 'or';
  readonly left: Expression;
  readonly right: Expression;
}

/** The query is wrong, or asks for what is not supported here. */
export class PromqlError extends Error {
  override readonly name = 'PromqlError';
}

export function parsePromql(text: string): Expression {
  const tokens = new Tokens(text);
  const expression = readOr(tokens);
  if (tokens.next.kind !== 'end') throw tokens.unexpected('an operator or the end');
  return expression;
}

type Kind = 'string' | 'duration' | 'number' | 'word' | 'symbol' | 'end';

interface Token {
  readonly kind: Kind;
  readonly text: string;
  readonly at: number;
}

const SPACE = /(?:\s|#[^\n]*)*/y;
const TOKEN =
  /(?<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)|(?<duration>(?:\d+(?:ms|[smhdwy]))+)|(?<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?<word>[A-Za-z_:][\w:]*)|(?<symbol>=~|!~|!=|==|<=|>=|[-+*/%^@=<>(){}[\],:])/y;
const KINDS = ['string', 'duration', 'number', 'word', 'symbol'] as const;

/** Reads from left to right; `take…` moves on only if it matches. */
class Tokens {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #position = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokenise(text);
  }

  get next(): Token {
    return this.#tokens[this.#position] ?? { kind: 'end', text: '', at: this.#text.length };
  }

  take(text: string): boolean {
    const { kind } = this.next;
    if (this.next.text !== text || kind === 'string' || kind === 'end') return false;
    this.#position++;
    return true;
  }

  takeOne<T extends string>(texts: readonly T[]): T | undefined {
    return texts.find(text => this.take(text));
  }

  takeKind(kind: Kind): string | undefined {
    if (this.next.kind !== kind) return undefined;
    const { text } = this.next;
    this.#position++;
    return text;
  }

  require(text: string): void {
    if (!this.take(text)) throw this.unexpected(`"${text}"`);
  }

  requireKind(kind: Kind): string {
    const text = this.takeKind(kind);
    if (text === undefined) throw this.unexpected(`a ${kind}`);
    return text;
  }

  unexpected(expected: string): PromqlError {
    const { kind, text, at } = this.next;
    const found = kind === 'end' ? 'the end' : `"${text}"`;
    if (UNSUPPORTED.has(text) && kind !== 'string') return notSupported(found);
    return new PromqlError(`${placeOf(this.#text, at)}: parse error: expected ${expected}, found ${found}`);
  }
}

/** PromQL that goes beyond what is understood here, where it would otherwise look like a mistake. */
const UNSUPPORTED: ReadonlySet<string> = new Set([
  ...['and', 'unless', 'offset', 'on', 'ignoring', 'group_left', 'group_right', 'bool', 'atan2'],
  ...['==', '!=', '<', '>', '<=', '>=', '%', '^', '@', ':'],
]);

function notSupported(what: string): PromqlError {
  return new PromqlError(
    `${what} is not supported by the local Monitoring, which has metrics with label matchers and ranges, increase, rate, sum, min, max, avg, count, by, without, + - * /, or, vector and label_replace`,
  );
}

function tokenise(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = skipSpace(text, 0); at < text.length; at = skipSpace(text, TOKEN.lastIndex)) {
    TOKEN.lastIndex = at;
    const groups = TOKEN.exec(text)?.groups;
    const kind = KINDS.find(one => groups?.[one] !== undefined);
    if (!kind) throw new PromqlError(`${placeOf(text, at)}: parse error: unexpected character "${text[at]}"`);
    const found = groups?.[kind] ?? '';
    tokens.push({ kind, text: kind === 'string' ? unquote(found) : found, at });
  }
  return tokens;
}

function skipSpace(text: string, from: number): number {
  SPACE.lastIndex = from;
  SPACE.exec(text);
  return SPACE.lastIndex;
}

function unquote(quoted: string): string {
  const inner = quoted.slice(1, -1);
  if (quoted.startsWith('`')) return inner;
  return inner.replaceAll(/\\(.)/g, (_, one: string) => ({ n: '\n', t: '\t', r: '\r' })[one] ?? one);
}

/** Line and column, from 1, as Prometheus has them. */
function placeOf(text: string, at: number): string {
  const lines = text.slice(0, at).split('\n');
  return `${lines.length}:${(lines.at(-1)?.length ?? 0) + 1}`;
}

function readOr(tokens: Tokens): Expression {
  return readChain(tokens, ['or'], readSum);
}

function readSum(tokens: Tokens): Expression {
  return readChain(tokens, ['+', '-'], readProduct);
}

function readProduct(tokens: Tokens): Expression {
  return readChain(tokens, ['*', '/'], readUnary);
}

function readChain(
  tokens: Tokens,
  operators: readonly Binary['operator'][],
  readOperand: (tokens: Tokens) => Expression,
): Expression {
  let left = readOperand(tokens);
  for (let operator = tokens.takeOne(operators); operator; operator = tokens.takeOne(operators)) {
    left = { kind: 'binary', operator, left, right: readOperand(tokens) };
  }
  return left;
}

function readUnary(tokens: Tokens): Expression {
  if (tokens.take('+')) return readUnary(tokens);
  if (!tokens.take('-')) return readPrimary(tokens);
  return { kind: 'binary', operator: '*', left: { kind: 'number', value: -1 }, right: readUnary(tokens) };
}

const AGGREGATES = ['sum', 'min', 'max', 'avg', 'count'] as const;

function readPrimary(tokens: Tokens): Expression {
  const number = tokens.takeKind('number');
  if (number !== undefined) return { kind: 'number', value: Number(number) };
  if (tokens.take('(')) {
    const inner = readOr(tokens);
    tokens.require(')');
    return inner;
  }
  const operator = tokens.takeOne(AGGREGATES);
  if (operator) return readAggregate(tokens, operator);
  if (tokens.next.text === '{') return readSelector(tokens, undefined);
  if (UNSUPPORTED.has(tokens.next.text)) throw tokens.unexpected('an expression');
  const word = tokens.takeKind('word');
  if (word === undefined) throw tokens.unexpected('an expression');
  return tokens.take('(') ? readCall(tokens, word) : readSelector(tokens, word);
}

function readAggregate(tokens: Tokens, operator: Aggregate['operator']): Expression {
  const before = readGrouping(tokens);
  tokens.require('(');
  const of = readOr(tokens);
  tokens.require(')');
  return { kind: 'aggregate', operator, of, ...(before ?? readGrouping(tokens) ?? EVERYTHING) };
}

type Grouping = Pick<Aggregate, 'labels' | 'isWithout'>;

const EVERYTHING: Grouping = { labels: [], isWithout: false };

function readGrouping(tokens: Tokens): Grouping | undefined {
  const word = tokens.takeOne(['by', 'without']);
  if (!word) return undefined;
  const labels: string[] = [];
  tokens.require('(');
  while (!tokens.take(')')) {
    labels.push(tokens.requireKind('word'));
    if (tokens.next.text !== ')') tokens.require(',');
  }
  return { labels, isWithout: word === 'without' };
}

function readCall(tokens: Tokens, name: string): Expression {
  if (name === 'increase' || name === 'rate') return readChange(tokens, name);
  if (name === 'label_replace') return readLabelReplace(tokens);
  if (name !== 'vector') throw notSupported(`the function "${name}"`);
  const of = readOr(tokens);
  tokens.require(')');
  return { kind: 'vector', of };
}

function readChange(tokens: Tokens, name: 'increase' | 'rate'): Expression {
  const of = readOr(tokens);
  tokens.require(')');
  if (of.kind === 'selector' && of.rangeMs !== undefined) return { kind: 'change', name, of };
  throw new PromqlError(`${name}() takes a metric and a range, such as http_requests_total[60s]`);
}

function readLabelReplace(tokens: Tokens): Expression {
  const of = readOr(tokens);
  const [label = '', replacement = '', source = '', regex = ''] = Array.from({ length: 4 }, () => {
    tokens.require(',');
    return tokens.requireKind('string');
  });
  tokens.require(')');
  return { kind: 'labelReplace', of, label, replacement, source, pattern: compile(regex) };
}

function readSelector(tokens: Tokens, word: string | undefined): Selector {
  let metric = word;
  const matchers: Matcher[] = [];
  if (tokens.take('{')) {
    while (!tokens.take('}')) {
      const name = tokens.takeKind('string') ?? tokens.requireKind('word');
      const operator = tokens.takeOne(['=', '!=', '=~', '!~']);
      if (operator === undefined) metric = name;
      else matchers.push({ label: name, matches: readMatch(operator, tokens.requireKind('string')) });
      if (tokens.next.text !== '}') tokens.require(',');
    }
  }
  return { kind: 'selector', metric, matchers, rangeMs: readRange(tokens) };
}

function readMatch(operator: '=' | '!=' | '=~' | '!~', operand: string): Matcher['matches'] {
  if (operator === '=') return value => value === operand;
  if (operator === '!=') return value => value !== operand;
  const pattern = compile(operand);
  return value => pattern.test(value) === (operator === '=~');
}

function readRange(tokens: Tokens): number | undefined {
  if (!tokens.take('[')) return undefined;
  const rangeMs = durationMs(tokens.requireKind('duration'));
  tokens.require(']');
  return rangeMs;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  y: 365 * 86_400_000,
};

/** `1h30m`; 0 for what is no duration. */
export function durationMs(text: string): number {
  let ms = 0;
  for (const [, amount, unit = ''] of text.matchAll(/(\d+)(ms|[smhdwy])/g)) {
    ms += Number(amount) * (UNIT_MS[unit] ?? 0);
  }
  return ms;
}

/** RE2 there, JavaScript here: the same for what matchers use. */
function compile(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`, 's');
  } catch (error) {
    throw new PromqlError(`parse error: ${error instanceof Error ? error.message : String(error)}`);
  }
}

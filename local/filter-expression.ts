/**
 * The part that Google's filter languages share: comparisons joined by AND, OR, NOT and parentheses. What a comparison
 * looks like differs per API and is given by the caller.
 */
export type Predicate<T> = (subject: T) => boolean;

export interface FilterLanguage<T> {
  /** Reads one comparison. */
  readonly comparison: (tokens: Tokens) => Predicate<T>;
  /** Whether comparisons may stand side by side, meaning AND. */
  readonly implicitAnd: boolean;
}

/** The text is not a filter; the message says where and what was expected. */
export class FilterError extends Error {
  override readonly name = 'FilterError';
}

interface Token {
  readonly kind: 'word' | 'number' | 'string' | 'symbol' | 'end';
  readonly text: string;
  /** Index of its first character. */
  readonly at: number;
}

export function parseFilter<T>(text: string, language: FilterLanguage<T>): Predicate<T> {
  const tokens = new Tokens(text);
  const predicate = readExpression(tokens, language);
  if (tokens.next.kind !== 'end') throw tokens.expected('the end of the filter');
  return predicate;
}

/** Reads from left to right; `take…` moves on only if it matches. */
export class Tokens {
  readonly #tokens: readonly Token[];
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokenise(text);
  }

  get next(): Token {
    const token = this.#tokens[this.#position];
    if (!token) throw new RangeError('read past the end of a filter');
    return token;
  }

  take(text: string): boolean {
    const { kind } = this.next;
    if (this.next.text !== text || kind === 'string' || kind === 'end') return false;
    this.#position++;
    return true;
  }

  takeKind(kind: 'word' | 'number' | 'string'): string | undefined {
    if (this.next.kind !== kind) return undefined;
    const { text } = this.next;
    this.#position++;
    return text;
  }

  require(text: string): void {
    if (!this.take(text)) throw this.expected(`"${text}"`);
  }

  requireKind(kind: 'word' | 'number' | 'string'): string {
    const text = this.takeKind(kind);
    if (text === undefined) throw this.expected(`a ${kind}`);
    return text;
  }

  expected(what: string): FilterError {
    const { kind, text, at } = this.next;
    const found = kind === 'end' ? 'the end' : `"${text}"`;
    return new FilterError(
      `Could not parse filter "${this.#text}": expected ${what} at position ${at}, found ${found}`,
    );
  }
}

/**
 * AND and OR side by side need parentheses: Google's APIs disagree about which binds closer, Pub/Sub refuses it
 * outright, and a filter that means something else than its author thought is worse than none.
 */
function readExpression<T>(tokens: Tokens, language: FilterLanguage<T>): Predicate<T> {
  const terms = [readTerm(tokens, language)];
  let operator: 'AND' | 'OR' | undefined;
  for (let joined = takeOperator(tokens, language); joined; joined = takeOperator(tokens, language)) {
    if (operator && joined !== operator) throw tokens.expected('parentheses between AND and OR before this');
    operator = joined;
    terms.push(readTerm(tokens, language));
  }
  return operator === 'OR'
    ? subject => terms.some(term => term(subject))
    : subject => terms.every(term => term(subject));
}

function takeOperator<T>(tokens: Tokens, language: FilterLanguage<T>): 'AND' | 'OR' | undefined {
  if (tokens.take('AND')) return 'AND';
  if (tokens.take('OR')) return 'OR';
  const { kind, text } = tokens.next;
  const isTerm = kind === 'word' || text === '(' || text === '-';
  return language.implicitAnd && isTerm && kind !== 'end' ? 'AND' : undefined;
}

function readTerm<T>(tokens: Tokens, language: FilterLanguage<T>): Predicate<T> {
  if (tokens.take('NOT') || tokens.take('-')) {
    const term = readTerm(tokens, language);
    return subject => !term(subject);
  }
  if (!tokens.take('(')) return language.comparison(tokens);
  const inner = readExpression(tokens, language);
  tokens.require(')');
  return inner;
}

const TOKEN =
  /\s*(?:(?<string>"(?:[^"\\]|\\.)*")|(?<number>-?\d+(?:\.\d+)?)|(?<word>[A-Za-z_][\w-]*)|(?<symbol>!=|<=|>=|[=<>:().,[\]-]))/y;

function tokenise(text: string): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  const pattern = new RegExp(TOKEN);
  while (pattern.lastIndex < end) {
    const from = pattern.lastIndex;
    const groups = pattern.exec(text)?.groups;
    if (!groups)
      throw new FilterError(`Could not parse filter "${text}": unexpected text at position ${from}`);
    tokens.push({ ...tokenOf(groups), at: from });
  }
  return [...tokens, { kind: 'end', text: '', at: end }];
}

function tokenOf(groups: Record<string, string | undefined>): Omit<Token, 'at'> {
  if (groups['string'] !== undefined) {
    return { kind: 'string', text: groups['string'].slice(1, -1).replaceAll(/\\(.)/g, '$1') };
  }
  if (groups['number'] !== undefined) return { kind: 'number', text: groups['number'] };
  if (groups['word'] !== undefined) return { kind: 'word', text: groups['word'] };
  return { kind: 'symbol', text: groups['symbol'] ?? '' };
}

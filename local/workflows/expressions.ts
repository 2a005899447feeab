import { ExpressionError, isKeyword, type Token, tokenize } from './tokens.ts';
import { fitsInt64, type Value } from './values.ts';

export type BinaryOperator =
  | '+'
  | '-'
  | '*'
  | '/'
  | '//'
  | '%'
  | '=='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'in';

export type Expression =
  | { readonly kind: 'literal'; readonly value: Value }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'member'; readonly of: Expression; readonly key: string }
  | { readonly kind: 'index'; readonly of: Expression; readonly index: Expression }
  | { readonly kind: 'call'; readonly callee: string; readonly args: readonly Expression[] }
  | { readonly kind: 'negate'; readonly operand: Expression }
  | { readonly kind: 'not'; readonly operand: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [Expression, Expression])[] };

/** @param text what stands between `${` and `}` */
export function parseExpression(text: string): Expression {
  const tokens = new Tokens(tokenize(text));
  const expression = or(tokens);
  tokens.expectEnd();
  return expression;
}

/** The left side of an assignment: a variable, then keys and indexes. */
export interface Target {
  readonly variable: string;
  readonly path: readonly Expression[];
}

export function parseTarget(text: string): Target {
  const path: Expression[] = [];
  let expression = parseExpression(text);
  while (expression.kind === 'member' || expression.kind === 'index') {
    path.unshift(
      expression.kind === 'member' ? { kind: 'literal', value: expression.key } : expression.index,
    );
    expression = expression.of;
  }
  if (expression.kind !== 'name') throw new ExpressionError('expected a variable, key or list element', 0);
  return { variable: expression.name, path };
}

/** `a.b.c` for a chain of names, undefined for anything else. */
export function dottedName(expression: Expression): string | undefined {
  if (expression.kind === 'name') return expression.name;
  if (expression.kind !== 'member') return undefined;
  const owner = dottedName(expression.of);
  return owner === undefined ? undefined : `${owner}.${expression.key}`;
}

class Tokens {
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get at(): number {
    return this.peek().at;
  }

  peek(): Token {
    const token = this.#tokens[this.#next];
    if (!token) throw new Error('read past the end token');
    return token;
  }

  take(): Token {
    const token = this.peek();
    if (token.kind !== 'end') this.#next += 1;
    return token;
  }

  isSymbol(...symbols: readonly string[]): boolean {
    const token = this.peek();
    return token.kind === 'symbol' && symbols.includes(token.text);
  }

  isWord(...words: readonly string[]): boolean {
    const token = this.peek();
    return token.kind === 'word' && words.includes(token.text);
  }

  takeSymbol(symbol: string): boolean {
    if (!this.isSymbol(symbol)) return false;
    this.take();
    return true;
  }

  expectSymbol(symbol: string): void {
    if (!this.takeSymbol(symbol)) this.fail(`expected '${symbol}'`);
  }

  expectEnd(): void {
    if (this.peek().kind === 'end') return;
    if (this.isWord('not')) this.fail("there is no operator 'not in'; write not(x in y)");
    if (this.isSymbol('=')) this.fail("'=' is no operator; write '==' to compare");
    this.fail('expected an operator or the end of the expression');
  }

  fail(expected: string): never {
    const token = this.peek();
    const found = token.kind === 'end' ? 'the expression ends' : `found '${token.text}'`;
    throw new ExpressionError(`${expected}, but ${found}`, token.at);
  }
}

function or(tokens: Tokens): Expression {
  let left = and(tokens);
  while (tokens.isWord('or', 'OR')) {
    tokens.take();
    left = { kind: 'or', left, right: and(tokens) };
  }
  return left;
}

function and(tokens: Tokens): Expression {
  let left = comparison(tokens);
  while (tokens.isWord('and', 'AND')) {
    tokens.take();
    left = { kind: 'and', left, right: comparison(tokens) };
  }
  return left;
}

function comparison(tokens: Tokens): Expression {
  let left = sum(tokens);
  while (tokens.isSymbol('==', '!=', '<', '<=', '>', '>=') || tokens.isWord('in')) {
    const operator = tokens.take().text as BinaryOperator;
    left = { kind: 'binary', operator, left, right: sum(tokens) };
  }
  return left;
}

function sum(tokens: Tokens): Expression {
  let left = product(tokens);
  while (tokens.isSymbol('+', '-')) {
    const operator = tokens.take().text as BinaryOperator;
    left = { kind: 'binary', operator, left, right: product(tokens) };
  }
  return left;
}

function product(tokens: Tokens): Expression {
  let left = negation(tokens);
  while (tokens.isSymbol('*', '/', '//', '%')) {
    const operator = tokens.take().text as BinaryOperator;
    left = { kind: 'binary', operator, left, right: negation(tokens) };
  }
  return left;
}

function negation(tokens: Tokens): Expression {
  if (!tokens.takeSymbol('-')) return inversion(tokens);
  const token = tokens.peek();
  if (token.kind !== 'number' || typeof token.value !== 'bigint') {
    return { kind: 'negate', operand: negation(tokens) };
  }
  tokens.take();
  return { kind: 'literal', value: -token.value };
}

/** `not` binds tighter than every other operator: `not x == y` compares `not x` with `y`. */
function inversion(tokens: Tokens): Expression {
  if (!tokens.isWord('not', 'NOT')) return postfix(tokens);
  tokens.take();
  return { kind: 'not', operand: inversion(tokens) };
}

function postfix(tokens: Tokens): Expression {
  let expression = primary(tokens);
  for (;;) {
    const { at } = tokens;
    if (tokens.takeSymbol('.')) expression = { kind: 'member', of: expression, key: memberName(tokens) };
    else if (tokens.takeSymbol('[')) expression = { kind: 'index', of: expression, index: index(tokens) };
    else if (tokens.takeSymbol('(')) {
      const callee = dottedName(expression);
      if (callee === undefined) throw new ExpressionError('only a function can be called', at);
      expression = { kind: 'call', callee, args: listUntil(tokens, ')') };
    } else return expression;
  }
}

function memberName(tokens: Tokens): string {
  if (tokens.peek().kind !== 'word') tokens.fail("expected a name after '.'");
  return tokens.take().text;
}

function index(tokens: Tokens): Expression {
  const expression = or(tokens);
  tokens.expectSymbol(']');
  return expression;
}

function listUntil(tokens: Tokens, close: string): readonly Expression[] {
  const items: Expression[] = [];
  if (tokens.takeSymbol(close)) return items;
  do items.push(or(tokens));
  while (tokens.takeSymbol(','));
  tokens.expectSymbol(close);
  return items;
}

function primary(tokens: Tokens): Expression {
  const token = tokens.peek();
  if (token.kind === 'number' || token.kind === 'string') {
    if (typeof token.value === 'bigint' && !fitsInt64(token.value)) tokens.fail('expected a 64-bit integer');
    tokens.take();
    return { kind: 'literal', value: token.value };
  }
  if (token.kind === 'word') return word(tokens, token.text);
  if (tokens.takeSymbol('(')) {
    const expression = or(tokens);
    tokens.expectSymbol(')');
    return expression;
  }
  if (tokens.takeSymbol('[')) return { kind: 'list', items: listUntil(tokens, ']') };
  if (tokens.takeSymbol('{')) return mapLiteral(tokens);
  return tokens.fail('expected a value');
}

const CONSTANTS: ReadonlyMap<string, Value> = new Map<string, Value>([
  ['true', true],
  ['True', true],
  ['TRUE', true],
  ['false', false],
  ['False', false],
  ['FALSE', false],
  ['null', null],
]);

function word(tokens: Tokens, text: string): Expression {
  if (isKeyword(text)) tokens.fail('expected a value');
  tokens.take();
  const constant = CONSTANTS.get(text);
  return constant === undefined ? { kind: 'name', name: text } : { kind: 'literal', value: constant };
}

function mapLiteral(tokens: Tokens): Expression {
  const entries: [Expression, Expression][] = [];
  if (tokens.takeSymbol('}')) return { kind: 'map', entries };
  do {
    const key = or(tokens);
    tokens.expectSymbol(':');
    entries.push([key, or(tokens)]);
  } while (tokens.takeSymbol(','));
  tokens.expectSymbol('}');
  return { kind: 'map', entries };
}

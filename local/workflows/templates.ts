import { type Expression, parseExpression, parseTarget, type Target } from './expressions.ts';
import { LIMITS } from './limits.ts';
import type { Template } from './program.ts';
import type { Position, Problem, Source, SourceEntry } from './source.ts';
import { ExpressionError } from './tokens.ts';
import { sizeOf } from './values.ts';

/** Collects what is wrong, each with the step it is in. */
export interface Diagnostics {
  readonly problems: Problem[];
  /** Of the step being compiled, for messages. */
  step: string | undefined;
}

export function fail(diagnostics: Diagnostics, position: Position, message: string): void {
  report(diagnostics, 'error', position, message);
}

export function warn(diagnostics: Diagnostics, position: Position, message: string): void {
  report(diagnostics, 'warning', position, message);
}

function report(
  { problems, step }: Diagnostics,
  severity: Problem['severity'],
  { line, column }: Position,
  message: string,
): void {
  const where = step === undefined ? '' : `${severity} in step ${step}: `;
  problems.push({ severity, line, column, message: `${where}${message}` });
}

/** Any value of the source; every string that is `${…}` as a whole becomes an expression. */
export function compileTemplate(diagnostics: Diagnostics, source: Source): Template {
  const { position } = source;
  if (source.kind === 'list') {
    return { kind: 'list', items: source.items.map(item => compileTemplate(diagnostics, item)), position };
  }
  if (source.kind === 'map') {
    const entries = source.entries.map(
      entry => [compileKey(diagnostics, entry), compileTemplate(diagnostics, entry.value)] as const,
    );
    return { kind: 'map', entries, position };
  }
  if (typeof source.value === 'string') return compileText(diagnostics, source.value, position);
  return { kind: 'literal', value: source.value, position };
}

function compileKey(diagnostics: Diagnostics, { key, keyPosition }: SourceEntry): Template {
  return compileText(diagnostics, key, keyPosition);
}

function compileText(diagnostics: Diagnostics, text: string, position: Position): Template {
  const inner = expressionText(text);
  if (inner === undefined) return literalText(diagnostics, text, position);
  const expression = compileExpression(diagnostics, inner, position);
  return { kind: 'expression', expression, position };
}

/** What stands between `${` and `}`; undefined when the text is not an expression as a whole. */
export function expressionText(text: string): string | undefined {
  const trimmed = text.trim();
  return trimmed.startsWith('${') && trimmed.endsWith('}') ? trimmed.slice(2, -1) : undefined;
}

function literalText(diagnostics: Diagnostics, text: string, position: Position): Template {
  if (text.includes('${')) {
    warn(
      diagnostics,
      position,
      `this text is taken literally: only a string that is \${…} as a whole is evaluated`,
    );
  }
  if (sizeOf(text) > LIMITS.stringValue) {
    fail(diagnostics, position, `the string is longer than ${LIMITS.stringValue} bytes`);
  }
  return { kind: 'literal', value: text, position };
}

const NOTHING: Expression = { kind: 'literal', value: null };

function compileExpression(diagnostics: Diagnostics, text: string, position: Position): Expression {
  return parsing(diagnostics, position, '', text, parseExpression) ?? NOTHING;
}

export function compileTarget(diagnostics: Diagnostics, text: string, position: Position): Target {
  const target = parsing(diagnostics, position, ' on the left of an assignment', text, parseTarget);
  return target ?? { variable: '', path: [] };
}

function parsing<T>(
  diagnostics: Diagnostics,
  position: Position,
  where: string,
  text: string,
  parse: (text: string) => T,
): T | undefined {
  if (text.length > LIMITS.expression) {
    const message = `the expression has ${text.length} characters; the limit is ${LIMITS.expression}`;
    fail(diagnostics, position, message);
    return undefined;
  }
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    const place = `character ${error.at + 1}`;
    fail(diagnostics, position, `error parsing expression${where}: ${error.message} (${place})`);
    return undefined;
  }
}

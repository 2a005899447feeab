import { dottedName } from './expressions.ts';
import { LIMITS } from './limits.ts';
import type { Arguments, Next, Param, RetryPolicy, Template } from './program.ts';
import type { Position, Source, SourceEntry, SourceMap } from './source.ts';
import { compileTemplate, type Diagnostics, expressionText, fail } from './templates.ts';
import type { Value } from './values.ts';

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

export type Fields = ReadonlyMap<string, SourceEntry>;

/** The entries of a map by key; every key that is not known is a problem. */
export function fieldsOf(
  diagnostics: Diagnostics,
  source: SourceMap,
  known: readonly string[],
  what: string,
): Fields {
  for (const { key, keyPosition } of source.entries) {
    if (known.includes(key)) continue;
    fail(diagnostics, keyPosition, `unknown key '${key}' in ${what}; expected ${known.join(', ')}`);
  }
  return new Map(source.entries.map(entry => [entry.key, entry]));
}

export function compileVariable(diagnostics: Diagnostics, source: Source, what: string): string {
  const name = textOf(source);
  if (name !== undefined && VARIABLE.test(name)) return name;
  fail(
    diagnostics,
    source.position,
    `${what} must be the name of a variable: a letter or '_', then letters, digits, '_'`,
  );
  return '';
}

export function textOf(source: Source | undefined): string | undefined {
  return source?.kind === 'scalar' && typeof source.value === 'string' ? source.value : undefined;
}

export function compileNext(diagnostics: Diagnostics, source: Source): Next | undefined {
  const name = textOf(source);
  if (name === undefined) {
    fail(diagnostics, source.position, "'next' must be the name of a step, end, break or continue");
    return undefined;
  }
  if (name === 'end' || name === 'break' || name === 'continue')
    return { kind: name, position: source.position };
  return { kind: 'step', name, position: source.position };
}

export function compileParams(
  diagnostics: Diagnostics,
  source: Source | undefined,
  limit: number,
  isMain: boolean,
): readonly Param[] {
  if (!source) return [];
  if (source.kind !== 'list') {
    fail(diagnostics, source.position, "'params' must be a list");
    return [];
  }
  if (source.items.length > limit) {
    fail(diagnostics, source.position, `${source.items.length} params; the limit here is ${limit}`);
  }
  const params = source.items.map(item => compileParam(diagnostics, item, isMain));
  const names = params.map(param => param.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) fail(diagnostics, source.position, `the param '${twice}' is declared twice`);
  return params;
}

function compileParam(diagnostics: Diagnostics, source: Source, isMain: boolean): Param {
  if (source.kind !== 'map') {
    return { name: compileVariable(diagnostics, source, 'a param'), fallback: undefined };
  }
  const [entry, ...others] = source.entries;
  if (!entry || others.length > 0 || isMain) {
    const expected = isMain ? 'a plain name' : "a name or one 'name: default'";
    fail(diagnostics, source.position, `a param of this routine is ${expected}`);
    return { name: '', fallback: undefined };
  }
  const name: Source = { kind: 'scalar', value: entry.key, position: entry.keyPosition };
  return {
    name: compileVariable(diagnostics, name, 'a param'),
    fallback: literal(diagnostics, compileTemplate(diagnostics, entry.value)),
  };
}

function literal(diagnostics: Diagnostics, template: Template): Value {
  if (template.kind === 'literal') return template.value;
  if (template.kind === 'list') return template.items.map(item => literal(diagnostics, item));
  if (template.kind === 'map') {
    return new Map(
      template.entries.map(([key, value]) => [
        String(literal(diagnostics, key)),
        literal(diagnostics, value),
      ]),
    );
  }
  fail(diagnostics, template.position, 'the default of a param must be a literal');
  return null;
}

export function compileArguments(diagnostics: Diagnostics, source: Source | undefined): Arguments {
  if (!source || (source.kind === 'scalar' && source.value === null)) return { kind: 'named', entries: [] };
  if (source.kind === 'list') {
    return { kind: 'positional', items: source.items.map(item => compileTemplate(diagnostics, item)) };
  }
  if (source.kind === 'map') {
    const entries = source.entries.map(
      entry => [entry.key, compileTemplate(diagnostics, entry.value)] as const,
    );
    return { kind: 'named', entries };
  }
  fail(diagnostics, source.position, "'args' must be a map of names or a list");
  return { kind: 'named', entries: [] };
}

const seconds = (value: number, position: Position): Template => ({ kind: 'literal', value, position });

function defaultBackoff(position: Position): Pick<RetryPolicy, 'initialDelay' | 'maxDelay' | 'multiplier'> {
  return {
    initialDelay: seconds(1, position),
    maxDelay: seconds(60, position),
    multiplier: seconds(1.25, position),
  };
}

const DEFAULT_POLICIES: ReadonlyMap<string, string> = new Map([
  ['http.default_retry', 'http.default_retry_predicate'],
  ['http.default_retry_non_idempotent', 'http.default_retry_predicate_non_idempotent'],
]);

const DEFAULT_MAX_RETRIES = 5n;

export function compileRetry(diagnostics: Diagnostics, source: Source): RetryPolicy | undefined {
  const { position } = source;
  if (source.kind === 'map') return compileCustomRetry(diagnostics, source);
  const predicate = DEFAULT_POLICIES.get(reference(diagnostics, source) ?? '');
  if (predicate !== undefined) {
    const maxRetries: Template = { kind: 'literal', value: DEFAULT_MAX_RETRIES, position };
    return { predicate, maxRetries, ...defaultBackoff(position) };
  }
  const names = [...DEFAULT_POLICIES.keys()].map(name => `\${${name}}`).join(', ');
  fail(
    diagnostics,
    position,
    `'retry' must be one of ${names}, or a map with predicate, max_retries and backoff`,
  );
  return undefined;
}

function compileCustomRetry(diagnostics: Diagnostics, source: SourceMap): RetryPolicy | undefined {
  const fields = fieldsOf(diagnostics, source, ['predicate', 'max_retries', 'backoff'], "'retry'");
  const predicate = fields.get('predicate');
  const maxRetries = fields.get('max_retries');
  const backoff = fields.get('backoff');
  if (!predicate || !maxRetries || !backoff) {
    fail(
      diagnostics,
      source.position,
      "'retry' needs predicate, max_retries and backoff: no default is documented",
    );
    return undefined;
  }
  const name = reference(diagnostics, predicate.value);
  if (name === undefined) {
    fail(
      diagnostics,
      predicate.value.position,
      `'predicate' must be \${…} around the name of a predicate or subworkflow`,
    );
  }
  const delays = compileBackoff(diagnostics, backoff.value);
  if (name === undefined || !delays) return undefined;
  return { predicate: name, maxRetries: compileTemplate(diagnostics, maxRetries.value), ...delays };
}

function compileBackoff(
  diagnostics: Diagnostics,
  source: Source,
): Pick<RetryPolicy, 'initialDelay' | 'maxDelay' | 'multiplier'> | undefined {
  if (reference(diagnostics, source) === 'retry.default_backoff') return defaultBackoff(source.position);
  if (source.kind !== 'map') {
    fail(diagnostics, source.position, `'backoff' must be a map or \${retry.default_backoff}`);
    return undefined;
  }
  const keys = ['initial_delay', 'max_delay', 'multiplier'];
  const fields = fieldsOf(diagnostics, source, keys, "'backoff'");
  const [initialDelay, maxDelay, multiplier] = keys.map(key => {
    const field = fields.get(key);
    if (!field) fail(diagnostics, source.position, `'backoff' needs ${key}: no default is documented`);
    return field && compileTemplate(diagnostics, field.value);
  });
  if (!initialDelay || !maxDelay || !multiplier) return undefined;
  return { initialDelay, maxDelay, multiplier };
}

/** The dotted name in `${a.b.c}`. */
function reference(diagnostics: Diagnostics, source: Source): string | undefined {
  const text = textOf(source);
  if (text === undefined || expressionText(text) === undefined) return undefined;
  const template = compileTemplate(diagnostics, source);
  return template.kind === 'expression' ? dottedName(template.expression) : undefined;
}

export function compileAssignments(
  diagnostics: Diagnostics,
  source: Source,
): readonly { readonly text: string; readonly at: Position; readonly value: Source }[] {
  if (source.kind !== 'list') {
    fail(diagnostics, source.position, "'assign' must be a list of 'variable: value'");
    return [];
  }
  if (source.items.length === 0 || source.items.length > LIMITS.assignments) {
    fail(
      diagnostics,
      source.position,
      `'assign' takes 1 to ${LIMITS.assignments} variables, not ${source.items.length}`,
    );
  }
  return source.items.flatMap(item => {
    const [entry, ...others] = item.kind === 'map' ? item.entries : [];
    if (entry && others.length === 0) return [{ text: entry.key, at: entry.keyPosition, value: entry.value }];
    fail(diagnostics, item.position, "every item of 'assign' is exactly one 'variable: value'");
    return [];
  });
}

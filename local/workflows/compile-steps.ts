import {
  compileArguments,
  compileAssignments,
  compileNext,
  compileRetry,
  compileVariable,
  type Fields,
  fieldsOf,
  textOf,
} from './compile-values.ts';
import { LIMITS } from './limits.ts';
import type {
  Action,
  Body,
  Branch,
  Case,
  Except,
  Loop,
  ParallelAction,
  Scope,
  Step,
  Template,
} from './program.ts';
import type { Position, Source, SourceEntry, SourceMap } from './source.ts';
import { compileTarget, compileTemplate, type Diagnostics, expressionText, fail } from './templates.ts';

const ACTIONS = ['assign', 'call', 'switch', 'for', 'parallel', 'try', 'raise', 'return', 'steps'] as const;
const STEP_KEYS = [...ACTIONS, 'args', 'result', 'retry', 'except', 'next'];
const RESERVED = ['end', 'break', 'continue'];

export function compileSteps(diagnostics: Diagnostics, source: Source): readonly Step[] {
  if (source.kind !== 'list' || source.items.length === 0) {
    fail(diagnostics, source.position, "'steps' must be a list with at least one step");
    return [];
  }
  const outer = diagnostics.step;
  const steps = source.items.flatMap(item => compileStep(diagnostics, item));
  diagnostics.step = outer;
  return steps;
}

function compileStep(diagnostics: Diagnostics, source: Source): readonly Step[] {
  const [entry, ...others] = source.kind === 'map' ? source.entries : [];
  if (!entry || others.length > 0) {
    fail(diagnostics, source.position, "a step is exactly one 'name: what it does'");
    return [];
  }
  const { key: name, keyPosition, value } = entry;
  const outer = diagnostics.step;
  diagnostics.step = name;
  if (!/^[A-Za-z0-9_-]+$/.test(name) || RESERVED.includes(name)) {
    fail(
      diagnostics,
      keyPosition,
      `'${name}' is no name for a step: use letters, digits, '_', '-', and none of ${RESERVED.join(', ')}`,
    );
  }
  const step = { name, ...compileBody(diagnostics, value, keyPosition, 'a step') };
  diagnostics.step = outer;
  return [step];
}

/** @param extraKeys keys that belong to what the body stands in, as `condition` in an entry of a switch */
function compileBody(
  diagnostics: Diagnostics,
  source: Source,
  position: Position,
  what: string,
  extraKeys: readonly string[] = [],
): Body {
  const nothing: Body = { action: { kind: 'jump' }, next: undefined, position };
  if (source.kind !== 'map') {
    fail(diagnostics, position, `${what} must be a map that says what to do`);
    return nothing;
  }
  const fields = fieldsOf(diagnostics, source, [...extraKeys, ...STEP_KEYS], what);
  const present = ACTIONS.filter(key => fields.has(key));
  const [main] = present;
  const nextField = fields.get('next');
  const next = nextField && compileNext(diagnostics, nextField.value);
  checkCompanions(diagnostics, fields);
  if (present.length > 1) {
    fail(diagnostics, position, `${what} does one thing, not ${present.join(' and ')}`);
  }
  const entry = main === undefined ? undefined : fields.get(main);
  if (main === undefined || !entry) {
    if (!nextField)
      fail(diagnostics, position, `${what} does nothing; expected one of ${ACTIONS.join(', ')}, next`);
    return { ...nothing, next, position: nextField?.keyPosition ?? position };
  }
  if (next && (main === 'raise' || main === 'return')) {
    fail(diagnostics, position, `'next' is never reached after '${main}'`);
  }
  return { action: compileAction(diagnostics, main, entry, fields), next, position: entry.keyPosition };
}

const COMPANIONS = [
  ['args', 'call'],
  ['result', 'call'],
  ['retry', 'try'],
  ['except', 'try'],
] as const;

function checkCompanions(diagnostics: Diagnostics, fields: Fields): void {
  for (const [key, owner] of COMPANIONS) {
    const field = fields.get(key);
    if (field && !fields.has(owner))
      fail(diagnostics, field.keyPosition, `'${key}' needs '${owner}' beside it`);
  }
}

function compileAction(
  diagnostics: Diagnostics,
  main: (typeof ACTIONS)[number],
  { value, keyPosition }: SourceEntry,
  fields: Fields,
): Action {
  switch (main) {
    case 'assign':
      return compileAssign(diagnostics, value);
    case 'call':
      return compileCall(diagnostics, value, fields);
    case 'switch':
      return { kind: 'switch', cases: compileCases(diagnostics, value) };
    case 'for':
      return { kind: 'for', loop: compileLoop(diagnostics, value, keyPosition) };
    case 'parallel':
      return compileParallel(diagnostics, value);
    case 'try':
      return compileTry(diagnostics, value, keyPosition, fields);
    case 'raise':
    case 'return':
      return { kind: main, value: compileTemplate(diagnostics, value) };
    case 'steps':
      return { kind: 'steps', steps: compileSteps(diagnostics, value) };
  }
}

function compileAssign(diagnostics: Diagnostics, source: Source): Action {
  const assignments = compileAssignments(diagnostics, source).map(({ text, at, value }) => ({
    target: compileTarget(diagnostics, text, at),
    value: compileTemplate(diagnostics, value),
    position: at,
  }));
  return { kind: 'assign', assignments };
}

function compileCall(diagnostics: Diagnostics, source: Source, fields: Fields): Action {
  const callee = textOf(source);
  if (callee === undefined || expressionText(callee) !== undefined) {
    fail(diagnostics, source.position, "'call' must be the name of a function or subworkflow");
  }
  const result = fields.get('result');
  return {
    kind: 'call',
    callee: callee ?? '',
    args: compileArguments(diagnostics, fields.get('args')?.value),
    result: result && compileVariable(diagnostics, result.value, "'result'"),
  };
}

function compileCases(diagnostics: Diagnostics, source: Source): readonly Case[] {
  if (source.kind !== 'list' || source.items.length === 0 || source.items.length > LIMITS.conditions) {
    fail(diagnostics, source.position, `'switch' must be a list of 1 to ${LIMITS.conditions} conditions`);
    return [];
  }
  return source.items.flatMap(item => {
    const condition = item.kind === 'map' ? item.entries.find(entry => entry.key === 'condition') : undefined;
    if (!condition) {
      fail(diagnostics, item.position, "every entry of 'switch' needs a 'condition'");
      return [];
    }
    const { position } = item;
    const body = compileBody(diagnostics, item, position, "an entry of 'switch'", ['condition']);
    const template = compileTemplate(diagnostics, condition.value);
    checkCondition(diagnostics, template);
    return [{ condition: template, body }];
  });
}

function checkCondition(diagnostics: Diagnostics, template: Template): void {
  if (template.kind === 'expression') return;
  if (template.kind === 'literal' && typeof template.value === 'boolean') return;
  fail(diagnostics, template.position, `'condition' must be an expression \${…}, true or false`);
}

const newScope = (): Scope => ({ names: new Set() });

function compileLoop(diagnostics: Diagnostics, source: Source, position: Position): Loop {
  const steps = (fields: Fields) => {
    const field = fields.get('steps');
    if (!field) fail(diagnostics, position, "'for' needs 'steps'");
    return field ? compileSteps(diagnostics, field.value) : [];
  };
  if (source.kind !== 'map')
    fail(diagnostics, position, "'for' must be a map with value, in or range, and steps");
  const map: SourceMap = source.kind === 'map' ? source : { kind: 'map', entries: [], position };
  const fields = fieldsOf(diagnostics, map, ['value', 'index', 'in', 'range', 'steps'], "'for'");
  const value = fields.get('value');
  const index = fields.get('index');
  const list = fields.get('in');
  const range = fields.get('range');
  if (!value) fail(diagnostics, position, "'for' needs 'value', the name of the loop variable");
  if ((list === undefined) === (range === undefined)) {
    fail(diagnostics, position, "'for' needs either 'in' or 'range'");
  }
  const over = (list ?? range)?.value;
  const template: Template = over
    ? compileTemplate(diagnostics, over)
    : { kind: 'literal', value: null, position };
  checkIterable(diagnostics, template, range !== undefined);
  return {
    value: value ? compileVariable(diagnostics, value.value, "'value'") : '',
    index: index && compileVariable(diagnostics, index.value, "'index'"),
    over: range ? 'range' : 'list',
    in: template,
    steps: steps(fields),
    scope: newScope(),
    position,
  };
}

function checkIterable(diagnostics: Diagnostics, template: Template, isRange: boolean): void {
  if (template.kind === 'expression') return;
  if (template.kind === 'list' && (!isRange || template.items.length === 2)) return;
  const expected = isRange ? "'range' must be [first, last]" : "'in' must be a list";
  fail(diagnostics, template.position, `${expected} or an expression \${…}`);
}

function compileParallel(diagnostics: Diagnostics, source: Source): ParallelAction {
  const { position } = source;
  if (source.kind !== 'map') fail(diagnostics, position, "'parallel' must be a map with branches or for");
  const map: SourceMap = source.kind === 'map' ? source : { kind: 'map', entries: [], position };
  const known = ['branches', 'for', 'shared', 'concurrency_limit', 'exception_policy'];
  const fields = fieldsOf(diagnostics, map, known, "'parallel'");
  const policy = fields.get('exception_policy')?.value;
  if (policy && textOf(policy) !== 'continueAll') {
    fail(diagnostics, policy.position, "the only exception_policy there is is 'continueAll'");
  }
  const branches = fields.get('branches');
  const loop = fields.get('for');
  if ((branches === undefined) === (loop === undefined)) {
    fail(diagnostics, position, "'parallel' needs either 'branches' or 'for'");
  }
  const limit = fields.get('concurrency_limit');
  return {
    kind: 'parallel',
    shared: compileShared(diagnostics, fields.get('shared')?.value),
    concurrencyLimit: limit && compileTemplate(diagnostics, limit.value),
    work: loop
      ? { kind: 'for', loop: compileLoop(diagnostics, loop.value, loop.keyPosition) }
      : { kind: 'branches', branches: branches ? compileBranches(diagnostics, branches.value) : [] },
  };
}

function compileShared(diagnostics: Diagnostics, source: Source | undefined): readonly string[] {
  if (!source) return [];
  if (source.kind !== 'list') {
    fail(diagnostics, source.position, "'shared' must be a list of variables");
    return [];
  }
  return source.items.map(item => compileVariable(diagnostics, item, "an item of 'shared'"));
}

function compileBranches(diagnostics: Diagnostics, source: Source): readonly Branch[] {
  const { minBranches, maxBranches } = LIMITS;
  if (source.kind !== 'list' || source.items.length < minBranches || source.items.length > maxBranches) {
    fail(
      diagnostics,
      source.position,
      `'branches' must be a list of ${minBranches} to ${maxBranches} branches`,
    );
    return [];
  }
  return source.items.flatMap(item => {
    const [entry, ...others] = item.kind === 'map' ? item.entries : [];
    if (!entry || others.length > 0 || entry.value.kind !== 'map') {
      fail(diagnostics, item.position, "a branch is exactly one 'name:' with 'steps' below it");
      return [];
    }
    const steps = fieldsOf(diagnostics, entry.value, ['steps'], 'a branch').get('steps');
    if (!steps) fail(diagnostics, entry.keyPosition, `the branch '${entry.key}' has no 'steps'`);
    return [
      { name: entry.key, steps: steps ? compileSteps(diagnostics, steps.value) : [], scope: newScope() },
    ];
  });
}

function compileTry(diagnostics: Diagnostics, value: Source, position: Position, fields: Fields): Action {
  const retry = fields.get('retry');
  const except = fields.get('except');
  if (!retry && !except) fail(diagnostics, position, "'try' needs 'retry' or 'except'");
  return {
    kind: 'try',
    body: compileBody(diagnostics, value, position, "'try'"),
    retry: retry && compileRetry(diagnostics, retry.value),
    except: except && compileExcept(diagnostics, except),
  };
}

function compileExcept(diagnostics: Diagnostics, { value, keyPosition }: SourceEntry): Except {
  const as = value.kind === 'map' ? value.entries.find(entry => entry.key === 'as') : undefined;
  return {
    as: as && compileVariable(diagnostics, as.value, "'as'"),
    body: compileBody(diagnostics, value, keyPosition, "'except'", ['as']),
    scope: newScope(),
  };
}

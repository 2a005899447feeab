import type { Expression } from './expressions.ts';
import type { Action, Assignment, Body, Loop, Scope, Step, Template } from './program.ts';
import type { Position } from './source.ts';

/** Steps inside a step, with what the language says about the border between the two. */
export interface Block {
  /** Steps of a list can be jumped to from inside it; a single body cannot. */
  readonly list: readonly Step[];
  readonly body: Body | undefined;
  /** Undefined: the block shares the variables of what it stands in. */
  readonly scope: Scope | undefined;
  /** Variables that the block itself brings: loop variables, the caught error. */
  readonly declares: readonly string[];
  readonly border: 'none' | 'loop' | 'except' | 'branch' | 'parallel loop';
  /** Variables of the outside that may be written inside; only behind a parallel border. */
  readonly shared: readonly string[];
}

const PLAIN: Block = {
  list: [],
  body: undefined,
  scope: undefined,
  declares: [],
  border: 'none',
  shared: [],
};

/** The blocks of an action in the order of the source. */
export function blocksOf(action: Action): readonly Block[] {
  switch (action.kind) {
    case 'switch':
      return action.cases.map(({ body }) => ({ ...PLAIN, body }));
    case 'steps':
      return [{ ...PLAIN, list: action.steps }];
    case 'for':
      return [loopBlock(action.loop, 'loop', [])];
    case 'parallel':
      return action.work.kind === 'for'
        ? [loopBlock(action.work.loop, 'parallel loop', action.shared)]
        : action.work.branches.map(({ steps, scope }) => ({
            ...PLAIN,
            list: steps,
            scope,
            border: 'branch',
            shared: action.shared,
          }));
    case 'try': {
      const body: Block = { ...PLAIN, body: action.body };
      if (!action.except) return [body];
      const { as, scope, body: handler } = action.except;
      const declares = as === undefined ? [] : [as];
      return [body, { ...PLAIN, body: handler, scope, declares, border: 'except' }];
    }
    default:
      return [];
  }
}

function loopBlock(loop: Loop, border: Block['border'], shared: readonly string[]): Block {
  const declares = loop.index === undefined ? [loop.value] : [loop.value, loop.index];
  return { ...PLAIN, list: loop.steps, scope: loop.scope, declares, border, shared };
}

export interface Write {
  readonly variable: string;
  readonly position: Position;
}

/** The variables that an action writes as a whole, before any of its blocks run. */
export function writesOf({ action, position }: Body): readonly Write[] {
  if (action.kind === 'assign')
    return assigned(action.assignments.filter(({ target }) => target.path.length === 0));
  if (action.kind !== 'call' || action.result === undefined) return [];
  return [{ variable: action.result, position }];
}

/** The variables of which an action changes a part: they have to be there. */
export function updatesOf({ action }: Body): readonly Write[] {
  if (action.kind !== 'assign') return [];
  return assigned(action.assignments.filter(({ target }) => target.path.length > 0));
}

function assigned(assignments: readonly Assignment[]): readonly Write[] {
  return assignments.map(({ target, position }) => ({ variable: target.variable, position }));
}

export interface Evaluated {
  /** As in "error evaluating …". */
  readonly what: string;
  readonly template: Template;
}

/** What an action evaluates in the scope it stands in. */
export function evaluatedBy(action: Action): readonly Evaluated[] {
  switch (action.kind) {
    case 'assign':
      return action.assignments.flatMap(({ target, value, position }) => [
        ...target.path.map(expression => ({
          what: 'assignment target',
          template: { kind: 'expression', expression, position } as const,
        })),
        { what: `value of '${target.variable}'`, template: value },
      ]);
    case 'call':
      return action.args.kind === 'named'
        ? action.args.entries.map(([name, template]) => ({ what: `argument '${name}'`, template }))
        : action.args.items.map((template, index) => ({ what: `argument ${index + 1}`, template }));
    case 'switch':
      return action.cases.map(({ condition }) => ({ what: 'condition', template: condition }));
    case 'for':
      return [{ what: 'loop range', template: action.loop.in }];
    case 'parallel':
      return [
        ...(action.work.kind === 'for' ? [{ what: 'loop range', template: action.work.loop.in }] : []),
        ...(action.concurrencyLimit
          ? [{ what: 'concurrency_limit', template: action.concurrencyLimit }]
          : []),
      ];
    case 'try':
      return action.retry
        ? [
            action.retry.maxRetries,
            action.retry.initialDelay,
            action.retry.maxDelay,
            action.retry.multiplier,
          ].map(template => ({ what: 'retry policy', template }))
        : [];
    case 'raise':
      return [{ what: 'raised value', template: action.value }];
    case 'return':
      return [{ what: 'return value', template: action.value }];
    default:
      return [];
  }
}

/** Every expression in a template, with all the expressions inside it, outermost first. */
export function* expressionsIn(template: Template): Generator<Expression> {
  if (template.kind === 'expression') yield* within(template.expression);
  else if (template.kind === 'list') for (const item of template.items) yield* expressionsIn(item);
  else if (template.kind === 'map') {
    for (const [key, value] of template.entries) {
      yield* expressionsIn(key);
      yield* expressionsIn(value);
    }
  }
}

function* within(expression: Expression): Generator<Expression> {
  yield expression;
  for (const part of partsOf(expression)) yield* within(part);
}

function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'member':
      return [expression.of];
    case 'index':
      return [expression.of, expression.index];
    case 'call':
      return expression.args;
    case 'negate':
    case 'not':
      return [expression.operand];
    case 'and':
    case 'or':
    case 'binary':
      return [expression.left, expression.right];
    case 'list':
      return expression.items;
    case 'map':
      return expression.entries.flat();
    default:
      return [];
  }
}

import type { Expression } from './expressions.ts';
import { callRoutine } from './interpret.ts';
import type { Thread } from './machine.ts';
import { binary, element, negate, requireBoolean } from './operators.ts';
import type { Template } from './program.ts';
import { failure, Raised } from './raised.ts';
import type { Position } from './source.ts';
import { bind, runInstant, standardFunction } from './stdlib/library.ts';
import type { Task } from './task.ts';
import { typeName, type Value } from './values.ts';

/** A template with every expression in it evaluated. An error gets the position of the expression it comes from. */
export function* evaluate(thread: Thread, template: Template): Task<Value> {
  switch (template.kind) {
    case 'literal':
      return template.value;
    case 'expression':
      return yield* placed(thread, template.position, evaluateExpression(thread, template.expression));
    case 'list': {
      const items: Value[] = [];
      for (const item of template.items) items.push(yield* evaluate(thread, item));
      return items;
    }
    case 'map': {
      const map = new Map<string, Value>();
      for (const [key, value] of template.entries) {
        map.set(yield* evaluateKey(thread, key), yield* evaluate(thread, value));
      }
      return map;
    }
  }
}

function* evaluateKey(thread: Thread, template: Template): Task<string> {
  const key = yield* evaluate(thread, template);
  if (typeof key === 'string') return key;
  throw failure('TypeError', `a key must be a string; got: ${typeName(key)}`);
}

/** Runs a task; what it raises is marked as coming from here, unless a deeper place has said so. */
export function* placed<T>(thread: Thread, position: Position, task: Task<T>): Task<T> {
  try {
    return yield* task;
  } catch (error) {
    throw marked(thread, position, error);
  }
}

/** {@link placed} for what waits for nothing. */
export function placedValue<T>(thread: Thread, position: Position, compute: () => T): T {
  try {
    return compute();
  } catch (error) {
    throw marked(thread, position, error);
  }
}

function marked({ invocation, step, routine }: Thread, position: Position, error: unknown): unknown {
  if (error instanceof Raised) error.addFrame(invocation, { step, routine: routine.name, position });
  return error;
}

export function* evaluateExpression(thread: Thread, expression: Expression): Task<Value> {
  switch (expression.kind) {
    case 'literal':
      return expression.value;
    case 'name':
      return thread.variables.read(expression.name);
    case 'member':
      return element(yield* evaluateExpression(thread, expression.of), expression.key);
    case 'index':
      return element(
        yield* evaluateExpression(thread, expression.of),
        yield* evaluateExpression(thread, expression.index),
      );
    case 'call':
      return yield* evaluateCall(thread, expression.callee, yield* evaluateAll(thread, expression.args));
    case 'negate':
      return negate(yield* evaluateExpression(thread, expression.operand));
    case 'not':
      return !requireBoolean(yield* evaluateExpression(thread, expression.operand), "the operand of 'not'");
    case 'and':
    case 'or':
      return yield* evaluateLogic(thread, expression);
    case 'binary':
      return binary(
        expression.operator,
        yield* evaluateExpression(thread, expression.left),
        yield* evaluateExpression(thread, expression.right),
      );
    case 'list':
      return yield* evaluateAll(thread, expression.items);
    case 'map':
      return yield* evaluateMap(thread, expression.entries);
  }
}

function* evaluateAll(thread: Thread, expressions: readonly Expression[]): Task<readonly Value[]> {
  const values: Value[] = [];
  for (const expression of expressions) values.push(yield* evaluateExpression(thread, expression));
  return values;
}

function* evaluateLogic(
  thread: Thread,
  { kind, left, right }: Extract<Expression, { kind: 'and' | 'or' }>,
): Task<Value> {
  const where = `the operand of '${kind}'`;
  const first = requireBoolean(yield* evaluateExpression(thread, left), where);
  if (first === (kind === 'or')) return first;
  return requireBoolean(yield* evaluateExpression(thread, right), where);
}

function* evaluateMap(thread: Thread, entries: readonly (readonly [Expression, Expression])[]): Task<Value> {
  const map = new Map<string, Value>();
  for (const [key, value] of entries) {
    const name = yield* evaluateExpression(thread, key);
    if (typeof name !== 'string')
      throw failure('TypeError', `a key must be a string; got: ${typeName(name)}`);
    map.set(name, yield* evaluateExpression(thread, value));
  }
  return map;
}

function* evaluateCall(thread: Thread, callee: string, args: readonly Value[]): Task<Value> {
  const routine = thread.machine.program.routines.get(callee);
  if (routine) {
    const named = new Map(
      routine.params.slice(0, args.length).map(({ name }, index) => [name, args[index] ?? null]),
    );
    return yield* callRoutine(thread, routine, named);
  }
  const called = standardFunction(callee);
  if (called?.kind !== 'instant') throw new Error(`the compiler let '${callee}' through`);
  return runInstant(callee, called, bind(callee, called, args), thread.machine.host);
}

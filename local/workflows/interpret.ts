import { evaluate, evaluateExpression, placed, placedValue } from './evaluate.ts';
import { LIMITS } from './limits.ts';
import {
  createMachine,
  enterStep,
  type Machine,
  type Observer,
  type StackEntry,
  type Thread,
} from './machine.ts';
import type { Host } from './host.ts';
import { requireBoolean, withElement } from './operators.ts';
import { runParallel } from './parallel.ts';
import type {
  Action,
  Arguments,
  Assignment,
  Body,
  CallAction,
  Loop,
  Next,
  Program,
  Routine,
  Step,
} from './program.ts';
import { failure, Raised } from './raised.ts';
import { runTry } from './retry.ts';
import { runBlocking, runInstant, standardFunction } from './stdlib/library.ts';
import { type Task, wait } from './task.ts';
import { Variables } from './variables.ts';
import { isList, isNumeric, typeName, type Value } from './values.ts';

/** How a step ended: go on, or go somewhere else. */
export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'next'; readonly next: Next }
  | { readonly kind: 'return'; readonly value: Value };

export const DONE: Outcome = { kind: 'done' };

/** A whole execution: `main` with the decoded argument. */
export function runMain(program: Program, host: Host, observer: Observer, argument: Value): Task<Value> {
  const main = program.routines.get('main');
  if (!main) throw new Error('the compiler let a program without main through');
  const [param] = main.params;
  const args = new Map(param ? [[param.name, argument]] : []);
  return runRoutine(createMachine(program, host, observer), main, args, [], 0);
}

/** A subworkflow on top of the stack of the calling thread. */
export function callRoutine(
  { machine, callers, routine: caller, step, parallelDepth }: Thread,
  routine: Routine,
  args: ReadonlyMap<string, Value>,
): Task<Value> {
  return runRoutine(machine, routine, args, [...callers, { routine: caller.name, step }], parallelDepth);
}

function* runRoutine(
  machine: Machine,
  routine: Routine,
  args: ReadonlyMap<string, Value>,
  callers: readonly StackEntry[],
  parallelDepth: number,
): Task<Value> {
  if (callers.length >= LIMITS.callDepth) {
    throw failure('RecursionError', `more than ${LIMITS.callDepth} subworkflow calls deep`);
  }
  const variables = new Variables(routine.scope, machine.memory);
  for (const { name, fallback } of routine.params) {
    const value = args.has(name) ? args.get(name) : fallback;
    if (value === undefined) throw failure('TypeError', `'${routine.name}' needs the argument '${name}'`);
    variables.write(name, value);
  }
  const thread = { machine, routine, variables, invocation: {}, callers, parallelDepth, step: '' };
  try {
    const outcome = yield* runSteps(thread, routine.steps);
    return outcome.kind === 'return' ? outcome.value : null;
  } finally {
    variables.release();
  }
}

/** The steps of one list, in order or as their `next` says. */
export function* runSteps(thread: Thread, steps: readonly Step[]): Task<Outcome> {
  let index = 0;
  for (let step = steps[index]; step; step = steps[index]) {
    const outcome = yield* runStep(thread, step);
    const target = jumpTarget(steps, outcome);
    if (outcome.kind !== 'done' && target === undefined) return outcome;
    index = target ?? index + 1;
  }
  return DONE;
}

/** Undefined: the outcome is not for this list. */
function jumpTarget(steps: readonly Step[], outcome: Outcome): number | undefined {
  if (outcome.kind !== 'next' || outcome.next.kind !== 'step') return undefined;
  const { name } = outcome.next;
  const index = steps.findIndex(step => step.name === name);
  return index < 0 ? undefined : index;
}

function* runStep(thread: Thread, step: Step): Task<Outcome> {
  const here = { ...thread, step: step.name };
  // Whoever stopped the execution resumes nothing any more: this promise is the end of it.
  if (!enterStep(here, step)) yield new Promise(() => {});
  return yield* runBody(here, step);
}

export function* runBody(thread: Thread, { action, next, position }: Body): Task<Outcome> {
  const outcome = yield* placed(thread, position, runAction(thread, action));
  return outcome.kind === 'done' && next ? { kind: 'next', next } : outcome;
}

function* runAction(thread: Thread, action: Action): Task<Outcome> {
  switch (action.kind) {
    case 'assign':
      for (const assignment of action.assignments) yield* assign(thread, assignment);
      return DONE;
    case 'call':
      return yield* runCall(thread, action);
    case 'switch':
      for (const { condition, body } of action.cases) {
        const value = yield* evaluate(thread, condition);
        const isTrue = placedValue(thread, condition.position, () => requireBoolean(value, 'a condition'));
        if (isTrue) return yield* runBody(thread, body);
      }
      return DONE;
    case 'for':
      return yield* runLoop(thread, action.loop);
    case 'parallel':
      return yield* runParallel(thread, action);
    case 'try':
      return yield* runTry(thread, action);
    case 'raise':
      throw new Raised(yield* evaluate(thread, action.value));
    case 'return':
      return { kind: 'return', value: yield* evaluate(thread, action.value) };
    case 'steps':
      return yield* runSteps(thread, action.steps);
    case 'jump':
      return DONE;
  }
}

function* assign(thread: Thread, { target, value, position }: Assignment): Task<void> {
  const evaluated = yield* evaluate(thread, value);
  yield* placed(thread, position, store(thread, target, evaluated));
}

function* store(thread: Thread, { variable, path }: Assignment['target'], value: Value): Task<void> {
  const keys: Value[] = [];
  for (const expression of path) keys.push(yield* evaluateExpression(thread, expression));
  const { variables } = thread;
  variables.write(variable, keys.length === 0 ? value : withElement(variables.read(variable), keys, value));
}

function* runCall(thread: Thread, { callee, args, result }: CallAction): Task<Outcome> {
  const value = yield* observed(thread, callee, call(thread, callee, args));
  if (result !== undefined) thread.variables.write(result, value);
  return DONE;
}

function* observed(thread: Thread, callee: string, task: Task<Value>): Task<Value> {
  const { machine, routine, step } = thread;
  const report = (exception: string | undefined) =>
    machine.observer.callEnds({ routine: routine.name, step, callee, exception });
  try {
    const value = yield* task;
    report(undefined);
    return value;
  } catch (error) {
    if (error instanceof Raised) report(error.message);
    throw error;
  }
}

function* call(thread: Thread, callee: string, args: Arguments): Task<Value> {
  const { host, program } = thread.machine;
  const routine = program.routines.get(callee);
  if (routine) {
    const names = routine.params.map(({ name }) => name);
    return yield* callRoutine(thread, routine, yield* evaluateArguments(thread, args, names));
  }
  const called = standardFunction(callee);
  if (!called) throw new Error(`the compiler let '${callee}' through`);
  const names = called.params.map(({ name }) => name);
  const values = yield* evaluateArguments(thread, args, names);
  if (called.kind === 'instant') return runInstant(callee, called, values, host);
  return yield* wait(runBlocking(callee, called, values, host));
}

function* evaluateArguments(
  thread: Thread,
  args: Arguments,
  names: readonly string[],
): Task<ReadonlyMap<string, Value>> {
  const values = new Map<string, Value>();
  const entries =
    args.kind === 'named'
      ? args.entries
      : args.items.map((item, index) => [names[index] ?? '', item] as const);
  for (const [name, template] of entries) values.set(name, yield* evaluate(thread, template));
  return values;
}

function* runLoop(thread: Thread, loop: Loop): Task<Outcome> {
  const items = yield* loopItems(thread, loop);
  for (const [index, item] of items.entries()) {
    const outcome = yield* runIteration(thread, loop, item, index);
    if (outcome.kind === 'return') return outcome;
    if (outcome.kind !== 'next' || outcome.next.kind === 'continue') continue;
    if (outcome.next.kind === 'break') return DONE;
    return outcome;
  }
  return DONE;
}

/** The steps of a block that has variables of its own. */
export function* runBlock(thread: Thread, steps: readonly Step[]): Task<Outcome> {
  try {
    return yield* runSteps(thread, steps);
  } finally {
    thread.variables.release();
  }
}

/** One pass of a loop, with variables of its own. */
export function* runIteration(thread: Thread, loop: Loop, item: Value, index: number): Task<Outcome> {
  const variables = thread.variables.inner(loop.scope);
  variables.write(loop.value, item);
  if (loop.index !== undefined) variables.write(loop.index, BigInt(index));
  return yield* runBlock({ ...thread, variables }, loop.steps);
}

export function* loopItems(thread: Thread, { over, in: template, position }: Loop): Task<readonly Value[]> {
  const value = yield* evaluate(thread, template);
  return placedValue(thread, position, () => (over === 'list' ? listItems(value) : rangeItems(value)));
}

function listItems(value: Value): readonly Value[] {
  if (isList(value)) return value;
  throw failure('TypeError', `'in' of a for must be a list; got: ${typeName(value)}`);
}

/** Both ends included, in steps of 1. */
function rangeItems(value: Value): readonly Value[] {
  const [first, last] = isList(value) ? value : [];
  if (!isList(value) || value.length !== 2 || !isNumeric(first) || !isNumeric(last)) {
    throw failure('TypeError', "'range' of a for must be a list of two numbers");
  }
  const items: Value[] = [];
  for (let at = first; at <= last; at = typeof at === 'bigint' ? at + 1n : at + 1) {
    items.push(at);
    if (items.length > LIMITS.steps)
      throw failure('ValueError', `'range' of a for has over ${LIMITS.steps} values`);
  }
  return items;
}

import type { Arguments, CallAction, Program, Routine } from './program.ts';
import type { Position } from './source.ts';
import { isCallable, isPredicate, standardFunction, whyUnknown } from './stdlib/library.ts';
import { type Diagnostics, fail } from './templates.ts';

interface Parameter {
  readonly name: string;
  readonly isOptional: boolean;
}

/** A `call` step: the name exists, and the arguments fit its parameters. */
export function checkCall(
  diagnostics: Diagnostics,
  program: Program,
  { callee, args }: CallAction,
  position: Position,
): void {
  const routine = program.routines.get(callee);
  if (callee === 'main') fail(diagnostics, position, "'main' cannot be called");
  else if (routine) checkArguments(diagnostics, callee, parametersOf(routine), args, position);
  else if (isCallable(callee)) {
    const parameters = standardFunction(callee)?.params ?? [];
    checkArguments(diagnostics, callee, parameters, args, position);
  } else if (standardFunction(callee)) {
    fail(diagnostics, position, `'${callee}' is for expressions: \${${callee}(…)}`);
  } else if (callee !== '') fail(diagnostics, position, whyUnknown(callee));
}

function parametersOf({ params }: Routine): readonly Parameter[] {
  return params.map(({ name, fallback }) => ({ name, isOptional: fallback !== undefined }));
}

function checkArguments(
  diagnostics: Diagnostics,
  callee: string,
  parameters: readonly Parameter[],
  args: Arguments,
  position: Position,
): void {
  if (args.kind === 'positional') {
    checkCount(diagnostics, callee, parameters, args.items.length, position);
    return;
  }
  const given = new Set(args.entries.map(([name]) => name));
  const known = new Set(parameters.map(({ name }) => name));
  for (const [name, template] of args.entries) {
    if (known.has(name)) continue;
    const expected = [...known].join(', ') || 'no arguments';
    fail(diagnostics, template.position, `'${callee}' has no parameter '${name}'; expected ${expected}`);
  }
  for (const { name, isOptional } of parameters) {
    if (!isOptional && !given.has(name))
      fail(diagnostics, position, `'${callee}' needs the argument '${name}'`);
  }
}

function checkCount(
  diagnostics: Diagnostics,
  callee: string,
  parameters: readonly Parameter[],
  count: number,
  position: Position,
): void {
  const needed = parameters.filter(({ isOptional }) => !isOptional).length;
  if (count >= needed && count <= parameters.length) return;
  const range = needed === parameters.length ? String(needed) : `${needed} to ${parameters.length}`;
  fail(diagnostics, position, `'${callee}' takes ${range} arguments, not ${count}`);
}

/** A function in an expression; its arguments are positional. */
export function checkExpressionCall(
  diagnostics: Diagnostics,
  program: Program,
  callee: string,
  count: number,
  what: string,
  position: Position,
): void {
  const routine = program.routines.get(callee);
  const known = standardFunction(callee);
  if (callee === 'main') fail(diagnostics, position, "'main' cannot be called");
  else if (routine) checkCount(diagnostics, callee, parametersOf(routine), count, position);
  else if (!known) fail(diagnostics, position, `error evaluating ${what}: ${whyUnknown(callee)}`);
  else if (known.kind === 'blocking') {
    fail(diagnostics, position, `error evaluating ${what}: '${callee}' blocks; use it in a 'call' step`);
  } else checkCount(diagnostics, callee, known.params, count, position);
}

/** What a retry policy asks whether to try again: one of the library's or a subworkflow of one parameter. */
export function checkPredicate(
  diagnostics: Diagnostics,
  program: Program,
  predicate: string,
  position: Position,
): void {
  if (isPredicate(predicate)) return;
  const routine = program.routines.get(predicate);
  if (!routine) {
    fail(
      diagnostics,
      position,
      `the predicate '${predicate}' is neither a standard predicate nor a subworkflow`,
    );
    return;
  }
  const required = routine.params.filter(({ fallback }) => fallback === undefined).length;
  if (routine.params.length < 1 || required > 1) {
    fail(diagnostics, position, `the predicate '${predicate}' must take one argument, the error`);
  }
}

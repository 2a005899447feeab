import { compileSteps } from './compile-steps.ts';
import { compileParams } from './compile-values.ts';
import { LIMITS } from './limits.ts';
import type { Program, Routine } from './program.ts';
import { resolve } from './resolve.ts';
import { type Problem, readSource, type Source, type SourceEntry } from './source.ts';
import { type Diagnostics, fail } from './templates.ts';

export interface Compiled {
  /** Undefined when there are errors. */
  readonly program: Program | undefined;
  /** Errors and warnings in the order of the source. */
  readonly problems: readonly Problem[];
}

/** Source → checked program. Never throws for a bad source: everything wrong with it is in `problems`, at once. */
export function compile(text: string): Compiled {
  const diagnostics: Diagnostics = { problems: [], step: undefined };
  const source = readSource(text, diagnostics.problems);
  const program = source && compileProgram(diagnostics, source);
  const problems = inSourceOrder(diagnostics.problems);
  const failed = problems.some(problem => problem.severity === 'error');
  return { program: failed ? undefined : program, problems };
}

/** Thrown by a deployment. */
export class CompileError extends Error {
  override readonly name = 'CompileError';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(`failed to build: ${problems.map(describeProblem).join('\n')}`);
    this.problems = problems;
  }
}

export function describeProblem({ line, column, message }: Problem): string {
  return `${line}:${column}: ${message}`;
}

/** The program, or an error that lists every problem with line and column. */
export function compileOrThrow(text: string): Program {
  const { program, problems } = compile(text);
  if (program) return program;
  throw new CompileError(problems.filter(problem => problem.severity === 'error'));
}

function inSourceOrder(problems: readonly Problem[]): readonly Problem[] {
  return [...problems].sort((left, right) => left.line - right.line || left.column - right.column);
}

function compileProgram(diagnostics: Diagnostics, source: Source): Program {
  const routines = new Map<string, Routine>();
  for (const routine of compileRoutines(diagnostics, source)) routines.set(routine.name, routine);
  resolve(diagnostics, { routines });
  return { routines };
}

function compileRoutines(diagnostics: Diagnostics, source: Source): readonly Routine[] {
  if (source.kind === 'list') {
    const steps = compileSteps(diagnostics, source);
    const { position } = source;
    return [{ name: 'main', params: [], steps, scope: { names: new Set() }, position }];
  }
  if (source.kind !== 'map') {
    fail(diagnostics, source.position, 'a workflow is a list of steps or a map with main and subworkflows');
    return [];
  }
  if (!source.entries.some(entry => entry.key === 'main')) {
    fail(diagnostics, source.position, "there is no 'main'");
  }
  return source.entries.map(entry => compileRoutine(diagnostics, entry));
}

function compileRoutine(diagnostics: Diagnostics, { key, keyPosition, value }: SourceEntry): Routine {
  diagnostics.step = undefined;
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) {
    fail(diagnostics, keyPosition, `'${key}' is no name for a subworkflow: use letters, digits and '_'`);
  }
  const empty = {
    name: key,
    params: [],
    steps: [],
    scope: { names: new Set<string>() },
    position: keyPosition,
  };
  if (value.kind !== 'map') {
    fail(diagnostics, keyPosition, `'${key}' must be a map with 'steps' and optionally 'params'`);
    return empty;
  }
  const entries = new Map(value.entries.map(entry => [entry.key, entry]));
  for (const entry of value.entries) {
    if (entry.key === 'steps' || entry.key === 'params') continue;
    fail(diagnostics, entry.keyPosition, `unknown key '${entry.key}' in '${key}'; expected params or steps`);
  }
  const steps = entries.get('steps');
  if (!steps) fail(diagnostics, keyPosition, `'${key}' has no 'steps'`);
  const limit = key === 'main' ? LIMITS.mainParams : LIMITS.subworkflowParams;
  const params = compileParams(diagnostics, entries.get('params')?.value, limit, key === 'main');
  return { ...empty, params, steps: steps ? compileSteps(diagnostics, steps.value) : [] };
}

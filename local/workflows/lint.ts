import { blocksOf, evaluatedBy, expressionsIn } from './blocks.ts';
import { compile } from './compile.ts';
import { BUILT_IN_ENV } from './engine.ts';
import type { Expression } from './expressions.ts';
import type { Action, Body, Program, Step } from './program.ts';
import type { Position, Problem } from './source.ts';

export type { Problem } from './source.ts';

/**
 * Everything that can be said about a workflow definition without running it: what a deployment refuses (errors), and
 * what is deployed but hardly meant (warnings).
 * @param envNames variables that the deployment sets
 */
export function lintWorkflow(source: string, envNames: readonly string[]): readonly Problem[] {
  const { program, problems } = compile(source);
  if (!program) return problems;
  const found = [...problems, ...lintProgram(program, new Set([...BUILT_IN_ENV, ...envNames]))];
  return found.sort((left, right) => left.line - right.line || left.column - right.column);
}

type Report = (severity: Problem['severity'], position: Position, message: string) => void;

function lintProgram(program: Program, env: ReadonlySet<string>): readonly Problem[] {
  const problems: Problem[] = [];
  const called = new Set<string>(['main']);
  for (const routine of program.routines.values()) {
    for (const body of bodiesIn(routine.steps)) {
      const report: Report = (severity, { line, column }, message) =>
        problems.push({ severity, line, column, message: `${severity} in step ${body.step}: ${message}` });
      lintBody(body, env, called, report);
    }
    reportUnreachable(routine.steps, problems);
  }
  for (const { name, position } of program.routines.values()) {
    if (called.has(name)) continue;
    const { line, column } = position;
    problems.push({
      severity: 'warning',
      line,
      column,
      message: `the subworkflow '${name}' is never called`,
    });
  }
  return problems;
}

interface NamedBody extends Body {
  readonly step: string;
}

function* bodiesIn(steps: readonly Step[]): Generator<NamedBody> {
  for (const step of steps) yield* within(step.name, step);
}

function* within(step: string, body: Body): Generator<NamedBody> {
  yield { ...body, step };
  for (const block of blocksOf(body.action)) {
    yield* bodiesIn(block.list);
    if (block.body) yield* within(step, block.body);
  }
}

function lintBody(
  { action, position }: NamedBody,
  env: ReadonlySet<string>,
  called: Set<string>,
  report: Report,
) {
  if (action.kind === 'call') {
    called.add(action.callee);
    if (action.callee === 'sys.get_env') lintEnvCall(action, env, report, position);
  }
  if (action.kind === 'try' && action.retry) called.add(action.retry.predicate);
  for (const { template } of evaluatedBy(action)) {
    for (const expression of expressionsIn(template)) {
      lintExpression(expression, env, called, (severity, message) =>
        report(severity, template.position, message),
      );
    }
  }
}

function lintExpression(
  expression: Expression,
  env: ReadonlySet<string>,
  called: Set<string>,
  report: (severity: Problem['severity'], message: string) => void,
): void {
  if (expression.kind === 'call') {
    called.add(expression.callee);
    const [name] = expression.args;
    if (expression.callee === 'sys.get_env' && expression.args.length === 1 && name?.kind === 'literal') {
      if (!env.has(String(name.value))) report('error', missing(String(name.value)));
    }
  }
  if (expression.kind === 'binary' && expression.left.kind === 'not') {
    const { operator } = expression;
    report('warning', `'not' binds tighter than '${operator}'; write not(… ${operator} …)`);
  }
}

function lintEnvCall(
  { args }: Extract<Action, { kind: 'call' }>,
  env: ReadonlySet<string>,
  report: Report,
  position: Position,
): void {
  const templates =
    args.kind === 'named'
      ? new Map(args.entries)
      : new Map(args.items.map((item, index) => [index === 0 ? 'name' : 'default', item]));
  const name = templates.get('name');
  if (templates.has('default') || name?.kind !== 'literal' || env.has(String(name.value))) return;
  report('error', position, missing(String(name.value)));
}

function missing(name: string): string {
  return `the environment variable '${name}' is not set by the deployment, and sys.get_env gives no default for it`;
}

/** Steps behind a step that always goes elsewhere, and that nobody jumps to. */
function reportUnreachable(steps: readonly Step[], problems: Problem[]): void {
  const targets = new Set<string>();
  for (const { next } of bodiesIn(steps)) if (next?.kind === 'step') targets.add(next.name);
  const visit = (list: readonly Step[]): void => {
    list.forEach((step, index) => {
      const before = list[index - 1];
      if (before && leaves(before) && !targets.has(step.name)) {
        const { line, column } = step.position;
        const message = `warning in step ${step.name}: it is never reached: '${before.name}' always goes elsewhere`;
        problems.push({ severity: 'warning', line, column, message });
      }
      visitBlocks(step.action);
    });
  };
  const visitBlocks = (action: Action): void => {
    for (const { list, body } of blocksOf(action)) {
      visit(list);
      if (body) visitBlocks(body.action);
    }
  };
  visit(steps);
}

function leaves({ action, next }: Step): boolean {
  return next !== undefined || action.kind === 'raise' || action.kind === 'return';
}

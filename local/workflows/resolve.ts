import { type Block, blocksOf, evaluatedBy, expressionsIn, updatesOf, writesOf } from './blocks.ts';
import { LIMITS } from './limits.ts';
import type { Action, Body, Next, Program, Routine, Scope, Step, Template } from './program.ts';
import type { Position } from './source.ts';
import { checkCall, checkExpressionCall, checkPredicate } from './signatures.ts';
import { type Diagnostics, fail, warn } from './templates.ts';

/** Finds the scope of every variable and reports every name that leads nowhere: variables, steps, functions. */
export function resolve(diagnostics: Diagnostics, program: Program): void {
  for (const routine of program.routines.values()) resolveRoutine(diagnostics, program, routine);
  diagnostics.step = undefined;
}

/** The scopes that can be seen from a place, innermost first. */
interface Visible {
  readonly scope: Scope;
  readonly outer: Visible | undefined;
  readonly block: Block | undefined;
}

interface Routing {
  /** Names of the steps of the innermost list around a place. */
  readonly list: ReadonlySet<string>;
  /** What has to be crossed to get to the list around that one. */
  readonly border: Block['border'];
  readonly outer: Routing | undefined;
}

interface Context {
  readonly diagnostics: Diagnostics;
  readonly program: Program;
  readonly visible: Visible;
  readonly routing: Routing;
  readonly parallelDepth: number;
  /** Every variable of the routine that belongs to a block, for messages. */
  readonly locals: Map<string, Block['border']>;
}

function resolveRoutine(diagnostics: Diagnostics, program: Program, routine: Routine): void {
  for (const { name } of routine.params) routine.scope.names.add(name);
  const context: Context = {
    diagnostics,
    program,
    visible: { scope: routine.scope, outer: undefined, block: undefined },
    routing: { list: names(routine.steps), border: 'none', outer: undefined },
    parallelDepth: 0,
    locals: new Map(),
  };
  diagnostics.step = undefined;
  reportDuplicateSteps(diagnostics, routine);
  declareSteps(context, routine.steps);
  checkSteps(context, routine.steps);
}

const names = (steps: readonly Step[]): ReadonlySet<string> => new Set(steps.map(step => step.name));

function reportDuplicateSteps(diagnostics: Diagnostics, routine: Routine): void {
  const seen = new Set<string>();
  const visit = (steps: readonly Step[]): void => {
    for (const step of steps) {
      diagnostics.step = step.name;
      if (seen.has(step.name)) {
        fail(
          diagnostics,
          step.position,
          `there is a second step '${step.name}' in '${routine.name}'; names are unique`,
        );
      }
      seen.add(step.name);
      visitBlocks(step.action);
    }
  };
  const visitBlocks = (action: Action): void => {
    for (const { list, body } of blocksOf(action)) {
      visit(list);
      if (body) visitBlocks(body.action);
    }
  };
  visit(routine.steps);
}

// First pass, in the order of the source: a variable belongs to the block that writes it first.

function declareSteps(context: Context, steps: readonly Step[]): void {
  for (const step of steps) {
    context.diagnostics.step = step.name;
    declareBody(context, step);
  }
}

function declareBody(context: Context, body: Body): void {
  const { action, position } = body;
  for (const write of writesOf(body)) declare(context, write.variable, write.position);
  if (action.kind === 'parallel') checkShared(context, action.shared, position);
  for (const block of blocksOf(action)) {
    const inside = enter(context, block);
    const { step } = context.diagnostics;
    for (const name of block.declares) declareLocal(inside, name);
    declareSteps(inside, block.list);
    context.diagnostics.step = step;
    if (block.body) declareBody(inside, block.body);
  }
}

function checkShared({ diagnostics, visible }: Context, shared: readonly string[], position: Position): void {
  for (const name of shared) {
    if (find(visible, name)) continue;
    fail(diagnostics, position, `the shared variable '${name}' is not assigned before the parallel step`);
  }
}

function declare(context: Context, name: string, position: Position): void {
  const owner = find(context.visible, name);
  if (owner) checkWrite(context, owner, name, position);
  else declareLocal(context, name);
}

function declareLocal({ visible, locals }: Context, name: string): void {
  visible.scope.names.add(name);
  if (visible.block) locals.set(name, visible.block.border);
}

/** Between the writing step and the variable every parallel border has to let it through. */
function checkWrite(
  { diagnostics, visible }: Context,
  owner: Visible,
  name: string,
  position: Position,
): void {
  for (let at: Visible | undefined = visible; at && at !== owner; at = at.outer) {
    if (!at.block || !isParallel(at.block) || at.block.shared.includes(name)) continue;
    const message = `the variable '${name}' belongs to the outside of the parallel step: list it under 'shared' to write it`;
    fail(diagnostics, position, message);
    return;
  }
}

function isParallel({ border }: Block): boolean {
  return border === 'branch' || border === 'parallel loop';
}

function find(visible: Visible, name: string): Visible | undefined {
  for (let at: Visible | undefined = visible; at; at = at.outer) if (at.scope.names.has(name)) return at;
  return undefined;
}

function enter(context: Context, block: Block): Context {
  const visible = block.scope ? { scope: block.scope, outer: context.visible, block } : context.visible;
  const isBorder = block.list.length > 0 || block.border !== 'none';
  const routing = isBorder
    ? { list: names(block.list), border: block.border, outer: context.routing }
    : context.routing;
  const parallelDepth = context.parallelDepth + (isParallel(block) ? 1 : 0);
  return { ...context, visible, routing, parallelDepth };
}

// Second pass: everything is declared, so whatever is not found now does not exist.

function checkSteps(context: Context, steps: readonly Step[]): void {
  for (const step of steps) {
    context.diagnostics.step = step.name;
    checkBody(context, step);
  }
}

function checkBody(context: Context, body: Body): void {
  const { action, next, position } = body;
  const { diagnostics, program } = context;
  for (const { what, template } of evaluatedBy(action)) checkTemplate(context, what, template);
  for (const write of updatesOf(body)) checkUpdate(context, write.variable, write.position);
  if (action.kind === 'call') checkCall(diagnostics, program, action, position);
  if (action.kind === 'try' && action.retry)
    checkPredicate(diagnostics, program, action.retry.predicate, position);
  if (action.kind === 'return') checkReturn(context, 'return', position);
  if (action.kind === 'parallel' && context.parallelDepth >= LIMITS.parallelDepth) {
    fail(diagnostics, position, `parallel steps nest at most ${LIMITS.parallelDepth} deep`);
  }
  if (next) checkNext(context, next);
  for (const block of blocksOf(action)) {
    const inside = enter(context, block);
    const { step } = diagnostics;
    checkSteps(inside, block.list);
    diagnostics.step = step;
    if (block.body) checkBody(inside, block.body);
  }
}

function checkUpdate(context: Context, name: string, position: Position): void {
  const owner = find(context.visible, name);
  if (owner) checkWrite(context, owner, name, position);
  else reportUnknown(context, 'assignment target', name, position);
}

function checkTemplate(context: Context, what: string, template: Template): void {
  for (const expression of expressionsIn(template)) {
    if (expression.kind === 'name') checkRead(context, what, expression.name, template.position);
    if (expression.kind === 'call') {
      const { callee, args } = expression;
      checkExpressionCall(context.diagnostics, context.program, callee, args.length, what, template.position);
    }
  }
}

function checkRead(context: Context, what: string, name: string, position: Position): void {
  if (find(context.visible, name)) return;
  if (context.program.routines.has(name)) {
    const message = `error evaluating ${what}: '${name}' is a subworkflow; call it: ${name}(…)`;
    fail(context.diagnostics, position, message);
    return;
  }
  reportUnknown(context, what, name, position);
}

function reportUnknown(context: Context, what: string, name: string, position: Position): void {
  const border = context.locals.get(name);
  const why =
    border === undefined
      ? `symbol '${name}' is neither a variable nor a sub-workflow name`
      : `the variable '${name}' is local to ${PLACES[border]} that assigns it first and cannot be read outside`;
  fail(context.diagnostics, position, `error evaluating ${what}: ${why}`);
}

const PLACES: Readonly<Record<Block['border'], string>> = {
  none: 'the block',
  loop: "the 'for'",
  except: "the 'except'",
  branch: 'the parallel branch',
  'parallel loop': "the parallel 'for'",
};

function checkReturn(context: Context, what: string, position: Position): void {
  for (let at: Routing | undefined = context.routing; at; at = at.outer) {
    if (at.border !== 'branch' && at.border !== 'parallel loop') continue;
    fail(context.diagnostics, position, `'${what}' cannot leave a parallel step`);
    return;
  }
}

function checkNext(context: Context, next: Next): void {
  if (next.kind === 'end') checkReturn(context, 'next: end', next.position);
  else if (next.kind === 'step') checkJump(context, next.name, next.position);
  else checkLoopExit(context, next.kind, next.position);
}

function checkLoopExit(
  { diagnostics, routing }: Context,
  kind: 'break' | 'continue',
  position: Position,
): void {
  for (let at: Routing | undefined = routing; at; at = at.outer) {
    if (at.border === 'loop') return;
    if (at.border === 'parallel loop' && kind === 'continue') return;
    if (at.border !== 'branch' && at.border !== 'parallel loop') continue;
    fail(diagnostics, position, `'next: ${kind}' cannot leave a parallel step`);
    return;
  }
  fail(diagnostics, position, `'next: ${kind}' stands in no 'for'`);
}

function checkJump({ diagnostics, routing }: Context, name: string, position: Position): void {
  let isOutOfLoop = false;
  for (let at: Routing | undefined = routing; at; at = at.outer) {
    if (at.list.has(name)) {
      if (isOutOfLoop)
        warn(diagnostics, position, `jumping out of a 'for' to '${name}' is not documented; use break`);
      return;
    }
    if (at.border === 'branch' || at.border === 'parallel loop') {
      fail(diagnostics, position, `'next: ${name}' leads out of the parallel step or to no step at all`);
      return;
    }
    isOutOfLoop ||= at.border === 'loop';
  }
  const message = `'next: ${name}' leads nowhere: it must be a step of this list or of one around it`;
  fail(diagnostics, position, message);
}

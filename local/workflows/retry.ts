import { evaluate } from './evaluate.ts';
import { callRoutine, type Outcome, runBody } from './interpret.ts';
import type { Thread } from './machine.ts';
import type { RetryPolicy, Template, TryAction } from './program.ts';
import { failure, Raised } from './raised.ts';
import { bind, runInstant, standardFunction } from './stdlib/library.ts';
import { type Task, wait } from './task.ts';
import { isNumeric, typeName, type Value } from './values.ts';

export function* runTry(thread: Thread, { body, retry, except }: TryAction): Task<Outcome> {
  try {
    return yield* runWithRetries(thread, body, retry);
  } catch (error) {
    if (!except || !(error instanceof Raised) || !error.catchable) throw error;
    const variables = thread.variables.inner(except.scope);
    if (except.as !== undefined) variables.write(except.as, error.value);
    try {
      return yield* runBody({ ...thread, variables }, except.body);
    } finally {
      variables.release();
    }
  }
}

function* runWithRetries(
  thread: Thread,
  body: TryAction['body'],
  policy: RetryPolicy | undefined,
): Task<Outcome> {
  for (let retries = 0; ; retries += 1) {
    try {
      return yield* runBody(thread, body);
    } catch (error) {
      if (!policy || !(error instanceof Raised) || !error.catchable) throw error;
      const delaySeconds = yield* retryDelay(thread, policy, retries, error);
      yield* wait(thread.machine.host.sleep(delaySeconds));
    }
  }
}

/** Seconds until the next attempt; throws the error on when there is none. */
function* retryDelay(thread: Thread, policy: RetryPolicy, retries: number, error: Raised): Task<number> {
  const maxRetries = yield* number(thread, policy.maxRetries, 'max_retries');
  if (retries >= maxRetries || !(yield* shouldRetry(thread, policy.predicate, error))) throw error;
  const initialDelay = yield* number(thread, policy.initialDelay, 'initial_delay');
  const maxDelay = yield* number(thread, policy.maxDelay, 'max_delay');
  const multiplier = yield* number(thread, policy.multiplier, 'multiplier');
  return Math.min(maxDelay, initialDelay * multiplier ** retries);
}

/** A predicate that fails itself decides nothing: the original error goes on. */
function* shouldRetry(thread: Thread, predicate: string, error: Raised): Task<boolean> {
  try {
    return (yield* ask(thread, predicate, error.value)) === true;
  } catch (problem) {
    if (problem instanceof Raised && problem.catchable) throw error;
    throw problem;
  }
}

function* ask(thread: Thread, predicate: string, error: Value): Task<Value> {
  const { program, host } = thread.machine;
  const routine = program.routines.get(predicate);
  const [param] = routine?.params ?? [];
  if (routine && param) return yield* callRoutine(thread, routine, new Map([[param.name, error]]));
  const called = standardFunction(predicate);
  if (called?.kind !== 'instant') throw new Error(`the compiler let the predicate '${predicate}' through`);
  return runInstant(predicate, called, bind(predicate, called, [error]), host);
}

/** Numbers of a retry policy may be written as text. */
function* number(thread: Thread, template: Template, name: string): Task<number> {
  const value = yield* evaluate(thread, template);
  const result = isNumeric(value) || typeof value === 'string' ? Number(value) : Number.NaN;
  if (Number.isFinite(result) && result >= 0) return result;
  throw failure(
    'TypeError',
    `${name} of a retry policy must be a number, 0 or more; got: ${typeName(value)}`,
  );
}

import { evaluate } from './evaluate.ts';
import { DONE, loopItems, type Outcome, runBlock, runIteration } from './interpret.ts';
import { LIMITS } from './limits.ts';
import type { Thread } from './machine.ts';
import type { ParallelAction } from './program.ts';
import { failure, Raised, raised } from './raised.ts';
import { drive, type Task, wait } from './task.ts';
import { mapOf, typeName, type Value } from './values.ts';

interface Piece {
  /** The branch's name or the iteration's number. */
  readonly id: string;
  readonly task: () => Task<Outcome>;
}

/** All branches or iterations, each to its end whatever happens to the others; only an exhausted limit ends it at once. */
export function* runParallel(thread: Thread, action: ParallelAction): Task<Outcome> {
  const parallelDepth = thread.parallelDepth + 1;
  if (parallelDepth > LIMITS.parallelDepth) {
    throw failure('ParallelNestingError', `parallel steps nest at most ${LIMITS.parallelDepth} deep`);
  }
  const pieces = yield* piecesOf({ ...thread, parallelDepth }, action);
  const limit = yield* concurrencyLimit(thread, action);
  const errors = yield* wait(runAll(thread, pieces, limit));
  if (errors.length > 0) throw unhandledBranches(errors);
  return DONE;
}

function* piecesOf(thread: Thread, { work }: ParallelAction): Task<readonly Piece[]> {
  if (work.kind === 'branches') {
    return work.branches.map(({ name, steps, scope }) => ({
      id: name,
      task: () => runBlock({ ...thread, invocation: {}, variables: thread.variables.inner(scope) }, steps),
    }));
  }
  const items = yield* loopItems(thread, work.loop);
  return items.map((item, index) => ({
    id: String(index),
    task: () => runIteration({ ...thread, invocation: {} }, work.loop, item, index),
  }));
}

function* concurrencyLimit(thread: Thread, { concurrencyLimit: template }: ParallelAction): Task<number> {
  if (!template) return LIMITS.concurrentBranches;
  const value = yield* evaluate(thread, template);
  if (typeof value !== 'bigint' || value < 1n) {
    throw failure('TypeError', `concurrency_limit must be a positive integer; got: ${typeName(value)}`);
  }
  return Math.min(Number(value), LIMITS.concurrentBranches);
}

interface BranchError {
  readonly id: string;
  readonly error: Raised;
}

async function runAll(
  { machine }: Thread,
  pieces: readonly Piece[],
  limit: number,
): Promise<readonly BranchError[]> {
  const errors: BranchError[] = [];
  const waiting = [...pieces];
  const worker = async () => {
    for (let piece = waiting.shift(); piece; piece = waiting.shift()) {
      try {
        await drive(piece.task(), () => machine.observer.isStopped());
      } catch (error) {
        if (!(error instanceof Raised) || !error.catchable) throw error;
        errors.push({ id: piece.id, error });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, pieces.length) }, worker));
  return errors;
}

function unhandledBranches(errors: readonly BranchError[]): Raised {
  const branches: Value = errors
    .slice(0, LIMITS.collectedErrors)
    .map(({ id, error }) => mapOf({ id, error: mapOf({ context: error.context(), payload: error.value }) }));
  const text = 'One or more branches or iterations encountered an unhandled runtime error';
  return raised('UnhandledBranchError', `UnhandledBranchError: ${text}`, {
    branches,
    truncated: errors.length > LIMITS.collectedErrors,
  });
}

/**
 * The interpreter is written as generators that yield the promises they wait for. What waits for nothing runs in one go,
 * which makes each assignment of a parallel branch atomic, and an execution stops by not being resumed.
 */
export type Task<T> = Generator<Promise<unknown>, T, unknown>;

export function* wait<T>(promise: Promise<T>): Task<T> {
  return (yield promise) as T;
}

/** Runs a task to its end; settles never once `isStopped` says so. */
export async function drive<T>(task: Task<T>, isStopped: () => boolean): Promise<T> {
  let state = task.next();
  while (!state.done) {
    let resume: () => IteratorResult<Promise<unknown>, T>;
    try {
      const value = await state.value;
      resume = () => task.next(value);
    } catch (error) {
      resume = () => task.throw(error);
    }
    if (isStopped()) return new Promise(() => {});
    state = resume();
  }
  return state.value;
}

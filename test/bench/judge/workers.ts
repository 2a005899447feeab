import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Watched } from './watch.ts';
import type { Task } from './worker.ts';

/** Canaries of one task. */
const CHUNK = 250;

/** Watches canaries on all processors. */
export class Watchers implements AsyncDisposable {
  readonly #idle: Worker[];
  readonly #all: readonly Worker[];
  readonly #waiting: ((worker: Worker) => void)[] = [];

  constructor() {
    const url = new URL('./worker.ts', import.meta.url);
    this.#all = Array.from({ length: availableParallelism() }, () => new Worker(url));
    this.#idle = [...this.#all];
  }

  /** All canaries of a task, in their order. */
  async watch(task: Task): Promise<Watched[]> {
    const chunks: Promise<Watched[]>[] = [];
    for (let from = task.from; from < task.to; from += CHUNK) {
      chunks.push(this.#run({ ...task, from, to: Math.min(from + CHUNK, task.to) }));
    }
    return (await Promise.all(chunks)).flat();
  }

  async #run(task: Task): Promise<Watched[]> {
    const worker = this.#idle.pop() ?? (await new Promise<Worker>(resolve => this.#waiting.push(resolve)));
    try {
      worker.postMessage(task);
      const [watched = []]: Watched[][] = await once(worker, 'message');
      return watched;
    } finally {
      const next = this.#waiting.shift();
      if (next) next(worker);
      else this.#idle.push(worker);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map(worker => worker.terminate()));
  }
}

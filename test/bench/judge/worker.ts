import { parentPort } from 'node:worker_threads';
import { randomFrom } from './random.ts';
import { type Scene, type Watched, watchCanary } from './watch.ts';

/** Some of the canaries of a scene. */
export interface Task {
  readonly scene: Scene;
  readonly seed: number;
  /** The canaries' numbers, `to` excluded. */
  readonly from: number;
  readonly to: number;
  readonly margins: readonly number[];
  readonly limits: readonly (readonly number[])[];
}

parentPort?.on('message', ({ scene, seed, from, to, margins, limits }: Task) => {
  const watched: Watched[] = [];
  for (let canary = from; canary < to; canary++) {
    watched.push(watchCanary(scene, margins, limits, randomFrom(seed, canary, 0)));
  }
  parentPort?.postMessage(watched);
});

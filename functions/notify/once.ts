import type { Outcome } from './post.ts';

/** What was told, so that it is not told again: Pub/Sub delivers at least once. Forgets the oldest of too many. */
export class Once {
  readonly #known = new Map<string, Promise<Outcome>>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  /** Does the work unless it was done, or is being done: then gives what came of that. What failed is done anew. */
  run(key: string, work: () => Promise<Outcome>): Promise<Outcome> {
    const known = this.#known.get(key);
    this.#known.delete(key);
    const outcome = known ?? work();
    this.#known.set(key, outcome);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.#most) break;
      this.#known.delete(oldest);
    }
    if (!known) this.#forgetFailed(key, outcome);
    return outcome;
  }

  #forgetFailed(key: string, outcome: Promise<Outcome>): void {
    const forget = () => {
      if (this.#known.get(key) === outcome) this.#known.delete(key);
    };
    outcome.then(({ kind }) => {
      if (kind === 'failed') forget();
    }, forget);
  }
}

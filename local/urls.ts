import type { Clock } from './clock.ts';
import type { Backend, ServedRequest } from './dataplane/dataplane.ts';
import { startFront } from './dataplane/fronts.ts';
import type { HttpServer } from './http.ts';

/** Cloud Run gives every service and every traffic tag a URL of its own. */
export interface RunUrl {
  readonly project: string;
  readonly region: string;
  readonly service: string;
  readonly tag: string | undefined;
}

export interface UrlPoolOptions {
  readonly backendsOf: (url: RunUrl) => readonly Backend[];
  readonly random: () => number;
  readonly clock: Clock;
  readonly onServed: (served: ServedRequest) => void;
}

const SPARE = 48;

/**
 * Real loopback URLs for services and tags. A URL must be known the moment a tag is set, so fronts listen beforehand and
 * are given to whoever asks; a URL once given stays.
 */
export class UrlPool {
  readonly #options: UrlPoolOptions;
  readonly #given = new Map<string, string>();
  readonly #spare: { front: HttpServer; serve: (url: RunUrl) => void }[] = [];
  readonly #fronts: HttpServer[] = [];
  #filling: Promise<void> = Promise.resolve();

  private constructor(options: UrlPoolOptions) {
    this.#options = options;
  }

  static async open(options: UrlPoolOptions): Promise<UrlPool> {
    const pool = new UrlPool(options);
    await pool.#fill();
    return pool;
  }

  urlOf(url: RunUrl): string {
    const key = [url.project, url.region, url.service, url.tag ?? ''].join('/');
    const known = this.#given.get(key);
    if (known) return known;
    const next = this.#spare.shift();
    if (!next) throw new Error(`all ${this.#fronts.length} local URLs are taken; ask for fewer at once`);
    next.serve(url);
    this.#given.set(key, next.front.url);
    this.#filling = this.#filling.then(() => this.#fill());
    return next.front.url;
  }

  async close(): Promise<void> {
    await this.#filling;
    await Promise.all(this.#fronts.map(front => front.close()));
  }

  async #fill(): Promise<void> {
    while (this.#spare.length < SPARE) {
      let served: RunUrl | undefined;
      const { backendsOf, ...rest } = this.#options;
      const front = await startFront({
        name: 'Cloud Run',
        ...rest,
        resolve: () => served && backendsOf(served),
      });
      this.#fronts.push(front);
      this.#spare.push({
        front,
        serve: url => {
          served = url;
        },
      });
    }
  }
}

import type { DataPlane, Instance, InstanceState, Workload } from '../../local/dataplane/dataplane.ts';
import { type HttpServer, serve } from '../../local/http.ts';

/**
 * A data plane without a process per container: one server answers every request to every instance. For tests that run
 * many rollouts at once and ask what gets traffic, not what is answered.
 */
export class QuickDataPlane implements DataPlane {
  /** Digests whose containers end at once. */
  readonly broken = new Set<string>();
  readonly #started: Workload[] = [];
  readonly #server: HttpServer;

  private constructor(server: HttpServer) {
    this.#server = server;
  }

  static async open(): Promise<QuickDataPlane> {
    return new QuickDataPlane(await serve(() => ({ status: 200, body: 'ok' })));
  }

  /** Every image that was ever started for a service, whose revisions and pods have its name first. */
  imagesOf(service: string): ReadonlySet<string> {
    const own = this.#started.filter(({ name }) => name.startsWith(`${service}-`));
    return new Set(own.map(({ image }) => image));
  }

  run(workload: Workload): Instance {
    this.#started.push(workload);
    const isBroken = [...this.broken].some(digest => workload.image.endsWith(digest));
    return new QuickInstance(workload, isBroken ? FAILED : { phase: 'ready', url: this.#server.url });
  }

  close(): Promise<void> {
    return this.#server.close();
  }
}

const FAILED: InstanceState = {
  phase: 'failed',
  reason: 'Exited',
  message: 'the container exited with code 1',
  exitCode: 1,
  lastLogLines: ['broken on purpose'],
};

class QuickInstance implements Instance {
  readonly workload: Workload;
  readonly #listeners = new Set<(state: InstanceState) => void>();
  #state: InstanceState = { phase: 'starting' };

  constructor(workload: Workload, becomes: InstanceState) {
    this.workload = workload;
    setImmediate(() => this.#become(becomes));
  }

  state(): InstanceState {
    return this.#state;
  }

  onChange(listener: (state: InstanceState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async stop(): Promise<void> {
    this.#become({ phase: 'stopped' });
  }

  #become(state: InstanceState): void {
    if (this.#state.phase === 'stopped') return;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }
}

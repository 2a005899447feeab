import type { DataPlane, Instance, InstanceState, Workload } from '../../../local/dataplane/dataplane.ts';
import { type HttpServer, serve } from '../../../local/http.ts';

/** Containers that are ready after a while and are all answered for by one server. */
export class LateDataPlane implements DataPlane {
  readonly #server: HttpServer;
  readonly #readyMs: number;

  private constructor(server: HttpServer, readyMs: number) {
    this.#server = server;
    this.#readyMs = readyMs;
  }

  static async open(readyMs: number): Promise<LateDataPlane> {
    return new LateDataPlane(await serve(() => ({ status: 200, body: 'ok' })), readyMs);
  }

  run(workload: Workload): Instance {
    const listeners = new Set<(state: InstanceState) => void>();
    let state: InstanceState = { phase: 'starting' };
    function become(next: InstanceState): void {
      if (state.phase === 'stopped') return;
      state = next;
      for (const listener of [...listeners]) listener(next);
    }
    const ready = setTimeout(() => become({ phase: 'ready', url: this.#server.url }), this.#readyMs);
    return {
      workload,
      state: () => state,
      onChange(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      async stop() {
        clearTimeout(ready);
        become({ phase: 'stopped' });
      },
    };
  }

  close(): Promise<void> {
    return this.#server.close();
  }
}

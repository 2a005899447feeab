import { realClock, sleep } from '../../local/clock.ts';
import { Faults } from '../../local/faults.ts';
import type { HttpHandler } from '../../local/http.ts';
import type { Send } from '../../local/workflows/host.ts';
import { sendByFetch } from '../../local/workflows/send.ts';

/** Who is called: an API, or the function `activity`. */
export type Callee = 'activity' | 'run' | 'pubsub' | 'workflowexecutions';

/** What lies between callers and callees: counts calls, and delays them on demand. */
export class Wire {
  readonly #faults = new Faults(realClock);
  readonly #calls = new Map<Callee, number>();
  #latencyMs = 0;

  /** From now on every call takes this much longer; counting starts anew. */
  slowDown(latencyMs: number): void {
    this.#faults.clear();
    this.#faults.inject({ fault: { kind: 'latency', ms: latencyMs } });
    this.#latencyMs = latencyMs;
    this.#calls.clear();
  }

  /** Since the last {@link slowDown}. */
  calls(): Readonly<Partial<Record<Callee, number>>> {
    return Object.fromEntries(this.#calls);
  }

  to(callee: Callee, handler: HttpHandler): HttpHandler {
    const slow = this.#faults.wrap(handler);
    return request => {
      this.#count(callee);
      return slow(request);
    };
  }

  /** What workflows call, which is the function `activity` alone. */
  readonly send: Send = async request => {
    this.#count('activity');
    if (this.#latencyMs > 0) await sleep(realClock, this.#latencyMs);
    return sendByFetch(request);
  };

  #count(callee: Callee): void {
    this.#calls.set(callee, 1 + (this.#calls.get(callee) ?? 0));
  }
}

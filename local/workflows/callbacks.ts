import type { CallbackRequest } from './host.ts';

export type Delivery = 'accepted' | 'full' | 'unknown' | 'wrong method';

interface Callback {
  readonly method: string;
  /** One request that nobody has awaited yet; there is room for no second one. */
  kept: CallbackRequest | undefined;
  readonly waiting: Set<(request: CallbackRequest) => void>;
}

/** The callback endpoints of one execution. */
export class Callbacks {
  readonly #callbacks = new Map<string, Callback>();

  create(id: string, method: string): void {
    this.#callbacks.set(id, { method, kept: undefined, waiting: new Set() });
  }

  has(id: string): boolean {
    return this.#callbacks.has(id);
  }

  deliver(id: string, request: CallbackRequest): Delivery {
    const callback = this.#callbacks.get(id);
    if (!callback) return 'unknown';
    if (callback.method !== request.method) return 'wrong method';
    const [receive] = callback.waiting;
    if (receive) {
      callback.waiting.delete(receive);
      receive(request);
      return 'accepted';
    }
    if (callback.kept) return 'full';
    callback.kept = request;
    return 'accepted';
  }

  /** The request that is kept, if there is one, is consumed. */
  take(id: string): CallbackRequest | undefined {
    const callback = this.#callbacks.get(id);
    const request = callback?.kept;
    if (callback) callback.kept = undefined;
    return request;
  }

  /** Calls `receive` with the next request. The returned function ends the wait. */
  wait(id: string, receive: (request: CallbackRequest) => void): () => void {
    const waiting = this.#callbacks.get(id)?.waiting;
    waiting?.add(receive);
    return () => waiting?.delete(receive);
  }
}

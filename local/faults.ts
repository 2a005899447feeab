import { Readable } from 'node:stream';
import type { Clock } from './clock.ts';
import { sleep } from './clock.ts';
import {
  ApiError,
  type GoogleStatus,
  googleError,
  type HttpHandler,
  type HttpReply,
  type HttpRequest,
} from './http.ts';

/** What can go wrong between a client and an API. */
export type Fault =
  /** The request is handled, later. */
  | { readonly kind: 'latency'; readonly ms: number }
  /** The request is refused and not handled. Without `body` the answer has Google's error body. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly message?: string;
      readonly retryAfterSeconds?: number;
      readonly body?: object;
    }
  /** The request is not handled, and its connection stays open until {@link Faults.clear}. */
  | { readonly kind: 'hang' }
  /** The request is handled, and its connection is cut before the answer. */
  | { readonly kind: 'loseAnswer' }
  /** The request is kept back and handled when it is let go, however long ago its client has left. */
  | { readonly kind: 'hold'; readonly hold: Hold };

/** A request that is kept back: prepared earlier, to arrive after what came later. Use it with `times: 1`. */
export class Hold {
  readonly #caught = Promise.withResolvers<void>();
  readonly #released = Promise.withResolvers<void>();
  readonly #answered = Promise.withResolvers<number>();

  /** Resolves when a request has come. */
  get caught(): Promise<void> {
    return this.#caught.promise;
  }

  /** Lets the request go. @returns the status that it is answered with */
  release(): Promise<number> {
    this.#released.resolve();
    return this.#answered.promise;
  }

  async keep(handle: () => Promise<HttpReply> | HttpReply): Promise<HttpReply> {
    this.#caught.resolve();
    await this.#released.promise;
    const reply = await handle();
    this.#answered.resolve(reply.status);
    return reply;
  }
}

export interface FaultRule {
  /** Methods it applies to; all without it. */
  readonly methods?: readonly string[];
  /** Paths it applies to; all without it. */
  readonly path?: RegExp;
  /** Matching requests that pass before it applies. */
  readonly skip?: number;
  /** Requests it applies to; all without it. */
  readonly times?: number;
  /** Share of matching requests it applies to, 0 to 1. */
  readonly probability?: number;
  readonly fault: Fault;
}

interface ActiveRule {
  readonly rule: FaultRule;
  skipped: number;
  applied: number;
}

const STATUS_NAMES: Readonly<Record<number, GoogleStatus>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

/** Faults for one or more APIs: `faults.wrap(handler)` misbehaves as the rules say and is the handler otherwise. */
export class Faults {
  readonly #clock: Clock;
  readonly #random: () => number;
  #rules: ActiveRule[] = [];
  #hanging: (() => void)[] = [];

  /** `random` returns numbers from 0 up to 1 and is asked only for rules with a probability. */
  constructor(clock: Clock, random: () => number = Math.random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Adds a rule; the returned function removes it. Of several rules that match, all latencies and the first other fault apply. */
  inject(rule: FaultRule): () => void {
    const active: ActiveRule = { rule, skipped: 0, applied: 0 };
    this.#rules.push(active);
    return () => {
      this.#rules = this.#rules.filter(other => other !== active);
    };
  }

  /** Removes all rules and cuts the connections that hang. */
  clear(): void {
    this.#rules = [];
    for (const release of this.#hanging.splice(0)) release();
  }

  wrap(handler: HttpHandler): HttpHandler {
    return async request => {
      const faults = this.#faultsFor(request);
      for (const fault of faults) {
        if (fault.kind === 'latency') await sleep(this.#clock, fault.ms);
      }
      const fault = faults.find(candidate => candidate.kind !== 'latency');
      switch (fault?.kind) {
        case 'status':
          return refusal(fault);
        case 'hang':
          await new Promise<void>(resolve => this.#hanging.push(resolve));
          return cutConnection();
        case 'loseAnswer':
          await handler(request);
          return cutConnection();
        case 'hold':
          return fault.hold.keep(() => handler(request));
        default:
          return handler(request);
      }
    };
  }

  #faultsFor(request: HttpRequest): readonly Fault[] {
    const faults: Fault[] = [];
    for (const active of this.#rules) {
      if (faults.some(fault => fault.kind !== 'latency') && active.rule.fault.kind !== 'latency') continue;
      if (this.#applies(active, request)) faults.push(active.rule.fault);
    }
    return faults;
  }

  #applies(active: ActiveRule, request: HttpRequest): boolean {
    const { methods, path, skip = 0, times = Number.POSITIVE_INFINITY, probability = 1 } = active.rule;
    if (methods && !methods.includes(request.method)) return false;
    if (path && !path.test(request.path)) return false;
    if (active.skipped < skip) {
      active.skipped++;
      return false;
    }
    if (active.applied >= times) return false;
    if (probability < 1 && this.#random() >= probability) return false;
    active.applied++;
    return true;
  }
}

function refusal(fault: Extract<Fault, { kind: 'status' }>): HttpReply {
  const name = STATUS_NAMES[fault.status] ?? (fault.status >= 500 ? 'INTERNAL' : 'INVALID_ARGUMENT');
  const standard = googleError(new ApiError(name, fault.message ?? `Injected fault ${fault.status}.`));
  const wait = fault.retryAfterSeconds;
  return {
    status: fault.status,
    headers: wait === undefined ? {} : { 'retry-after': String(wait) },
    body: fault.body ?? standard.body,
  };
}

/** A body that is gone before its first byte: the transport drops the connection without having sent a header. */
function cutConnection(): HttpReply {
  return { status: 200, body: new Readable().destroy() };
}

import type { Outcome } from './post.ts';

/** How fast a destination is told. */
export interface Pace {
  /** Messages at once, after a rest. */
  readonly burst: number;
  readonly perSecond: number;
  /** Whether many that wait become one message. */
  readonly sumsUp: boolean;
}

export interface Time {
  readonly nowMs: () => number;
  readonly wait: (ms: number) => Promise<void>;
}

export interface OutboxOptions<T> extends Time {
  readonly pace: Pace;
  /** Sends one message about all of the items. */
  readonly send: (items: readonly T[], timeoutMs: number) => Promise<Outcome>;
  /** Which of two is told first when both wait. */
  readonly compare: (a: T, b: T) => number;
}

interface Waiting<T> {
  readonly item: T;
  readonly deadlineMs: number;
  readonly settle: (outcome: Outcome) => void;
}

/** Events of one moment are published side by side and overtake each other by less than this. */
const GATHER_MS = 250;
/** More than these do not wait for their turn: they are summed up. */
const PATIENT = 3;
const TIMEOUT_MS = 10_000;
const BACKOFF_MS = [1000, 2000, 4000] as const;
/** With less time left nothing is tried: an answer that comes too late makes a message that is sent twice. */
const LEAST_MS = 3000;
/** How long one that did not answer is left alone, so that it keeps nobody else waiting. */
const REST_MS = 10_000;
const LONGEST_REST_MS = 300_000;

/** The messages that wait for one destination: in order, no faster than its pace, tried again where that may help. */
export class Outbox<T> {
  readonly #options: OutboxOptions<T>;
  #waiting: Waiting<T>[] = [];
  #isBusy = false;
  #tokens: number;
  #filledMs: number;
  #restsUntilMs = 0;

  constructor(options: OutboxOptions<T>) {
    this.#options = options;
    this.#tokens = options.pace.burst;
    this.#filledMs = options.nowMs();
  }

  /** Settles by the deadline. */
  add(item: T, deadlineMs: number): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#waiting.push({ item, deadlineMs, settle: resolve });
    if (!this.#isBusy) void this.#work();
    return promise;
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    await this.#options.wait(GATHER_MS);
    while (this.#waiting.length > 0) {
      await this.#token();
      this.#sendBackLate();
      const batch = this.#take();
      if (batch.length === 0) continue;
      const outcome = await this.#deliver(batch);
      for (const { settle } of batch) settle(outcome);
    }
    this.#isBusy = false;
  }

  /** They come again, when there may be time. */
  #sendBackLate(): void {
    const nowMs = this.#options.nowMs();
    const isResting = nowMs < this.#restsUntilMs;
    const isLate = ({ deadlineMs }: Waiting<T>) => isResting || deadlineMs - nowMs < LEAST_MS;
    const why = isResting ? 'it did not answer a moment ago' : 'too many messages were before this one';
    for (const { settle } of this.#waiting.filter(isLate)) settle({ kind: 'failed', why });
    this.#waiting = this.#waiting.filter(one => !isLate(one));
  }

  async #token(): Promise<void> {
    const { pace, wait } = this.#options;
    this.#fill();
    while (this.#tokens < 1) {
      await wait(Math.ceil(((1 - this.#tokens) / pace.perSecond) * 1000));
      this.#fill();
    }
  }

  #fill(): void {
    const { pace, nowMs } = this.#options;
    const passedMs = Math.max(0, nowMs() - this.#filledMs);
    this.#tokens = Math.min(pace.burst, this.#tokens + (passedMs / 1000) * pace.perSecond);
    this.#filledMs = nowMs();
  }

  #take(): Waiting<T>[] {
    const { pace, compare } = this.#options;
    this.#waiting.sort((a, b) => compare(a.item, b.item));
    const { length } = this.#waiting;
    const isStorm = pace.sumsUp && length > PATIENT && this.#tokens < 2;
    const batch = this.#waiting.splice(0, isStorm ? length : 1);
    if (batch.length > 0) this.#tokens -= 1;
    return batch;
  }

  async #deliver(batch: readonly Waiting<T>[]): Promise<Outcome> {
    const { nowMs, wait, send } = this.#options;
    // Those that wait have less time than the batch where an older event came in late.
    const deadlineMs = Math.min(...[...batch, ...this.#waiting].map(one => one.deadlineMs));
    const items = batch.map(({ item }) => item);
    for (let attempt = 0; ; attempt++) {
      const outcome = await send(items, Math.min(TIMEOUT_MS, deadlineMs - nowMs()));
      if (outcome.kind !== 'failed') return outcome;
      const backoffMs = BACKOFF_MS[attempt] ?? REST_MS;
      const waitMs = Math.max(backoffMs, outcome.retryAfterMs ?? 0);
      if (attempt === BACKOFF_MS.length || nowMs() + waitMs + LEAST_MS > deadlineMs) {
        this.#restsUntilMs = nowMs() + Math.min(LONGEST_REST_MS, Math.max(REST_MS, waitMs));
        return outcome;
      }
      await wait(waitMs);
    }
  }
}

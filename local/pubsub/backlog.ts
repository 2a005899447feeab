import type { Clock } from '../clock.ts';
import { millisOf } from '../proto-json.ts';
import { acknowledges, type Deliver, pushBody, pushHeaders } from './push.ts';
import type { Message, Subscription } from './resources.ts';

/** One message on its way to one subscription. */
interface Delivery {
  readonly message: Message;
  state: 'waiting' | 'ready' | 'out';
  /** Deliveries tried so far. */
  attempts: number;
  /** Of the delivery under way; an answer that names another one comes too late. */
  ackId: string;
  /** Stops the timer that runs: the delay of a waiting delivery, the deadline of one that is out. */
  cancelTimer: () => void;
}

export interface PulledMessage {
  readonly ackId: string;
  readonly message: Message;
  /** Undefined without dead-letter policy. */
  readonly deliveryAttempt: number | undefined;
}

export interface BacklogWorld {
  readonly clock: Clock;
  readonly deliver: Deliver;
  readonly signal: AbortSignal;
  /** Takes a message that was tried too often; false when its topic does not exist. */
  readonly deadLetter: (message: Message, subscription: Subscription, attempts: number) => boolean;
  /** Called whenever a message has left. */
  readonly onLeave: () => void;
}

/** Without a retry policy a push subscription still slows down: https://cloud.google.com/pubsub/docs/push#push_backoff */
const PUSH_BACKOFF = { minMs: 100, maxMs: 60_000 };

/** The messages of one subscription that nobody has acknowledged yet. */
export class Backlog {
  readonly #world: BacklogWorld;
  readonly #deliveries = new Set<Delivery>();
  readonly #pullers = new Set<() => void>();
  #subscription: Subscription;
  #ackIds = 0;

  constructor(subscription: Subscription, world: BacklogWorld) {
    this.#subscription = subscription;
    this.#world = world;
  }

  get subscription(): Subscription {
    return this.#subscription;
  }

  get size(): number {
    return this.#deliveries.size;
  }

  get isPush(): boolean {
    return this.#subscription.pushConfig.pushEndpoint !== '';
  }

  /** Takes effect for deliveries that begin from now on. */
  reconfigure(subscription: Subscription): void {
    this.#subscription = subscription;
    for (const delivery of [...this.#deliveries]) if (delivery.state === 'ready') this.#makeReady(delivery);
    if (!this.isPush) this.#world.onLeave();
  }

  add(message: Message, delayMs: number): void {
    const delivery: Delivery = {
      message,
      state: 'waiting',
      attempts: 0,
      ackId: '',
      cancelTimer: () => {},
    };
    this.#deliveries.add(delivery);
    this.#wait(delivery, delayMs);
  }

  pull(maxMessages: number): PulledMessage[] {
    if (this.isPush) return [];
    const ready = [...this.#deliveries].filter(({ state }) => state === 'ready');
    return ready
      .filter(delivery => !this.#dropExpired(delivery))
      .slice(0, maxMessages)
      .map(delivery => this.#hand(delivery));
  }

  /** Resolves when a message can be pulled, or after `timeoutMs`. */
  pullable(timeoutMs: number): Promise<void> {
    if ([...this.#deliveries].some(({ state }) => state === 'ready')) return Promise.resolve();
    return new Promise(resolve => {
      const done = () => {
        cancel();
        this.#pullers.delete(done);
        resolve();
      };
      const cancel = this.#world.clock.after(timeoutMs, done);
      this.#pullers.add(done);
    });
  }

  /** Ids of deliveries whose deadline has passed are ignored: their messages come again. */
  acknowledge(ackIds: readonly string[]): void {
    for (const ackId of ackIds) {
      const delivery = this.#out(ackId);
      if (delivery) this.#leave(delivery);
    }
  }

  /** Zero seconds gives the message back at once. */
  modifyAckDeadline(ackIds: readonly string[], ackDeadlineSeconds: number): void {
    for (const ackId of ackIds) {
      const delivery = this.#out(ackId);
      if (!delivery) continue;
      if (ackDeadlineSeconds === 0) this.#refuse(delivery);
      else this.#startDeadline(delivery, ackDeadlineSeconds * 1000);
    }
  }

  clear(): void {
    for (const delivery of this.#deliveries) delivery.cancelTimer();
    this.#deliveries.clear();
    for (const done of [...this.#pullers]) done();
    this.#world.onLeave();
  }

  #out(ackId: string): Delivery | undefined {
    return [...this.#deliveries].find(delivery => delivery.state === 'out' && delivery.ackId === ackId);
  }

  #wait(delivery: Delivery, delayMs: number): void {
    delivery.state = 'waiting';
    if (delayMs <= 0) this.#makeReady(delivery);
    else delivery.cancelTimer = this.#world.clock.after(delayMs, () => this.#makeReady(delivery));
  }

  #makeReady(delivery: Delivery): void {
    delivery.state = 'ready';
    if (this.#dropExpired(delivery)) return;
    if (this.isPush) void this.#push(delivery);
    else for (const done of [...this.#pullers]) done();
  }

  #dropExpired(delivery: Delivery): boolean {
    const retentionMs = millisOf(this.#subscription.messageRetentionDuration);
    if (this.#world.clock.nowMs() - delivery.message.publishedMs <= retentionMs) return false;
    this.#leave(delivery);
    return true;
  }

  #hand(delivery: Delivery): PulledMessage {
    delivery.state = 'out';
    delivery.attempts++;
    delivery.ackId = `${this.#subscription.name}:${++this.#ackIds}`;
    this.#startDeadline(delivery, this.#subscription.ackDeadlineSeconds * 1000);
    const deliveryAttempt = this.#subscription.deadLetterPolicy ? delivery.attempts : undefined;
    return { ackId: delivery.ackId, message: delivery.message, deliveryAttempt };
  }

  #startDeadline(delivery: Delivery, deadlineMs: number): void {
    delivery.cancelTimer();
    delivery.cancelTimer = this.#world.clock.after(deadlineMs, () => this.#refuse(delivery));
  }

  async #push(delivery: Delivery): Promise<void> {
    const { ackId } = this.#hand(delivery);
    const status = await this.#deliver(delivery).catch(() => 0);
    if (delivery.state !== 'out' || delivery.ackId !== ackId) return;
    if (acknowledges(status)) this.#leave(delivery);
    else this.#refuse(delivery);
  }

  async #deliver({ message, attempts }: Delivery): Promise<number> {
    const { pushConfig, ackDeadlineSeconds } = this.#subscription;
    const body = pushBody(this.#subscription, message, attempts);
    const { deliver, signal } = this.#world;
    return deliver(pushConfig.pushEndpoint, body, pushHeaders(), ackDeadlineSeconds * 1000, signal);
  }

  /** Not acknowledged: to the dead letters when it was tried often enough, else again after a while. */
  #refuse(delivery: Delivery): void {
    delivery.cancelTimer();
    if (!this.#deliveries.has(delivery)) return;
    const { deadLetterPolicy } = this.#subscription;
    if (deadLetterPolicy && delivery.attempts >= deadLetterPolicy.maxDeliveryAttempts) {
      if (this.#world.deadLetter(delivery.message, this.#subscription, delivery.attempts)) {
        this.#leave(delivery);
        return;
      }
    }
    this.#wait(delivery, this.#backoffMs(delivery.attempts));
  }

  #backoffMs(attempts: number): number {
    const { retryPolicy } = this.#subscription;
    if (!retryPolicy && !this.isPush) return 0;
    const minMs = retryPolicy ? millisOf(retryPolicy.minimumBackoff) : PUSH_BACKOFF.minMs;
    const maxMs = retryPolicy ? millisOf(retryPolicy.maximumBackoff) : PUSH_BACKOFF.maxMs;
    return Math.min(maxMs, minMs * 2 ** Math.min(attempts - 1, 30));
  }

  #leave(delivery: Delivery): void {
    delivery.cancelTimer();
    this.#deliveries.delete(delivery);
    this.#world.onLeave();
  }
}

import type { Clock } from '../clock.ts';
import type { Predicate } from '../filter-expression.ts';
import { applyFieldMask } from '../field-mask.ts';
import { ApiError } from '../http.ts';
import { Backlog, type PulledMessage } from './backlog.ts';
import { type Attributes, parseSubscriptionFilter } from './filter.ts';
import type { Deliver } from './push.ts';
import {
  checkName,
  idOf,
  type Message,
  type MessageToPublish,
  parseSubscription,
  projectOf,
  type ResourceName,
  type Subscription,
  type Topic,
} from './resources.ts';

/** At-least-once delivery at its worst, on demand. */
export interface Chaos {
  /** Delivers every message twice, each copy with retries of its own. */
  readonly duplicates?: boolean;
  /** Holds every delivery back by a random time below this, so that they overtake each other. */
  readonly shuffleWithinMs?: number;
  /** At least 0, below 1. */
  readonly random: () => number;
}

export interface PubSubOptions {
  readonly clock: Clock;
  readonly deliver: Deliver;
  readonly chaos?: Chaos | undefined;
}

interface SubscriptionState {
  readonly backlog: Backlog;
  readonly matches: Predicate<Attributes>;
}

const DELETED_TOPIC = '_deleted-topic_';

/** Topics and subscriptions of any number of projects, at-least-once, unordered. */
export class PubSubCore {
  readonly #options: PubSubOptions;
  readonly #topics = new Map<ResourceName, Topic>();
  readonly #subscriptions = new Map<ResourceName, SubscriptionState>();
  readonly #idleWaiters = new Set<() => void>();
  readonly #aborter = new AbortController();
  #published = 0;

  constructor(options: PubSubOptions) {
    this.#options = options;
  }

  createTopic(name: ResourceName, labels: Topic['labels'] = {}): Topic {
    checkName(name, 'topics');
    if (this.#topics.has(name)) throw alreadyExists(name);
    return this.#putTopic({ name, labels });
  }

  updateTopic(name: ResourceName, labels: Topic['labels']): Topic {
    this.getTopic(name);
    return this.#putTopic({ name, labels });
  }

  getTopic(name: ResourceName): Topic {
    const topic = this.#topics.get(name);
    if (!topic) throw notFound(name);
    return topic;
  }

  listTopics(project: string): Topic[] {
    return [...this.#topics.values()].filter(({ name }) => projectOf(name) === project);
  }

  /** Its subscriptions stay, with what they have not delivered yet. */
  deleteTopic(name: ResourceName): void {
    this.getTopic(name);
    this.#topics.delete(name);
    for (const { backlog } of this.#subscriptions.values()) {
      const { subscription } = backlog;
      if (subscription.topic === name) backlog.reconfigure({ ...subscription, topic: DELETED_TOPIC });
    }
  }

  /** `body` is a subscription as in the REST API; it receives what is published from now on. */
  createSubscription(name: ResourceName, body: unknown): Subscription {
    checkName(name, 'subscriptions');
    if (this.#subscriptions.has(name)) throw alreadyExists(name);
    const subscription = parseSubscription(name, body);
    this.getTopic(subscription.topic);
    const backlog = new Backlog(subscription, {
      clock: this.#options.clock,
      deliver: this.#options.deliver,
      signal: this.#aborter.signal,
      deadLetter: (message, from, attempts) => this.#deadLetter(message, from, attempts),
      onLeave: () => this.#checkIdle(),
    });
    this.#subscriptions.set(name, { backlog, matches: parseSubscriptionFilter(subscription.filter) });
    return subscription;
  }

  updateSubscription(
    name: ResourceName,
    patch: Readonly<Record<string, unknown>>,
    mask: string,
  ): Subscription {
    const { backlog } = this.#state(name);
    const fixed = mask.split(',').find(path => ['name', 'topic', 'filter'].includes(path.trim()));
    if (fixed)
      throw new ApiError('INVALID_ARGUMENT', `The field ${fixed} of a subscription cannot be changed.`);
    const updated = parseSubscription(name, applyFieldMask(backlog.subscription, patch, mask));
    backlog.reconfigure(updated);
    return updated;
  }

  getSubscription(name: ResourceName): Subscription {
    return this.#state(name).backlog.subscription;
  }

  listSubscriptions(project: string): Subscription[] {
    return this.#allSubscriptions().filter(({ name }) => projectOf(name) === project);
  }

  subscriptionsOf(topic: ResourceName): Subscription[] {
    this.getTopic(topic);
    return this.#allSubscriptions().filter(subscription => subscription.topic === topic);
  }

  deleteSubscription(name: ResourceName): void {
    const { backlog } = this.#state(name);
    this.#subscriptions.delete(name);
    backlog.clear();
  }

  /** Returns the message ids, in the order of `messages`. */
  publish(topic: ResourceName, messages: readonly MessageToPublish[]): string[] {
    this.getTopic(topic);
    if (messages.some(({ data, attributes }) => !data && Object.keys(attributes ?? {}).length === 0)) {
      throw new ApiError(
        'INVALID_ARGUMENT',
        'Some messages are empty: expected data or an attribute in each.',
      );
    }
    return messages.map(message => this.#publishOne(topic, message).messageId);
  }

  /** Publishes a value as JSON, for the parts of the local cloud that notify. */
  publishJson(topic: ResourceName, value: unknown, attributes: Attributes = {}): string {
    const data = Buffer.from(JSON.stringify(value)).toString('base64');
    const [messageId] = this.publish(topic, [{ data, attributes: { ...attributes } }]);
    return messageId ?? '';
  }

  /** Waits up to `waitMs` for a first message. */
  async pull(name: ResourceName, maxMessages: number, waitMs: number): Promise<PulledMessage[]> {
    if (maxMessages < 1)
      throw new ApiError('INVALID_ARGUMENT', `maxMessages must be positive, not ${maxMessages}.`);
    const { backlog } = this.#state(name);
    if (backlog.isPush) throw new ApiError('FAILED_PRECONDITION', `${name} is a push subscription.`);
    if (waitMs > 0) await backlog.pullable(waitMs);
    return backlog.pull(maxMessages);
  }

  acknowledge(name: ResourceName, ackIds: readonly string[]): void {
    this.#state(name).backlog.acknowledge(ackIds);
  }

  modifyAckDeadline(name: ResourceName, ackIds: readonly string[], ackDeadlineSeconds: number): void {
    if (ackDeadlineSeconds < 0 || ackDeadlineSeconds > 600) {
      throw new ApiError(
        'INVALID_ARGUMENT',
        `ackDeadlineSeconds must be 0 to 600, not ${ackDeadlineSeconds}.`,
      );
    }
    this.#state(name).backlog.modifyAckDeadline(ackIds, ackDeadlineSeconds);
  }

  /** Messages that a subscription has not seen acknowledged. */
  undelivered(name: ResourceName): number {
    return this.#state(name).backlog.size;
  }

  /** Resolves when no push subscription has a message left to deliver. */
  idle(): Promise<void> {
    return new Promise(resolve => {
      this.#idleWaiters.add(resolve);
      this.#checkIdle();
    });
  }

  /** Cancels every timer and aborts the pushes under way; what was not delivered is lost. */
  stop(): void {
    this.#aborter.abort();
    for (const { backlog } of this.#subscriptions.values()) backlog.clear();
    this.#subscriptions.clear();
    this.#topics.clear();
  }

  #putTopic(topic: Topic): Topic {
    this.#topics.set(topic.name, topic);
    return topic;
  }

  #allSubscriptions(): Subscription[] {
    return [...this.#subscriptions.values()].map(({ backlog }) => backlog.subscription);
  }

  #state(name: ResourceName): SubscriptionState {
    const state = this.#subscriptions.get(name);
    if (!state) throw notFound(name);
    return state;
  }

  #publishOne(topic: ResourceName, toPublish: MessageToPublish): Message {
    const message: Message = {
      data: toPublish.data ?? '',
      attributes: toPublish.attributes ?? {},
      orderingKey: toPublish.orderingKey,
      messageId: String(10_000_000_000 + ++this.#published),
      publishedMs: this.#options.clock.nowMs(),
    };
    for (const { backlog, matches } of this.#subscriptions.values()) {
      if (backlog.subscription.topic === topic && matches(message.attributes))
        this.#enqueue(backlog, message);
    }
    return message;
  }

  #enqueue(backlog: Backlog, message: Message): void {
    const { chaos } = this.#options;
    const copies = chaos?.duplicates ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      backlog.add(message, chaos ? chaos.random() * (chaos.shuffleWithinMs ?? 0) : 0);
    }
  }

  /** https://cloud.google.com/pubsub/docs/dead-letter-topics */
  #deadLetter(message: Message, from: Subscription, attempts: number): boolean {
    const topic = from.deadLetterPolicy?.deadLetterTopic;
    if (topic === undefined || !this.#topics.has(topic)) return false;
    const attributes = {
      ...message.attributes,
      CloudPubSubDeadLetterSourceDeliveryCount: String(attempts),
      CloudPubSubDeadLetterSourceSubscription: idOf(from.name),
      CloudPubSubDeadLetterSourceSubscriptionProject: projectOf(from.name),
      CloudPubSubDeadLetterSourceTopicPublishTime: new Date(message.publishedMs).toISOString(),
    };
    this.#publishOne(topic, { data: message.data, attributes, orderingKey: message.orderingKey });
    return true;
  }

  #checkIdle(): void {
    const states = [...this.#subscriptions.values()];
    if (states.some(({ backlog }) => backlog.isPush && backlog.size > 0)) return;
    for (const resolve of this.#idleWaiters) resolve();
    this.#idleWaiters.clear();
  }
}

function notFound(name: ResourceName): ApiError {
  return new ApiError('NOT_FOUND', `Resource not found (resource=${idOf(name)}).`);
}

function alreadyExists(name: ResourceName): ApiError {
  return new ApiError('ALREADY_EXISTS', `Resource already exists in the project (resource=${idOf(name)}).`);
}

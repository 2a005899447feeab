import type { Dependencies } from '../dependencies.ts';
import { SlipwayError } from '../errors.ts';
import type { Destination } from '../rollout/notifications.ts';
import { currentScope, type Scope, within } from '../telemetry/scope.ts';
import { letterFor } from './letter.ts';
import type { News } from './news.ts';
import { Once } from './once.ts';
import { Outbox, type Pace } from './outbox.ts';
import type { Outcome, Post } from './post.ts';

export interface NotifierOptions extends Pick<Dependencies, 'secret' | 'settings' | 'nowMs' | 'log'> {
  readonly wait: (ms: number) => Promise<void>;
  readonly post: Post;
}

interface Item {
  readonly destination: Destination;
  readonly news: News;
  /** Of the request that brought it: another one's may be what empties the outbox. */
  readonly scope: Scope | undefined;
}

type Kind = 'slack' | 'googleChat' | 'webhook';

/** Slack takes one message a second and short bursts, Google Chat one a second in a space. */
const PACES: Readonly<Record<Kind, Pace>> = {
  slack: { burst: 4, perSecond: 1, sumsUp: true },
  googleChat: { burst: 1, perSecond: 1, sumsUp: true },
  webhook: { burst: 20, perSecond: 10, sumsUp: false },
};

/**
 * Well within the 60 s that Pub/Sub waits for the acknowledgement; and as an instance takes 80 requests at a time, those
 * that one slow destination holds up must not be in the way of news for the others.
 */
const PATIENCE_MS = 20_000;
/** Of what is older people are not told: it would be taken for what happens now. */
export const STALE_MS = 3_600_000;
const MOST_REMEMBERED = 5000;

/** Tells destinations of news, and remembers as long as the instance lives whom it told of what. */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #outboxes = new Map<string, Outbox<Item>>();
  readonly #once = new Once(MOST_REMEMBERED);

  constructor(options: NotifierOptions) {
    this.#options = options;
  }

  async tell(destination: Destination, news: News): Promise<Outcome> {
    const { nowMs, log } = this.#options;
    const kind = kindOf(destination);
    const ageMs = nowMs() - news.timeMs;
    if (kind !== 'webhook' && ageMs > STALE_MS) {
      const why = `it is ${Math.floor(ageMs / 60_000)} min old`;
      log('WARNING', `${destination.name} is not told of ${news.id}: ${why}`, fieldsOf([news]));
      return { kind: 'refused', why };
    }
    const key = [kind, destination.name, news.source, news.id].join('\n');
    return this.#once.run(key, () =>
      this.#outbox(destination.name, kind).add(
        { destination, news, scope: currentScope() },
        nowMs() + PATIENCE_MS,
      ),
    );
  }

  #outbox(name: string, kind: Kind): Outbox<Item> {
    const key = `${kind} ${name}`;
    const known = this.#outboxes.get(key);
    if (known) return known;
    const { nowMs, wait } = this.#options;
    const outbox = new Outbox<Item>({
      pace: PACES[kind],
      nowMs,
      wait,
      compare: inOrder,
      send: (items, timeoutMs) => {
        const scope = items[0]?.scope;
        const send = () => this.#send(items, timeoutMs);
        return scope ? within(scope, send) : send();
      },
    });
    this.#outboxes.set(key, outbox);
    return outbox;
  }

  async #send(items: readonly Item[], timeoutMs: number): Promise<Outcome> {
    const { post, nowMs, log } = this.#options;
    // The newest knows what the policy says now.
    const destination = items.at(-1)?.destination;
    if (!destination) return { kind: 'delivered' };
    const news = items.map(item => item.news);
    try {
      const letter = await letterFor(destination, news, this.#options);
      const outcome = await post(letter, timeoutMs, nowMs());
      this.#report(news, `${destination.name} (${letter.url.host})`, outcome);
      return outcome;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const isPassing = error instanceof SlipwayError && error.canRetry;
      log(isPassing ? 'WARNING' : 'ERROR', `${destination.name} cannot be told: ${why}`, fieldsOf(news));
      return { kind: isPassing ? 'failed' : 'refused', why };
    }
  }

  /** Says what came of each request once, however many events it was about. */
  #report(news: readonly News[], whom: string, outcome: Outcome): void {
    const { log } = this.#options;
    const ids = news.map(({ id }) => id).join(', ');
    const fields = fieldsOf(news);
    if (outcome.kind === 'delivered') log('INFO', `${whom} was told of ${ids}`, fields);
    else if (outcome.kind === 'refused') {
      const advice = 'is the URL in its secret still right? docs/notifications.md';
      log('ERROR', `${whom} was not told of ${ids}: ${outcome.why}; ${advice}`, fields);
    } else log('WARNING', `${whom} could not be told of ${ids}: ${outcome.why}`, fields);
  }
}

/** What a log line about the news can be found by; of several only what they have in common. */
function fieldsOf(news: readonly News[]): Record<string, string> {
  const [first] = news;
  const { rollout, service } = first ?? {};
  return {
    ...(rollout && news.every(one => one.rollout === rollout) ? { rollout } : {}),
    ...(service && news.every(one => one.service === service) ? { service } : {}),
  };
}

function kindOf({ slack, googleChat }: Destination): Kind {
  if (slack) return 'slack';
  return googleChat ? 'googleChat' : 'webhook';
}

/** What a change notes has one time, and is told in the order of its `sequence`. */
function inOrder({ news: a }: Item, { news: b }: Item): number {
  return a.timeMs - b.timeMs || (a.sequence ?? 0) - (b.sequence ?? 0);
}

import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../../../../local/clock.ts';
import { type Chaos, PubSubCore } from '../../../../local/pubsub/core.ts';

const TOPIC = 'projects/acme/topics/gcr';
const DEAD = 'projects/acme/topics/dead';
const SUBSCRIPTION = 'projects/acme/subscriptions/image-push';
const ENDPOINT = 'http://functions.invalid/projects/acme/topics/gcr';

interface Push {
  readonly url: string;
  readonly body: { message: Record<string, unknown>; subscription: string; deliveryAttempt?: number };
  readonly timeoutMs: number;
  readonly atMs: number;
}

/** Pub/Sub in virtual time whose pushes are answered by `answer`. */
function world(answer: (push: Push) => number | Promise<number> = () => 204, chaos?: Chaos) {
  const clock = new VirtualClock();
  const startMs = clock.nowMs();
  const pushes: Push[] = [];
  const core = new PubSubCore({
    clock,
    chaos,
    deliver: async (url, body, _headers, timeoutMs) => {
      const push = { url, body: JSON.parse(body), timeoutMs, atMs: clock.nowMs() - startMs };
      pushes.push(push);
      return answer(push);
    },
  });
  core.createTopic(TOPIC);
  core.createTopic(DEAD);
  const push = (more: object = {}) =>
    core.createSubscription(SUBSCRIPTION, { topic: TOPIC, pushConfig: { pushEndpoint: ENDPOINT }, ...more });
  return { clock, pushes, core, push };
}

const hello = { data: Buffer.from('hello').toString('base64'), attributes: { kind: 'greeting' } };

function ids(pushes: readonly Push[]): unknown[] {
  return pushes.map(({ body }) => body.message['messageId']);
}

describe('push', () => {
  test('sends the envelope with both spellings of every field to the endpoint as it was configured', async () => {
    const { clock, pushes, core, push } = world();
    push();

    const [messageId] = core.publish(TOPIC, [hello]);
    await clock.advance(0);

    const publishTime = new Date(clock.nowMs()).toISOString();
    expect(pushes).toHaveLength(1);
    expect(pushes[0]?.url).toBe(ENDPOINT);
    expect(pushes[0]?.body).toEqual({
      subscription: SUBSCRIPTION,
      message: {
        ...hello,
        messageId,
        message_id: messageId,
        publishTime,
        publish_time: publishTime,
      },
    });
  });

  test.each([
    [204, 0],
    [200, 0],
    [299, 0],
    [302, 1],
    [400, 1],
    [500, 1],
  ])('an answer %i leaves %i messages undelivered', async (status, left) => {
    const { clock, core, push } = world(() => status);
    push();

    core.publish(TOPIC, [hello]);
    await clock.advance(0);

    expect(core.undelivered(SUBSCRIPTION)).toBe(left);
  });

  test('comes again after the retry policy’s backoff, doubling up to its maximum', async () => {
    const { clock, pushes, core, push } = world(() => 500);
    push({ retryPolicy: { minimumBackoff: '1s', maximumBackoff: '5s' } });

    core.publish(TOPIC, [hello]);
    await clock.advance(17_500);

    expect(pushes.map(({ atMs }) => atMs)).toEqual([0, 1000, 3000, 7000, 12_000, 17_000]);
  });

  test('comes again at once, then slower, without a retry policy', async () => {
    const { clock, pushes, core, push } = world(() => 500);
    push();

    core.publish(TOPIC, [hello]);
    await clock.advance(1000);

    expect(pushes.map(({ atMs }) => atMs)).toEqual([0, 100, 300, 700]);
  });

  test('takes the acknowledgement deadline as its timeout and an answer after it as none', async () => {
    let answerFirst: (status: number) => void = () => {};
    const { clock, pushes, core, push } = world(({ body: _ }) =>
      pushes.length === 1 ? new Promise(resolve => (answerFirst = resolve)) : 500,
    );
    push({ ackDeadlineSeconds: 30, retryPolicy: { minimumBackoff: '10s', maximumBackoff: '10s' } });

    core.publish(TOPIC, [hello]);
    await clock.advance(41_000);
    answerFirst(200);
    await clock.advance(0);

    expect(pushes.map(({ atMs, timeoutMs }) => [atMs, timeoutMs])).toEqual([
      [0, 30_000],
      [40_000, 30_000],
    ]);
    expect(core.undelivered(SUBSCRIPTION)).toBe(1);
  });

  test('treats a connection that fails as an answer that does not acknowledge', async () => {
    let up = false;
    const { clock, core, push } = world(() => {
      if (!up) throw new Error('ECONNREFUSED');
      return 204;
    });
    push();

    core.publish(TOPIC, [hello]);
    await clock.advance(0);
    expect(core.undelivered(SUBSCRIPTION)).toBe(1);
    up = true;
    await clock.advance(100);

    expect(core.undelivered(SUBSCRIPTION)).toBe(0);
  });

  test('gives up when the retention has passed', async () => {
    const { clock, pushes, core, push } = world(() => 500);
    push({
      messageRetentionDuration: '600s',
      retryPolicy: { minimumBackoff: '250s', maximumBackoff: '250s' },
    });

    core.publish(TOPIC, [hello]);
    await clock.advance(2000_000);

    expect(pushes).toHaveLength(3);
    expect(core.undelivered(SUBSCRIPTION)).toBe(0);
  });
});

describe('dead letters', () => {
  test('take a message after maxDeliveryAttempts, with its origin in attributes', async () => {
    const { clock, pushes, core, push } = world(() => 500);
    core.createSubscription('projects/acme/subscriptions/dead', { topic: DEAD });
    push({ deadLetterPolicy: { deadLetterTopic: DEAD, maxDeliveryAttempts: 5 } });
    const publishTime = new Date(clock.nowMs()).toISOString();

    core.publish(TOPIC, [hello]);
    await clock.advance(10_000);

    expect(pushes.map(({ body }) => body.deliveryAttempt)).toEqual([1, 2, 3, 4, 5]);
    expect(core.undelivered(SUBSCRIPTION)).toBe(0);
    const [dead] = await core.pull('projects/acme/subscriptions/dead', 10, 0);
    expect(dead?.message.data).toBe(hello.data);
    expect(dead?.message.attributes).toEqual({
      kind: 'greeting',
      CloudPubSubDeadLetterSourceDeliveryCount: '5',
      CloudPubSubDeadLetterSourceSubscription: 'image-push',
      CloudPubSubDeadLetterSourceSubscriptionProject: 'acme',
      CloudPubSubDeadLetterSourceTopicPublishTime: publishTime,
    });
  });

  test('do not swallow a message while their topic is missing', async () => {
    const { clock, core, push } = world(() => 500);
    push({ deadLetterPolicy: { deadLetterTopic: 'projects/acme/topics/gone', maxDeliveryAttempts: 5 } });

    core.publish(TOPIC, [hello]);
    await clock.advance(60_000);

    expect(core.undelivered(SUBSCRIPTION)).toBe(1);
  });
});

describe('pull', () => {
  test('gives a message out again once its deadline has passed, and never after it was acknowledged', async () => {
    const { clock, core } = world();
    core.createSubscription(SUBSCRIPTION, { topic: TOPIC });
    core.publish(TOPIC, [hello]);

    const [first] = await core.pull(SUBSCRIPTION, 10, 0);
    expect(await core.pull(SUBSCRIPTION, 10, 0)).toEqual([]);
    await clock.advance(10_000);
    core.acknowledge(SUBSCRIPTION, [first?.ackId ?? '']);
    const [second] = await core.pull(SUBSCRIPTION, 10, 0);
    core.acknowledge(SUBSCRIPTION, [second?.ackId ?? '']);
    await clock.advance(60_000);

    expect(second?.message.messageId).toBe(first?.message.messageId);
    expect(core.undelivered(SUBSCRIPTION)).toBe(0);
  });

  test('a deadline of zero gives the message back at once', async () => {
    const { core } = world();
    core.createSubscription(SUBSCRIPTION, { topic: TOPIC });
    core.publish(TOPIC, [hello]);

    const [first] = await core.pull(SUBSCRIPTION, 10, 0);
    core.modifyAckDeadline(SUBSCRIPTION, [first?.ackId ?? ''], 0);

    expect(await core.pull(SUBSCRIPTION, 10, 0)).toHaveLength(1);
  });

  test('waits for a message to come', async () => {
    const { clock, core } = world();
    core.createSubscription(SUBSCRIPTION, { topic: TOPIC });

    const waiting = core.pull(SUBSCRIPTION, 10, 5000);
    await clock.advance(1000);
    core.publish(TOPIC, [hello]);

    expect(await waiting).toHaveLength(1);
  });
});

describe('filter', () => {
  test('keeps back what does not match', async () => {
    const { clock, pushes, core, push } = world();
    push({ filter: 'attributes.kind = "greeting"' });

    core.publish(TOPIC, [{ data: 'YQ==', attributes: { kind: 'insult' } }]);
    const [wanted] = core.publish(TOPIC, [hello]);
    await clock.advance(0);

    expect(ids(pushes)).toEqual([wanted]);
  });

  test('cannot be changed', () => {
    const { core, push } = world();
    push();
    expect(() => core.updateSubscription(SUBSCRIPTION, { filter: '' }, 'filter')).toThrow(
      'cannot be changed',
    );
  });
});

describe('chaos', () => {
  test('delivers every message twice and out of order', async () => {
    const shares = [0.9, 0.1, 0.5, 0.2];
    const { clock, pushes, core, push } = world(() => 204, {
      duplicates: true,
      shuffleWithinMs: 1000,
      random: () => shares.shift() ?? 0,
    });
    push();

    const [first, second] = core.publish(TOPIC, [hello, hello]);
    await clock.advance(1000);

    expect(ids(pushes)).toEqual([first, second, second, first]);
    expect(pushes.map(({ atMs }) => atMs)).toEqual([100, 200, 500, 900]);
    expect(core.undelivered(SUBSCRIPTION)).toBe(0);
  });
});

describe('idle', () => {
  test('resolves once the last message was acknowledged, dead letters included', async () => {
    const { clock, core, push } = world(({ url }) => (url === ENDPOINT ? 500 : 204));
    push({ deadLetterPolicy: { deadLetterTopic: DEAD, maxDeliveryAttempts: 5 } });
    const sweep = 'projects/acme/subscriptions/sweep';
    core.createSubscription(sweep, { topic: DEAD, pushConfig: { pushEndpoint: 'http://sweep.invalid/' } });
    core.publish(TOPIC, [hello]);
    let isIdle = false;
    void core.idle().then(() => (isIdle = true));

    await clock.advance(100);
    expect(isIdle).toBe(false);
    await clock.advance(10_000);

    expect(isIdle).toBe(true);
  });

  test('stop leaves no timer behind', async () => {
    const { clock, pushes, core, push } = world(() => 500);
    push();
    core.publish(TOPIC, [hello]);
    await clock.advance(0);

    core.stop();
    await core.idle();
    await clock.advance(3_600_000);

    expect(pushes).toHaveLength(1);
  });
});

describe('resources', () => {
  test('a topic that exists is not made again', () => {
    const { core } = world();
    expect(() => core.createTopic(TOPIC)).toThrow('Resource already exists in the project (resource=gcr).');
  });

  test('publishing needs a topic and something to say', () => {
    const { core } = world();
    expect(() => core.publish('projects/acme/topics/nope', [hello])).toThrow(
      'Resource not found (resource=nope).',
    );
    expect(() => core.publish(TOPIC, [{}])).toThrow('Some messages are empty');
  });

  test.each([
    [{ ackDeadlineSeconds: 5 }, "'ackDeadlineSeconds'"],
    [{ deadLetterPolicy: { deadLetterTopic: DEAD, maxDeliveryAttempts: 4 } }, 'maxDeliveryAttempts'],
    [{ messageRetentionDuration: '60s' }, 'expected 10 minutes to 31 days'],
    [{ retryPolicy: { minimumBackoff: '20s', maximumBackoff: '10s' } }, 'minimumBackoff is above'],
    [{ pushConfig: { pushEndpoint: 'nowhere' } }, 'not a URL'],
    [{ filter: 'data = "x"' }, 'expected "attributes"'],
  ])('a subscription with %j is refused', (more, message) => {
    const { core } = world();
    expect(() => core.createSubscription(SUBSCRIPTION, { topic: TOPIC, ...more })).toThrow(message);
  });

  test('a deleted topic leaves its subscriptions with what they have', async () => {
    const { clock, pushes, core, push } = world(() => (pushes.length > 1 ? 204 : 500));
    push();
    core.publish(TOPIC, [hello]);

    core.deleteTopic(TOPIC);
    await clock.advance(100);

    expect(pushes).toHaveLength(2);
    expect(core.getSubscription(SUBSCRIPTION).topic).toBe('_deleted-topic_');
  });
});

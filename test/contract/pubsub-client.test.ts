import { cloudEvent } from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { PubSub, v1 } from '@google-cloud/pubsub';
import { PassThroughClient } from 'google-auth-library';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { googleClients, options } from '../../functions/google/clients.ts';
import { realClock } from '../../local/clock.ts';
import { type HttpReply, type HttpRequest, type HttpServer, listen, serve } from '../../local/http.ts';
import { PubSubCore } from '../../local/pubsub/core.ts';
import { pubsubApi } from '../../local/pubsub/http.ts';
import { deliverByFetch } from '../../local/pubsub/push.ts';
import { findPubSubEmulator, startPubSubEmulator } from './pubsub-emulator.ts';

interface Backend {
  readonly url: string;
  client(projectId: string): Promise<PubSub> | PubSub;
  close(): Promise<void>;
}

async function startLocal(): Promise<Backend> {
  const core = new PubSubCore({ clock: realClock, deliver: deliverByFetch });
  const server = await serve(pubsubApi(core));
  return {
    url: server.url,
    client: projectId => googleClients({ pubsub: server.url }).pubsub(projectId),
    close() {
      core.stop();
      return server.close();
    },
  };
}

/** By gRPC: its REST front does not know all fields that the client sends. */
async function startEmulator(jar: string): Promise<Backend> {
  const emulator = await startPubSubEmulator(jar);
  const apiEndpoint = new URL(emulator.url).host;
  return {
    ...emulator,
    client: projectId =>
      new PubSub({ projectId, apiEndpoint, emulatorMode: true, authClient: new PassThroughClient() }),
  };
}

const jar = findPubSubEmulator();
const BACKENDS: [name: string, start: () => Promise<Backend>][] = [['the local Pub/Sub', startLocal]];
if (jar) BACKENDS.push(['Google’s emulator', () => startEmulator(jar)]);

describe.skipIf(jar)('Google’s emulator', () => {
  test.skip('is not installed here: what follows ran against the local Pub/Sub alone', () => {});
});

let projects = 0;

function until(condition: () => boolean): Promise<boolean> {
  return vi.waitUntil(condition, { timeout: 20_000 });
}

describe.each(BACKENDS)('%s', (name, start) => {
  const isLocal = name === 'the local Pub/Sub';
  let backend: Backend;
  let endpoint: HttpServer;
  let client: PubSub;
  let project: string;
  let received: HttpRequest[];
  let answer: (request: HttpRequest) => HttpReply;

  beforeAll(async () => {
    backend = await start();
    endpoint = await serve(request => {
      received.push(request);
      return answer(request);
    });
  });

  beforeEach(async () => {
    received = [];
    answer = () => ({ status: 204 });
    project = `acme-${++projects}`;
    client = await backend.client(project);
    await client.createTopic('gcr');
  });

  afterEach(() => client.close());

  afterAll(async () => {
    await backend.close();
    await endpoint.close();
  });

  test('pushes a published message to the endpoint, path kept', async () => {
    const path = `/projects/${project}/topics/gcr`;
    await client.createSubscription('gcr', 'image-push', {
      pushConfig: { pushEndpoint: `${endpoint.url}${path}` },
    });

    const data = Buffer.from('{"action":"INSERT"}');
    const messageId = await client.topic('gcr').publishMessage({ data, attributes: { by: 'test' } });
    await until(() => received.length > 0);

    const [push] = received;
    expect(push?.method).toBe('POST');
    expect(push?.path).toBe(path);
    expect(push?.headers['content-type']).toBe('application/json');
    expect(JSON.parse(push?.body.toString() ?? '')).toEqual({
      subscription: `projects/${project}/subscriptions/image-push`,
      message: {
        data: data.toString('base64'),
        attributes: { by: 'test' },
        messageId,
        message_id: messageId,
        publishTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        publish_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      },
    });
  });

  test('pushes again until it is acknowledged', async () => {
    await client.createSubscription('gcr', 'image-push', {
      pushConfig: { pushEndpoint: endpoint.url },
      retryPolicy: { minimumBackoff: { nanos: 10_000_000 }, maximumBackoff: { nanos: 20_000_000 } },
    });
    answer = () => ({ status: received.length < 3 ? 500 : 200 });

    const messageId = await client.topic('gcr').publishMessage({ data: Buffer.from('x') });
    await until(() => received.length >= 3);

    const ids = received.map(({ body }) => JSON.parse(body.toString()).message.messageId);
    expect(ids).toEqual([messageId, messageId, messageId]);
  });

  // The emulator passes this too, but backs off for a quarter of a minute.
  test.runIf(isLocal)('puts what is never acknowledged on the dead-letter topic', async () => {
    await client.createTopic('dead');
    await client.createSubscription('dead', 'sweep', {
      pushConfig: { pushEndpoint: `${endpoint.url}/dead` },
    });
    await client.createSubscription('gcr', 'image-push', {
      pushConfig: { pushEndpoint: `${endpoint.url}/alive` },
      retryPolicy: { minimumBackoff: { nanos: 10_000_000 }, maximumBackoff: { nanos: 20_000_000 } },
      deadLetterPolicy: { deadLetterTopic: `projects/${project}/topics/dead`, maxDeliveryAttempts: 5 },
    });
    answer = ({ path }) => ({ status: path === '/dead' ? 200 : 500 });

    await client.topic('gcr').publishMessage({ data: Buffer.from('x'), attributes: { by: 'test' } });
    await until(() => received.at(-1)?.path === '/dead');

    expect(received.map(({ path }) => path)).toEqual([...Array<string>(5).fill('/alive'), '/dead']);
    const { message } = JSON.parse(received.at(-1)?.body.toString() ?? '');
    expect(message.data).toBe(Buffer.from('x').toString('base64'));
    expect(message.attributes).toEqual({
      by: 'test',
      CloudPubSubDeadLetterSourceDeliveryCount: '5',
      CloudPubSubDeadLetterSourceSubscription: 'image-push',
      CloudPubSubDeadLetterSourceSubscriptionProject: project,
      CloudPubSubDeadLetterSourceTopicPublishTime: expect.stringMatching(/^\d{4}-/),
    });
  });

  test('reads back and changes what it was configured with', async () => {
    const [subscription] = await client.createSubscription('gcr', 'image-push', {
      pushConfig: { pushEndpoint: endpoint.url },
      ackDeadlineSeconds: 60,
      filter: 'attributes.kind = "greeting"',
      retryPolicy: { minimumBackoff: { seconds: 1 }, maximumBackoff: { seconds: 5 } },
    });
    await subscription.setMetadata({ ackDeadlineSeconds: 30 });
    await subscription.modifyPushConfig({ pushEndpoint: `${endpoint.url}/elsewhere` });

    const [metadata] = await subscription.getMetadata();
    const [topics] = await client.getTopics();
    const [subscriptions] = await client.topic('gcr').getSubscriptions();

    expect(metadata.ackDeadlineSeconds).toBe(30);
    expect(metadata.filter).toBe('attributes.kind = "greeting"');
    expect(metadata.pushConfig?.pushEndpoint).toBe(`${endpoint.url}/elsewhere`);
    expect(Number(metadata.retryPolicy?.maximumBackoff?.seconds)).toBe(5);
    expect(topics.map(topic => topic.name)).toEqual([`projects/${project}/topics/gcr`]);
    expect(subscriptions.map(item => item.name)).toEqual([`projects/${project}/subscriptions/image-push`]);

    await subscription.delete();
    expect(await subscription.exists()).toEqual([false]);
  });

  test.runIf(isLocal)('is pulled, refused and acknowledged by the REST client', async () => {
    await client.createSubscription('gcr', 'reader');
    await client.topic('gcr').publishMessage({ data: Buffer.from('x'), attributes: { n: '1' } });
    const subscriber = new v1.SubscriberClient(options(backend.url));
    const subscription = `projects/${project}/subscriptions/reader`;

    const [first] = await subscriber.pull({ subscription, maxMessages: 10 });
    const ackIds = first.receivedMessages?.map(({ ackId }) => ackId ?? '') ?? [];
    await subscriber.modifyAckDeadline({ subscription, ackIds, ackDeadlineSeconds: 0 });
    const [second] = await subscriber.pull({ subscription, maxMessages: 10 });
    const again = second.receivedMessages?.map(({ ackId }) => ackId ?? '') ?? [];
    await subscriber.acknowledge({ subscription, ackIds: again });
    const [third] = await subscriber.pull({ subscription, maxMessages: 10, returnImmediately: true });
    await subscriber.close();

    expect(first.receivedMessages?.[0]?.message?.data?.toString()).toBe('x');
    expect(first.receivedMessages?.[0]?.message?.attributes).toEqual({ n: '1' });
    expect(again).toHaveLength(1);
    expect(third.receivedMessages).toEqual([]);
  });

  test('answers with the codes that the client knows', async () => {
    const nope = client.topic('nope');
    await expect(client.createTopic('gcr')).rejects.toMatchObject({ code: 6 });
    await expect(client.createTopic('x')).rejects.toMatchObject({ code: 3 });
    await expect(nope.publishMessage({ data: Buffer.from('x') })).rejects.toMatchObject({ code: 5 });
    await expect(client.createSubscription('nope', 'reader')).rejects.toMatchObject({ code: 5 });
  });

  // The emulator stores filters, and neither checks nor applies them; it never sends deliveryAttempt.
  test.runIf(isLocal)('filters, and counts deliveries, as the service does', async () => {
    const deadLetterPolicy = { deadLetterTopic: `projects/${project}/topics/gcr`, maxDeliveryAttempts: 5 };
    await client.createSubscription('gcr', 'image-push', {
      pushConfig: { pushEndpoint: endpoint.url },
      filter: 'attributes:wanted',
      deadLetterPolicy,
    });
    answer = () => ({ status: received.length < 2 ? 500 : 200 });

    await client.topic('gcr').publishMessage({ data: Buffer.from('x') });
    await client.topic('gcr').publishMessage({ data: Buffer.from('x'), attributes: { wanted: '' } });
    await until(() => received.length >= 2);

    const attempts = received.map(({ body }) => JSON.parse(body.toString()).deliveryAttempt);
    expect(attempts).toEqual([1, 2]);
    const nonsense = client.createSubscription('gcr', 'other', { filter: 'nonsense' });
    await expect(nonsense).rejects.toMatchObject({ code: 3 });
  });

  test('reaches a function on the functions framework, which learns the topic from the path', async () => {
    const events: { source: string; id: string }[] = [];
    cloudEvent('hear', ({ source, id }: { source: string; id: string }) => {
      events.push({ source, id });
    });
    const functions = await listen(getTestServer('hear'));
    const topic = `projects/${project}/topics/gcr`;
    await client.createSubscription('gcr', 'hear', {
      pushConfig: { pushEndpoint: `${functions.url}/${topic}` },
    });

    const id = await client.topic('gcr').publishMessage({ data: Buffer.from('x') });
    await until(() => events.length > 0);
    await functions.close();

    expect(events).toEqual([{ source: `//pubsub.googleapis.com/${topic}`, id }]);
  });
});

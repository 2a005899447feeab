import { cloudEvent } from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { type PubSub, v1 } from '@google-cloud/pubsub';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { options } from '../../functions/google/clients.ts';
import { type HttpReply, type HttpRequest, type HttpServer, listen, serve } from '../../local/http.ts';
import { type Backend, LOCAL, pubsubBackends } from './pubsub-backends.ts';

let projects = 0;

function until(condition: () => boolean): Promise<boolean> {
  return vi.waitUntil(condition, { timeout: 20_000 });
}

describe.each(pubsubBackends())('%s', (name, start) => {
  const isLocal = name === LOCAL;
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

  // The service takes 202 too, and the emulator does not.
  test('takes 200, 201 and 204 for an acknowledgement, and no redirect or error', async () => {
    await client.createSubscription('gcr', 'image-push', {
      pushConfig: { pushEndpoint: endpoint.url },
      retryPolicy: { minimumBackoff: { nanos: 10_000_000 }, maximumBackoff: { nanos: 20_000_000 } },
    });
    const asked = (request: HttpRequest) =>
      Number(JSON.parse(request.body.toString()).message.attributes.status);
    const timesAsked = (status: number) => received.filter(request => asked(request) === status).length;
    answer = request => ({ status: timesAsked(asked(request)) === 1 ? asked(request) : 200 });

    const statuses = [200, 201, 204, 301, 400, 404, 429, 503];
    for (const status of statuses)
      await client
        .topic('gcr')
        .publishMessage({ data: Buffer.from('x'), attributes: { status: `${status}` } });
    await until(() => [301, 400, 404, 429, 503].every(status => timesAsked(status) === 2));

    expect(statuses.map(timesAsked)).toEqual([1, 1, 1, 2, 2, 2, 2, 2]);
  });

  test('delivers to every subscription of a topic, and again only where it was refused', async () => {
    const retryPolicy = { minimumBackoff: { nanos: 10_000_000 }, maximumBackoff: { nanos: 20_000_000 } };
    for (const id of ['one', 'two', 'other']) {
      if (id === 'other') await client.createTopic('quiet');
      const topic = id === 'other' ? 'quiet' : 'gcr';
      const pushConfig = { pushEndpoint: `${endpoint.url}/${id}` };
      await client.createSubscription(topic, id, { pushConfig, retryPolicy });
    }
    const timesAsked = (path: string) => received.filter(request => request.path === path).length;
    answer = ({ path }) => ({ status: path === '/two' && timesAsked(path) < 3 ? 500 : 204 });

    const messageId = await client.topic('gcr').publishMessage({ data: Buffer.from('x') });
    await until(() => timesAsked('/two') === 3 && timesAsked('/one') > 0);

    const ids = new Set(received.map(({ body }) => JSON.parse(body.toString()).message.messageId));
    expect([timesAsked('/one'), timesAsked('/two'), timesAsked('/other')]).toEqual([1, 3, 0]);
    expect([...ids]).toEqual([messageId]);
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

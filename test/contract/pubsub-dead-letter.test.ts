import { randomUUID } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { type HttpRequest, serve } from '../../local/http.ts';
import { pubsubBackends } from './pubsub-backends.ts';

/** Google's emulator takes a quarter of a minute for five deliveries, however short the backoff that it is told. */
const PATIENCE_MS = 50_000;

describe.each(pubsubBackends())('%s', (_name, start) => {
  test('puts what is never acknowledged on the dead-letter topic, and says where it comes from', {
    timeout: PATIENCE_MS + 10_000,
  }, async () => {
    const received: HttpRequest[] = [];
    const endpoint = await serve(request => {
      received.push(request);
      return { status: request.path === '/dead' ? 200 : 500 };
    });
    const backend = await start();
    const project = `acme-${randomUUID().slice(0, 8)}`;
    const client = await backend.client(project);
    await client.createTopic('gcr');
    await client.createTopic('dead');
    await client.createSubscription('dead', 'dead-letter', {
      pushConfig: { pushEndpoint: `${endpoint.url}/dead` },
    });
    await client.createSubscription('gcr', 'image-push', {
      pushConfig: { pushEndpoint: `${endpoint.url}/alive` },
      retryPolicy: { minimumBackoff: { nanos: 10_000_000 }, maximumBackoff: { nanos: 20_000_000 } },
      deadLetterPolicy: { deadLetterTopic: `projects/${project}/topics/dead`, maxDeliveryAttempts: 5 },
    });

    await client.topic('gcr').publishMessage({ data: Buffer.from('x'), attributes: { by: 'test' } });
    await vi.waitUntil(() => received.at(-1)?.path === '/dead', { timeout: PATIENCE_MS });

    await client.close();
    await backend.close();
    await endpoint.close();
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
});

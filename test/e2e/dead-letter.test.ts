import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROJECT, REGISTRY_HOST } from '../../local/names.ts';
import { topicName } from '../../local/wiring.ts';
import { aPolicyService, E2eWorld } from './world.ts';

let world: E2eWorld;
beforeAll(async () => {
  world = await E2eWorld.open([aPolicyService('hello')]);
});
afterAll(() => world.close());

const LISTENER = `projects/${PROJECT}/subscriptions/listener`;

/** Gives up after five quick deliveries instead of twenty over a quarter of an hour. */
function shortenPatience(): void {
  const patch = {
    retryPolicy: { minimumBackoff: '0.05s', maximumBackoff: '0.1s' },
    deadLetterPolicy: { deadLetterTopic: topicName('dead-letters'), maxDeliveryAttempts: 5 },
  };
  const subscription = `projects/${PROJECT}/subscriptions/gcr-imagePush`;
  world.cloud.cores.pubsub.updateSubscription(subscription, patch, 'retryPolicy,deadLetterPolicy');
}

test('a push whose image the registry never gives out ends on record, not in silence', async () => {
  await world.push({ service: 'hello', tag: 'v1' });
  expect((await world.until('hello', 'v1')).phase).toBe('Healthy');
  shortenPatience();
  const { pubsub } = world.cloud.cores;
  pubsub.createSubscription(LISTENER, { topic: topicName('rollout-events') });
  world.cloud.faults.registry.inject({ fault: { kind: 'status', status: 500 } });

  const image = `${REGISTRY_HOST}/${PROJECT}/apps/hello`;
  const notification = {
    action: 'INSERT',
    digest: `${image}@sha256:${'d'.repeat(64)}`,
    tag: `${image}:v2`,
  };
  world.publish('gcr', notification);
  const lastLines = () => world.cloud.functions.lastLines().slice(-15).join('\n');
  const isNoted = async () =>
    (await world.rollouts('hello')).some(one => one.history.at(-1)?.reason === 'MessageLost');
  await world.eventually(() => `a dead letter on record\n${lastLines()}`, isNoted);

  const [dead, ...others] = await world.store.list('deadMessage');
  expect(others).toEqual([]);
  expect(dead).toMatchObject({
    topic: 'dead-letters',
    subscription: 'gcr-imagePush',
    attempts: 5,
    problem: 'gcr-imagePush gave up after 5 deliveries',
  });
  expect(JSON.parse(dead?.text ?? '')).toEqual(notification);
  expect((await world.rollouts('hello')).map(({ tag }) => tag)).toEqual(['v1']);
  const events = await pubsub.pull(LISTENER, 100, 0);
  const types = events.map(({ message }) => message.attributes['type']);
  expect(types).toContain('dev.slipway.message.deadlettered.0.1.0');
});

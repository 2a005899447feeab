import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Dependencies } from '../../../functions/dependencies.ts';
import type { RolloutEventMessage } from '../../../functions/google/events.ts';
import { deadLetter } from '../../../functions/handlers/dead-letter.ts';
import { readSettings } from '../../../functions/settings.ts';
import { sqliteStore } from '../../../functions/store/sqlite.ts';
import type { Store } from '../../../functions/store/store.ts';
import { aService, aWorld, DIGEST, START_MS } from '../../worlds.ts';

const { rollout, service } = aWorld();

let store: Store;
let nowMs: number;
let published: RolloutEventMessage[];
let logged: string[];
beforeEach(async () => {
  nowMs = START_MS;
  published = [];
  logged = [];
  store = sqliteStore(':memory:', () => nowMs);
  await store.transact(async transaction => {
    // Launched already, so that nothing is due.
    const launch = { kind: 'rollout', execution: 'one', sinceMs: START_MS } as const;
    transaction.write('rollout', rollout.id, { ...rollout, launch });
    transaction.write('service', service.name, service);
  });
});
afterEach(() => store.close());

function unexpected(): never {
  throw new Error('a dead letter needs no such thing');
}

function dependencies(change: Partial<Dependencies> = {}): Dependencies {
  return {
    store: async () => store,
    policy: async () => ({ services: [aService()], notifications: [] }),
    registry: unexpected,
    authorities: unexpected,
    target: unexpected,
    loadBalancer: unexpected,
    preflightGke: unexpected,
    measure: unexpected,
    signals: unexpected,
    launch: unexpected,
    isAlive: unexpected,
    poke: unexpected,
    publish: async message => {
      published.push(message);
    },
    sendCommand: unexpected,
    secret: unexpected,
    settings: readSettings({ GOOGLE_CLOUD_PROJECT: 'acme' }),
    nowMs: () => nowMs,
    log: (_severity, message) => logged.push(message),
    ...change,
  };
}

const ORIGIN = {
  CloudPubSubDeadLetterSourceSubscription: 'gcr-imagePush',
  CloudPubSubDeadLetterSourceSubscriptionProject: 'acme',
  CloudPubSubDeadLetterSourceDeliveryCount: '20',
  CloudPubSubDeadLetterSourceTopicPublishTime: '2026-01-05T08:00:00.000Z',
};

function aDeadLetter(text: string, attributes: Readonly<Record<string, string>> = ORIGIN) {
  return {
    id: '7',
    specversion: '1.0',
    type: 'google.cloud.pubsub.topic.v1.messagePublished',
    source: '//pubsub.googleapis.com/projects/acme/topics/dead-letters',
    data: { message: { data: Buffer.from(text).toString('base64'), messageId: '7', attributes } },
  };
}

const PUSH = JSON.stringify({
  action: 'INSERT',
  digest: `example.dev/acme/hello@${DIGEST}`,
  tag: 'example.dev/acme/hello:v2',
});

async function lostMessages(): Promise<string[]> {
  const record = await store.read('rollout', rollout.id);
  return (record?.history ?? [])
    .filter(({ reason }) => reason === 'MessageLost')
    .map(({ message }) => message);
}

test('keeps who gave it up, after how many deliveries, and the text', async () => {
  await deadLetter(dependencies(), aDeadLetter(PUSH));
  const kept = {
    id: '7',
    topic: 'dead-letters',
    receivedMs: START_MS,
    problem: 'gcr-imagePush gave up after 20 deliveries',
    text: PUSH,
    subscription: 'gcr-imagePush',
    attempts: 20,
  };
  expect(await store.list('deadMessage')).toEqual([kept]);
  expect(published[0]).toMatchObject({
    type: 'dev.slipway.message.deadlettered.0.1.0',
    customData: kept,
  });
  expect(logged[0]).toContain('gcr-imagePush gave up after 20 deliveries');
});

test('counts once when it is delivered twice', async () => {
  await deadLetter(dependencies(), aDeadLetter(PUSH));
  nowMs += 60_000;
  await deadLetter(dependencies(), aDeadLetter(PUSH));
  const [kept, ...others] = await store.list('deadMessage');
  expect(kept?.receivedMs).toBe(START_MS);
  expect(others).toEqual([]);
  expect(await lostMessages()).toHaveLength(1);
  const ids = published.filter(({ type }) => type.startsWith('dev.slipway.message')).map(({ id }) => id);
  expect(ids).toEqual(['dead-letters-7', 'dead-letters-7']);
});

test.each([
  ['a push of its image', PUSH],
  ['a command for it', JSON.stringify({ command: 'abort', service: 'hello', actor: 'me' })],
  [
    'an alert that names it',
    JSON.stringify({ version: '1.2', incident: { policy_user_labels: { slipway_service: 'hello' } } }),
  ],
])('enters the history of the service’s rollout when it was %s', async (_what, text) => {
  await deadLetter(dependencies(), aDeadLetter(text));
  expect(await lostMessages()).toEqual([
    'A message was lost: gcr-imagePush gave up after 20 deliveries; it is on record as dead-letters-7',
  ]);
});

test.each([
  ['is no JSON', 'hello'],
  ['is JSON of another kind', '[1, null, "hello"]'],
  ['has fields of other types', JSON.stringify({ service: 5, tag: {}, digest: null, incident: 'x' })],
  ['names a service that is not there', JSON.stringify({ service: 'shop' })],
  ['has a reference that is none', JSON.stringify({ tag: '::', action: 'INSERT' })],
  ['is empty', ''],
])('is kept, and in no history, when its text %s', async (_what, text) => {
  await deadLetter(dependencies(), aDeadLetter(text));
  expect((await store.list('deadMessage')).map(one => one.text)).toEqual([text]);
  expect(await lostMessages()).toEqual([]);
});

test('is kept when nobody says where it comes from', async () => {
  await deadLetter(dependencies(), aDeadLetter(PUSH, {}));
  const [kept] = await store.list('deadMessage');
  expect(kept?.problem).toBe('an unknown subscription gave up after every delivery');
  expect(kept).not.toHaveProperty('subscription');
  expect(kept).not.toHaveProperty('attempts');
});

test('is kept when the policy cannot be read, which may be why it was given up', async () => {
  const policy = () => Promise.reject(new Error('rollouts.yaml:3:1: expected a list'));
  await deadLetter(dependencies({ policy }), aDeadLetter(PUSH));
  expect(await store.list('deadMessage')).toHaveLength(1);
  expect(logged.at(-1)).toContain('rollouts.yaml:3:1');
});

test('comes again when it cannot be put on record', async () => {
  const broken = { ...store, transact: () => Promise.reject(new Error('the store is down')) };
  const failing = deadLetter(dependencies({ store: async () => broken }), aDeadLetter(PUSH));
  await expect(failing).rejects.toThrow('the store is down');
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { googleClients } from '../../functions/google/clients.ts';
import { isFinal, type Rollout } from '../../functions/rollout/record.ts';
import { firestoreStore } from '../../functions/store/firestore.ts';
import type { Store } from '../../functions/store/store.ts';
import { type Functions, startFunctions } from '../../local/functions/functions.ts';
import { PROJECT } from '../../local/names.ts';
import { deployWorkflows, topicName } from '../../local/wiring.ts';
import { findFirestoreEmulator, startFirestoreEmulator } from '../contract/emulators.ts';
import { aPolicyService, E2eWorld, GATED } from './world.ts';

const found = findFirestoreEmulator();
if (found.missing) test.skip(`Google’s Firestore emulator is not tested here: ${found.missing}`, () => {});

describe.skipIf(found.missing)('with its records in Firestore', () => {
  const stack = new AsyncDisposableStack();
  let world: E2eWorld;
  let functions: Functions;
  let store: Store;

  beforeAll(async () => {
    const emulator = await startFirestoreEmulator(found.jar ?? '');
    stack.defer(() => emulator.close());
    world = await E2eWorld.open([aPolicyService('hello', GATED)], { sweepEverySeconds: 0 });
    stack.defer(() => world.close());
    functions = await startFunctions({
      ...world.cloud.env,
      PATH: process.env['PATH'] ?? '',
      SLIPWAY_STORE: 'firestore',
      FIRESTORE_EMULATOR_HOST: new URL(emulator.url).host,
    });
    stack.defer(() => functions.stop());
    await connect(world, functions);
    store = firestoreStore(await googleClients({ firestore: emulator.url }).firestore(PROJECT, '(default)'));
    stack.defer(() => store.close());
  });
  afterAll(() => stack.disposeAsync());

  async function rolloutOf(tag: string, isSo: (rollout: Rollout) => boolean): Promise<Rollout> {
    let last: Rollout | undefined;
    await world.eventually(
      () => `the rollout of ${tag}, which is ${last?.phase}\n${functions.lastLines().slice(-15).join('\n')}`,
      async () => {
        last = (await store.list('rollout', { service: 'hello' })).find(one => one.tag === tag);
        return last !== undefined && isSo(last);
      },
    );
    if (!last) throw new Error(`no rollout of ${tag}`);
    return last;
  }

  test('a rollout is promoted at its gate, and the next one is taken back', { timeout: 60_000 }, async () => {
    await world.push({ service: 'hello', tag: 'v1' });
    expect((await rolloutOf('v1', isFinal)).phase).toBe('Healthy');

    await world.push({ service: 'hello', tag: 'v2' });
    await rolloutOf('v2', ({ phase }) => phase === 'Paused');
    world.publish('rollout-commands', { command: 'promote', service: 'hello', actor: 'me' });
    const promoted = await rolloutOf('v2', isFinal);
    expect(promoted.phase).toBe('Healthy');
    expect(promoted.spec.strategy.waves).toEqual([['us']]);
    expect(promoted.verification?.status).toBe('accepted');

    await world.push({ service: 'hello', tag: 'v3' });
    await rolloutOf('v3', ({ phase }) => phase === 'Paused');
    world.publish('rollout-commands', { command: 'abort', service: 'hello', actor: 'me' });
    expect((await rolloutOf('v3', isFinal)).phase).toBe('Degraded');
    expect(await world.rollouts('hello')).toEqual([]);
  });
});

/** Leads everything that calls functions to these. */
async function connect({ cloud }: E2eWorld, functions: Functions): Promise<void> {
  await deployWorkflows(cloud.cores.workflows, functions);
  for (const [topic, name] of [
    ['gcr', 'imagePush'],
    ['rollout-commands', 'command'],
  ] as const) {
    const pushConfig = { pushEndpoint: `${functions.urls[name]}/${topicName(topic)}` };
    const subscription = `projects/${PROJECT}/subscriptions/${topic}-${name}`;
    cloud.cores.pubsub.updateSubscription(subscription, { pushConfig }, 'pushConfig');
  }
}

import type { Firestore } from '@google-cloud/firestore';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { dependenciesFrom } from '../../functions/dependencies.ts';
import { SlipwayError } from '../../functions/errors.ts';
import { googleClients } from '../../functions/google/clients.ts';
import { firestoreStore } from '../../functions/store/firestore.ts';
import type { Store } from '../../functions/store/store.ts';
import { aWorld, START_MS } from '../worlds.ts';
import { type Emulator, findFirestoreEmulator, startFirestoreEmulator } from './emulators.ts';
import { storeContract } from './store-contract.ts';

const found = findFirestoreEmulator();
console.log(
  found.jar ? `Firestore: Google’s emulator, ${found.jar}` : `Firestore: not tested, ${found.missing}`,
);
const DEFAULT_DATABASE = '(default)';

if (found.missing) test.skip(`Google’s Firestore emulator is not tested here: ${found.missing}`, () => {});

describe.skipIf(found.missing)('Google’s Firestore emulator', () => {
  let emulator: Emulator;
  let projects = 0;

  beforeAll(async () => {
    emulator = await startFirestoreEmulator(found.jar ?? '');
  });
  afterAll(() => emulator.close());

  /** A project of its own is an empty database. */
  function openDatabase(): Promise<Firestore> {
    return googleClients({ firestore: emulator.url }).firestore(`acme-${++projects}`, DEFAULT_DATABASE);
  }

  storeContract('Firestore', async nowMs => firestoreStore(await openDatabase(), { nowMs }));

  describe('documents as others see them', () => {
    const { rollout } = aWorld();
    let firestore: Firestore;
    let store: Store;
    beforeEach(async () => {
      firestore = await openDatabase();
      store = firestoreStore(firestore, { nowMs: () => START_MS });
    });
    afterEach(() => store.close());

    async function fieldsOf(path: string): Promise<unknown> {
      return (await firestore.doc(path).get()).data();
    }

    test('have the fields of the record, under its id', async () => {
      await store.transact(async transaction => transaction.write('rollout', rollout.id, rollout));
      expect(await fieldsOf(`rollouts/${rollout.id}`)).toMatchObject({
        service: 'hello',
        phase: 'Pending',
        spec: { strategy: { waves: [{ '[]': ['us'] }, { '[]': ['eu'] }] } },
      });
    });

    test('carry the time at which they expire while they are done with, and only then', async () => {
      const degraded = { ...rollout, phase: 'Degraded' } as const;
      await store.transact(async transaction => transaction.write('rollout', rollout.id, degraded));
      const { expiresAt } = Object(await fieldsOf(`rollouts/${rollout.id}`));
      await store.transact(async transaction => transaction.write('rollout', rollout.id, rollout));

      expect(expiresAt.toMillis()).toBe(START_MS + 90 * 86_400_000);
      expect(await fieldsOf(`rollouts/${rollout.id}`)).not.toHaveProperty('expiresAt');
      expect(await store.read('rollout', rollout.id)).not.toHaveProperty('expiresAt');
    });

    test('are listed however many there are', async () => {
      await store.transact(async transaction => {
        for (let index = 0; index < 120; index++)
          transaction.write('rollout', `r${index}`, { ...rollout, id: `r${index}`, createdMs: index });
      });
      const all = await store.list('rollout');
      const some = await store.list('rollout', { limit: 70 });
      expect(all.map(({ createdMs }) => createdMs)).toEqual(Array.from({ length: 120 }, (_, i) => 119 - i));
      expect(some).toHaveLength(70);
    });
  });

  test('loses no update when several processes change one record', async () => {
    const project = `acme-${++projects}`;
    const processes = await Promise.all(
      [1, 2, 3].map(async () => {
        const clients = googleClients({ firestore: emulator.url });
        return firestoreStore(await clients.firestore(project, DEFAULT_DATABASE));
      }),
    );
    const { rollout, service } = aWorld();
    await processes[0]?.transact(async transaction => transaction.write('rollout', rollout.id, rollout));
    const raise = (store: Store, how: number) =>
      store.transact(async transaction => {
        // Read in different orders, so that they wait for each other.
        if (how === 1) await transaction.read('service', service.name);
        const record = await transaction.read('rollout', rollout.id);
        if (how === 2) await transaction.read('service', service.name);
        if (record) transaction.write('rollout', rollout.id, { ...record, epoch: record.epoch + 1 });
        transaction.write('service', service.name, service);
      });
    await Promise.all(processes.map(raise));

    expect((await processes[0]?.read('rollout', rollout.id))?.epoch).toBe(rollout.epoch + 3);
    for (const store of processes) await store.close();
  });

  test('is what the settings of the functions open; databases of one project are separate', async () => {
    const host = new URL(emulator.url).host;
    const { rollout } = aWorld();
    const open = (setting: string, endpoint: Record<string, string>) =>
      dependenciesFrom({ GOOGLE_CLOUD_PROJECT: 'settings', SLIPWAY_STORE: setting, ...endpoint }).store();
    const writer = await open('firestore:records', { FIRESTORE_EMULATOR_HOST: host });
    await writer.transact(async transaction => transaction.write('rollout', rollout.id, rollout));
    const override = { CLOUDSDK_API_ENDPOINT_OVERRIDES_FIRESTORE: emulator.url };
    const same = await open('firestore:records', override);
    const other = await open('firestore', override);

    expect(await same.read('rollout', rollout.id)).toEqual(rollout);
    expect(await other.read('rollout', rollout.id)).toBeUndefined();
    await expect(open('sqlite:', {})).rejects.toThrow(
      'SLIPWAY_STORE: expected firestore, firestore:DATABASE or sqlite:FILE, found "sqlite:"',
    );
    for (const store of [writer, same, other]) await store.close();
  });

  test('a document beyond the limit of 1 MiB is refused in Slipway’s words', async () => {
    const store = firestoreStore(await openDatabase());
    const { rollout } = aWorld();
    const huge = { ...rollout, message: 'x'.repeat(1_100_000) };
    const failure = await store
      .transact(async transaction => transaction.write('rollout', rollout.id, huge))
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SlipwayError);
    expect(failure).toMatchObject({ code: 'InvalidArgument', operation: 'change records' });
    await store.close();
  });
});

test('a Firestore that does not answer is an error that a retry may mend', async () => {
  const nobody = await googleClients({ firestore: 'http://127.0.0.1:9' }).firestore('acme', DEFAULT_DATABASE);
  const store = firestoreStore(nobody, { timeoutMs: 300 });
  const { rollout } = aWorld();
  const failures = await Promise.allSettled([
    store.read('rollout', 'a'),
    store.list('rollout'),
    store.transact(async transaction => transaction.write('rollout', rollout.id, rollout)),
  ]);
  for (const failure of failures) {
    expect(failure.status).toBe('rejected');
    const reason: unknown = failure.status === 'rejected' ? failure.reason : undefined;
    expect(reason).toBeInstanceOf(SlipwayError);
    expect(reason).toMatchObject({ canRetry: true });
  }
  // Not closed: that waits for the client's own retries, more than a minute.
});

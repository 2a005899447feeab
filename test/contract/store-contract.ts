import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SlipwayError } from '../../functions/errors.ts';
import {
  type HistoryEntry,
  newServiceState,
  type Phase,
  type Rollout,
} from '../../functions/rollout/record.ts';
import type { DeadMessage, Store } from '../../functions/store/store.ts';
import { aWorld, START_MS } from '../worlds.ts';

const DAY_MS = 86_400_000;

/** What every {@link Store} does. `open` gives a new, empty one each time, which takes the time from `nowMs`. */
export function storeContract(name: string, open: (nowMs: () => number) => Promise<Store>): void {
  describe(`${name} as a store`, () => {
    let store: Store;
    let nowMs: number;
    beforeEach(async () => {
      nowMs = START_MS;
      store = await open(() => nowMs);
    });
    afterEach(() => store.close());

    const { rollout, service } = aWorld();
    function aRollout(change: Partial<Rollout>): Rollout {
      return { ...rollout, ...change };
    }
    function aDeadMessage(change: Partial<DeadMessage>): DeadMessage {
      return { id: '1', topic: 'gcr', receivedMs: START_MS, problem: 'expected JSON', text: 'x', ...change };
    }
    function write(...rollouts: Rollout[]): Promise<void> {
      return store.transact(async transaction => {
        for (const one of rollouts) transaction.write('rollout', one.id, one);
      });
    }
    function bury(...messages: DeadMessage[]): Promise<void> {
      return store.transact(async transaction => {
        for (const one of messages) transaction.write('deadMessage', one.id, one);
      });
    }

    test('gives back what was written, without undefined fields', async () => {
      await write(rollout);
      const back = await store.read('rollout', rollout.id);
      expect(back).toEqual(rollout);
      expect(back).not.toHaveProperty('owner');
      expect(await store.read('rollout', 'other')).toBeUndefined();
      expect(await store.read('service', rollout.id)).toBeUndefined();
    });

    test('keeps null apart from what is not there, and empty lists and objects', async () => {
      const { us } = rollout.targets;
      if (!us) throw new Error('the rollout of the tests has no target us');
      const targets = { empty: { ...us, stable: null }, unread: { ...us, stable: undefined } };
      const given = aRollout({ targets, history: [] });
      await write(given);
      const back = await store.read('rollout', rollout.id);
      expect(back).toEqual(given);
      expect(back?.targets['empty']?.stable).toBeNull();
      expect(back?.targets['unread']).not.toHaveProperty('stable');
      expect(back?.history).toEqual([]);
    });

    test('replaces the whole document', async () => {
      await write(aRollout({ callback: 'http://callback.invalid/1', heldBy: 'me' }));
      await write(aRollout({ heldBy: 'you' }));
      const back = await store.read('rollout', rollout.id);
      expect(back).not.toHaveProperty('callback');
      expect(back?.heldBy).toBe('you');
    });

    test('takes any text in ids, keys and values', async () => {
      const ids = ['größe 船 🚢', 'a/b', 'a%2Fb', '.', '..', '__x__', 'with "quotes" and \\', 'line\nbreak'];
      for (const id of ids) await bury(aDeadMessage({ id, text: `${id} \u0000 «船»` }));
      for (const id of ids) {
        expect(await store.read('deadMessage', id), id).toEqual(
          aDeadMessage({ id, text: `${id} \u0000 «船»` }),
        );
      }
      const quarantine = { 'sha256:a.b/c "d" 船': { rollout: 'a', message: '🚢', sinceMs: 1 } };
      await store.transact(async transaction =>
        transaction.write('service', 'hello', { ...service, quarantine }),
      );
      expect(await store.read('service', 'hello')).toEqual({ ...service, quarantine });
    });

    test('takes a text that was cut in the middle of a character', async () => {
      await bury(aDeadMessage({ text: `${'x'.repeat(10)}🚢`.slice(0, 11) }));
      expect((await store.read('deadMessage', '1'))?.text).toMatch(/^x{10}.$/);
    });

    test('takes a record of half a megabyte', async () => {
      const history = Array.from(
        { length: 300 },
        (_, index): HistoryEntry => ({
          sequence: index + 1,
          atMs: START_MS + index,
          reason: 'AlertRecorded',
          message: `${index} ${'burning '.repeat(210)}`,
          target: 'us',
        }),
      );
      const long = aRollout({ history });
      await write(long);
      expect(JSON.stringify(long).length).toBeGreaterThan(500_000);
      expect(await store.read('rollout', rollout.id)).toEqual(long);
    });

    test('lists newest first, by service and phase, up to a limit', async () => {
      await write(
        aRollout({ id: 'a', createdMs: 1, phase: 'Healthy' }),
        aRollout({ id: 'b', createdMs: 2, phase: 'Degraded' }),
        aRollout({ id: 'c', createdMs: 3, phase: 'Healthy' }),
        aRollout({ id: 'd', createdMs: 4, phase: 'Healthy', service: 'other' }),
      );
      const ids = async (where: Parameters<Store['list']>[1]) =>
        (await store.list('rollout', where)).map(one => one.id);
      expect(await ids({})).toEqual(['d', 'c', 'b', 'a']);
      expect(await ids({ service: 'hello' })).toEqual(['c', 'b', 'a']);
      expect(await ids({ service: 'hello', phases: ['Healthy'] })).toEqual(['c', 'a']);
      expect(await ids({ phases: ['Healthy', 'Degraded'], limit: 2 })).toEqual(['d', 'c']);
      expect(await ids({ service: 'nobody' })).toEqual([]);
    });

    test('goes on behind the last of a page, whatever the filter, without gap or repeat', async () => {
      const phases: Phase[] = ['Healthy', 'Degraded'];
      const all = Array.from({ length: 9 }, (_, index) =>
        aRollout({
          id: `r${index}`,
          service: index % 3 === 0 ? 'shop' : 'hello',
          phase: phases[index % 2] ?? 'Healthy',
          // Three at a time were created in the same millisecond.
          createdMs: START_MS + Math.floor(index / 3),
        }),
      );
      await write(...all);
      for (const where of [{}, { service: 'hello' }, { phases }, { service: 'shop', phases }]) {
        const whole = (await store.list('rollout', where)).map(({ id }) => id);
        const seen: string[] = [];
        for (let after: string | undefined; ; ) {
          const page = await store.list('rollout', { ...where, after, limit: 2 });
          seen.push(...page.map(({ id }) => id));
          after = page.at(-1)?.id;
          if (page.length < 2) break;
        }
        expect(seen, JSON.stringify(where)).toEqual(whole);
      }
      await expect(store.list('rollout', { after: 'gone' })).rejects.toMatchObject({ code: 'NotFound' });
    });

    test('goes on behind the name of a service, whether there is one or not', async () => {
      await store.transact(async transaction => {
        for (const one of ['a', 'b', 'd']) transaction.write('service', one, newServiceState(one));
      });
      const behind = async (after: string) =>
        (await store.list('service', { after })).map(({ name }) => name);
      expect(await behind('a')).toEqual(['b', 'd']);
      expect(await behind('c')).toEqual(['d']);
      expect(await behind('d')).toEqual([]);
    });

    test('gives the fields that are asked for, and no others', async () => {
      await write(
        aRollout({ id: 'one', createdMs: START_MS + 1 }),
        aRollout({ id: 'failed', phase: 'Degraded', createdMs: START_MS }),
      );
      const fields = ['id', 'targets'] as const;
      const expected = { id: 'one', targets: JSON.parse(JSON.stringify(rollout.targets)) };
      expect(await store.list('rollout', { limit: 1 }, fields)).toEqual([expected]);
      expect(await store.readEach('rollout', ['one'], fields)).toEqual([expected]);
      nowMs = START_MS + 91 * DAY_MS;
      expect((await store.list('rollout', {}, ['id'])).map(({ id }) => id)).toEqual(['one']);
      expect(await store.readEach('rollout', ['failed'], ['id'])).toEqual([]);
    });

    test('reads many by their ids, in that order, without those that there are not', async () => {
      await write(...['a', 'b', 'c'].map(id => aRollout({ id })));
      const found = await store.readEach('rollout', ['c', 'none', 'a', 'c']);
      expect(found.map(({ id }) => id)).toEqual(['c', 'a', 'c']);
      expect(found[0]).toEqual(aRollout({ id: 'c' }));
      expect(await store.readEach('rollout', [])).toEqual([]);
    });

    test('lists by what a record says now', async () => {
      await write(aRollout({ phase: 'Pending' }));
      await write(aRollout({ phase: 'Progressing' }));
      expect(await store.list('rollout', { phases: ['Pending'] })).toEqual([]);
      expect(await store.list('rollout', { phases: ['Progressing'] })).toHaveLength(1);
    });

    test('lists every kind apart: services by name, dead messages newest first', async () => {
      await write(rollout);
      await store.transact(async transaction => {
        for (const one of ['shop', 'api', 'hello']) transaction.write('service', one, newServiceState(one));
      });
      await bury(
        aDeadMessage({ id: 'early', receivedMs: START_MS - 2 }),
        aDeadMessage({ id: 'late', receivedMs: START_MS - 1 }),
      );
      expect((await store.list('service')).map(one => one.name)).toEqual(['api', 'hello', 'shop']);
      expect((await store.list('deadMessage')).map(one => one.id)).toEqual(['late', 'early']);
      expect((await store.list('deadMessage', { limit: 1 })).map(one => one.id)).toEqual(['late']);
      expect(await store.list('rollout')).toHaveLength(1);
    });

    test('forgets failures and dead messages after 90 days, and neither releases nor what is under way', async () => {
      await write(
        aRollout({ id: 'failed', phase: 'Degraded' }),
        aRollout({ id: 'refused', phase: 'Rejected' }),
        aRollout({ id: 'overtaken', phase: 'Superseded', updatedMs: START_MS + DAY_MS }),
        aRollout({ id: 'released', phase: 'Healthy', createdMs: START_MS - 1 }),
        aRollout({ id: 'waiting', phase: 'Paused', createdMs: START_MS - 2 }),
      );
      await bury(aDeadMessage({}));
      nowMs = START_MS + 90 * DAY_MS - 1;
      expect(await store.list('rollout')).toHaveLength(5);
      expect(await store.read('deadMessage', '1')).toBeDefined();

      nowMs = START_MS + 90 * DAY_MS;
      const left = await store.list('rollout', { limit: 2 });
      const inTransaction = await store.transact(transaction => transaction.read('rollout', 'failed'));
      expect(left.map(({ id }) => id)).toEqual(['overtaken', 'released']);
      expect(await store.read('rollout', 'refused')).toBeUndefined();
      expect(inTransaction).toBeUndefined();
      expect(await store.read('rollout', 'waiting')).toBeDefined();
      expect(await store.list('deadMessage')).toEqual([]);
    });

    test('writes all of a transaction or nothing', async () => {
      const failing = store.transact(async transaction => {
        transaction.write('rollout', rollout.id, rollout);
        transaction.write('service', service.name, service);
        throw new Error('crashed');
      });
      await expect(failing).rejects.toThrow('crashed');
      expect(await store.read('rollout', rollout.id)).toBeUndefined();
      expect(await store.read('service', service.name)).toBeUndefined();
    });

    test('lets out of a transaction what its work throws, as it is', async () => {
      const fenced = new SlipwayError('somebody else owns it', { code: 'Fenced', operation: 'test' });
      for (const error of [fenced, new RangeError('no such target')]) {
        const failing = store.transact(async () => {
          throw error;
        });
        await expect(failing).rejects.toBe(error);
      }
    });

    test('reads in a transaction what was there before it', async () => {
      await write(aRollout({ epoch: 1 }));
      const seen = await store.transact(async transaction => {
        transaction.write('rollout', rollout.id, aRollout({ epoch: 2 }));
        return (await transaction.read('rollout', rollout.id))?.epoch;
      });
      expect(seen).toBe(1);
      expect((await store.read('rollout', rollout.id))?.epoch).toBe(2);
    });

    test('lets one of many create-if-absent win', async () => {
      const attempts = Array.from({ length: 5 }, (_, index) =>
        store.transact(async transaction => {
          if (await transaction.read('rollout', rollout.id)) return false;
          transaction.write('rollout', rollout.id, aRollout({ epoch: index }));
          return true;
        }),
      );
      const created = await Promise.all(attempts);
      expect(created.filter(Boolean)).toHaveLength(1);
      expect((await store.read('rollout', rollout.id))?.epoch).toBe(created.indexOf(true));
    });

    test('loses no update when many change one document', async () => {
      await write(rollout);
      const increments = Array.from({ length: 5 }, () =>
        store.transact(async transaction => {
          const current = await transaction.read('rollout', rollout.id);
          if (current) transaction.write('rollout', rollout.id, { ...current, epoch: current.epoch + 1 });
        }),
      );
      await Promise.all(increments);
      expect((await store.read('rollout', rollout.id))?.epoch).toBe(rollout.epoch + 5);
    });

    test('keeps two documents in step when transactions read them in opposite order', async () => {
      await write(rollout);
      await store.transact(async transaction => transaction.write('service', service.name, service));
      const raise = (rolloutFirst: boolean) =>
        store.transact(async transaction => {
          const first = rolloutFirst ? await transaction.read('rollout', rollout.id) : undefined;
          const state = await transaction.read('service', service.name);
          const record = first ?? (await transaction.read('rollout', rollout.id));
          if (!record || !state) return;
          transaction.write('rollout', rollout.id, { ...record, epoch: record.epoch + 1 });
          const newestPublishedMs = state.newestPublishedMs + 1;
          transaction.write('service', service.name, { ...state, newestPublishedMs });
        });
      await Promise.all([raise(true), raise(false), raise(true), raise(false)]);
      expect((await store.read('rollout', rollout.id))?.epoch).toBe(rollout.epoch + 4);
      expect((await store.read('service', service.name))?.newestPublishedMs).toBe(
        service.newestPublishedMs + 4,
      );
    });
  });
}

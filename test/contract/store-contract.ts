import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Rollout } from '../../functions/rollout/record.ts';
import type { Store } from '../../functions/store/store.ts';
import { aWorld } from '../worlds.ts';

/** What every {@link Store} does. `open` gives a new, empty one each time. */
export function storeContract(name: string, open: () => Promise<Store>): void {
  describe(`${name} as a store`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());

    const { rollout, service } = aWorld();
    function aRollout(change: Partial<Rollout>): Rollout {
      return { ...rollout, ...change };
    }
    function write(...rollouts: Rollout[]): Promise<void> {
      return store.transact(async transaction => {
        for (const one of rollouts) transaction.write('rollout', one.id, one);
      });
    }

    test('gives back what was written, without undefined fields', async () => {
      await write(rollout);
      const back = await store.read('rollout', rollout.id);
      expect(back).toEqual(rollout);
      expect(await store.read('rollout', 'other')).toBeUndefined();
      expect(await store.read('service', rollout.id)).toBeUndefined();
    });

    test('lists newest first, by service and phase, up to a limit', async () => {
      await write(
        aRollout({ id: 'a', createdMs: 1, phase: 'Healthy' }),
        aRollout({ id: 'b', createdMs: 2, phase: 'Degraded' }),
        aRollout({ id: 'c', createdMs: 3, phase: 'Healthy' }),
        aRollout({ id: 'd', createdMs: 4, phase: 'Healthy', service: 'other' }),
      );
      const ids = async (where: Parameters<Store['list']>[1]) => (await store.list('rollout', where)).map(one => one.id);
      expect(await ids({})).toEqual(['d', 'c', 'b', 'a']);
      expect(await ids({ service: 'hello' })).toEqual(['c', 'b', 'a']);
      expect(await ids({ service: 'hello', phases: ['Healthy'] })).toEqual(['c', 'a']);
      expect(await ids({ phases: ['Healthy', 'Degraded'], limit: 2 })).toEqual(['d', 'c']);
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
  });
}

import { beforeEach, describe, expect, test } from 'vitest';
import {
  readRollout,
  readRollouts,
  readServices,
  serviceRowsReader,
} from '../../../functions/console/records.ts';
import { newServiceState, type Rollout } from '../../../functions/rollout/record.ts';
import type { Store } from '../../../functions/store/store.ts';
import { aService, aWorld, play, START_MS, UNTIL_GATE, UNTIL_HEALTHY } from '../../worlds.ts';
import { anOffice, type Office } from '../handlers/office.ts';

const gated = play(aWorld(), UNTIL_GATE).world;
const healthy = play(aWorld(), UNTIL_HEALTHY).world;

let office: Office;
beforeEach(() => {
  office = anOffice();
});

const two = (index: number) => String(index).padStart(3, '0');

async function putRollouts(count: number): Promise<void> {
  const all = Array.from(
    { length: count },
    (_, index): Rollout => ({ ...gated.rollout, id: `hello-${two(index)}`, createdMs: START_MS + index }),
  );
  await office.put(...all);
}

describe('services', () => {
  test('are those of the policy and those on record, by name, with what is going on', async () => {
    const quarantine = { 'sha256:b': { rollout: 'r', message: 'm', sinceMs: 1 } };
    await office.put({ ...gated.service, quarantine }, gated.rollout, newServiceState('ancient'));
    const { services, next } = await readServices(office.deps, undefined, undefined);
    expect(next).toBeUndefined();
    expect(services.map(({ name }) => name)).toEqual(['ancient', 'hello']);
    expect(services[1]).toMatchObject({
      quarantined: 1,
      rollout: { id: gated.rollout.id, phase: 'Paused', weights: { us: 50 } },
    });
    expect(services[1]?.rollout).not.toHaveProperty('history');
  });

  test('show what is in flight, or else what waits, or else what serves', async () => {
    const named = (id: string): Rollout => ({ ...gated.rollout, id });
    await office.put(named('active'), named('waiting'), named('healthy'));
    const shown = async (state: object) => {
      await office.put({ ...newServiceState('hello'), ...state });
      return (await readServices(office.deps, undefined, undefined)).services[0]?.rollout?.id;
    };
    expect(await shown({ active: 'active', waiting: 'waiting', healthy: 'healthy' })).toBe('active');
    expect(await shown({ waiting: 'waiting', healthy: 'healthy' })).toBe('waiting');
    expect(await shown({ healthy: 'healthy' })).toBe('healthy');
    expect(await shown({})).toBeUndefined();
  });

  test('come a hundred at a time, from policy and record alike', async () => {
    const names = Array.from({ length: 250 }, (_, index) => `s${two(index)}`);
    const even = names.filter((_, index) => index % 2 === 0);
    const odd = names.filter((_, index) => index % 2 === 1);
    await office.put(...even.map(newServiceState));
    const deps = {
      ...office.deps,
      policy: async () => ({ services: odd.map(name => aService({ name })), notifications: [] }),
    };
    const seen: string[] = [];
    const sizes: number[] = [];
    for (let after: string | undefined; ; ) {
      const { services, next } = await readServices(deps, undefined, after);
      seen.push(...services.map(({ name }) => name));
      sizes.push(services.length);
      if (next === undefined) break;
      after = next;
    }
    expect(seen).toEqual(names);
    expect(sizes).toEqual([100, 100, 50]);
  });

  test('are found by any part of their names, behind many others', async () => {
    const names = Array.from({ length: 300 }, (_, index) => `s${two(index)}`);
    await office.put(...[...names, 'zz-checkout'].map(newServiceState));
    const found = await readServices(office.deps, 'CHECK', undefined);
    expect(found.services.map(({ name }) => name)).toEqual(['zz-checkout']);
    expect((await readServices(office.deps, 'nothing', undefined)).services).toEqual([]);
  });
});

describe('rollouts', () => {
  test('come a hundred at a time, newest first', async () => {
    await putRollouts(230);
    const first = await readRollouts(office.deps, undefined, undefined);
    const second = await readRollouts(office.deps, 'hello', first.next);
    const third = await readRollouts(office.deps, 'hello', second.next);
    expect([first, second, third].map(({ rollouts }) => rollouts.length)).toEqual([100, 100, 30]);
    expect(first.rollouts[0]?.id).toBe('hello-229');
    expect(third.rollouts.at(-1)?.id).toBe('hello-000');
    expect(third.next).toBeUndefined();
    expect((await readRollouts(office.deps, 'nobody', undefined)).rollouts).toEqual([]);
  });

  test('in some phases alone are found behind many others', async () => {
    await putRollouts(150);
    await office.put({ ...gated.rollout, id: 'hello-late', createdMs: START_MS - 1, phase: 'RollingBack' });
    const { rollouts } = await readRollouts(office.deps, undefined, undefined, ['RollingBack', 'Pending']);
    expect(rollouts.map(({ id }) => id)).toEqual(['hello-late']);
  });

  test('that come to exactly a hundred are one page', async () => {
    await putRollouts(100);
    expect((await readRollouts(office.deps, undefined, undefined)).next).toBeUndefined();
  });
});

describe('a rollout', () => {
  test('comes with its service, buttons and links, and without what is nobody’s business', async () => {
    await office.put({ ...gated.rollout, callback: 'https://callback.invalid' }, gated.service);
    const view = await readRollout(office.deps, gated.rollout.id);
    expect(view.service).toMatchObject({ name: 'hello', active: gated.rollout.id });
    expect(view.buttons).toContainEqual({ command: 'promote', gate: 'wave 1 step 4' });
    expect(view.links.map(({ label }) => label)).toContain('Logs');
    expect(view.nowMs).toBe(START_MS);
    expect(view.rollout).not.toHaveProperty('callback');
  });

  test('that was Healthy long ago offers to go back to the one before it', async () => {
    const earlier: Rollout = { ...healthy.rollout, id: 'hello-0', digest: 'sha256:before' };
    const state = { ...healthy.service, earlier: ['hello-0'] };
    office.nowMs = START_MS + 2 * 3_600_000;
    const settled = Object.fromEntries(
      Object.entries(healthy.rollout.targets).map(([name, target]) => [
        name,
        { ...target, status: 'Settled' },
      ]),
    ) as Rollout['targets'];
    await office.put({ ...healthy.rollout, targets: settled }, state);
    const undo = async () =>
      (await readRollout(office.deps, healthy.rollout.id)).buttons.find(({ command }) => command === 'undo');
    expect((await undo())?.refused).toMatch(/^nothing that was Healthy before/);
    await office.put(earlier);
    expect(await undo()).toEqual({ command: 'undo' });
  });

  test('that serves can be undone while another that has begun nothing is in flight', async () => {
    const next: Rollout = { ...aWorld().rollout, id: 'hello-2', tag: 'v2', digest: 'sha256:next' };
    await office.put(healthy.rollout, next, { ...healthy.service, active: 'hello-2' });
    const undo = async () =>
      (await readRollout(office.deps, healthy.rollout.id)).buttons.find(({ command }) => command === 'undo');
    expect(await undo()).toEqual({ command: 'undo' });
    await office.put({ ...gated.rollout, id: 'hello-2' });
    expect((await undo())?.refused).toBe('hello-2 is in flight');
  });

  test('that is watched costs two reads, and one more for the way back where that is closed', async () => {
    const earlier: Rollout = { ...healthy.rollout, id: 'hello-0', digest: 'sha256:before' };
    office.nowMs = START_MS + 2 * 3_600_000;
    const settled = Object.fromEntries(
      Object.entries(healthy.rollout.targets).map(([name, target]) => [
        name,
        { ...target, status: 'Settled' },
      ]),
    ) as Rollout['targets'];
    await office.put(gated.service, gated.rollout);
    const asked: string[] = [];
    const counted: Store = {
      ...office.store,
      read(kind, id) {
        asked.push(id);
        return office.store.read(kind, id);
      },
    };
    const deps = { ...office.deps, store: async () => counted };
    await readRollout(deps, gated.rollout.id);
    expect(asked).toEqual([gated.rollout.id, 'hello']);
    await office.put({ ...healthy.rollout, targets: settled }, earlier, {
      ...healthy.service,
      earlier: ['hello-gone', 'hello-00', 'hello-0'],
    });
    asked.length = 0;
    await readRollout(deps, healthy.rollout.id);
    expect(asked).toEqual([healthy.rollout.id, 'hello', 'hello-0']);
  });

  test('that there is not is said to be none', async () => {
    await expect(readRollout(office.deps, 'hello-0')).rejects.toMatchObject({ code: 'NotFound' });
  });
});

test('rows that are watched read a rollout at rest again only when its service has changed', async () => {
  await office.put(healthy.service, healthy.rollout, { ...gated.service, name: 'shop', active: 'shop-1' });
  await office.put({ ...gated.rollout, id: 'shop-1', service: 'shop' });
  const asked: string[][] = [];
  const watched: Store = {
    ...office.store,
    readEach(kind, ids, fields) {
      if (kind === 'rollout') asked.push([...ids]);
      return office.store.readEach(kind, ids, fields);
    },
  };
  const read = serviceRowsReader({ ...office.deps, store: async () => watched }, ['hello', 'shop', 'none']);
  const first = await read();
  expect(first.map(({ name }) => name)).toEqual(['hello', 'shop']);
  expect(await read()).toEqual(first);
  await office.put(
    { ...healthy.service, active: healthy.rollout.id },
    { ...healthy.rollout, phase: 'RollingBack' },
  );
  const after = await read();
  expect(after[0]?.rollout?.phase).toBe('RollingBack');
  expect(asked).toEqual([[healthy.rollout.id, 'shop-1'], ['shop-1'], [healthy.rollout.id, 'shop-1']]);
});

import { beforeEach, describe, expect, test } from 'vitest';
import {
  readRollout,
  readRollouts,
  readService,
  readServices,
  serviceRowsReader,
} from '../../../functions/console/records.ts';
import { signed } from '../../../functions/rollout/commands.ts';
import { newServiceState, note, type Rollout } from '../../../functions/rollout/record.ts';
import type { Store } from '../../../functions/store/store.ts';
import { aService, aWorld, play, START_MS, UNTIL_GATE, UNTIL_HEALTHY } from '../../worlds.ts';
import { anOffice, type Office } from '../handlers/office.ts';

const gated = play(aWorld(), UNTIL_GATE).world;
const healthy = play(aWorld(), UNTIL_HEALTHY).world;

let office: Office;
beforeEach(() => {
  office = anOffice();
});

const newStateOf = (state: object) => ({ ...newServiceState('hello'), ...state });

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
  });

  test('that nothing moves, waits or serves of show the newest, and nothing is looked for where there is none', async () => {
    await office.put(
      { ...gated.rollout, id: 'hello-1', phase: 'Degraded', createdMs: START_MS },
      { ...gated.rollout, id: 'hello-2', phase: 'Rejected', createdMs: START_MS + 1 },
      newStateOf({}),
    );
    const { services } = await readServices(office.deps, undefined, undefined);
    expect(services[0]?.rollout).toMatchObject({ id: 'hello-2', phase: 'Rejected' });
    office = anOffice();
    const store: Store = {
      ...office.store,
      list(kind, where, fields) {
        expect(kind).toBe('service');
        return office.store.list(kind, where, fields);
      },
    };
    const none = await readServices({ ...office.deps, store: async () => store }, undefined, undefined);
    expect(none.services).toMatchObject([{ name: 'hello' }]);
  });

  test('say what was taken back since what serves began', async () => {
    const { id, createdMs } = healthy.rollout;
    const against = (rollout: string, sinceMs: number) => ({ rollout, message: 'bad', sinceMs });
    const quarantine = { 'sha256:a': against('hello-2', createdMs + 9), 'sha256:b': against('hello-1', 0) };
    const takenBack = async (state: object) => {
      await office.put(healthy.rollout, newStateOf({ healthy: id, ...state }));
      return (await readServices(office.deps, undefined, undefined)).services[0]?.takenBack;
    };
    expect(await takenBack({ quarantine })).toEqual(against('hello-2', createdMs + 9));
    expect(await takenBack({ quarantine: { 'sha256:b': against('hello-1', createdMs) } })).toBeUndefined();
    expect(await takenBack({ quarantine: { 'sha256:b': against(id, createdMs + 9) } })).toBeUndefined();
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

describe('a service', () => {
  test('that the policy alone knows can be frozen, and has no regions to move yet', async () => {
    const spec = aService({ loadBalancer: { project: 'acme', backendService: 'hello' } });
    const policy = async () => ({ services: [spec], notifications: [] });
    const { row, buttons, told } = await readService({ ...office.deps, policy }, 'hello');
    expect(row).toEqual({ name: 'hello', drained: [], quarantined: 0, openIncidents: 0 });
    expect(told).toEqual([]);
    expect(buttons).toContainEqual({ command: 'freeze' });
    expect(buttons).toContainEqual({ command: 'unfreeze', refused: 'it is not frozen' });
    const refused = 'service hello has had no rollout yet';
    expect(buttons).toContainEqual({ command: 'drain', target: 'us', refused });
    await expect(readService(office.deps, 'nobody')).rejects.toMatchObject({ code: 'NotFound' });
  });

  test('comes with what holds it, and what came of commands', async () => {
    const incidents = { '0.a': { policy: 'guard', openedMs: START_MS, closedMs: undefined } };
    const drained = { us: { rollout: gated.rollout.id, sinceMs: START_MS, by: 'ann' } };
    const { rollout } = gated;
    const aborted = signed('c1', rollout, note(rollout, START_MS, 'RolloutAborted', 'ann: abort'));
    await office.put(aborted, { ...gated.service, incidents, drained });
    const detail = await readService(office.deps, 'hello');
    expect(detail).toMatchObject({ drained, incidents: [{ id: '0.a', policy: 'guard' }] });
    expect(detail.row.rollout?.id).toBe(rollout.id);
    expect(detail.told.map(({ command, message }) => [command, message])).toEqual([['c1', 'ann: abort']]);
    expect(detail.links.map(({ label }) => label)).toEqual(['Incident 0.a']);
  });

  test('lists a hundred digests in quarantine, newest first, and says how many there are', async () => {
    const quarantine = Object.fromEntries(
      Array.from({ length: 130 }, (_, index) => [
        `sha256:${index}`,
        { rollout: 'r', message: 'm', sinceMs: index },
      ]),
    );
    await office.put(newStateOf({ quarantine }));
    const detail = await readService(office.deps, 'hello');
    expect(detail.row.quarantined).toBe(130);
    expect(detail.quarantine).toHaveLength(100);
    expect(detail.quarantine[0]).toEqual({ digest: 'sha256:129', rollout: 'r', message: 'm', sinceMs: 129 });
  });
});

test('nothing on a laptop is linked to Google Cloud', async () => {
  const incidents = { '0.a': { policy: 'guard', openedMs: START_MS, closedMs: undefined } };
  await office.put(gated.rollout, { ...gated.service, incidents });
  const settings = { ...office.deps.settings, consoleIdentity: 'local:you@localhost' };
  const deps = { ...office.deps, settings };
  expect((await readRollout(deps, gated.rollout.id)).links).toEqual([]);
  expect((await readService(deps, 'hello')).links).toEqual([]);
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

test('rows that are watched tell of a refused push where nothing serves', async () => {
  await office.put(newStateOf({}), { ...gated.rollout, id: 'hello-1', phase: 'Rejected' });
  const read = serviceRowsReader(office.deps, ['hello']);
  expect((await read())[0]?.rollout?.id).toBe('hello-1');
  await office.put({ ...gated.rollout, id: 'hello-2', phase: 'Rejected', createdMs: START_MS + 1 });
  expect((await read())[0]?.rollout?.id).toBe('hello-2');
});

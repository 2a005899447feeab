import { afterEach, beforeEach, expect, test } from 'vitest';
import { restore } from '../../../functions/activities/restore.ts';
import { type Request, requestSchema } from '../../../functions/activities/run.ts';
import type { Dependencies } from '../../../functions/dependencies.ts';
import { SlipwayError } from '../../../functions/errors.ts';
import { inGroups } from '../../../functions/rollout/plan.ts';
import type { Rollout } from '../../../functions/rollout/record.ts';
import { readSettings } from '../../../functions/settings.ts';
import { sqliteStore } from '../../../functions/store/sqlite.ts';
import type { Store } from '../../../functions/store/store.ts';
import type { Progress, Target } from '../../../functions/targets/target.ts';
import { aWorld, play, START_MS, UNTIL_GATE } from '../../worlds.ts';

const HOUR_MS = 3_600_000;
const unused = () => Promise.reject(new Error('not used'));

/** What `restore` answers, by target. */
let answers: Record<string, () => Promise<Progress>>;
let store: Store;
let writes: number;
let rollout: Rollout;

beforeEach(async () => {
  store = sqliteStore(':memory:', () => START_MS);
  const { world } = play(aWorld(), [
    ...UNTIL_GATE,
    { type: 'troubled', cause: { kind: 'Abort', message: 'abort by me' } },
    { type: 'begun', workflow: 'rollback', execution: 'two' },
  ]);
  rollout = world.rollout;
  await store.transact(async transaction => {
    transaction.write('rollout', rollout.id, rollout);
    transaction.write('service', rollout.service, world.service);
  });
  writes = 0;
});

afterEach(() => store.close());

function dependencies(nowMs = START_MS + 20_000): Dependencies {
  const counting: Store = {
    ...store,
    transact: work => {
      writes++;
      return store.transact(work);
    },
  };
  const target = async ({ name }: { name: string }): Promise<Target> => ({
    ...{ observe: unused, deploy: unused, probe: unused, setWeight: unused, promote: unused, settle: unused },
    restore: () => (answers[name] ?? unused)(),
  });
  return {
    ...{
      policy: unused,
      registry: unused,
      measure: unused,
      signals: unused,
      launch: unused,
      isAlive: unused,
      poke: unused,
    },
    ...{
      loadBalancer: unused,
      preflightGke: unused,
      authorities: unused,
      sendCommand: unused,
      secret: unused,
    },
    settings: readSettings({ GOOGLE_CLOUD_PROJECT: 'acme' }),
    store: async () => counting,
    target,
    publish: async () => {},
    nowMs: () => nowMs,
    log: () => {},
  };
}

function request(change: Partial<Request> = {}): Request {
  const { id, epoch } = rollout;
  const given = { activity: 'restore', rollout: id, execution: 'two', epoch, targets: ['us', 'eu'] };
  return { ...requestSchema.parse(given), ...change };
}

const done = async (): Promise<Progress> => ({ status: 'done', message: 'serves again' });
const again = async (): Promise<Progress> => ({ status: 'again', message: 'asked' });

async function statuses() {
  const { targets } = (await store.read('rollout', rollout.id)) ?? rollout;
  return Object.fromEntries(Object.entries(targets).map(([name, { status }]) => [name, status]));
}

test('targets are restored together, with two changes of the record', async () => {
  answers = { us: done, eu: done };

  expect(await restore(dependencies(), request())).toMatchObject({ status: 'done', overdue: [] });

  expect(await statuses()).toEqual({ us: 'Restored', eu: 'Restored' });
  expect(writes).toBe(2);
});

test('one that resists is asked again, and the other is on record as restored', async () => {
  answers = { us: again, eu: done };

  const reply = await restore(dependencies(), request());

  expect(reply).toMatchObject({ status: 'again', message: 'us: asked', overdue: [] });
  expect(await statuses()).toEqual({ us: 'Restoring', eu: 'Restored' });
});

test('trouble that may pass on one target says how long to rest', async () => {
  const busy = new SlipwayError('slow down', {
    code: 'ResourceExhausted',
    operation: 'x',
    retryAfterSeconds: 7,
  });
  answers = { us: () => Promise.reject(busy), eu: again };

  expect(await restore(dependencies(), request())).toMatchObject({ status: 'again', restSeconds: 7 });
});

test('an hour after the trouble what is left is given up, loudly', async () => {
  answers = { us: again, eu: done };

  const reply = await restore(dependencies(START_MS + 2 * HOUR_MS), request());

  expect(reply).toMatchObject({ status: 'done' });
  expect(await statuses()).toEqual({ us: 'Failed', eu: 'Restored' });
});

test('nothing is done for a caller that does not own the record, or for a target that somebody else owns', async () => {
  answers = {};
  expect(await restore(dependencies(), request({ epoch: 1 }))).toMatchObject({ status: 'fenced' });

  const fenced = new SlipwayError('epoch 9 owns it', { code: 'Fenced', operation: 'x' });
  answers = { us: () => Promise.reject(fenced), eu: done };
  expect(await restore(dependencies(), request())).toMatchObject({ status: 'fenced' });
});

test('a call without targets is refused, not taken for done', async () => {
  await expect(restore(dependencies(), request({ targets: [] }))).rejects.toThrow(
    'expected targets to restore',
  );
});

test('few targets are worked on one by one, and many in ten groups that hold each of them once', () => {
  const many = Array.from({ length: 43 }, (_, index) => `t${index}`);

  expect(inGroups([])).toEqual([]);
  expect(inGroups(['us', 'eu'])).toEqual([['us'], ['eu']]);
  const groups = inGroups(many);
  expect(groups).toHaveLength(10);
  expect(Math.max(...groups.map(group => group.length))).toBe(5);
  expect(groups.flat().toSorted()).toEqual(many.toSorted());
});

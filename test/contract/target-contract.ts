import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isFenced, SlipwayError } from '../../functions/errors.ts';
import type { Observation, Order, Progress, Target } from '../../functions/targets/target.ts';

/** One target on a platform of its own, and the ways to look at that platform and to break it. */
export interface World {
  readonly target: Target;
  /** Repository of all digests below, without tag or digest. */
  readonly image: string;
  /** Serves everything when the world is made with `serving: true`. */
  readonly stableDigest: string;
  readonly canaryDigest: string;
  /** Its container ends as soon as it starts. */
  readonly brokenDigest: string;
  /** A name that the platform accepts for a canary; different for different attempts. */
  revision(attempt: number): string;
  /** Lets time of the platform pass: virtual where its clock is virtual. */
  pass(seconds: number): Promise<void>;
  /** Share of the requests that each digest gets now, in percent, by what the platform routes and not by what was asked. Zero shares are left out. */
  served(): Promise<Readonly<Record<string, number>>>;
  /** Requests that asked the platform to change something and were sent through {@link target}, whatever the answer was. */
  writes(): number;
  /** Somebody else changes an unrelated detail of every object that the target writes: what was prepared before it is refused. */
  touch(): Promise<void>;
  /** The next changing request is done and its answer lost, or refused with 503 and not done. */
  failNextWrite(how: 'lostAnswer' | 'unavailable'): void;
  close(): Promise<void>;
}

/** Longest time that any call of the contract may need on the platform. */
const DEADLINE_SECONDS = 300;

/** One call of the port that changes a target. */
export type Change = (target: Target, order: Order) => Promise<Progress>;

export const deploy: Change = (target, order) => target.deploy(order);
export const promote: Change = (target, order) => target.promote(order);
export const settle: Change = (target, order) => target.settle(order);
export const restore: Change = (target, order) => target.restore(order);
export const weight =
  (percent: number): Change =>
  (target, order) =>
    target.setWeight(order, percent);

/** Every call that changes a target, with the calls that lead to the state in which it has something to do. */
const CHANGES: readonly {
  readonly name: string;
  readonly before: readonly Change[];
  readonly call: Change;
}[] = [
  { name: 'deploy', before: [], call: deploy },
  { name: 'setWeight', before: [deploy], call: weight(25) },
  { name: 'promote', before: [deploy, weight(50)], call: promote },
  { name: 'settle', before: [deploy, promote], call: settle },
  { name: 'restore', before: [deploy, weight(50)], call: restore },
];

/** Stages of a rollout in which trouble may come. `partly` is a call that was made once and not waited for. */
const STAGES: readonly {
  readonly name: string;
  readonly before: readonly Change[];
  readonly partly?: Change;
}[] = [
  { name: 'before anything was done', before: [] },
  { name: 'while the canary starts', before: [], partly: deploy },
  { name: 'with a canary without traffic', before: [deploy] },
  { name: 'at 5 %', before: [deploy, weight(5)] },
  { name: 'on the way from 5 to 50 %', before: [deploy, weight(5)], partly: weight(50) },
  { name: 'at 50 %', before: [deploy, weight(50)] },
  { name: 'while it is promoted', before: [deploy, weight(50)], partly: promote },
  { name: 'after promotion', before: [deploy, weight(50), promote] },
];

/** What every implementation of the Target port must hold. `make` is called once per test. */
export function targetContract(
  name: string,
  make: (options: { readonly serving: boolean }) => Promise<World>,
): void {
  describe(`${name} as a target`, () => {
    let world: World;

    afterEach(async () => {
      await world.close();
    });

    describe('that serves a stable digest', () => {
      beforeEach(async () => {
        world = await make({ serving: true });
      });

      test('is observed with its stable serving everything', async () => {
        const observation = await world.target.observe();

        expect(observation.stable?.digest).toBe(world.stableDigest);
        expect(sharesOf(observation)).toEqual({ [world.stableDigest]: 100 });
        expect(observation.settled).toBe(true);
      });

      test('deploys a canary that is ready and gets no request until its weight is set', async () => {
        const order = await orderFor(world);

        const served: unknown[] = [];
        const progress = await finish(world, order, deploy, async () => served.push(await world.served()));

        expect(progress.status).toBe('done');
        for (const shares of served) expect(shares).toEqual({ [world.stableDigest]: 100 });
        const observation = await world.target.observe();
        const canary = observation.revisions.find(revision => revision.digest === world.canaryDigest);
        expect(canary).toMatchObject({ percent: 0, ready: true });
        expect(observation.stable?.digest).toBe(world.stableDigest);
      });

      test.each([5, 25, 50, 100])('gives the canary %i percent and the rest to the stable', async percent => {
        const order = await orderFor(world);
        await finish(world, order, deploy);

        const progress = await finish(world, order, weight(percent));

        expect(progress.status).toBe('done');
        const expected = sharesWith(world, percent);
        expect(await world.served()).toEqual(expected);
        expect(sharesOf(await world.target.observe())).toEqual(expected);
      });

      test('never gives the canary more than the weight that was asked for, on the way up and down', async () => {
        const order = await orderFor(world);
        await finish(world, order, deploy);

        for (const [from, to] of [
          [0, 25],
          [25, 50],
          [50, 5],
        ] as const) {
          const shares: Readonly<Record<string, number>>[] = [];
          await finish(world, order, weight(to), async () => shares.push(await world.served()));

          for (const share of shares) {
            expect(share[world.canaryDigest] ?? 0).toBeLessThanOrEqual(Math.max(from, to));
            expect(sum(share)).toBe(100);
          }
          expect(await world.served()).toEqual(sharesWith(world, to));
        }
      });

      test('refuses a weight for a canary that does not exist', async () => {
        const order = await orderFor(world);

        const progress = await finish(world, order, weight(25));

        expect(progress.status).toBe('failed');
        expect(await world.served()).toEqual({ [world.stableDigest]: 100 });
      });

      test('promotes and settles: the canary becomes the stable', async () => {
        const order = await orderFor(world);
        for (const change of [deploy, weight(50), promote]) await finish(world, order, change);
        expect(await world.served()).toEqual({ [world.canaryDigest]: 100 });

        const progress = await finish(world, order, settle);

        expect(progress.status).toBe('done');
        expect(await world.served()).toEqual({ [world.canaryDigest]: 100 });
        expect((await world.target.observe()).stable?.digest).toBe(world.canaryDigest);
      });

      test('takes the next rollout after one that was settled', async () => {
        const first = await orderFor(world);
        for (const change of [deploy, promote, settle]) await finish(world, first, change);

        const back = await orderFor(world, {
          digest: world.stableDigest,
          attempt: 2,
          rollout: 'second',
          epoch: 3,
        });
        for (const change of [deploy, weight(50)]) await finish(world, back, change);

        expect(await world.served()).toEqual({ [world.stableDigest]: 50, [world.canaryDigest]: 50 });
      });

      test('says in words why a canary does not start, and leaves the traffic where it was', async () => {
        const order = await orderFor(world, { digest: world.brokenDigest });

        const progress = await finish(world, order, deploy);

        expect(progress.status).toBe('failed');
        expect(progress.message.length).toBeGreaterThan(20);
        expect(await world.served()).toEqual({ [world.stableDigest]: 100 });
        const writes = world.writes();
        expect((await finish(world, order, deploy)).status).toBe('failed');
        expect(world.writes()).toBe(writes);
      });

      test('takes the next attempt after a canary that did not start was restored', async () => {
        const broken = await orderFor(world, { digest: world.brokenDigest });
        await finish(world, broken, deploy);
        expect((await finish(world, { ...broken, epoch: 2 }, restore)).status).toBe('done');

        const next = await orderFor(world, { attempt: 2, rollout: 'second', epoch: 3 });
        for (const change of [deploy, weight(25)])
          expect((await finish(world, next, change)).status).toBe('done');

        expect(await world.served()).toEqual(sharesWith(world, 25));
      });

      describe.each(STAGES)('in trouble $name', ({ before, partly }) => {
        test('brings the stable back and confirms it', async () => {
          const order = await orderFor(world);
          for (const change of before) await finish(world, order, change);
          if (partly) await partly(world.target, order);

          const progress = await finish(world, { ...order, epoch: 2 }, restore);

          expect(progress.status).toBe('done');
          expect(await world.served()).toEqual({ [world.stableDigest]: 100 });
          const observation = await world.target.observe();
          expect(observation.stable?.digest).toBe(world.stableDigest);
          expect(sharesOf(observation)).toEqual({ [world.stableDigest]: 100 });
        });
      });

      test('is changed by the first write of a restore even if it looks restored already', async () => {
        const order = await orderFor(world);

        await finish(world, { ...order, epoch: 2 }, restore);

        expect(world.writes()).toBeGreaterThan(0);
      });

      describe.each(CHANGES)('on $name', ({ before, call }) => {
        async function prepared(): Promise<Order> {
          const order = await orderFor(world);
          for (const change of before) await finish(world, order, change);
          return order;
        }

        test('done twice is done once', async () => {
          const order = await prepared();
          await finish(world, order, call);
          const [writes, served] = [world.writes(), await world.served()];

          const progress = await call(world.target, order);

          expect(progress.status).toBe('done');
          expect(world.writes()).toBe(writes);
          expect(await world.served()).toEqual(served);
        });

        test('finds out by reading what a lost answer meant', async () => {
          const order = await prepared();
          world.failNextWrite('lostAnswer');

          const progress = await finish(world, order, call);

          expect(progress.status).toBe('done');
        });

        test('goes on after the platform was unavailable', async () => {
          const order = await prepared();
          world.failNextWrite('unavailable');

          const progress = await finish(world, order, call);

          expect(progress.status).toBe('done');
        });

        test('is refused when somebody changed the target between read and write, and goes on from what it reads then', async () => {
          const order = await prepared();
          let touched = 0;
          const disturbed: Order = {
            ...order,
            async fence() {
              if (touched++ === 0) await world.touch();
            },
          };

          const error = await firstError(world, disturbed, call);

          expect(error).toMatchObject({ code: 'Conflict', canRetry: true });
          expect((await finish(world, disturbed, call)).status).toBe('done');
        });

        test('writes nothing for an order that was fenced', async () => {
          const order = await prepared();
          const [writes, served] = [world.writes(), await world.served()];
          const fenced: Order = { ...order, fence: rejectFenced };

          await expect(finish(world, fenced, call)).rejects.toSatisfy(isFenced);

          expect(world.writes()).toBe(writes);
          expect(await world.served()).toEqual(served);
        });
      });

      describe.each(CHANGES.filter(change => change.name !== 'restore' && change.name !== 'settle'))(
        'with an old $name stalled between read and write while a rollback runs and finishes',
        ({ before, call }) => {
          test('refuses the old write by itself', async () => {
            const order = await orderFor(world);
            for (const change of before) await finish(world, order, change);
            let restored: Progress | undefined;
            const stalled: Order = {
              ...order,
              async fence() {
                restored ??= await finish(world, { ...order, epoch: 2 }, restore);
              },
            };

            const error = await firstError(world, stalled, call);

            expect(restored?.status).toBe('done');
            expect(error).toMatchObject({ code: 'Conflict' });
            await world.pass(60);
            expect(await world.served()).toEqual({ [world.stableDigest]: 100 });
          });
        },
      );
    });

    describe('that serves nothing yet', () => {
      beforeEach(async () => {
        world = await make({ serving: false });
      });

      test('is observed without a stable', async () => {
        expect((await world.target.observe()).stable).toBeUndefined();
      });

      test('gives its first rollout everything', async () => {
        const order = await orderFor(world);

        for (const change of [deploy, promote, settle]) {
          expect((await finish(world, order, change)).status).toBe('done');
        }

        expect(await world.served()).toEqual({ [world.canaryDigest]: 100 });
        expect((await world.target.observe()).stable?.digest).toBe(world.canaryDigest);
      });

      test('has nothing to go back to, says so, and keeps what serves', async () => {
        const order = await orderFor(world);
        for (const change of [deploy, promote]) await finish(world, order, change);

        const progress = await finish(world, { ...order, epoch: 2 }, restore);

        expect(progress.status).toBe('done');
        expect(await world.served()).toEqual({ [world.canaryDigest]: 100 });
      });
    });
  });
}

/** An order as a rollout would give it: the stable is read before anything changes. */
export async function orderFor(
  world: World,
  options: { digest?: string; attempt?: number; rollout?: string; epoch?: number } = {},
): Promise<Order> {
  const { stable } = await world.target.observe();
  return {
    rollout: options.rollout ?? 'first',
    epoch: options.epoch ?? 1,
    image: world.image,
    digest: options.digest ?? world.canaryDigest,
    revision: world.revision(options.attempt ?? 1),
    stable,
    fence: async () => {},
  };
}

/** Repeats a call as a workflow does: until it is done or failed, through every error that a retry can help. */
export async function finish(
  world: World,
  order: Order,
  change: Change,
  look: () => Promise<unknown> = async () => {},
): Promise<Progress> {
  for (let second = 0; second < DEADLINE_SECONDS; second++) {
    const progress = await orRetry(() => change(world.target, order));
    if (progress && progress.status !== 'again') return progress;
    await look();
    await world.pass(1);
    await look();
  }
  throw new Error(`not done after ${DEADLINE_SECONDS} s`);
}

async function orRetry(call: () => Promise<Progress>): Promise<Progress | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof SlipwayError && error.canRetry) return undefined;
    throw error;
  }
}

/** Repeats a call until it throws, and returns what it threw; the progress of a call that ends without throwing. */
async function firstError(world: World, order: Order, change: Change): Promise<unknown> {
  for (let second = 0; second < DEADLINE_SECONDS; second++) {
    try {
      const progress = await change(world.target, order);
      if (progress.status !== 'again') return progress;
    } catch (error) {
      return error;
    }
    await world.pass(1);
  }
  throw new Error(`neither done nor refused after ${DEADLINE_SECONDS} s`);
}

async function rejectFenced(): Promise<void> {
  throw new SlipwayError('epoch 1 is over, the record says 2', { code: 'Fenced', operation: 'fence' });
}

function sharesWith(world: World, canaryPercent: number): Record<string, number> {
  const shares = { [world.stableDigest]: 100 - canaryPercent, [world.canaryDigest]: canaryPercent };
  return Object.fromEntries(Object.entries(shares).filter(([, percent]) => percent > 0));
}

function sharesOf(observation: Observation): Record<string, number> {
  const shares: Record<string, number> = {};
  for (const { digest, percent } of observation.revisions) {
    if (percent > 0 && digest) shares[digest] = (shares[digest] ?? 0) + percent;
  }
  return shares;
}

function sum(shares: Readonly<Record<string, number>>): number {
  return Object.values(shares).reduce((total, share) => total + share, 0);
}

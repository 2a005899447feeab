import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Order } from '../../../functions/targets/target.ts';
import type { Fault } from '../../../local/faults.ts';
import { CANARY, type CloudRunWorld, cloudRunWorld, IMAGE, STABLE } from '../../contract/cloud-run-world.ts';
import {
  type Change,
  deploy,
  finish,
  orderFor,
  promote,
  restore,
  settle,
  weight,
} from '../../contract/target-contract.ts';

interface Step {
  readonly change: Change;
  /** Highest share that the canary may have from here on. */
  readonly limit: number;
}

const FORWARD: readonly Step[] = [
  { change: deploy, limit: 0 },
  { change: weight(5), limit: 5 },
  { change: weight(50), limit: 50 },
  { change: promote, limit: 100 },
];

const FAULTS: readonly Fault[] = [
  { kind: 'status', status: 409 },
  { kind: 'status', status: 429, retryAfterSeconds: 2 },
  { kind: 'status', status: 503 },
  { kind: 'status', status: 504 },
  { kind: 'loseAnswer' },
];

const trouble = fc.record({
  faults: fc.array(
    fc.record({ fault: fc.constantFrom(...FAULTS), skip: fc.nat(12), times: fc.integer({ min: 1, max: 4 }) }),
    {
      maxLength: 6,
    },
  ),
  /** Steps that are done before everything is taken back; all of them: it is settled. */
  steps: fc.nat(FORWARD.length),
  /** Whether the last step was asked for and not waited for. */
  isCutShort: fc.boolean(),
  operationFails: fc.boolean(),
});

test('traffic sums to 100, goes to ready revisions and never gives the canary more than its step, whatever fails', {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(trouble, async ({ faults, steps, isCutShort, operationFails }) => {
      const world = await cloudRunWorld({ serving: `${IMAGE}@${STABLE}` });
      try {
        const order = await orderFor(world);
        for (const fault of faults) world.faults.inject(fault);
        if (operationFails)
          world.core.failNextOperation({ code: 13, message: 'Internal error encountered.' });
        const limit = await forward(world, order, FORWARD.slice(0, steps), isCutShort);

        const isTakenBack = steps < FORWARD.length || isCutShort;
        const last = isTakenBack ? restore : settle;
        const progress = await finish(world, { ...order, epoch: 2 }, last, () => holds(world, limit));

        expect(progress.status).toBe('done');
        await world.pass(60);
        expect(await world.served()).toEqual({ [isTakenBack ? STABLE : CANARY]: 100 });
      } finally {
        await world.close();
      }
    }),
    { numRuns: 30 },
  );
});

async function forward(
  world: CloudRunWorld,
  order: Order,
  steps: readonly Step[],
  isCutShort: boolean,
): Promise<number> {
  let limit = 0;
  for (const [index, step] of steps.entries()) {
    limit = step.limit;
    if (isCutShort && index === steps.length - 1) await step.change(world.target, order).catch(() => {});
    else await finish(world, order, step.change, () => holds(world, step.limit));
  }
  return limit;
}

/** `served` counts instances that are ready: a share without one would be missing in the sum. */
async function holds(world: CloudRunWorld, limit: number): Promise<void> {
  const served = await world.served();
  expect(Object.values(served).reduce((sum, share) => sum + share, 0)).toBe(100);
  expect(served[CANARY] ?? 0).toBeLessThanOrEqual(limit);
}

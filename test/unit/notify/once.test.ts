import { expect, test } from 'vitest';
import { Once } from '../../../functions/notify/once.ts';
import type { Outcome } from '../../../functions/notify/post.ts';

function aWork(...outcomes: readonly Outcome['kind'][]) {
  let runs = 0;
  return {
    runs: () => runs,
    work: async (): Promise<Outcome> => {
      const kind = outcomes[runs++] ?? 'delivered';
      return kind === 'delivered' ? { kind } : { kind, why: 'because' };
    },
  };
}

test('what was delivered or refused is not done again, also while it is being done', async () => {
  const once = new Once(10);
  const { runs, work } = aWork('delivered');
  await Promise.all([once.run('a', work), once.run('a', work)]);
  expect(await once.run('a', work)).toEqual({ kind: 'delivered' });
  expect(runs()).toBe(1);
});

test('what failed is done anew', async () => {
  const once = new Once(10);
  const { runs, work } = aWork('failed', 'delivered');
  expect((await once.run('a', work)).kind).toBe('failed');
  expect((await once.run('a', work)).kind).toBe('delivered');
  expect(runs()).toBe(2);
});

test('of too many the one that was not asked for longest is forgotten', async () => {
  const once = new Once(2);
  const { runs, work } = aWork();
  for (const key of ['a', 'b', 'a', 'c', 'a']) await once.run(key, work);
  expect(runs()).toBe(3);
  await once.run('b', work);
  expect(runs()).toBe(4);
});

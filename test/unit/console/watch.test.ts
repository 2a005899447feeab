import { expect, test } from 'vitest';
import { openWatch } from '../../../functions/console/watch.ts';
import { VirtualClock } from '../../../local/clock.ts';
import { aWorld } from '../../worlds.ts';
import { anOffice } from '../handlers/office.ts';
import { asks, Paper } from './asking.ts';

test('an instance that has its listeners refuses the next, until one has gone', async () => {
  const clock = new VirtualClock();
  const office = anOffice();
  const { rollout, service } = aWorld();
  await office.put(rollout, service);
  const watch = openWatch(office.deps, (ms, callback) => clock.after(ms, callback), 2);
  const listen = async () => {
    const paper = new Paper();
    (await watch(asks(`/api/watch?rollout=${rollout.id}`))).stream(paper);
    return paper;
  };
  const first = await listen();
  await listen();
  await expect(listen()).rejects.toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
  first.destroy();
  const third = await listen();
  expect(third.text).toMatch(/^retry: 1000\n\nid: \S+\nevent: rollout\n/);
});

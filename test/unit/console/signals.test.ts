import { expect, test } from 'vitest';
import type { Signals } from '../../../functions/console/contract.ts';
import { openSignals } from '../../../functions/console/signals.ts';
import { SlipwayError } from '../../../functions/errors.ts';
import { aWorld } from '../../worlds.ts';
import { anOffice } from '../handlers/office.ts';

const SIGNALS: Signals = { sinceMs: 0, untilMs: 1, periodMs: 1, points: [], warnings: [] };

test('a question that fails late does not make the next one, which was answered, be asked again', async () => {
  const slow = Promise.withResolvers<Signals>();
  const answers = [slow.promise, Promise.resolve(SIGNALS), Promise.resolve(SIGNALS)];
  let asked = 0;
  const office = anOffice({ signals: () => answers[asked++] ?? Promise.resolve(SIGNALS) });
  const { rollout } = aWorld();
  await office.put(rollout);
  const read = openSignals(office.deps);
  const first = read(rollout.id, undefined);
  office.nowMs += 10_000;
  await expect.poll(() => asked).toBe(1);
  await read(rollout.id, undefined);
  slow.reject(new SlipwayError('no metrics', { code: 'Unavailable', operation: 'read' }));
  await expect(first).rejects.toThrow('no metrics');
  await read(rollout.id, undefined);
  expect(asked).toBe(2);
  await office.store.close();
});

import { expect, test } from 'vitest';
import { admit, rolloutId } from '../../../functions/rollout/admission.ts';
import { newServiceState } from '../../../functions/rollout/record.ts';
import { aPush, aService, anAcceptedVerdict, DIGEST, START_MS } from '../../worlds.ts';

const FREE = newServiceState('hello');

test('a verified push of a free service gets its turn', () => {
  const { rollout, service, actions } = admit(aService(), aPush(), anAcceptedVerdict(), FREE, START_MS);
  expect(rollout.phase).toBe('Pending');
  expect(service.active).toBe(rollout.id);
  expect(actions).toEqual([{ do: 'ensure', rollout: rollout.id }]);
});

test('the same push has the same id, another tag or digest another', () => {
  const id = rolloutId('hello', aPush());
  expect(rolloutId('hello', aPush())).toBe(id);
  expect(rolloutId('hello', aPush({ tag: 'v2' }))).not.toBe(id);
  expect(rolloutId('other', aPush())).not.toBe(id);
});

test('a refused image is a rollout in phase Rejected with every reason', () => {
  const reasons = [
    { code: 'PlatformMissing', message: 'no linux/arm64', fix: 'build it' },
    { code: 'ConfigMismatch', message: 'config says amd64', fix: 'build it right' },
  ] as const;
  const { rollout, service } = admit(
    aService(),
    aPush(),
    { ...anAcceptedVerdict(), status: 'rejected', reasons },
    FREE,
    START_MS,
  );
  expect(rollout.phase).toBe('Rejected');
  expect(rollout.message).toBe('no linux/arm64; config says amd64');
  expect(service.active).toBeUndefined();
});

test('a quarantined digest starts nothing, whatever its tag', () => {
  const quarantine = { [DIGEST]: { rollout: 'hello-1', message: 'burnt the budget', sinceMs: START_MS } };
  const { rollout, actions } = admit(
    aService(),
    aPush({ tag: 'v9' }),
    anAcceptedVerdict(),
    { ...FREE, quarantine },
    START_MS,
  );
  expect(rollout.phase).toBe('Rejected');
  expect(rollout.message).toMatch(/quarantine since hello-1: burnt the budget; .* retry/);
  expect(actions).toEqual([]);
});

test('an older push that arrives later is superseded', () => {
  const { rollout } = admit(
    aService(),
    aPush(),
    anAcceptedVerdict(),
    { ...FREE, newestPublishedMs: START_MS + 1 },
    START_MS,
  );
  expect(rollout.phase).toBe('Superseded');
});

test('while a rollout is in flight the newest push waits and displaces the one that waited', () => {
  const busy = { ...FREE, active: 'hello-1', waiting: 'hello-2' };
  const admission = admit(aService(), aPush(), anAcceptedVerdict(), busy, START_MS);
  expect(admission.rollout.phase).toBe('Pending');
  expect(admission.service).toMatchObject({ active: 'hello-1', waiting: admission.rollout.id });
  expect(admission.displaced).toBe('hello-2');
  expect(admission.overtaken).toBeUndefined();
});

test('with onBusy supersede the rollout in flight makes way', () => {
  const { strategy } = aService();
  const eager = aService({ strategy: { ...strategy, onBusy: 'supersede' } });
  expect(admit(eager, aPush(), anAcceptedVerdict(), { ...FREE, active: 'hello-1' }, START_MS).overtaken).toBe(
    'hello-1',
  );
});

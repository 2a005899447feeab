import { describe, expect, test } from 'vitest';
import { admit, admitAgain, overtaken, rolloutId } from '../../../functions/rollout/admission.ts';
import { newServiceState, type Rollout, type ServiceState } from '../../../functions/rollout/record.ts';
import { claimLaunch } from '../../../functions/rollout/world.ts';
import {
  anAcceptedVerdict,
  aPush,
  aService,
  aWorld,
  DIGEST,
  play,
  START_MS,
  sentences,
  UNTIL_HEALTHY,
} from '../../worlds.ts';

const FREE = newServiceState('hello');

function admitted(service: ServiceState, change: { push?: object; spec?: object; waiting?: Rollout } = {}) {
  const push = aPush(change.push);
  return admit(
    aService(change.spec),
    push,
    anAcceptedVerdict(push.digest),
    service,
    change.waiting,
    START_MS,
  );
}

describe('a push', () => {
  test('of a free service gets its turn', () => {
    const { rollout, service } = admitted(FREE);
    expect(rollout.phase).toBe('Pending');
    expect(service.active).toBe(rollout.id);
    expect(claimLaunch({ rollout, service }, START_MS).workflow).toBe('rollout');
  });

  test('has the same id when it comes again, and another with another tag or digest', () => {
    const id = rolloutId('hello', aPush());
    expect(rolloutId('hello', aPush())).toBe(id);
    expect(rolloutId('hello', aPush({ tag: 'v2' }))).not.toBe(id);
    expect(rolloutId('other', aPush())).not.toBe(id);
  });

  test('of a refused image is a rollout in phase Rejected with every reason', () => {
    const reasons = [
      { code: 'PlatformMissing', message: 'no linux/arm64', fix: 'build it' },
      { code: 'ConfigMismatch', message: 'config says amd64', fix: 'build it right' },
    ] as const;
    const verdict = { ...anAcceptedVerdict(), status: 'rejected', reasons } as const;
    const { rollout, service } = admit(aService(), aPush(), verdict, FREE, undefined, START_MS);
    expect(rollout.phase).toBe('Rejected');
    expect(rollout.message).toBe('no linux/arm64; config says amd64');
    expect(service).toBe(FREE);
  });

  test('that is refused does not supersede an older one that arrives later', () => {
    const verdict = { ...anAcceptedVerdict(), status: 'rejected' } as const;
    const { service } = admit(
      aService(),
      aPush({ tag: 'v2', publishedMs: START_MS + 1 }),
      verdict,
      FREE,
      undefined,
      START_MS,
    );
    expect(admitted(service).rollout.phase).toBe('Pending');
  });

  test('of a quarantined digest starts nothing, whatever its tag', () => {
    const quarantine = { [DIGEST]: { rollout: 'hello-1', message: 'burnt the budget.', sinceMs: START_MS } };
    const { rollout, service } = admitted({ ...FREE, quarantine }, { push: { tag: 'v9' } });
    expect(rollout.phase).toBe('Rejected');
    expect(rollout.message).toMatch(/quarantine since hello-1: burnt the budget; .* retry/);
    expect(claimLaunch({ rollout, service }, START_MS).workflow).toBeUndefined();
  });

  test('that is older and arrives later is superseded', () => {
    expect(admitted({ ...FREE, newestPublishedMs: START_MS + 1 }).rollout.phase).toBe('Superseded');
  });

  test('of a busy service waits, and supersedes the one that waited', () => {
    const first = aWorld().rollout;
    const waiting = { ...first, id: 'hello-2' };
    const busy = { ...FREE, active: 'hello-1', waiting: 'hello-2' };
    const { rollout, service, displaced } = admitted(busy, { waiting, push: { tag: 'v2' } });
    expect(rollout.phase).toBe('Pending');
    expect(service).toMatchObject({ active: 'hello-1', waiting: rollout.id });
    expect(displaced).toMatchObject({ id: 'hello-2', phase: 'Superseded' });
    expect(overtaken({ rollout, service })).toBeUndefined();
  });

  test('with onBusy supersede makes the rollout in flight give way, however often it is asked', () => {
    const strategy = { ...aService().strategy, onBusy: 'supersede' };
    const { rollout, service } = admitted({ ...FREE, active: 'hello-1' }, { spec: { strategy } });
    expect(overtaken({ rollout, service })).toBe('hello-1');
  });
});

describe('a push of the same tag and digest', () => {
  const { rollout, service } = play(aWorld(), UNTIL_HEALTHY).world;
  const later = aPush({ publishedMs: START_MS + 60_000 });

  test('that is only a message which came twice changes nothing', () => {
    expect(admitAgain({ rollout }, aPush(), aService(), service, undefined, START_MS)).toBeUndefined();
  });

  test('that serves already says so', () => {
    const again = admitAgain({ rollout }, later, aService(), service, undefined, START_MS);
    expect(again?.rollout.phase).toBe('Healthy');
    expect(sentences(again?.rollout ?? rollout).at(-1)).toBe(
      'v1 was pushed again and nothing starts: it serves already',
    );
  });

  test('that came back after another one served starts a new attempt', () => {
    const moved = { ...service, healthy: 'hello-other' };
    const again = admitAgain({ rollout }, later, aService(), moved, undefined, START_MS);
    expect(again?.rollout).toMatchObject({ phase: 'Pending', attempt: 2, position: { wave: 0, step: 0 } });
    expect(again?.service.active).toBe(rollout.id);
  });

  test('that is in quarantine starts nothing', () => {
    const quarantine = { [DIGEST]: { rollout: 'hello-1', message: 'burnt the budget', sinceMs: START_MS } };
    const again = admitAgain(
      { rollout },
      later,
      aService(),
      { ...service, healthy: undefined, quarantine },
      undefined,
      START_MS,
    );
    expect(again?.rollout.phase).toBe('Healthy');
    expect(sentences(again?.rollout ?? rollout).at(-1)).toContain('is in quarantine since hello-1');
  });
});

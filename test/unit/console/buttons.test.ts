import { describe, expect, test } from 'vitest';
import { buttonsOf } from '../../../functions/console/buttons.ts';
import { applyCommand } from '../../../functions/rollout/commands.ts';
import { newServiceState, type Rollout } from '../../../functions/rollout/record.ts';
import type { World } from '../../../functions/rollout/world.ts';
import {
  aService,
  aWorld,
  DIGEST,
  play,
  START_MS,
  UNTIL_FIRST_PAUSE,
  UNTIL_GATE,
  UNTIL_HEALTHY,
} from '../../worlds.ts';

const SOON_MS = START_MS + 120_000;
const AROUND = { spec: aService(), inFlight: undefined, before: undefined };

const pending = aWorld();
const pausing = play(aWorld(), UNTIL_FIRST_PAUSE).world;
const gated = play(aWorld(), UNTIL_GATE).world;
const healthy = play(aWorld(), UNTIL_HEALTHY).world;

/** Command → why it is refused; undefined when it can be given. */
function refusals(world: World, around: Parameters<typeof buttonsOf>[1] = AROUND, nowMs = SOON_MS) {
  const buttons = buttonsOf(world, around, nowMs);
  return Object.fromEntries(
    buttons.map(({ command, target, refused }) => [target ? `${command} ${target}` : command, refused]),
  );
}

function settled(world: World): World {
  const { us, eu } = world.rollout.targets;
  if (!us || !eu) throw new Error('the rollout of the tests has two targets');
  const targets = { us: { ...us, status: 'Settled' }, eu: { ...eu, status: 'Settled' } } as const;
  return { ...world, rollout: { ...world.rollout, targets, windowEndsMs: START_MS } };
}

describe('the buttons of a rollout', () => {
  test('before it begins: it may be hurried or stopped', () => {
    expect(refusals(pending)).toEqual({
      promote: 'no gate or pause is waiting',
      'promote full': undefined,
      pause: 'the rollout is Pending',
      resume: 'nobody paused it; a gate opens with promote',
      abort: undefined,
      undo: undefined,
      retry: 'the rollout is Pending',
      freeze: undefined,
      unfreeze: 'it is not frozen',
    });
  });

  test('at a gate: promote names the gate that it is for', () => {
    const promote = buttonsOf(gated, AROUND, SOON_MS).find(({ command }) => command === 'promote');
    expect(promote).toEqual({ command: 'promote', gate: 'wave 1 step 4' });
  });

  test('held by a person: resume', () => {
    const { world } = applyCommand(
      pausing,
      { command: 'pause', full: false, id: '1', actor: 'me', service: 'hello' },
      SOON_MS,
    );
    expect(refusals(world).resume).toBeUndefined();
  });

  test('Healthy: it can be taken back while its window lasts', () => {
    expect(refusals(healthy)).toMatchObject({ abort: undefined, undo: undefined });
    const later = refusals(healthy, AROUND, START_MS + 2 * 3_600_000);
    expect(later).toMatchObject({ abort: 'its way back is closed', undo: undefined });
  });

  test('Healthy and settled: undo starts what was Healthy before, if that is on record', () => {
    const world = settled(healthy);
    const before: Rollout = { ...world.rollout, id: 'hello-0', digest: DIGEST.replace('a', 'b'), tag: 'v0' };
    expect(refusals(world).undo).toBe(`nothing that was Healthy before ${world.rollout.id} is on record`);
    expect(refusals(world, { ...AROUND, before }).undo).toBeUndefined();
  });

  test('of a service that the policy has no more: no retry', () => {
    const degraded = { ...healthy, rollout: { ...healthy.rollout, phase: 'Degraded' } as const };
    expect(refusals(degraded).retry).toBeUndefined();
    expect(refusals(degraded, { ...AROUND, spec: undefined }).retry).toBe(
      'the policy has no service hello any more',
    );
  });

  test('behind a load balancer: regions leave it and come back', () => {
    const spec = aService({ loadBalancer: { project: 'acme', backendService: 'hello' } });
    const drained = { us: { rollout: 'hello-1', sinceMs: 1, by: 'ann' } };
    const world = { ...gated, service: { ...gated.service, drained } };
    expect(refusals(world, { ...AROUND, spec })).toMatchObject({
      'drain us': 'ann took it out of the load balancer already',
      'undrain us': undefined,
      'drain eu': 'no other region there could take its users',
      'undrain eu': 'it is in the load balancer, as far as is on record',
    });
    expect(refusals(gated, { ...AROUND, spec })).toMatchObject({
      'drain us': undefined,
      'drain eu': undefined,
    });
  });

  test('of a frozen service say who froze it', () => {
    const frozen = { by: 'ann', reason: 'freeze week', sinceMs: START_MS };
    const world = { ...gated, service: { ...gated.service, frozen } };
    expect(refusals(world)).toMatchObject({ freeze: 'ann froze hello already', unfreeze: undefined });
  });

  test('of a service that the policy has no more: it cannot be frozen', () => {
    const gone = 'the policy has no service hello any more';
    expect(refusals(gated, { ...AROUND, spec: undefined })).toMatchObject({ freeze: gone, unfreeze: gone });
  });

  test('are there for a rollout whose service has no state yet', () => {
    expect(buttonsOf({ ...pending, service: newServiceState('hello') }, AROUND, SOON_MS)).toHaveLength(9);
  });
});

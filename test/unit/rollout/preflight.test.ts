import { describe, expect, test } from 'vitest';
import { applyCommand } from '../../../functions/rollout/commands.ts';
import { withIncident } from '../../../functions/rollout/incidents.ts';
import { concludePreflight, needsPreflight } from '../../../functions/rollout/preflight.ts';
import { newServiceState } from '../../../functions/rollout/record.ts';
import type { World } from '../../../functions/rollout/world.ts';
import { aService, aWorld, BEGUN, play, START_MS, sentences, UNTIL_FIRST_PAUSE } from '../../worlds.ts';

const LASTING = { message: 'no pool', mayPass: false };
const PASSING = { message: 'not ready', mayPass: true };
const DEADLINE_MS = 5 * 60_000;

/** Begun and armed, nothing changed. */
function armed(): World {
  return play(aWorld(), UNTIL_FIRST_PAUSE.slice(0, 3)).world;
}

function withOpenIncident(world: World): World {
  const service = withIncident(world.service, 'i1', 'open', 'guard', START_MS) ?? newServiceState('hello');
  return { ...world, service };
}

test('with nothing in the way the rollout goes on as it is', () => {
  const world = armed();
  expect(concludePreflight(world, [], START_MS)).toEqual({ world, actions: [] });
});

describe('a problem that stays', () => {
  test('ends the rollout as Rejected with every reason, before it has changed anything', () => {
    const { world } = concludePreflight(armed(), [LASTING, PASSING], START_MS);
    expect(world.rollout).toMatchObject({
      phase: 'Rejected',
      message: 'no pool; not ready; mend it, then retry',
    });
    expect(world.rollout.owner).toBeUndefined();
    expect(world.service).toMatchObject({ active: undefined, quarantine: {} });
    expect(world.rollout.history.at(-1)).toMatchObject({ reason: 'RolloutRejected' });
  });

  test('gives the next rollout its turn', () => {
    const { rollout, service } = armed();
    const busy = { rollout, service: { ...service, waiting: 'hello-next' } };
    const { world, actions } = concludePreflight(busy, [LASTING], START_MS);
    expect(world.service).toMatchObject({ active: 'hello-next', waiting: undefined });
    expect(actions).toEqual([{ do: 'ensure', rollout: 'hello-next' }]);
  });

  test('can be mended, and the rollout tried again', () => {
    const { world } = concludePreflight(armed(), [LASTING], START_MS);
    const retry = { id: 'm1', command: 'retry', service: 'hello', full: false, actor: 'ops' } as const;
    const again = applyCommand(world, retry, START_MS, aService()).world;
    expect(again.rollout).toMatchObject({ phase: 'Pending', attempt: 2 });
    expect(again.service.active).toBe(again.rollout.id);
  });
});

describe('a problem that may pass', () => {
  test('is waited for, told once, and over when it is over', () => {
    const once = concludePreflight(armed(), [PASSING], START_MS).world;
    const twice = concludePreflight(once, [PASSING], START_MS + 1).world;
    const over = concludePreflight(twice, [], START_MS + 2).world;
    expect(twice).toBe(once);
    expect(sentences(over.rollout).slice(-2)).toEqual([
      'Waiting before the start: not ready',
      'hello is ready for v1',
    ]);
    expect(over.rollout.phase).toBe('Progressing');
  });

  test('is waited for until the progress deadline', () => {
    const armedMs = START_MS + 2000;
    const inTime = concludePreflight(armed(), [PASSING], armedMs + DEADLINE_MS).world.rollout;
    const late = concludePreflight(armed(), [PASSING], armedMs + DEADLINE_MS + 1).world.rollout;
    expect([inTime.phase, late.phase]).toEqual(['Progressing', 'Rejected']);
  });
});

describe('an open SLO incident', () => {
  test('is waited for', () => {
    const { rollout } = concludePreflight(withOpenIncident(armed()), [], START_MS).world;
    expect(rollout.message).toBe(
      'Waiting before the start: SLO incident i1 (guard) is open: it has to close first; promote --full does not wait for it, and for no canary step either',
    );
  });

  test('does not hold up what somebody promotes fully', () => {
    const world = withOpenIncident(armed());
    const full = { ...world, rollout: { ...world.rollout, isFull: true } };
    expect(concludePreflight(full, [], START_MS).world).toBe(full);
  });
});

test('a region that is out of the load balancer is told', () => {
  const { rollout, service } = armed();
  const drained = { us: { rollout: 'hello-1', sinceMs: START_MS, by: undefined } };
  const { world } = concludePreflight({ rollout, service: { ...service, drained } }, [], START_MS);
  expect(world.rollout.message).toBe('hello is ready for v1; out of the load balancer: us');
});

test('a rollout that has begun to change targets is past its preflight', () => {
  expect(needsPreflight(play(aWorld(), [BEGUN]).world.rollout)).toBe(true);
  expect(needsPreflight(play(aWorld(), UNTIL_FIRST_PAUSE).world.rollout)).toBe(false);
});

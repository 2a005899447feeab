import { describe, expect, test } from 'vitest';
import type { Judgement, VerdictName } from '../../../functions/rollout/judge.ts';
import { isRollingOut } from '../../../functions/rollout/record.ts';
import { type RolloutEvent, transition } from '../../../functions/rollout/state.ts';
import { stepBack } from '../../../functions/rollout/trouble.ts';
import { claimLaunch } from '../../../functions/rollout/world.ts';
import {
  aService,
  aWorld,
  BEGUN,
  play,
  START_MS,
  sentences,
  UNTIL_FIRST_PAUSE,
  UNTIL_GATE,
  UNTIL_HEALTHY,
} from '../../worlds.ts';

const TROUBLE: RolloutEvent = { type: 'troubled', cause: { kind: 'Alert', message: 'the budget burns' } };

function looked(verdict: VerdictName | undefined, step = 1): Extract<RolloutEvent, { type: 'looked' }> {
  const none = { good: 0, bad: 0 };
  const judgement: Judgement | undefined = verdict && {
    verdict,
    message: `it is ${verdict}`,
    atMs: START_MS,
    canary: none,
    stable: none,
    limit: 0,
    scopes: [],
  };
  return { type: 'looked', position: { wave: 0, step }, judgement, callback: 'http://callback.invalid/1' };
}

describe('owning the record', () => {
  test('the first execution to begin owns it and raises the epoch', () => {
    const { world } = play(aWorld(), [BEGUN]);
    expect(world.rollout.owner?.execution).toBe('one');
    expect(world.rollout.epoch).toBe(1);
    expect(world.rollout.phase).toBe('Progressing');
  });

  test('beginning again changes nothing, and a second execution is not let in', () => {
    const begun = play(aWorld(), [BEGUN]).world;
    expect(transition(begun, BEGUN, START_MS).world).toBe(begun);
    expect(transition(begun, { ...BEGUN, execution: 'two' }, START_MS).world).toBe(begun);
  });

  test('a rollout that waits for its turn cannot begin', () => {
    const world = aWorld();
    const busy = { ...world, service: { ...world.service, active: 'hello-other' } };
    expect(play(busy, [BEGUN]).world.rollout.owner).toBeUndefined();
    expect(claimLaunch(busy, START_MS).workflow).toBeUndefined();
  });

  test('a rollback cannot begin before there is trouble', () => {
    const world = aWorld();
    expect(play(world, [{ ...BEGUN, workflow: 'rollback' }]).world).toBe(world);
  });
});

describe('steps', () => {
  test('the canary weight is on record when the platform has confirmed it', () => {
    const { rollout } = play(aWorld(), UNTIL_FIRST_PAUSE).world;
    expect(rollout.targets['us']).toMatchObject({ status: 'Canary', weight: 5, isTouched: true });
    expect(sentences(rollout)).toContain('Advance hello.us canary weight 5');
    expect(rollout.position).toEqual({ wave: 0, step: 1 });
  });

  test('a step that is reported twice counts once', () => {
    const stepped: RolloutEvent = { type: 'stepped', position: { wave: 0, step: 0 } };
    const once = play(aWorld(), UNTIL_FIRST_PAUSE).world;
    expect(transition(once, stepped, START_MS).world).toBe(once);
  });

  test('work that is not done by the progress deadline is trouble', () => {
    const again: RolloutEvent = {
      type: 'progressed',
      target: 'us',
      stage: 'deploy',
      progress: { status: 'again', message: 'pulling' },
    };
    const deploying = play(aWorld(), UNTIL_FIRST_PAUSE.slice(0, 4)).world;
    expect(transition(deploying, again, START_MS + 200_000).world.rollout.phase).toBe('Progressing');
    const late = transition(deploying, again, START_MS + 400_000).world.rollout;
    expect(late.phase).toBe('RollingBack');
    expect(late.cause).toMatchObject({
      kind: 'ProgressDeadline',
      message: 'hello.us: no deploy within 300 s: pulling',
    });
  });

  test('a target that waiting cannot mend is trouble at once', () => {
    const failed: RolloutEvent = {
      type: 'progressed',
      target: 'us',
      stage: 'deploy',
      progress: { status: 'failed', message: 'exec format error' },
    };
    const { rollout } = play(aWorld(), [...UNTIL_FIRST_PAUSE.slice(0, 4), failed]).world;
    expect(rollout.phase).toBe('RollingBack');
    expect(rollout.cause).toMatchObject({ kind: 'Target', message: 'hello.us: exec format error' });
  });
});

describe('pauses and gates', () => {
  test('a timed pause ends when the time is up and the judge is content', () => {
    const pausing = play(aWorld(), [...UNTIL_FIRST_PAUSE, looked('Successful')]).world;
    expect(pausing.rollout.position.step).toBe(1);
    const early = transition(pausing, looked('Successful'), START_MS + 30_000).world;
    expect(early.rollout.position.step).toBe(1);
    const after = transition(pausing, looked('Successful'), START_MS + 80_000).world;
    expect(after.rollout.position.step).toBe(2);
  });

  test('without the judge the time alone ends a pause', () => {
    const world = play(aWorld(aService({ judge: 'off' })), [...UNTIL_FIRST_PAUSE, looked(undefined)]).world;
    expect(transition(world, looked(undefined), START_MS + 80_000).world.rollout.position.step).toBe(2);
  });

  test.each(['Inconclusive', 'Error'] as const)('%s extends the pause, then waits for a person', verdict => {
    const pausing = play(aWorld(), [...UNTIL_FIRST_PAUSE, looked(verdict)]).world;
    const extended = transition(pausing, looked(verdict), START_MS + 80_000).world.rollout;
    expect(extended).toMatchObject({ phase: 'Progressing', position: { step: 1 } });
    const asked = transition(pausing, looked(verdict), START_MS + 3_600_000).world.rollout;
    expect(asked).toMatchObject({ phase: 'Paused', position: { step: 1 } });
  });

  test('before the first weight there is nothing to judge: the time alone ends the pause', () => {
    const { strategy } = aService();
    const service = aService({
      strategy: { ...strategy, steps: [{ pause: { duration: 60 } }, { setWeight: 5 }] },
    });
    const event = { ...looked(undefined, 0), position: { wave: 0, step: 0 } };
    const { world } = play(aWorld(service), [BEGUN, event]);
    expect(transition(world, event, START_MS + 80_000).world.rollout.position.step).toBe(1);
  });

  test('Failed is trouble, at a pause and at a gate', () => {
    for (const [events, step] of [
      [UNTIL_FIRST_PAUSE, 1],
      [UNTIL_GATE, 3],
    ] as const) {
      const { rollout } = play(aWorld(), [...events, looked('Failed', step)]).world;
      expect(rollout.phase).toBe('RollingBack');
      expect(rollout.cause).toMatchObject({ kind: 'Judge', message: 'Halt hello wave 1: it is Failed' });
    }
  });

  test('a gate stays shut without a person, however long', () => {
    const gate = play(aWorld(), UNTIL_GATE).world;
    expect(gate.rollout).toMatchObject({ phase: 'Paused', pause: { gate: 'wave 1 step 4' } });
    expect(transition(gate, looked('Successful', 3), START_MS + 1e9).world.rollout.position.step).toBe(3);
  });

  test('a look that comes late, for a gate that is behind, changes nothing', () => {
    const gate = play(aWorld(), UNTIL_GATE).world;
    expect(transition(gate, looked('Failed', 1), START_MS).world).toBe(gate);
  });
});

describe('trouble', () => {
  const stages = UNTIL_HEALTHY.map((_, index) => index);

  test.each(stages)(
    'after %i events it raises the epoch, frees the owner and is due for a rollback',
    count => {
      const before = play(aWorld(), UNTIL_HEALTHY.slice(0, count + 1)).world;
      const after = transition(before, TROUBLE, START_MS + 60_000).world;
      expect(after.rollout.phase).toBe('RollingBack');
      expect(after.rollout.epoch).toBe(before.rollout.epoch + 1);
      expect(after.rollout.owner).toBeUndefined();
      expect(claimLaunch(after, START_MS).workflow).toBe('rollback');
    },
  );

  test('it wakes the execution that waits at a gate', () => {
    const { actions } = transition(play(aWorld(), UNTIL_GATE).world, TROUBLE, START_MS);
    expect(actions).toEqual([{ do: 'poke', callback: 'http://callback.invalid/1' }]);
  });

  test('a hundred alerts end in one rollback', () => {
    const once = play(aWorld(), [...UNTIL_GATE, TROUBLE]).world;
    const often = play(once, Array(99).fill(TROUBLE)).world;
    expect(often).toBe(once);
  });

  test('after the rollback window nothing is taken back', () => {
    const healthy = play(aWorld(), UNTIL_HEALTHY).world;
    expect(transition(healthy, TROUBLE, START_MS + 3_700_000).world).toBe(healthy);
  });

  test('a rollback that ends quarantines the digest and lets the next one start', () => {
    const troubled = play(aWorld(), [...UNTIL_GATE, TROUBLE]).world;
    const waiting = { ...troubled, service: { ...troubled.service, waiting: 'hello-next' } };
    const { world, actions } = play(waiting, [{ ...BEGUN, workflow: 'rollback' }, { type: 'restored' }]);
    expect(world.rollout.phase).toBe('Degraded');
    expect(world.service.quarantine[world.rollout.digest]?.message).toBe('the budget burns');
    expect(world.service.active).toBe('hello-next');
    expect(actions).toEqual([{ do: 'ensure', rollout: 'hello-next' }]);
  });

  test('a rollout that is aborted while it waits leaves the service to the one in flight', () => {
    const world = aWorld();
    const { id } = world.rollout;
    const waiting = { ...world, service: { ...world.service, active: 'hello-first', waiting: id } };
    const { world: after, actions } = play(waiting, [TROUBLE, { type: 'restored' }]);
    expect(after.rollout.phase).toBe('Superseded');
    expect(after.service).toMatchObject({ active: 'hello-first', waiting: undefined, quarantine: {} });
    expect(actions).toEqual([]);
  });

  test('making way for a newer push is no reason for quarantine', () => {
    const cause = { kind: 'Superseded', message: 'v2 goes first' } as const;
    const { world } = play(aWorld(), [...UNTIL_GATE, { type: 'troubled', cause }, { type: 'restored' }]);
    expect(world.rollout.phase).toBe('Superseded');
    expect(world.service.quarantine).toEqual({});
  });
});

describe('when its turn comes', () => {
  test('a digest that went into quarantine while it waited is rejected, and the next one gets its turn', () => {
    const world = aWorld();
    const against = { rollout: 'hello-1', message: 'burnt the budget', sinceMs: START_MS };
    const quarantine = { [world.rollout.digest]: against };
    const late = { ...world, service: { ...world.service, quarantine, waiting: 'hello-next' } };
    const { world: after, actions } = play(late, [BEGUN]);
    expect(after.rollout.phase).toBe('Rejected');
    expect(after.rollout.owner).toBeUndefined();
    expect(actions).toEqual([{ do: 'ensure', rollout: 'hello-next' }]);
  });
});

describe('the end', () => {
  test('raises the epoch, so that what the old execution still holds in hand is refused', () => {
    const gate = play(aWorld(), UNTIL_GATE).world;
    expect(transition(gate, { type: 'completed' }, START_MS).world.rollout.epoch).toBe(
      gate.rollout.epoch + 1,
    );
  });

  test('of a rollback that could not restore a target says so, and frees the service', () => {
    const { world } = play(aWorld(), [
      ...UNTIL_GATE,
      TROUBLE,
      { type: 'gaveUp', target: 'us', why: 'no permission' },
      { type: 'restored' },
    ]);
    expect(world.rollout).toMatchObject({ phase: 'Degraded', targets: { us: { status: 'Failed' } } });
    expect(world.rollout.message).toBe('Rolled back hello v1, but NOT on us: the budget burns');
    expect(world.service.active).toBeUndefined();
  });

  test('of a workflow that gave up leaves the digest out of quarantine', () => {
    const cause = { kind: 'Workflow', message: 'the workflow gave up' } as const;
    const { world } = play(aWorld(), [...UNTIL_GATE, { type: 'troubled', cause }, { type: 'restored' }]);
    expect(world.rollout.phase).toBe('Degraded');
    expect(world.service.quarantine).toEqual({});
  });
});

describe('an alert', () => {
  test('before the rollout in flight has touched anything is about the one promoted last', () => {
    const begun = play(aWorld(), [BEGUN]).world;
    const promoted = { ...begun, service: { ...begun.service, healthy: 'hello-before' } };
    const stepped = stepBack(promoted, START_MS);
    expect(stepped?.rollout).toMatchObject({ phase: 'Pending', owner: undefined, epoch: 2 });
    expect(stepped?.service).toMatchObject({ active: undefined, waiting: begun.rollout.id });
  });

  test('after that is about the rollout in flight', () => {
    const world = play(aWorld(), UNTIL_FIRST_PAUSE).world;
    expect(
      stepBack({ ...world, service: { ...world.service, healthy: 'hello-before' } }, START_MS),
    ).toBeUndefined();
  });

  test('takes back no Healthy rollout that a newer Healthy one has replaced', () => {
    const { rollout, service } = play(aWorld(), UNTIL_HEALTHY).world;
    const replaced = { rollout, service: { ...service, healthy: 'hello-newer' } };
    expect(transition(replaced, TROUBLE, START_MS + 60_000).world).toBe(replaced);
  });
});

describe('executions that die', () => {
  const died: RolloutEvent = { type: 'died', execution: 'one' };

  test('the record is free for the next one, and its epoch is higher', () => {
    const before = play(aWorld(), UNTIL_GATE).world;
    const { world } = transition(before, died, START_MS);
    expect(claimLaunch(world, START_MS).workflow).toBe('rollout');
    expect(world.rollout.epoch).toBe(before.rollout.epoch + 1);
    expect(world.rollout.position).toEqual(before.rollout.position);
  });

  test('the third death takes the rollout back', () => {
    let { world } = play(aWorld(), UNTIL_GATE);
    for (let death = 1; death <= 3; death++) {
      expect(isRollingOut(world.rollout)).toBe(true);
      world = play(world, [died, BEGUN]).world;
    }
    expect(world.rollout.phase).toBe('RollingBack');
  });

  test('the death of one that owns nothing is no news', () => {
    const { world } = play(aWorld(), UNTIL_GATE);
    expect(transition(world, { type: 'died', execution: 'other' }, START_MS).world).toBe(world);
  });
});

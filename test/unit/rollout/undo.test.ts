import { describe, expect, test } from 'vitest';
import { withIncident } from '../../../functions/rollout/incidents.ts';
import type { Rollout, ServiceState } from '../../../functions/rollout/record.ts';
import { transition } from '../../../functions/rollout/state.ts';
import { isNextToGo, undo, type WayBack } from '../../../functions/rollout/undo.ts';
import { aService, aWorld, DIGEST, play, START_MS, sentences, UNTIL_HEALTHY } from '../../worlds.ts';

const MINUTE_MS = 60_000;
const CAUSE = { kind: 'Alert', message: 'the budget burns' } as const;
const EARLIER_DIGEST = `sha256:${'e'.repeat(64)}`;

/** `v1` serves and is settled within its window; `v0` was Healthy before it. */
function aWayBack(change: { service?: Partial<ServiceState>; from?: Partial<Rollout> } = {}): WayBack {
  const { world } = play(aWorld(), UNTIL_HEALTHY);
  const targets = Object.fromEntries(
    Object.entries(world.rollout.targets).map(([name, target]) => [
      name,
      { ...target, status: 'Settled' as const },
    ]),
  );
  const to = { ...world.rollout, id: 'hello-0', tag: 'v0', digest: EARLIER_DIGEST };
  const service = { ...world.service, earlier: ['hello-0'], ...change.service };
  return { from: { ...world.rollout, targets, ...change.from }, to, service };
}

describe('undo', () => {
  test('puts the digest before it out again: all targets at once, no steps, as the revision that it was', () => {
    const way = aWayBack();
    const undone = undo(way, aService(), CAUSE, START_MS);
    expect(undone.ok && undone.to).toMatchObject({
      id: 'hello-0',
      phase: 'Pending',
      attempt: way.to?.attempt,
      undoes: way.from.id,
      isFull: true,
      spec: { strategy: { waves: [['us', 'eu']], steps: [] } },
    });
  });

  test('quarantines what it takes back, and makes the other the one in flight', () => {
    const undone = undo(aWayBack(), aService(), CAUSE, START_MS);
    expect(undone.ok && undone.from.phase).toBe('Degraded');
    expect(undone.ok && undone.service).toMatchObject({
      active: 'hello-0',
      healthy: undefined,
      earlier: [],
      quarantine: { [DIGEST]: { message: 'the budget burns' } },
    });
    expect(undone.ok && sentences(undone.to).at(-1)).toBe(
      'v0 goes out again in place of v1: the budget burns',
    );
  });

  test.each<[string, WayBack, RegExp]>([
    [
      'nothing Healthy is known before it',
      { ...aWayBack(), to: undefined },
      /nothing that was Healthy before/,
    ],
    ['another rollout is in flight', aWayBack({ service: { active: 'hello-2' } }), /hello-2 is in flight/],
    ['it is not what serves', aWayBack({ service: { healthy: 'hello-2' } }), /not what serves/],
    [
      'the one before it is in quarantine',
      aWayBack({
        service: { quarantine: { [EARLIER_DIGEST]: { rollout: 'hello-0', message: 'bad', sinceMs: 0 } } },
      }),
      /v0 before it is in quarantine since hello-0: bad/,
    ],
  ])('says why not when %s', (_, way, why) => {
    const undone = undo(way, aService(), CAUSE, START_MS);
    expect(undone.ok ? '' : undone.why).toMatch(why);
  });

  test('of a service that the policy has no more says so', () => {
    expect(undo(aWayBack(), undefined, CAUSE, START_MS)).toEqual({
      ok: false,
      why: 'the policy has no service hello any more',
    });
  });

  test('leaves no way back to the digest that was taken back', () => {
    const undone = undo(aWayBack(), aService(), CAUSE, START_MS);
    if (!undone.ok) throw new Error(undone.why);
    const world = { rollout: { ...undone.to, phase: 'Progressing' as const }, service: undone.service };
    const done = transition(world, { type: 'completed' }, START_MS).world;
    expect(done).toMatchObject({
      rollout: { phase: 'Healthy', windowEndsMs: START_MS },
      service: { healthy: 'hello-0', earlier: [], restoredMs: START_MS },
    });
    const burnt = transition(done, { type: 'troubled', cause: CAUSE }, START_MS + 1).world;
    expect(burnt).toBe(done);
  });
});

describe('the rollouts that were Healthy', () => {
  test('are remembered in order, and the newest comes back when a later one is rolled back', () => {
    const { world } = play(aWorld(), UNTIL_HEALTHY.slice(0, -1));
    const service = { ...world.service, healthy: 'hello-0', earlier: ['hello-00'] };
    const done = transition({ ...world, service }, { type: 'completed' }, START_MS).world;
    expect(done.service).toMatchObject({ healthy: done.rollout.id, earlier: ['hello-00', 'hello-0'] });
    const back = [
      { type: 'troubled', cause: CAUSE },
      { type: 'begun', workflow: 'rollback', execution: 'two' },
      { type: 'restored' },
    ] as const;
    const after = play(done, back, START_MS + 1000).world;
    expect(after.service).toMatchObject({ healthy: 'hello-0', earlier: ['hello-00'] });
    expect(after.service.restoredMs).toBe(START_MS + 3000);
  });
});

describe('the next to go', () => {
  const inWindow = { windowEndsMs: START_MS + 60 * MINUTE_MS };
  const burning = (way: WayBack): WayBack => {
    const service = withIncident(way.service, '0.a', 'open', 'rollout-guard', START_MS);
    return service ? { ...way, service } : way;
  };

  test('is what serves after a rollback, when the incident persists for ten minutes and its window lasts', () => {
    const way = burning(aWayBack({ service: { restoredMs: START_MS }, from: inWindow }));
    expect(isNextToGo(way, START_MS + 9 * MINUTE_MS)).toBe(false);
    expect(isNextToGo(way, START_MS + 10 * MINUTE_MS)).toBe(true);
    expect(isNextToGo(way, START_MS + 60 * MINUTE_MS)).toBe(false);
  });

  test('is nobody when the incident has closed', () => {
    const way = burning(aWayBack({ service: { restoredMs: START_MS }, from: inWindow }));
    const service = withIncident(way.service, '0.a', 'closed', 'rollout-guard', START_MS + 1);
    expect(service && isNextToGo({ ...way, service }, START_MS + 20 * MINUTE_MS)).toBe(false);
  });

  test('is nobody when nothing Healthy is known before it', () => {
    const way = burning(aWayBack({ service: { restoredMs: START_MS, earlier: [] }, from: inWindow }));
    expect(isNextToGo(way, START_MS + 20 * MINUTE_MS)).toBe(false);
  });

  test('is nobody while its own way back is open: that is the quicker one', () => {
    const { world } = play(aWorld(), UNTIL_HEALTHY);
    const way = burning({
      from: world.rollout,
      to: undefined,
      service: { ...world.service, earlier: ['hello-0'] },
    });
    expect(isNextToGo(way, START_MS + 20 * MINUTE_MS)).toBe(false);
  });
});

describe('an undo that fails', () => {
  const undone = undo(aWayBack(), aService(), CAUSE, START_MS);
  if (!undone.ok) throw new Error(undone.why);
  const fail = [
    { type: 'troubled', cause: { kind: 'Target', message: 'no quota' } },
    { type: 'begun', workflow: 'rollback', execution: 'two' },
    { type: 'restored' },
  ] as const;
  const begun = { rollout: { ...undone.to, phase: 'Progressing' as const }, service: undone.service };
  const { world } = play(begun, fail, START_MS);

  test('leaves on record what serves, and the way back from it', () => {
    expect(world.rollout.phase).toBe('Degraded');
    expect(world.service).toMatchObject({ healthy: undone.from.id, earlier: ['hello-0'], active: undefined });
  });

  test('holds nothing against the digest that served well before', () => {
    expect(world.service.quarantine).not.toHaveProperty(EARLIER_DIGEST);
  });

  test('can be tried again', () => {
    const way = { from: undone.from, to: world.rollout, service: world.service };
    expect(undo(way, aService(), CAUSE, START_MS + 1000).ok).toBe(true);
  });
});

describe('a rollback', () => {
  const back = [{ type: 'begun', workflow: 'rollback', execution: 'two' }, { type: 'restored' }] as const;

  test('by the judge too makes late alerts wait before they are about the one before', () => {
    const { world } = play(aWorld(), UNTIL_HEALTHY.slice(0, -1));
    const judged = transition(
      world,
      { type: 'troubled', cause: { kind: 'Judge', message: 'worse' } },
      START_MS,
    ).world;
    expect(play(judged, back, START_MS + 60_000).world.service.restoredMs).toBe(START_MS + 61_000);
  });

  test('of a rollout that is partly settled is none: two digests would serve', () => {
    const { world } = play(aWorld(), UNTIL_HEALTHY);
    const touched = Object.fromEntries(
      Object.entries(world.rollout.targets).map(([name, one]) => [name, { ...one, isTouched: true }]),
    );
    const both = { ...world, rollout: { ...world.rollout, targets: touched } };
    const settled = transition(both, { type: 'settled', target: 'us', message: '' }, START_MS).world;
    expect(transition(settled, { type: 'troubled', cause: CAUSE }, START_MS).world).toBe(settled);
    const way = {
      from: settled.rollout,
      service: { ...withOpenIncident(settled.service), earlier: ['hello-0'] },
    };
    expect(isNextToGo(way, START_MS)).toBe(true);
  });

  test('of a retry of what serves leaves it on record as what serves', () => {
    const { world } = play(aWorld(), UNTIL_HEALTHY.slice(0, -1));
    const targets = Object.fromEntries(
      Object.entries(world.rollout.targets).map(([name, one]) => [
        name,
        { ...one, stable: { revision: 'hello-9', digest: DIGEST } },
      ]),
    );
    const service = { ...world.service, healthy: world.rollout.id, earlier: ['hello-0'] };
    const same = { rollout: { ...world.rollout, targets }, service };
    const troubled = transition(same, { type: 'troubled', cause: CAUSE }, START_MS).world;
    expect(play(troubled, back, START_MS).world.service.healthy).toBe(world.rollout.id);
  });

  test('takes no notice of a target that says it is settled meanwhile', () => {
    const { world } = play(aWorld(), UNTIL_HEALTHY);
    const troubled = transition(world, { type: 'troubled', cause: CAUSE }, START_MS).world;
    const settled = { type: 'settled', target: 'us', message: '' } as const;
    expect(transition(troubled, settled, START_MS).world).toBe(troubled);
  });

  test('of a digest that serves under another tag quarantines nothing', () => {
    const { world } = play(aWorld(), UNTIL_HEALTHY.slice(0, -1));
    const targets = Object.fromEntries(
      Object.entries(world.rollout.targets).map(([name, one]) => [
        name,
        { ...one, stable: { revision: 'hello-9', digest: DIGEST } },
      ]),
    );
    const same = { ...world, rollout: { ...world.rollout, targets } };
    const troubled = transition(same, { type: 'troubled', cause: CAUSE }, START_MS).world;
    expect(play(troubled, back, START_MS).world.service.quarantine).toEqual({});
  });
});

function withOpenIncident(service: ServiceState): ServiceState {
  return withIncident(service, '0.a', 'open', 'rollout-guard', START_MS) ?? service;
}

import { describe, expect, test } from 'vitest';
import { commandSchema, type RegionCommand } from '../../../functions/rollout/commands.ts';
import {
  concludeMove,
  drainedAsLastResort,
  drainedBy,
  findRegion,
  isBeingRestored,
  isLastResort,
  recordKept,
  recordUndrained,
  steadyRegions,
  toBringBack,
} from '../../../functions/rollout/regions.ts';
import type { RolloutEvent } from '../../../functions/rollout/state.ts';
import type { World } from '../../../functions/rollout/world.ts';
import { aService, aWorld, play, START_MS, sentences, UNTIL_FIRST_PAUSE, UNTIL_GATE } from '../../worlds.ts';

const DEADLINE_MS = 5 * 60_000;
const TROUBLED = {
  type: 'troubled',
  cause: { kind: 'Abort', message: 'abort' },
} as const satisfies RolloutEvent;
const RESTORING: readonly RolloutEvent[] = [
  TROUBLED,
  { type: 'begun', workflow: 'rollback', execution: 'two' },
  { type: 'starting', target: 'us', stage: 'restore' },
];

const GKE = {
  cluster: 'projects/acme/locations/us-central1/clusters/main',
  namespace: 'default',
  deployment: 'hello',
  container: 'hello',
  httpRoute: undefined,
  nodePool: 'axion-pool',
};

function aBalancedService() {
  const service = aService();
  return aService({
    loadBalancer: { project: 'acme', backendService: 'hello' },
    targets: [...service.targets, { name: 'arm', gke: GKE }],
  });
}

/** Rolling back since 5 % of the users were on the canary in `us`. */
function restoring(until = UNTIL_FIRST_PAUSE): World {
  return play(aWorld(aBalancedService()), [...until, ...RESTORING]).world;
}

function given(command: RegionCommand['command'], id = 'm1'): RegionCommand & { id: string } {
  return { id, command, service: 'hello', target: 'us', actor: 'ops@example.com', reason: 'maintenance' };
}

describe('which region a target is', () => {
  test('is found with its load balancer', () => {
    expect(findRegion(aBalancedService(), 'eu')).toEqual({
      ok: true,
      region: {
        target: 'eu',
        place: { project: 'acme', region: 'europe-west1', service: 'hello' },
        loadBalancer: { project: 'acme', backendService: 'hello' },
      },
    });
  });

  test.each([
    ['nowhere', 'hello has no target nowhere; it has us, eu, arm'],
    ['arm', 'arm is a GKE target with a Gateway of its own, not a region behind the load balancer'],
  ])('%s is refused with its reason', (target, problem) => {
    expect(findRegion(aBalancedService(), target)).toEqual({ ok: false, problem });
  });

  test('needs a load balancer in the policy', () => {
    expect(findRegion(aService(), 'us')).toEqual({
      ok: false,
      problem: 'the policy names no loadBalancer for hello',
    });
  });
});

describe('the last resort', () => {
  const sinceMs = START_MS + (UNTIL_FIRST_PAUSE.length + RESTORING.length - 1) * 1000;

  test('is due when a region with users on the canary resists for longer than the progress deadline', () => {
    const world = restoring();
    expect(isLastResort(world, 'us', sinceMs + DEADLINE_MS)).toBe(false);
    expect(isLastResort(world, 'us', sinceMs + DEADLINE_MS + 1)).toBe(true);
  });

  test('is never due where no canary had users: what serves there is the stable', () => {
    const deployed = UNTIL_FIRST_PAUSE.filter(event => !('stage' in event && event.stage === 'weight'));
    expect(isLastResort(restoring(deployed), 'us', sinceMs + 10 * DEADLINE_MS)).toBe(false);
  });

  test('is over when the region is restored', () => {
    const done = { status: 'done', message: 'serves' } as const;
    const restored = play(restoring(), [
      { type: 'progressed', target: 'us', stage: 'restore', progress: done, weight: 0 },
    ]).world;
    expect(isLastResort(restored, 'us', sinceMs + 10 * DEADLINE_MS)).toBe(false);
    expect(isBeingRestored(restored, 'us')).toBe(false);
    expect(isBeingRestored(restoring(), 'us')).toBe(true);
  });

  test('sends users only where stable serves for sure', () => {
    const world = restoring();
    expect(steadyRegions(world.rollout, 'us').map(({ target }) => target)).toEqual(['eu']);
    const both = play(world, [
      { type: 'starting', target: 'eu', stage: 'weight' },
      { type: 'starting', target: 'eu', stage: 'restore' },
    ]).world;
    expect(steadyRegions(both.rollout, 'us')).toEqual([]);
  });

  test('is on record once, and the next Healthy rollout brings the region back', () => {
    const once = drainedAsLastResort(restoring(), 'us', START_MS);
    expect(drainedAsLastResort(once, 'us', START_MS + 1)).toBe(once);
    expect(once.rollout.history.at(-1)).toMatchObject({
      reason: 'RegionDrained',
      target: 'us',
      message: 'hello.us cannot be restored: out of the load balancer',
    });
    expect(toBringBack(once)).toEqual(['us']);
    expect(toBringBack(recordUndrained(once, 'us', 'back', START_MS))).toEqual([]);
  });

  test('that is refused is told once', () => {
    const once = recordKept(restoring(), 'us', 'no other region', START_MS);
    expect(recordKept(once, 'us', 'no other region', START_MS + 1)).toBe(once);
  });
});

describe('the commands drain and undrain', () => {
  test('need a target, and other commands take none', () => {
    const common = { service: 'hello', actor: 'ops' };
    expect(commandSchema.safeParse({ ...common, command: 'drain', target: 'us' }).success).toBe(true);
    expect(commandSchema.safeParse({ ...common, command: 'drain' }).success).toBe(false);
    expect(commandSchema.safeParse({ ...common, command: 'promote', target: 'us' }).success).toBe(false);
  });

  test('put a region out and back, and say who wanted it', () => {
    const world = play(aWorld(aBalancedService()), UNTIL_GATE).world;
    const done = { status: 'done', message: 'us-east4 is on load balancer hello' } as const;
    const out = concludeMove(world, given('drain'), done, START_MS).world;
    const back = concludeMove(out, given('undrain', 'm2'), done, START_MS).world;
    expect(out.service.drained['us']).toMatchObject({ by: 'ops@example.com (maintenance)' });
    expect(back.service.drained).toEqual({});
    expect(sentences(back.rollout).slice(-2)).toEqual([
      'ops@example.com (maintenance): drain us: hello.us out of the load balancer',
      'ops@example.com (maintenance): undrain us: us-east4 is on load balancer hello',
    ]);
  });

  test('count once', () => {
    const world = aWorld(aBalancedService());
    const done = { status: 'done', message: '' } as const;
    const out = concludeMove(world, given('drain'), done, START_MS).world;
    expect(concludeMove(out, given('drain'), done, START_MS).world).toBe(out);
  });

  test('that were refused change nothing but the history', () => {
    const failed = { status: 'failed', message: 'the last one' } as const;
    const { world } = concludeMove(aWorld(aBalancedService()), given('drain'), failed, START_MS);
    expect(world.service.drained).toEqual({});
    expect(sentences(world.rollout).at(-1)).toBe('drain us does not apply: the last one');
  });

  test('what a person takes out stays out after a Healthy rollout, also where a rollback took it out before', () => {
    const asLastResort = drainedAsLastResort(restoring(), 'us', START_MS);
    expect(toBringBack(drainedBy(asLastResort, 'us', 'ops', START_MS))).toEqual([]);
    const byPerson = drainedBy(restoring(), 'us', 'ops', START_MS);
    expect(drainedAsLastResort(byPerson, 'us', START_MS)).toBe(byPerson);
  });
});

import { describe, expect, test } from 'vitest';
import type { Reason as ImageReason } from '../../../functions/image/verdict.ts';
import { type Explanation, explain } from '../../../functions/rollout/explain.ts';
import type { Judgement } from '../../../functions/rollout/judge.ts';
import { isRollingOut, type Rollout, type ServiceState } from '../../../functions/rollout/record.ts';
import type { RolloutEvent } from '../../../functions/rollout/state.ts';
import type { World } from '../../../functions/rollout/world.ts';
import { aWorld, play, START_MS, UNTIL_FIRST_PAUSE, UNTIL_GATE, UNTIL_HEALTHY } from '../../worlds.ts';

const NOW_MS = START_MS + 60_000;

function explained({ rollout, service }: World, nowMs = NOW_MS): Explanation {
  return explain(rollout, service, nowMs);
}

function fact({ facts }: Explanation, about: string): string[] {
  return [...(facts.find(one => one.about === about)?.lines ?? [])];
}

const FAILED: Judgement = {
  verdict: 'Failed',
  because: 'worse',
  message: 'canary success rate 80.00% of 50 requests, stable 99.00% of 900: below 98.00%',
  atMs: START_MS + 9000,
  canary: { good: 40, bad: 10 },
  stable: { good: 891, bad: 9 },
  limit: 0.02,
  scopes: [
    {
      scope: 'target us',
      verdict: 'Failed',
      message: 'below 98.00%',
      canary: { good: 40, bad: 10 },
      stable: { good: 891, bad: 9 },
    },
  ],
};

function looked(judgement: Judgement): RolloutEvent {
  return { type: 'looked', position: { wave: 0, step: 1 }, judgement, callback: undefined };
}

/** The judge fails it at the first pause, and both targets are brought back. */
function rolledBack(): World {
  const restored = (target: string): RolloutEvent => ({
    type: 'progressed',
    target,
    stage: 'restore',
    progress: { status: 'done', message: 'stable serves' },
  });
  const rollback = { type: 'begun', workflow: 'rollback', execution: 'two' } as const;
  return play(aWorld(), [
    ...UNTIL_FIRST_PAUSE,
    looked(FAILED),
    rollback,
    restored('us'),
    { type: 'restored' },
  ]).world;
}

describe('a rollout that the judge failed', () => {
  const explanation = explained(rolledBack());

  test('says so in one sentence', () => {
    expect(explanation.headline).toBe(
      'hello v1 (sha256:aaaaaaaaaaaa) is Degraded: it was rolled back, and what served before serves again. Halt hello wave 1: canary success rate 80.00% of 50 requests, stable 99.00% of 900: below 98.00%.',
    );
    expect(explanation.facts.map(({ about }) => about)).toEqual([
      'Cause',
      'Restored',
      'Judge',
      'Quarantine',
      'Image',
    ]);
  });

  test('has the judge’s counts, ratios, limit and scopes', () => {
    expect(fact(explanation, 'Judge')).toEqual([
      `Failed (measured, and bad, worse than stable by more than the margin), 2026-01-05 09:00:09 UTC: ${FAILED.message}`,
      'canary: 10 of 50 requests bad, 20 %; it may show 2 %',
      'stable: 9 of 900 requests bad, 1 %; the canary shows 20 times as much',
      'by the policy: at most 1 percentage point worse than stable, at most 10 times the error budget, no verdict below 20 requests',
      'target us: Failed: below 98.00%',
    ]);
  });

  test('tells what was restored to what, and when', () => {
    expect(fact(explanation, 'Restored')).toEqual([
      'us: restored to hello-00001 (sha256:000000000000), 2026-01-05 09:00:11 UTC, 2s after the cause.',
      'eu: nothing was changed on it.',
    ]);
    expect(fact(explanation, 'Cause')[0]).toBe(
      'The judge: canary requests were measured and are bad, 2026-01-05 09:00:09 UTC.',
    );
  });

  test('tells that no push starts it, and what lifts that', () => {
    expect(fact(explanation, 'Quarantine')).toEqual([
      'No push starts this digest since 2026-01-05 09:00:12 UTC.',
      expect.stringMatching(/^A person can lift that and start anew: slipway retry hello-[0-9a-f]{10}$/),
    ]);
  });
});

test.each([
  ['hello goes on', 'hello goes on.'],
  ['v1 was pushed', 'v1 was pushed.'],
  ['hello.us is not ready', 'hello.us is not ready.'],
  ['held by ann. ', 'Held by ann.'],
])('the sentence of "%s" writes no name otherwise', (message, sentence) => {
  const { rollout, service } = play(aWorld(), UNTIL_FIRST_PAUSE).world;
  expect(explained({ rollout: { ...rollout, message }, service }).headline).toMatch(
    new RegExp(` is on its way\\. ${sentence}$`),
  );
});

test('while it is rolled back it says what is not restored yet', () => {
  const { world } = play(aWorld(), [...UNTIL_FIRST_PAUSE, looked(FAILED)]);
  expect(fact(explained(world), 'Restored')[0]).toMatch(/^us: not restored yet, Canary/);
});

test('a target that could not be restored is in the sentence', () => {
  const world = rolledBack();
  const us = world.rollout.targets['us'];
  if (!us) throw new Error('the world of the tests has no target us');
  const targets = {
    ...world.rollout.targets,
    us: { ...us, status: 'Failed', message: 'NOT restored' } as const,
  };
  const history = world.rollout.history.filter(({ reason }) => reason !== 'TargetRestored');
  const lost = explained({ ...world, rollout: { ...world.rollout, targets, history } });
  expect(lost.headline).toContain('what served before serves again, but NOT on us. ');
  expect(fact(lost, 'Restored')[0]).toBe('us: Failed: NOT restored');
});

test('requests that are missing are counted, with how long they take', () => {
  const inconclusive: Judgement = {
    ...FAILED,
    verdict: 'Inconclusive',
    message: 'too few',
    canary: { good: 3, bad: 0 },
    stable: { good: 0, bad: 0 },
    missing: { requests: 447, seconds: 1300 },
    scopes: [],
  };
  const { because: _, ...judgement } = inconclusive;
  const { world } = play(aWorld(), [...UNTIL_FIRST_PAUSE, looked(judgement)]);
  expect(fact(explained(world), 'Judge').slice(1)).toEqual([
    'canary: 0 of 3 requests bad, 0 %; it may show 2 %',
    'stable: no requests',
    expect.stringMatching(/^by the policy: /),
    'missing: 447 more canary requests, about 22m at the present rate',
  ]);
});

describe('a rollout that waits', () => {
  const { world } = play(aWorld(), UNTIL_GATE);

  test('says at which gate, since when and who opens it', () => {
    const explanation = explained(world);
    expect(explanation.headline).toMatch(/ waits and does not advance by itself\. Paused at wave 1 step 4: /);
    expect(fact(explanation, 'Waiting')).toEqual([
      'At wave 1 step 4 since 2026-01-05 09:00:12 UTC: a gate that promote opens.',
    ]);
  });

  test('says who holds it', () => {
    const frozen: ServiceState = { ...world.service, frozen: { by: 'ann', reason: 'sale', sinceMs: 0 } };
    expect(fact(explained({ ...world, service: frozen }), 'Waiting')[0]).toBe(
      'hello is frozen by ann (sale), waiting for unfreeze.',
    );
  });

  test('says for whom, while another is in flight', () => {
    const queued = aWorld();
    const service = { ...queued.service, active: 'hello-before', waiting: queued.rollout.id };
    const explanation = explained({ ...queued, service });
    expect(explanation.headline).toMatch(/ has not begun\. /);
    expect(fact(explanation, 'Waiting')).toEqual(['It waits for hello-before, which is in flight.']);
  });

  test('says until when, at a pause', () => {
    const paused = play(aWorld(), [
      ...UNTIL_FIRST_PAUSE,
      { type: 'looked', position: { wave: 0, step: 1 }, judgement: undefined, callback: undefined },
    ]).world;
    expect(fact(explained(paused), 'Waiting')).toEqual([
      'At wave 1 step 2 since 2026-01-05 09:00:09 UTC: a pause until 2026-01-05 09:01:09 UTC.',
    ]);
    expect(fact(explained(paused, NOW_MS + 60_000), 'Waiting')[0]).toMatch(
      /its pause was over at .*Successful/,
    );
  });
});

test('a Healthy rollout says how long its way back is open', () => {
  const { world } = play(aWorld(), UNTIL_HEALTHY);
  const explanation = explained(world);
  expect(explanation.headline).toBe('hello v1 (sha256:aaaaaaaaaaaa) is Healthy: it serves on every target.');
  expect(fact(explanation, 'Way back')).toEqual([
    'Until 2026-01-05 10:00:13 UTC an SLO alert still rolls it back, and so does slipway abort hello.',
  ]);
  expect(fact(explained(world, START_MS + 2 * 3_600_000), 'Way back')[0]).toMatch(
    /slipway undo hello goes back/,
  );
});

test('a refused image has every platform and every reason with what to do', () => {
  const { rollout, service } = aWorld();
  const reason: ImageReason = { code: 'PlatformMissing', message: 'no linux/arm64', fix: 'build it' };
  const amd64 = {
    platform: 'linux/amd64',
    digest: rollout.digest,
    sizeBytes: 1,
    configDigest: '',
    entrypoint: [],
  };
  const verification = {
    status: 'rejected' as const,
    digest: rollout.digest,
    mediaType: '',
    platforms: [{ ...amd64, executables: [{ file: '/app', layer: '', is: 'ELF 64-bit x86-64' }] }],
    reasons: [reason],
  };
  const rejected: Rollout = { ...rollout, phase: 'Rejected', message: 'no linux/arm64', verification };
  const explanation = explain(rejected, service, NOW_MS);
  expect(explanation.headline).toMatch(
    / was Rejected before anything changed: its image .*, for 1 reason\.$/,
  );
  expect(fact(explanation, 'Image')).toEqual([
    'rejected, for 1 reason',
    'linux/amd64: sha256:aaaaaaaaaaaa; /app is ELF 64-bit x86-64',
    'linux/arm64: not found',
    'PlatformMissing: no linux/arm64',
    '  fix: build it',
  ]);
});

test('open incidents are named', () => {
  const { rollout, service } = aWorld();
  const incidents = { i1: { policy: 'fast burn', openedMs: START_MS, closedMs: undefined } };
  expect(fact(explain(rollout, { ...service, incidents }, NOW_MS), 'Incidents')).toEqual([
    'open: fast burn (i1)',
  ]);
});

test('there is something to say in every phase, and no fact is empty', () => {
  const { rollout, service } = rolledBack();
  const phases = [
    'Pending',
    'Progressing',
    'Paused',
    'RollingBack',
    'Healthy',
    'Degraded',
    'Rejected',
    'Superseded',
  ] as const;
  for (const phase of phases) {
    const { headline, facts } = explain({ ...rollout, phase }, service, NOW_MS);
    expect(headline).toMatch(/^hello v1 \(sha256:aaaaaaaaaaaa\) .*\.$/);
    for (const { lines } of facts) expect(lines.length).toBeGreaterThan(0);
    if (isRollingOut({ ...rollout, phase })) expect(headline).not.toContain('rolled back, and');
  }
});

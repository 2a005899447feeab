import { describe, expect, test } from 'vitest';
import {
  nothingOnRecord,
  type OnRecord,
  type PlannedPush,
  planService,
  type ServicePlan,
} from '../../../cli/plan.ts';
import { planReport } from '../../../cli/plan-report.ts';
import type { Verdict } from '../../../functions/image/verdict.ts';
import { admit } from '../../../functions/rollout/admission.ts';
import { parsePolicy, type Service } from '../../../functions/rollout/policy.ts';
import type { ServiceState } from '../../../functions/rollout/record.ts';

const SATURDAY_NOON_MS = Date.parse('2026-11-21T12:00:00Z');
const DIGEST = `sha256:${'a'.repeat(64)}`;
const IMAGE = 'registry.example/acme/hello';
const ACCEPTED: Verdict = { status: 'accepted', digest: DIGEST, mediaType: '', platforms: [], reasons: [] };

function aService(over: Record<string, unknown> = {}): Service {
  const place = (region: string) => ({
    name: region,
    cloudRun: { project: 'acme', region, service: 'hello' },
  });
  const strategy = {
    waves: [['us-east4'], ['europe-west1']],
    steps: [{ setWeight: 5 }, { pause: { duration: '10m' } }, { setWeight: 50 }, { pause: {} }],
    ...(over['strategy'] ?? {}),
  };
  const service = {
    name: 'hello',
    image: IMAGE,
    tags: ['v*'],
    targets: [place('us-east4'), place('europe-west1')],
  };
  const result = parsePolicy(JSON.stringify({ services: [{ ...service, ...over, strategy }] }), 'x.yaml');
  const found = result.ok ? result.policy.services[0] : undefined;
  if (!found) throw new Error(JSON.stringify(result));
  return found;
}

function planFor(
  spec: Service,
  push: Partial<PlannedPush> = {},
  state: Partial<ServiceState> = {},
  over: Partial<OnRecord> = {},
): ServicePlan {
  const nothing = nothingOnRecord('hello');
  const record = { ...nothing, service: { ...nothing.service, ...state }, ...over };
  const pushed = { image: IMAGE, tag: 'v1', digest: DIGEST, verdict: ACCEPTED, ...push };
  return planService(spec, pushed, record, {}, SATURDAY_NOON_MS);
}

const QUARANTINE = { [DIGEST]: { rollout: 'hello-1', message: 'it failed.', sinceMs: 0 } };

describe('what comes of a push', () => {
  test.each<[string, Partial<PlannedPush>, Partial<ServiceState>, boolean, RegExp]>([
    ['a free service', {}, {}, true, /^hello-[0-9a-f]{10} would start at once$/],
    ['a busy service', {}, { active: 'hello-9' }, true, /^hello-.* would wait for hello-9 to end$/],
    [
      'a frozen service',
      {},
      { frozen: { by: 'ann', reason: 'sale', sinceMs: 0 } },
      true,
      /would start, but hello is frozen by ann \(sale\)/,
    ],
    [
      'a digest in quarantine',
      {},
      { quarantine: QUARANTINE },
      false,
      /in quarantine since hello-1: it failed; .* retry/,
    ],
    [
      'a rejected image',
      { verdict: { ...ACCEPTED, status: 'rejected' } },
      {},
      false,
      /^the image is rejected$/,
    ],
    ['another tag', { tag: 'main' }, {}, false, /^the tag main is none of v\*$/],
    ['no tag', { tag: undefined }, {}, false, /^a push without a tag starts nothing$/],
    [
      'another image',
      { image: 'registry.example/other' },
      {},
      false,
      /^it rolls out registry\.example\/acme\/hello$/,
    ],
    [
      'an image that was not looked at',
      { digest: undefined, verdict: undefined },
      {},
      true,
      /^a rollout would start at once$/,
    ],
  ])('%s', (_what, push, state, rollsOut, message) => {
    const { outcome } = planFor(aService(), push, state);
    expect(outcome?.message).toMatch(message);
    expect(outcome?.rollsOut).toBe(rollsOut);
  });

  test('a service that lets the newer overtake rolls the older back', () => {
    const spec = aService({ strategy: { onBusy: 'supersede' } });
    expect(planFor(spec, {}, { active: 'hello-9' }).outcome?.message).toMatch(
      /^hello-9 would be rolled back to make way for hello-/,
    );
  });

  test('in a freeze window it starts and waits', () => {
    const plan = planFor(aService({ windows: [{ days: ['sat', 'sun'] }] }));
    expect(plan.outcome?.message).toContain('would start, but nothing advances sat, sun 00:00 to 24:00 UTC');
    expect(plan.holds).toEqual(['freeze window sat, sun 00:00 to 24:00 UTC']);
  });

  test('a push that serves already starts nothing', () => {
    const spec = aService();
    const push = { image: IMAGE, tag: 'v1', digest: DIGEST, publishedMs: 1 };
    const { rollout } = admit(spec, push, ACCEPTED, nothingOnRecord('hello').service, undefined, 1);
    const known = { ...rollout, phase: 'Healthy' as const };
    expect(planFor(spec, {}, { healthy: rollout.id }, { known }).outcome).toEqual({
      rollsOut: false,
      message: 'v1 was pushed again and nothing starts: it serves already',
    });
  });
});

test('waves have their targets, steps and pauses', () => {
  const { waves } = planFor(aService());
  expect(waves).toHaveLength(2);
  expect(waves[0]).toEqual({
    targets: [{ name: 'us-east4', place: 'Cloud Run us-east4' }],
    steps: [
      { weight: 5, holdSeconds: 600 },
      { weight: 50, holdSeconds: undefined },
    ],
    pauseSeconds: 600,
    gates: 1,
  });
});

describe('the report', () => {
  const paint = (_colour: string, text: string) => text;

  test('tells outcome, verdict, waves and what can be seen', () => {
    const plans = [planFor(aService(), {}, { active: 'hello-9' })];
    const lines = planReport(
      { image: `${IMAGE}:v1`, plans, notVerified: undefined, hasRecords: true },
      paint,
    );
    expect(lines[0]).toBe(`A push of ${IMAGE}:v1`);
    expect(lines[2]).toMatch(/^hello: hello-.* would wait for hello-9 to end$/);
    expect(lines.slice(3, 8)).toEqual([
      '  verify: accepted',
      '  now: busy with hello-9',
      '  wave 1: us-east4 (Cloud Run us-east4)',
      '    5 % for 10m → 50 % until promoted → 100 %; pauses of 10m, and 1 that a person ends',
      '  wave 2: europe-west1 (Cloud Run europe-west1)',
    ]);
    expect(lines.find(line => line.includes('STEP  WEIGHT'))).toContain('JUDGE');
  });

  test('of a service that is not meant is one line, and a missing store is told', () => {
    const plans = [planFor(aService(), { tag: 'main', verdict: undefined })];
    expect(planReport({ image: `${IMAGE}:main`, plans, notVerified: 'x', hasRecords: false }, paint)).toEqual(
      [
        `A push of ${IMAGE}:main`,
        '',
        'hello: nothing would start: the tag main is none of v*',
        '',
        expect.stringContaining('Without --project, --local or SLIPWAY_STORE '),
      ],
    );
  });
});

import { describe, expect, test } from 'vitest';
import { detectionTable } from '../../../cli/detection-table.ts';
import { type Detection, detect, type ExpectedTraffic } from '../../../functions/rollout/detection.ts';
import { warnings } from '../../../functions/rollout/detection-warnings.ts';
import { parsePolicy, type Service } from '../../../functions/rollout/policy.ts';

const PAUSE = '{pause: {duration: 10m}}';

/** A service on three Cloud Run regions in one wave, 99.5 %; `more` are lines of YAML. */
function service(more: { steps?: string; waves?: string; targets?: string; rest?: string } = {}): Service {
  const region = (name: string) =>
    `{name: ${name}, cloudRun: {project: acme, region: ${name}, service: hello}}`;
  const source = `
services:
  - name: hello
    image: us-central1-docker.pkg.dev/acme/apps/hello
    targets: [${more.targets ?? [region('us'), region('eu'), region('asia')].join(', ')}]
    strategy:
      steps: [${more.steps ?? `{setWeight: 5}, ${PAUSE}, {setWeight: 25}, ${PAUSE}, {setWeight: 50}, {pause: {}}`}]
      ${more.waves ? `waves: ${more.waves}` : ''}
    ${more.rest ?? 'slo: {availability: 99.5}'}
`;
  const parsed = parsePolicy(source, 'rollouts.yaml');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const [only] = parsed.policy.services;
  if (!only) throw new Error('no service');
  return only;
}

const GKE =
  '{name: arm, gke: {cluster: projects/acme/locations/us-central1/clusters/main, deployment: hello, container: hello}}';
const RUN = '{name: us, cloudRun: {project: acme, region: us, service: hello}}';

function sights(detection: Detection, name = 'rollout-guard', objective = 'availability') {
  return detection.rows.map(({ alerts }) =>
    alerts.find(sight => sight.policy.name === name && sight.objective === objective),
  );
}

const at = (requestsPerSecond?: number): ExpectedTraffic => ({ requestsPerSecond });

describe('rollout-guard', () => {
  test('never sees a canary of 5 % at 99.5 %, and says so', () => {
    const detection = detect(service(), at());
    expect(sights(detection)[0]).toMatchObject({
      fullBurn: expect.closeTo(10, 9),
      everErrorRatio: undefined,
      errorRatio: undefined,
      seconds: undefined,
    });
    expect(warnings(detection)[0]).toMatch(
      /^services\[0\]\.strategy\.steps\[1\]: at 5 % a canary that fails every request burns the error budget of 0\.5 % 10x, and rollout-guard fires above 10x over 5m: however long the pause, it never does; from 6 % on it could\. /,
    );
  });

  test('sees one in five at 50 % of a service of 99.5 %, and does not at 99 %', () => {
    const half = { steps: '{setWeight: 50}, {pause: {}}' };
    const [strict] = sights(detect(service(half), at()));
    const [lax] = sights(detect(service({ ...half, rest: 'slo: {availability: 99}' }), at()));
    // Above this ratio, not at it.
    expect(strict?.errorRatio).toBe(0.1);
    expect(lax?.errorRatio).toBe(0.2);
  });

  test('takes its window, the lag of the metrics and an evaluation', () => {
    expect(sights(detect(service(), at()))[1]).toMatchObject({ errorRatio: 0.2, seconds: 300 + 180 + 60 });
  });

  test('sees only worse canaries in a pause that does not fill its window', () => {
    const detection = detect(service({ steps: '{setWeight: 25}, {pause: {duration: 390s}}' }), at());
    // 390 s without 240 s of lag are half a window.
    expect(sights(detection)[0]).toMatchObject({ everErrorRatio: 0.2, errorRatio: 0.4, seconds: 390 });
    expect(warnings(detection)).toEqual([
      'services[0].strategy.steps[1]: the pause of 6m30s is shorter than the 9m that rollout-guard takes, metric lag included, to see a canary at 25 % that fails more than 20 %: in that pause it sees only one that fails more than 40 %; make it 9m',
    ]);
  });

  test('sees nothing in a pause that the lag outlasts', () => {
    const detection = detect(service({ steps: '{setWeight: 25}, {pause: {duration: 4m}}' }), at());
    expect(sights(detection)[0]).toMatchObject({ everErrorRatio: 0.2, errorRatio: undefined });
    expect(warnings(detection).join()).toContain('in that pause it sees none');
  });

  test('sees less where the wave has a part of the service', () => {
    const waves = '[[us], [eu, asia]]';
    const steps = '{setWeight: 50}, {pause: {}}';
    const detection = detect(service({ steps, waves }), at());
    expect(sights(detection).map(sight => sight?.errorRatio)).toEqual([0.3, 0.15]);
    expect(detection.rows.map(row => row.waves)).toEqual([[0], [1]]);
  });

  test('of each way in counts its own requests', () => {
    const targets = `${RUN}, ${RUN.replaceAll('us', 'eu')}, ${GKE}`;
    const waves = '[[us, arm], [eu]]';
    const detection = detect(service({ steps: '{setWeight: 50}, {pause: {}}', targets, waves }), at());
    expect(sights(detection)).toMatchObject([
      { wayIn: 'Gateway', errorRatio: 0.1 },
      { wayIn: 'Cloud Run', errorRatio: 0.2 },
    ]);
  });

  test('never fires where fewer requests come in than it asks for', () => {
    const detection = detect(service(), at(0.3));
    expect(sights(detection).map(sight => sight?.everErrorRatio)).toEqual([undefined, undefined, undefined]);
    expect(warnings(detection)).toContain(
      'services[0].targets: Cloud Run gets 90 requests in 5m at this rate, and rollout-guard fires on 100 or more: it never does; leave the canary to the judge, with pauses that are long enough for it',
    );
  });

  test('counts what stable is known to fail, too', () => {
    const detection = detect(service(), { stableErrorRatio: 0.0005 });
    const [sight] = sights(detection);
    expect(sight?.errorRatio).toBeCloseTo((0.05 - 0.95 * 0.0005) / 0.05, 9);
    expect(warnings(detection)[0]).toContain(
      '10.1x, and rollout-guard fires above 10x over 5m: it sees only',
    );
  });

  test('fires without a canary where stable burns', () => {
    const detection = detect(service(), { stableErrorRatio: 0.06 });
    expect(sights(detection)[0]?.errorRatio).toBe(0);
    expect(warnings(detection).join('\n')).toContain(
      'services[0].slo.availability: stable alone burns the error budget 12x, so rollout-guard fires above 10x without any canary',
    );
  });
});

test('the slow alerts see at a gate what no pause of minutes shows them', () => {
  const day = sights(detect(service(), at()), 'burn-24h');
  expect(day[0]).toMatchObject({ everErrorRatio: 0.3, errorRatio: undefined });
  expect(day[2]).toMatchObject({ errorRatio: 0.03, seconds: 86_400 + 240 });
});

test('slow answers burn a budget of their own', () => {
  const rest = 'slo: {availability: 99.5, latency: {threshold: 500ms, target: 95}}';
  const detection = detect(service({ rest }), at());
  const slow = sights(detection, 'burn-6h', 'latency');
  expect(slow.map(sight => sight?.everErrorRatio)).toEqual([undefined, undefined, 0.6]);
});

describe('the judge', () => {
  test('needs requests, and at a known rate time', () => {
    const [unknown] = detect(service(), at()).rows;
    const [known] = detect(service(), at(50)).rows;
    const requests = known?.judge?.typicalRequests ?? 0;
    expect(unknown?.judge).toMatchObject({ typicalRequests: requests, typicalSeconds: undefined });
    expect(known?.canaryRequestsPerSecond).toBe(2.5);
    expect(known?.judge?.typicalSeconds).toBeCloseTo(180 + 60 + requests / 2.5, 6);
  });

  test('sees smaller ratios the more requests there are, and none where they are too few', () => {
    const ratios = [0.1, 2, 20, 200].map(rate => detect(service(), at(rate)).rows[0]?.judge?.errorRatio);
    expect(ratios[0]).toBeUndefined();
    const [, low = 0, middle = 0, high = 0] = ratios;
    expect(low).toBeGreaterThan(middle);
    expect(middle).toBeGreaterThan(high);
    expect(high).toBeGreaterThan(0.0105);
  });

  test('that cannot tell within the pause is warned of, with the pause that it needs', () => {
    const detection = detect(service({ waves: '[[us], [eu, asia]]' }), at(1));
    const [warning = ''] = warnings(detection);
    const minutes = Math.ceil((detection.rows[0]?.judge?.typicalSeconds ?? 0) / 60);
    expect(warning).toContain(
      `services[0].strategy.steps[1]: the pause of 10m is shorter than the ${minutes}m that the judge needs to see a canary that fails 20 %, as 5 % of wave 1 is 0.017 of the 1 requests per second; make it ${minutes}m`,
    );
  });

  test('that lets plainly bad canaries pass is warned of', () => {
    const rest = 'judge: {margin: 30, maxBurn: 100}';
    expect(warnings(detect(service({ rest }), at())).join('\n')).toContain(
      'a canary may fail 30.1 % of its requests before the judge minds, so one that fails 20 % goes on',
    );
  });

  test('that is off leaves a weight that no alert sees to nobody', () => {
    const rest = `slo: {availability: 99.5}\n    judge: off`;
    const detection = detect(service({ rest }), at());
    expect(detection.rows[0]?.judge).toBeUndefined();
    expect(warnings(detection)[0]).toMatch(
      /No other alert sees it in this step, and the judge is off: turn it on$/,
    );
  });
});

describe('steps', () => {
  test('without any weight are warned of', () => {
    expect(warnings(detect(service({ steps: '' }), at()), 'services[3]')).toEqual([
      'services[3].strategy.steps: no step sets a weight, so neither judge nor alerts see a bad canary before it has all the traffic; begin with {setWeight: 5}, {pause: {duration: 10m}}',
    ]);
  });

  test('that no pause follows are warned of', () => {
    const detection = detect(service({ steps: `{setWeight: 25}, ${PAUSE}, {setWeight: 50}` }), at());
    expect(detection.rows[1]).toMatchObject({ step: 2, pauseStep: 2, holdSeconds: 0 });
    expect(warnings(detection)).toEqual([
      'services[0].strategy.steps[2]: no pause follows the weight of 50 %, so neither judge nor alerts have time to see anything; add {pause: {duration: 10m}}',
    ]);
  });

  test('hold a weight as long as all pauses after it', () => {
    const detection = detect(service({ steps: `${PAUSE}, {setWeight: 25}, ${PAUSE}, ${PAUSE}` }), at());
    expect(detection.rows).toHaveLength(1);
    expect(detection.rows[0]).toMatchObject({ step: 1, pauseStep: 3, holdSeconds: 1200 });
  });
});

test('the table has a line per weight, wave and SLO', () => {
  const targets = `${RUN}, ${GKE}`;
  const rest = 'slo: {availability: 99.5, latency: {threshold: 500ms, target: 95}}';
  const [title, header, ...lines] = detectionTable(detect(service({ targets, rest }), at(50)));
  expect(title).toMatch(/^hello at 50 requests\/s, SLO 99\.5 %, 95 % within 500 ms: /);
  expect(header).toMatch(
    /^STEP {2}WEIGHT {2}WAVE {2}PAUSE {2}BAD +JUDGE +ROLLOUT-GUARD +BURN-1H +BURN-6H +BURN-24H$/,
  );
  expect(lines).toHaveLength(6);
  expect(lines[0]).toMatch(/^1 +5 % +1 +10m +errors +\d.*; 20 %: 5m +never +never +too slow +too slow$/);
  expect(lines[1]).toMatch(/^ +slow +never +never +never +never$/);
  expect(lines[2]).toMatch(/>20 %: 9m Cloud Run/);
  expect(lines[4]).toMatch(/^5 +50 % +1 +gate +errors +>1\.05 %; 20 %: 5m +>10 %: 9m/);
});

test('without a rate the table tells how many requests the judge needs', () => {
  const lines = detectionTable(detect(service(), at()));
  expect(lines[2]).toMatch(/errors +20 %: \d+ requests +never/);
});

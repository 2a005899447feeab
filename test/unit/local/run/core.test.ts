import { beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../../../local/clock.ts';
import { InstantDataPlane } from '../../../../local/dataplane/instant.ts';
import { CloudRun } from '../../../../local/run/core.ts';
import type { OperationResource } from '../../../../local/run/operations.ts';

const KEY = { project: 'acme', region: 'us-east4', service: 'hello' };
const IMAGE = 'us-central1-docker.pkg.dev/acme/apps/hello';
const FULL = 'projects/acme/locations/us-east4/services/hello';
const LATEST = 'TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST';
const REVISION = 'TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION';

let clock: VirtualClock;
let dataPlane: InstantDataPlane;
let core: CloudRun;

beforeEach(() => {
  clock = new VirtualClock();
  dataPlane = new InstantDataPlane(clock);
  core = new CloudRun({
    clock,
    dataPlane,
    routeMs: 500,
    drainMs: 2_000,
    serviceUrl: (project, region, service) => `https://${service}-${project}.${region}.invalid`,
    tagUrl: (project, region, service, tag) => `https://${tag}---${service}-${project}.${region}.invalid`,
  });
});

function template(revision: string, tag = 'v1', more: object = {}) {
  return { revision, containers: [{ image: `${IMAGE}:${tag}`, ...more }] };
}

function to(revision: string, percent: number, tag?: string) {
  return { type: REVISION, revision, ...(percent ? { percent } : {}), ...(tag ? { tag } : {}) };
}

/** A service whose revision hello-a serves everything. */
async function serving(): Promise<void> {
  core.createService(KEY, { template: template('hello-a'), traffic: [to('hello-a', 100)] });
  await clock.advance(5_000);
}

function weights(tag?: string): Record<string, number> {
  return Object.fromEntries(
    core
      .backendsOf(KEY.project, KEY.region, KEY.service, tag)
      .map(({ by, weight }) => [by.kind === 'cloudRun' ? by.revision : by.service, weight]),
  );
}

function outcome(operation: OperationResource): OperationResource {
  return core.operations.get(operation.name);
}

describe('a new service', () => {
  test('reconciles until its first revision serves, and then says so everywhere', async () => {
    const operation = core.createService(KEY, { template: template('hello-a') });

    const during = core.getService(KEY);
    expect(during).toMatchObject({ reconciling: true, generation: '1', observedGeneration: '0' });
    expect(during.terminalCondition).toMatchObject({ type: 'Ready', state: 'CONDITION_RECONCILING' });
    expect(during.trafficStatuses).toEqual([]);
    expect(operation.done).toBe(false);
    expect(weights()).toEqual({});

    await clock.advance(5_000);

    const after = core.getService(KEY);
    expect(after).toMatchObject({
      reconciling: false,
      generation: '1',
      observedGeneration: '1',
      latestReadyRevision: `${FULL}/revisions/hello-a`,
      latestCreatedRevision: `${FULL}/revisions/hello-a`,
      uri: 'https://hello-acme.us-east4.invalid',
    });
    expect(after.terminalCondition.state).toBe('CONDITION_SUCCEEDED');
    expect(after.trafficStatuses).toEqual([{ type: LATEST, revision: 'hello-a', percent: 100 }]);
    expect(outcome(operation)).toMatchObject({ done: true, response: { name: FULL } });
    expect(weights()).toEqual({ 'hello-a': 100 });
  });

  test('serves nothing when its first revision fails', async () => {
    dataPlane.fails = () => ({ reason: 'Exited', message: 'Container called exit(1).', exitCode: 1 });

    const operation = core.createService(KEY, { template: template('hello-a') });
    await clock.advance(5_000);

    const service = core.getService(KEY);
    expect(service).toMatchObject({ reconciling: false, observedGeneration: '0' });
    expect(service.terminalCondition).toMatchObject({
      state: 'CONDITION_FAILED',
      revisionReason: 'HEALTH_CHECK_CONTAINER_ERROR',
    });
    expect(outcome(operation).error?.message).toContain(
      "Revision 'hello-a' is not ready and cannot serve traffic.",
    );
    expect(weights()).toEqual({});
  });

  test('runs its container on amd64 with the variables of Cloud Run and its own', async () => {
    const env = [{ name: 'FAULTS', value: '0.2' }];

    core.createService(KEY, { template: template('hello-a', 'v1', { env }) });

    expect(dataPlane.instances[0]?.workload).toMatchObject({
      architecture: 'amd64',
      location: 'us-east4',
      image: `${IMAGE}:v1`,
      env: { FAULTS: '0.2', K_SERVICE: 'hello', K_REVISION: 'hello-a', K_CONFIGURATION: 'hello' },
    });
  });

  test('gets a name for a revision that has none', async () => {
    core.createService(KEY, { template: { containers: [{ image: IMAGE }] } });

    expect(core.listRevisions(KEY)[0]?.name).toMatch(/\/revisions\/hello-00001-[a-z]{3}$/);
  });

  test('exists once', async () => {
    await serving();

    expect(() => core.createService(KEY, { template: template('hello-b') })).toThrow(
      "Resource 'hello' already exists.",
    );
  });
});

describe('traffic', () => {
  beforeEach(serving);

  test('a new revision with a tag and no share gets requests through its tag only', async () => {
    core.updateService(KEY, {
      template: template('hello-b', 'v2'),
      traffic: [to('hello-a', 100), to('hello-b', 0, 'canary')],
    });
    await clock.advance(5_000);

    expect(core.getService(KEY).trafficStatuses).toEqual([
      { type: REVISION, revision: 'hello-a', percent: 100 },
      {
        type: REVISION,
        revision: 'hello-b',
        tag: 'canary',
        uri: 'https://canary---hello-acme.us-east4.invalid',
      },
    ]);
    expect(weights()).toEqual({ 'hello-a': 100 });
    expect(weights('canary')).toEqual({ 'hello-b': 100 });
    expect(weights('unknown')).toEqual({});
  });

  test('moves some time after it was asked to, and the status with it', async () => {
    core.updateService(KEY, {
      template: template('hello-b', 'v2'),
      traffic: [to('hello-a', 100), to('hello-b', 0, 'canary')],
    });
    await clock.advance(5_000);

    core.updateService(
      KEY,
      { traffic: [to('hello-a', 75), to('hello-b', 25, 'canary')] },
      { mask: ['traffic'] },
    );
    await clock.advance(499);
    expect(weights()).toEqual({ 'hello-a': 100 });
    expect(core.getService(KEY).reconciling).toBe(true);
    await clock.advance(1);

    expect(weights()).toEqual({ 'hello-a': 75, 'hello-b': 25 });
    expect(core.getService(KEY)).toMatchObject({
      reconciling: false,
      generation: '3',
      observedGeneration: '3',
    });
  });

  test('to the latest revision follows the latest ready one', async () => {
    core.updateService(KEY, { traffic: [{ type: LATEST, percent: 100 }] }, { mask: ['traffic'] });
    core.updateService(KEY, { template: template('hello-b', 'v2') }, { mask: ['template'] });
    await clock.advance(5_000);
    expect(weights()).toEqual({ 'hello-b': 100 });

    dataPlane.fails = () => ({ reason: 'ExecFormat', message: 'exec /node: exec format error' });
    core.updateService(KEY, { template: template('hello-c', 'v3') }, { mask: ['template'] });
    await clock.advance(5_000);

    expect(weights()).toEqual({ 'hello-b': 100 });
    expect(core.getService(KEY).latestReadyRevision).toBe(`${FULL}/revisions/hello-b`);
  });

  test('stays where it was when the new revision fails', async () => {
    dataPlane.fails = () => ({ reason: 'Exited', message: 'Container called exit(1).', exitCode: 1 });

    const operation = core.updateService(KEY, {
      template: template('hello-b', 'v2'),
      traffic: [to('hello-b', 100)],
    });
    await clock.advance(5_000);

    expect(weights()).toEqual({ 'hello-a': 100 });
    expect(core.getService(KEY).trafficStatuses).toEqual([
      { type: REVISION, revision: 'hello-a', percent: 100 },
    ]);
    expect(outcome(operation).error?.code).toBe(9);
  });

  test('moves back although the service stays failed because its latest revision is', async () => {
    dataPlane.fails = () => ({ reason: 'Exited', message: 'Container called exit(1).', exitCode: 1 });
    core.updateService(KEY, {
      template: template('hello-b', 'v2'),
      traffic: [to('hello-a', 100), to('hello-b', 0, 'canary')],
    });
    await clock.advance(5_000);

    const operation = core.updateService(KEY, { traffic: [to('hello-a', 100)] }, { mask: ['traffic'] });
    await clock.advance(5_000);

    expect(core.getService(KEY).trafficStatuses).toEqual([
      { type: REVISION, revision: 'hello-a', percent: 100 },
    ]);
    expect(core.getService(KEY).conditions).toContainEqual(
      expect.objectContaining({ type: 'RoutesReady', state: 'CONDITION_SUCCEEDED' }),
    );
    expect(outcome(operation).error?.message).toContain("Revision 'hello-b' is not ready");
  });

  test('the operation can end in error although the change was made', async () => {
    core.failNextOperation({ code: 13, message: 'Internal error encountered.' });

    const operation = core.updateService(KEY, { labels: { team: 'a' } }, { mask: ['labels'] });
    await clock.advance(5_000);

    expect(outcome(operation).error).toEqual({ code: 13, message: 'Internal error encountered.' });
    expect(core.getService(KEY).labels).toEqual({ team: 'a' });
  });
});

describe('instances', () => {
  beforeEach(serving);

  async function promoted(): Promise<void> {
    core.updateService(KEY, { template: template('hello-b', 'v2'), traffic: [to('hello-b', 100)] });
    await clock.advance(1_000);
  }

  function phases(): readonly string[] {
    return dataPlane.instances.map(instance => instance.state().phase);
  }

  test('of a revision without traffic and tag get no new requests first and are stopped then', async () => {
    await promoted();
    expect(weights()).toEqual({ 'hello-b': 100 });
    expect(phases()).toEqual(['ready', 'ready']);

    await clock.advance(2_000);

    expect(phases()).toEqual(['stopped', 'ready']);
  });

  test('start before traffic comes back to their revision', async () => {
    await promoted();
    await clock.advance(5_000);
    dataPlane.startMs = 3_000;

    core.updateService(KEY, { traffic: [to('hello-a', 100)] }, { mask: ['traffic'] });
    await clock.advance(3_000);
    expect(weights()).toEqual({ 'hello-b': 100 });
    await clock.advance(500);

    expect(weights()).toEqual({ 'hello-a': 100 });
    expect(core.backendsOf('acme', 'us-east4', 'hello')[0]?.urls).toHaveLength(1);
  });

  test('that end by themselves are started again; until then there is nobody to answer', async () => {
    const [first] = dataPlane.instances;
    first?.become({ phase: 'failed', reason: 'Exited', message: 'killed', lastLogLines: [] });
    expect(core.backendsOf('acme', 'us-east4', 'hello')).toMatchObject([{ weight: 100, urls: [] }]);

    await clock.advance(1_500);

    expect(core.backendsOf('acme', 'us-east4', 'hello')[0]?.urls).toHaveLength(1);
    expect(core.getRevision(KEY, 'hello-a').conditions[0]?.state).toBe('CONDITION_SUCCEEDED');
  });

  test('that never listen fail their revision after the startup timeout', async () => {
    dataPlane.startMs = 10_000_000;
    core.updateService(KEY, { template: template('hello-b', 'v2') });
    await clock.advance(240_000);

    expect(core.getRevision(KEY, 'hello-b').conditions[0]).toMatchObject({
      type: 'Ready',
      state: 'CONDITION_FAILED',
      revisionReason: 'HEALTH_CHECK_CONTAINER_ERROR',
    });
  });

  test('are all stopped when the service is deleted', async () => {
    await promoted();

    const operation = core.deleteService(KEY);
    await clock.advance(0);

    expect(outcome(operation).done).toBe(true);
    expect(phases()).toEqual(['stopped', 'stopped']);
    expect(weights()).toEqual({});
    expect(() => core.getService(KEY)).toThrow(/does not exist/);
  });
});

describe('a revision that cannot start says why', () => {
  test.each([
    ['ImagePull', 'not found', { reason: 'CONTAINER_MISSING' }],
    ['NoMatchForPlatform', 'must support amd64/linux', { revisionReason: 'HEALTH_CHECK_CONTAINER_ERROR' }],
    ['ExecFormat', 'exec format error', { revisionReason: 'HEALTH_CHECK_CONTAINER_ERROR' }],
    ['Exited', 'PORT=8080', { revisionReason: 'HEALTH_CHECK_CONTAINER_ERROR' }],
  ] as const)('%s', async (reason, words, expected) => {
    dataPlane.fails = () => ({ reason, message: 'exec /usr/local/bin/node: exec format error' });

    core.createService(KEY, { template: template('hello-a') });
    await clock.advance(5_000);

    const [ready] = core.getRevision(KEY, 'hello-a').conditions;
    expect(ready).toMatchObject({ type: 'Ready', state: 'CONDITION_FAILED', ...expected });
    expect(ready?.message).toContain(words);
  });

  test('refused before it starts', async () => {
    core.admit = image => ({
      reason: 'CONTAINER_IMAGE_UNAUTHORIZED',
      message: `${image} denied by attestor`,
    });

    core.createService(KEY, { template: template('hello-a') });
    await clock.advance(1);

    expect(dataPlane.instances).toEqual([]);
    expect(core.getRevision(KEY, 'hello-a').conditions[0]).toMatchObject({
      state: 'CONDITION_FAILED',
      reason: 'CONTAINER_IMAGE_UNAUTHORIZED',
    });
  });
});

describe('an update', () => {
  beforeEach(serving);

  test('with the name of a revision that exists needs the same configuration', async () => {
    expect(() => core.updateService(KEY, { template: template('hello-a', 'v2') })).toThrow(
      "Revision named 'hello-a' with different configuration already exists.",
    );

    core.updateService(KEY, { template: template('hello-a', 'v1') }, { mask: ['template'] });
    expect(core.listRevisions(KEY)).toHaveLength(1);
  });

  test('with a stale etag is refused', async () => {
    const { etag } = core.getService(KEY);
    core.updateService(KEY, { etag, labels: { team: 'a' } }, { mask: ['labels'] });

    expect(() => core.updateService(KEY, { etag, labels: {} }, { mask: ['labels'] })).toThrow(
      /^Conflict for resource 'hello'/,
    );
    expect(core.getService(KEY).labels).toEqual({ team: 'a' });
  });

  test('that changes nothing keeps etag and generation, and is done at once', async () => {
    const before = core.getService(KEY);

    const operation = core.updateService(KEY, before);

    expect(operation.done).toBe(true);
    expect(core.getService(KEY)).toMatchObject({ etag: before.etag, generation: before.generation });
  });

  test('with a mask changes only what the mask names', async () => {
    core.updateService(KEY, { labels: { team: 'a' }, ingress: 2 }, { mask: ['labels', 'ingress'] });
    core.updateService(
      KEY,
      { annotations: { note: 'x' } },
      { mask: ['annotations', 'binary_authorization'] },
    );

    expect(core.getService(KEY)).toMatchObject({
      labels: { team: 'a' },
      annotations: { note: 'x' },
      ingress: 'INGRESS_TRAFFIC_INTERNAL_ONLY',
      template: { revision: 'hello-a' },
    });
    expect(() => core.updateService(KEY, {}, { mask: ['uri'] })).toThrow("names 'uri'");
  });

  test('without a mask replaces all settings', async () => {
    core.updateService(KEY, { labels: { team: 'a' } }, { mask: ['labels'] });

    core.updateService(KEY, { template: template('hello-a') });

    expect(core.getService(KEY).labels).toBeUndefined();
  });

  test('that is only validated changes nothing', async () => {
    const operation = core.updateService(KEY, { template: template('hello-b') }, { validateOnly: true });

    expect(operation).toMatchObject({ done: true, response: { template: { revision: 'hello-b' } } });
    expect(core.listRevisions(KEY)).toHaveLength(1);
    expect(() => core.updateService(KEY, { template: template('other-b') }, { validateOnly: true })).toThrow(
      'must be prefixed',
    );
  });

  test('of a service that does not exist makes it when it is allowed to', async () => {
    const other = { ...KEY, service: 'other' };
    expect(() => core.updateService(other, { template: template('other-a') })).toThrow(/does not exist/);

    core.updateService(other, { template: template('other-a') }, { allowMissing: true });

    expect(core.listServices('acme', 'us-east4').map(service => service.name)).toEqual([
      FULL,
      'projects/acme/locations/us-east4/services/other',
    ]);
  });
});

describe('what is refused', () => {
  beforeEach(serving);

  test.each([
    ['a sum other than 100', { traffic: [to('hello-a', 90)] }, 'sum to 90, want 100'],
    ['an unknown revision', { traffic: [to('hello-x', 100)] }, "Revision 'hello-x' does not exist"],
    ['a tag twice', { traffic: [to('hello-a', 100, 'a'), to('hello-a', 0, 'a')] }, "use the tag 'a'"],
    [
      'a tag that is too long',
      { traffic: [to('hello-a', 100, 't'.repeat(42))] },
      'cannot exceed 46 characters',
    ],
    ['a tag with capitals', { traffic: [to('hello-a', 100, 'Canary')] }, 'must use only lowercase'],
    ['a named latest', { traffic: [{ type: LATEST, revision: 'hello-a', percent: 100 }] }, 'must be empty'],
    ['a share above 100', { traffic: [to('hello-a', 101)] }, 'service.traffic.0.percent'],
    ['no container', { template: { containers: [] } }, 'at least one container'],
    ['a foreign revision name', { template: template('other-a') }, 'must be prefixed'],
    ['a revision name with capitals', { template: template('hello-B') }, 'only lowercase letters'],
    ['a revision name of 64', { template: template(`hello-${'b'.repeat(58)}`) }, 'Maximum length is 63'],
    ['an annotation of the platform', { annotations: { 'run.googleapis.com/x': '1' } }, 'reserved'],
  ])('%s', (_, change, message) => {
    const mask = Object.keys(change);
    expect(() => core.updateService(KEY, change, { mask })).toThrow(message);
  });

  test('a bad service name', () => {
    expect(() => core.createService({ ...KEY, service: 'Hello' }, { template: template('Hello-a') })).toThrow(
      'must be less than 50 characters',
    );
  });

  test('deleting a revision that serves; another one goes', async () => {
    core.updateService(KEY, { template: template('hello-b', 'v2') });
    await clock.advance(5_000);

    expect(() => core.deleteRevision(KEY, 'hello-b')).toThrow('gets traffic');
    core.deleteRevision(KEY, 'hello-a');

    expect(() => core.getRevision(KEY, 'hello-a')).toThrow(/does not exist/);
  });
});

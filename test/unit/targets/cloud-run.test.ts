import { afterEach, describe, expect, test } from 'vitest';
import type { InstanceState } from '../../../local/dataplane/dataplane.ts';
import {
  BROKEN,
  CANARY,
  type CloudRunWorld,
  type CloudRunWorldOptions,
  cloudRunWorld,
  IMAGE,
  KEY,
  STABLE,
  STABLE_REVISION,
} from '../../contract/cloud-run-world.ts';
import {
  deploy,
  finish,
  orderFor,
  promote,
  restore,
  settle,
  weight,
} from '../../contract/target-contract.ts';

const LATEST = 'TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST';
const REVISION = 'TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION';
const OURS = 'hello-3f9a1c2b-1';

const half = weight(50);

let world: CloudRunWorld;

afterEach(async () => {
  await world.close();
});

async function given(options: CloudRunWorldOptions = {}): Promise<CloudRunWorld> {
  world = await cloudRunWorld({ serving: `${IMAGE}@${STABLE}`, ...options });
  return world;
}

/** A person or another tool changes settings of the service and waits. */
async function somebodyUpdates(change: object): Promise<void> {
  world.core.updateService(KEY, change, { mask: Object.keys(change) });
  await world.clock.advance(10_000);
}

function tags(): Record<string, string | undefined> {
  const statuses = world.core.getService(KEY).trafficStatuses;
  return Object.fromEntries(statuses.flatMap(({ tag, revision }) => (tag ? [[tag, revision]] : [])));
}

function annotations(): Readonly<Record<string, string>> {
  return world.core.getService(KEY).annotations ?? {};
}

describe('what belongs to other people', () => {
  const template = {
    labels: { team: 'a' },
    annotations: { note: 'x' },
    serviceAccount: 'app@acme.iam.gserviceaccount.com',
    executionEnvironment: 'EXECUTION_ENVIRONMENT_GEN2',
    maxInstanceRequestConcurrency: 7,
    timeout: '61s',
    nodeSelector: { accelerator: 'nvidia-l4' },
    scaling: { minInstanceCount: 1, maxInstanceCount: 9 },
    vpcAccess: { connector: 'projects/acme/locations/us-east4/connectors/c' },
    containers: [
      {
        name: 'app',
        env: [{ name: 'MODE', value: 'fast' }],
        resources: { limits: { cpu: '4', 'nvidia.com/gpu': '1' }, startupCpuBoost: true },
        ports: [{ name: 'h2c', containerPort: 9000 }],
        startupProbe: { httpGet: { path: '/healthz', port: 9000 }, periodSeconds: 3 },
      },
    ],
  };
  const service = {
    labels: { team: 'a' },
    annotations: { note: 'x' },
    ingress: 'INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER',
    launchStage: 'BETA',
    binaryAuthorization: { policy: 'projects/acme/platforms/cloudRun/strict' },
    scaling: { minInstanceCount: 2 },
    customAudiences: ['https://hello.example'],
  };

  test('survives a rollout: settings of the service and of its template', async () => {
    const { target } = await given({ service, template });
    const order = await orderFor(world);

    for (const change of [deploy, half, promote, settle]) await finish(world, order, change);

    const after = world.core.getService(KEY);
    expect(after).toMatchObject({ ...service, annotations: { note: 'x' } });
    expect(after.template).toMatchObject({
      ...template,
      containers: [{ ...template.containers[0], image: `${IMAGE}@${CANARY}` }],
    });
    expect(await target.observe()).toMatchObject({ stable: { digest: CANARY } });
  });

  test('survives a restore: tags, a tag on LATEST, shares of other revisions', async () => {
    await given();
    await somebodyUpdates({
      template: { revision: 'hello-other', containers: [{ image: `${IMAGE}@sha256:0` }] },
      traffic: [
        { type: REVISION, revision: STABLE_REVISION, percent: 90, tag: 'live' },
        { type: REVISION, revision: 'hello-other', percent: 10, tag: 'theirs' },
        { type: LATEST, tag: 'newest' },
      ],
    });
    const order = await orderFor(world);

    for (const change of [deploy, half]) await finish(world, order, change);
    expect(tags()).toMatchObject({
      live: STABLE_REVISION,
      theirs: 'hello-other',
      newest: OURS,
      canary: OURS,
    });
    expect(await world.served()).toEqual({ [CANARY]: 50, [STABLE]: 40, 'sha256:0': 10 });
    await finish(world, { ...order, epoch: 2 }, restore);

    expect(tags()).toEqual({ live: STABLE_REVISION, theirs: 'hello-other', newest: OURS });
    expect(await world.served()).toEqual({ [STABLE]: 90, 'sha256:0': 10 });
  });

  test('is not even rewritten by the restore of a rollout that did nothing here', async () => {
    await given();
    await somebodyUpdates({ traffic: [{ type: LATEST, percent: 100 }] });
    const order = await orderFor(world);

    expect((await finish(world, order, restore)).status).toBe('done');

    expect(world.core.getService(KEY).traffic).toEqual([{ type: LATEST, percent: 100 }]);
  });

  test('a sidecar keeps its image', async () => {
    const sidecar = { name: 'proxy', image: 'proxy:1' };
    const app = { name: 'app', ports: [{ containerPort: 8080 }] };
    await given({ template: { containers: [app] } });
    await somebodyUpdates({
      template: {
        revision: 'hello-two',
        containers: [sidecar, { ...app, image: `${IMAGE}@${STABLE}` }],
      },
    });

    await finish(world, await orderFor(world), deploy);

    expect(world.core.getRevision(KEY, OURS).containers).toMatchObject([
      sidecar,
      { name: 'app', image: `${IMAGE}@${CANARY}` },
    ]);
  });
});

describe('deploy', () => {
  test('is one update: revision, tag, no traffic, LATEST pinned, marks', async () => {
    await given();
    await somebodyUpdates({ traffic: [{ type: LATEST, percent: 100 }] });
    const order = await orderFor(world);

    expect((await world.target.deploy(order)).status).toBe('again');

    expect(world.writes()).toBe(1);
    const service = world.core.getService(KEY);
    expect(service.traffic).toEqual([
      { type: REVISION, revision: STABLE_REVISION, percent: 100 },
      { type: REVISION, revision: OURS, percent: 0, tag: 'canary' },
    ]);
    expect(service.template).toMatchObject({
      revision: OURS,
      containers: [{ image: `${IMAGE}@${CANARY}` }],
      annotations: { 'slipway.dev/rollout': 'first' },
    });
    expect(service.annotations).toEqual({
      'slipway.dev/epoch': '1',
      'slipway.dev/rollout': 'first',
      'slipway.dev/canary': OURS,
    });
    expect((await finish(world, order, deploy)).status).toBe('done');
    expect(world.writes()).toBe(1);
  });

  test('waits for an earlier deployment that LATEST is going to follow', async () => {
    await given();
    await somebodyUpdates({ traffic: [{ type: LATEST, percent: 100 }] });
    const order = await orderFor(world);
    world.core.updateService(
      KEY,
      { template: { revision: 'hello-theirs', containers: [{ image: `${IMAGE}@sha256:0` }] } },
      { mask: ['template'] },
    );

    expect(await world.target.deploy(order)).toMatchObject({
      status: 'again',
      message: expect.stringContaining('earlier deployment'),
    });

    await finish(world, order, deploy);
    expect(await world.served()).toEqual({ 'sha256:0': 100 });
  });

  test('takes the tag off a revision that failed, and says why it failed', async () => {
    await given();
    const order = await orderFor(world, { digest: BROKEN });

    const progress = await finish(world, order, deploy);
    await world.pass(10);

    expect(progress).toMatchObject({ status: 'failed', message: expect.stringContaining('health check') });
    expect(tags()).toEqual({});
    expect(world.core.getService(KEY).traffic).toEqual([
      { type: REVISION, revision: STABLE_REVISION, percent: 100 },
    ]);
  });

  test.each([
    [{ reason: 'ImagePull', message: 'manifest unknown' }, 'the image was not found'],
    [{ reason: 'NoMatchForPlatform', message: '' }, 'must support amd64/linux'],
    [{ reason: 'ExecFormat', message: 'exec /usr/local/bin/node: exec format error' }, 'exec format error'],
  ] satisfies [Partial<Extract<InstanceState, { phase: 'failed' }>>, string][])(
    'says why a canary does not start: %j',
    async ({ reason, message }, words) => {
      await given();
      const order = await orderFor(world);
      world.dataPlane.fails = () => ({ reason, message });

      const progress = await finish(world, order, deploy);

      expect(progress).toMatchObject({ status: 'failed', message: expect.stringContaining(words) });
    },
  );

  test.each([
    ['CONTAINER_IMAGE_UNAUTHORIZED', 'refused by Binary Authorization: denied by attestor'],
    ['CONTAINER_PERMISSION_DENIED', 'not permitted to read the image'],
  ])('says who refused the image: %s', async (reason, words) => {
    await given();
    world.core.admit = () => ({ reason, message: 'denied by attestor' });

    const progress = await finish(world, await orderFor(world), deploy);

    expect(progress).toMatchObject({ status: 'failed', message: expect.stringContaining(words) });
  });

  test('refuses the name of a revision that has another image', async () => {
    await given();
    const order = { ...(await orderFor(world)), revision: STABLE_REVISION };

    expect(await world.target.deploy(order)).toMatchObject({
      status: 'failed',
      message: expect.stringContaining('exists with another image'),
    });
    expect(world.writes()).toBe(0);
  });

  test('refuses a name that Cloud Run would refuse', async () => {
    await given();
    const order = { ...(await orderFor(world)), revision: 'other-1' };

    expect(await world.target.deploy(order)).toMatchObject({
      status: 'failed',
      message: expect.stringContaining('must start with hello-'),
    });
  });

  test('leaves the share of a placeholder until its first rollout is promoted', async () => {
    await given({ serving: 'us-docker.pkg.dev/cloudrun/container/hello' });
    const placeholder = 'us-docker.pkg.dev/cloudrun/container/hello';
    const order = await orderFor(world);
    expect(order.stable).toBeUndefined();

    await finish(world, order, deploy);
    expect(await world.served()).toEqual({ [placeholder]: 100 });
    for (const change of [promote, settle]) await finish(world, order, change);

    expect(await world.served()).toEqual({ [CANARY]: 100 });
    expect((await world.target.observe()).stable?.digest).toBe(CANARY);
  });

  test('goes on when a duplicate of the call created the service first', async () => {
    await given({ serving: undefined });
    const order = await orderFor(world);
    const fence = async () => {
      await world.target.deploy(order);
    };

    expect((await world.target.deploy({ ...order, fence })).status).toBe('again');

    expect((await finish(world, order, deploy)).status).toBe('done');
    expect(await world.served()).toEqual({ [CANARY]: 100 });
  });

  test('takes the next attempt when the first rollout of a new service failed', async () => {
    await given({ serving: undefined });
    const broken = await orderFor(world, { digest: BROKEN });
    expect((await finish(world, broken, deploy)).status).toBe('failed');
    expect((await finish(world, { ...broken, epoch: 2 }, restore)).status).toBe('done');

    const next = await orderFor(world, { attempt: 2, rollout: 'second', epoch: 3 });
    expect(next.stable).toBeUndefined();
    for (const change of [deploy, promote]) expect((await finish(world, next, change)).status).toBe('done');

    expect(await world.served()).toEqual({ [CANARY]: 100 });
  });
});

describe('the tags', () => {
  test('follow a rollout to its end', async () => {
    await given();
    const order = await orderFor(world);

    await finish(world, order, deploy);
    expect(tags()).toEqual({ canary: OURS });
    await finish(world, order, promote);
    expect(tags()).toEqual({ canary: OURS, stable: OURS, previous: STABLE_REVISION });
    await finish(world, order, settle);

    expect(tags()).toEqual({ stable: OURS });
    expect(annotations()['slipway.dev/canary']).toBeUndefined();
  });

  test('go back when a promotion is restored', async () => {
    await given();
    const order = await orderFor(world);
    for (const change of [deploy, promote]) await finish(world, order, change);

    await finish(world, { ...order, epoch: 2 }, restore);

    expect(tags()).toEqual({ stable: STABLE_REVISION });
  });
});

describe('restore', () => {
  test('is done when the routes are, although the operation ended in error', async () => {
    await given();
    const order = await orderFor(world);
    for (const change of [deploy, half]) await finish(world, order, change);
    world.core.failNextOperation({ code: 13, message: 'Internal error encountered.' });

    expect((await finish(world, { ...order, epoch: 2 }, restore)).status).toBe('done');

    expect(await world.served()).toEqual({ [STABLE]: 100 });
  });

  test('does not wait for a canary that takes long to start', async () => {
    await given();
    const order = await orderFor(world);
    world.dataPlane.startMs = 200_000;
    await world.target.deploy(order);

    const progress = await finish(world, { ...order, epoch: 2 }, restore);

    expect(progress.status).toBe('done');
    expect(world.core.getService(KEY).reconciling).toBe(true);
  });

  test('asks again, and says why, as long as Cloud Run settles without routing', async () => {
    await given();
    const order = await orderFor(world);
    for (const change of [deploy, half]) await finish(world, order, change);
    world.dataPlane.fails = () => ({ reason: 'Exited', message: 'Container called exit(1).' });
    const { traffic = [] } = world.core.getService(KEY);
    await somebodyUpdates({
      template: { revision: 'hello-theirs', containers: [{ image: `${IMAGE}@sha256:0` }] },
      traffic: [...traffic, { type: REVISION, revision: 'hello-theirs', tag: 'theirs' }],
    });

    const back = { ...order, epoch: 2 };
    await world.target.restore(back);
    await world.pass(10);
    const progress = await world.target.restore(back);

    expect(progress).toMatchObject({ status: 'again', message: expect.stringContaining("'hello-theirs'") });
    expect(annotations()['slipway.dev/retry']).toBe('1');
    await somebodyUpdates({
      traffic: (world.core.getService(KEY).traffic ?? []).filter(({ tag }) => tag !== 'theirs'),
    });
    expect((await finish(world, back, restore)).status).toBe('done');
    expect(await world.served()).toEqual({ [STABLE]: 100 });
  });

  test('takes LATEST back by name when somebody let it float to our canary', async () => {
    await given();
    const order = await orderFor(world);
    await finish(world, order, deploy);
    await somebodyUpdates({ traffic: [{ type: LATEST, percent: 100 }] });
    expect(await world.served()).toEqual({ [CANARY]: 100 });

    await finish(world, { ...order, epoch: 2 }, restore);

    expect(await world.served()).toEqual({ [STABLE]: 100 });
  });

  test('pins LATEST before a canary that still starts can become it', async () => {
    await given();
    const order = await orderFor(world);
    world.dataPlane.startMs = 60_000;
    await world.target.deploy(order);
    world.core.updateService(KEY, { traffic: [{ type: LATEST, percent: 100 }] }, { mask: ['traffic'] });

    await finish(world, { ...order, epoch: 2 }, restore);
    await world.pass(120);

    expect(await world.served()).toEqual({ [STABLE]: 100 });
  });

  test('says that a service is gone', async () => {
    await given();
    const order = await orderFor(world);
    world.core.deleteService(KEY);

    expect(await world.target.restore(order)).toMatchObject({
      status: 'failed',
      message: expect.stringContaining('does not exist any more'),
    });
  });
});

describe('a service that a higher epoch of the same rollout owns', () => {
  test('is not written by a lower one, even if the record still says so', async () => {
    await given();
    const order = await orderFor(world);
    await finish(world, order, deploy);
    await finish(world, { ...order, epoch: 2 }, restore);
    const writes = world.writes();

    await expect(world.target.setWeight(order, 50)).rejects.toMatchObject({ code: 'Fenced' });
    await expect(world.target.deploy(order)).rejects.toMatchObject({ code: 'Fenced' });

    expect(world.writes()).toBe(writes);
  });
});

describe('errors', () => {
  test.each([
    [429, 'ResourceExhausted'],
    [500, 'Unavailable'],
    [503, 'Unavailable'],
    [409, 'Conflict'],
    [403, 'PermissionDenied'],
  ])('an answer of %i is an error of the port: %s', async (status, code) => {
    await given();
    world.faults.inject({ fault: { kind: 'status', status } });

    await expect(world.target.observe()).rejects.toMatchObject({
      name: 'SlipwayError',
      code,
      operation: 'run.services.get hello in us-east4',
    });
  });

  test('a read that fails is not repeated inside: whoever called decides', async () => {
    await given();
    world.faults.inject({ methods: ['GET'], times: 1, fault: { kind: 'status', status: 503 } });

    await expect(world.target.observe()).rejects.toMatchObject({ code: 'Unavailable', canRetry: true });

    expect((await world.target.observe()).stable?.digest).toBe(STABLE);
  });
});

describe('probe', () => {
  const probe = { path: '/healthz' };

  async function probing(
    answer: (url: URL, init: RequestInit) => Response,
    options: CloudRunWorldOptions = {},
  ) {
    const asked: string[] = [];
    const fetcher: typeof fetch = async (input, init = {}) => {
      const url = new URL(input instanceof Request ? input.url : input);
      asked.push(url.href);
      return answer(url, init);
    };
    await given({ ...options, fetch: fetcher });
    const order = await orderFor(world);
    await finish(world, order, deploy);
    return { asked, order };
  }

  test('asks the canary at the address of its tag', async () => {
    const { asked, order } = await probing(() => new Response('ok v2'));

    expect(await world.target.probe(order, probe)).toMatchObject({ status: 'passed' });
    expect(await world.target.probe(order, { ...probe, expect: 'v2' })).toMatchObject({ status: 'passed' });
    expect(asked[0]).toBe('https://canary---hello.us-east4.run.invalid/healthz');
  });

  test.each([
    [404, undefined, 'passed'],
    [500, undefined, 'failed'],
    [200, 'v3', 'failed'],
  ] as const)('with %i and expecting %s has %s', async (status, text, result) => {
    const { order } = await probing(() => new Response('ok v2', { status }));

    expect((await world.target.probe(order, { ...probe, expect: text })).status).toBe(result);
  });

  test('is skipped where the ingress lets nobody in', async () => {
    const service = { ingress: 'INGRESS_TRAFFIC_INTERNAL_ONLY' };
    const { asked, order } = await probing(() => new Response('ok'), { service });

    expect(await world.target.probe(order, probe)).toMatchObject({
      status: 'skipped',
      message: expect.stringContaining('INGRESS_TRAFFIC_INTERNAL_ONLY'),
    });
    expect(asked).toEqual([]);
  });

  test('is skipped where Cloud Run itself turns the caller away', async () => {
    const headers = { 'www-authenticate': 'Bearer error="insufficient_scope"' };
    const { order } = await probing(() => new Response('no', { status: 403, headers }));

    expect(await world.target.probe(order, probe)).toMatchObject({
      status: 'skipped',
      message: expect.stringContaining('roles/run.invoker'),
    });
  });

  test('is repeated while nobody answers', async () => {
    const { order } = await probing(() => {
      throw new TypeError('fetch failed');
    });

    expect(await world.target.probe(order, probe)).toMatchObject({
      status: 'again',
      message: expect.stringContaining('fetch failed'),
    });
  });

  test('is repeated while there is no tag', async () => {
    await given();

    expect((await world.target.probe(await orderFor(world), probe)).status).toBe('again');
  });
});

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SlipwayError } from '../../functions/errors.ts';
import { googleClients } from '../../functions/google/clients.ts';
import { type LoadBalancer, loadBalancer, type Place } from '../../functions/targets/load-balancer.ts';
import { VirtualClock } from '../../local/clock.ts';
import { ComputeCore } from '../../local/compute/core.ts';
import { computeApi } from '../../local/compute/http.ts';
import { Faults } from '../../local/faults.ts';
import { type HttpServer, serve } from '../../local/http.ts';

const US = { project: 'acme', region: 'us-east4', service: 'hello' };
const EU = { project: 'acme', region: 'europe-west1', service: 'hello' };
const ASIA = { project: 'acme', region: 'asia-northeast1', service: 'hello' };
const PATCHES = { methods: ['PATCH'] };

let clock: VirtualClock;
let core: ComputeCore;
let faults: Faults;
let api: HttpServer;
let balancer: LoadBalancer;

beforeEach(async () => {
  await start(0);
});

afterEach(stop);

/** @param operationMs how long a change takes to reach the load balancer */
async function start(operationMs: number): Promise<void> {
  clock = new VirtualClock();
  core = new ComputeCore({ clock, operationMs });
  faults = new Faults(clock);
  api = await serve(faults.wrap(computeApi(core)));
  const clients = googleClients({ compute: api.url });
  balancer = loadBalancer({ project: 'acme', backendService: 'hello' }, { ...clients, patienceMs: 0 });
  for (const place of [US, EU, ASIA]) insertGroup(place, 'hello');
  const backends = [{ group: groupOf(US, 'hello'), description: 'ours' }, { group: groupOf(EU, 'hello') }];
  core.insertBackendService('acme', { name: 'hello', loadBalancingScheme: 'EXTERNAL_MANAGED', backends });
  await clock.advance(operationMs);
}

async function stop(): Promise<void> {
  faults.clear();
  core.stop();
  await api.close();
}

function insertGroup(
  { project, region, service }: Place,
  name: string,
  cloudRun: object = { service },
): void {
  core.insertNetworkEndpointGroup(project, region, {
    name,
    networkEndpointType: 'SERVERLESS',
    cloudRun: { service: '', ...cloudRun },
  });
}

function groupOf({ project, region }: Place, name: string): string {
  return `https://www.googleapis.com/compute/v1/projects/${project}/regions/${region}/networkEndpointGroups/${name}`;
}

function served(): string[] {
  return core.backendsOf('acme', 'hello').map(({ region }) => region);
}

function patches(): number {
  return core.operations.list('projects/acme/global').filter(({ type }) => type === 'patch').length;
}

const fence = async () => {};

test('says which places are on the backend service, and what leads to the others', async () => {
  expect(await balancer.attachments([ASIA, US, { ...US, service: 'other' }])).toEqual([
    { place: ASIA, isAttached: false, groups: ['hello'] },
    { place: US, isAttached: true, groups: ['hello'] },
    { place: { ...US, service: 'other' }, isAttached: false, groups: [] },
  ]);
});

describe('drain', () => {
  test('takes one region out and leaves the others as they are', async () => {
    const made = await balancer.drain(EU, [US, ASIA], fence);

    expect(made).toEqual({
      status: 'done',
      message: 'europe-west1 gets nothing from load balancer hello any more',
    });
    expect(served()).toEqual(['us-east4']);
    expect(core.getBackendService('acme', 'hello').fields).toMatchObject({
      backends: [{ group: groupOf(US, 'hello'), description: 'ours' }],
      loadBalancingScheme: 'EXTERNAL_MANAGED',
    });
  });

  test('done twice is done once', async () => {
    await balancer.drain(EU, [US], fence);
    let fences = 0;

    const made = await balancer.drain(EU, [US], async () => {
      fences++;
    });

    expect(made.status).toBe('done');
    expect([patches(), fences]).toEqual([1, 0]);
  });

  test('never takes the last one out', async () => {
    const made = await balancer.drain(US, [ASIA], fence);

    expect(made).toEqual({
      status: 'failed',
      message: 'us-east4 stays on load balancer hello: no other region there could take its users',
    });
    expect(patches()).toBe(0);
  });

  test('of two that are asked for at once takes out one', async () => {
    const made = await Promise.allSettled([balancer.drain(US, [EU], fence), balancer.drain(EU, [US], fence)]);

    expect(served()).toHaveLength(1);
    expect(made.map(({ status }) => status)).toContain('fulfilled');
  });

  test('with a fingerprint that somebody else made stale is a conflict, and nothing is overwritten', async () => {
    const somebodyElse = async () => {
      const { fields } = core.getBackendService('acme', 'hello');
      await balancer.undrain(ASIA, fence);
      expect(core.getBackendService('acme', 'hello').fields).not.toEqual(fields);
    };

    const made = balancer.drain(EU, [US], somebodyElse);

    await expect(made).rejects.toMatchObject({ name: 'SlipwayError', code: 'Conflict' });
    expect(served()).toEqual(['us-east4', 'europe-west1', 'asia-northeast1']);
    expect((await balancer.drain(EU, [US], fence)).status).toBe('done');
    expect(served()).toEqual(['us-east4', 'asia-northeast1']);
  });

  test('does not write when the fence is up', async () => {
    const fenced = async () => {
      throw new SlipwayError('another execution owns it', { code: 'Fenced', operation: 'write' });
    };

    await expect(balancer.drain(EU, [US], fenced)).rejects.toMatchObject({ code: 'Fenced' });
    expect(patches()).toBe(0);
  });

  test('whose answer got lost is found out by reading', async () => {
    faults.inject({ ...PATCHES, times: 1, fault: { kind: 'loseAnswer' } });

    await expect(balancer.drain(EU, [US], fence)).rejects.toMatchObject({
      code: 'Unavailable',
      canRetry: true,
    });
    expect((await balancer.drain(EU, [US], fence)).status).toBe('done');
    expect(patches()).toBe(1);
  });

  test('leaves a group alone that leads to other services too', async () => {
    core.insertNetworkEndpointGroup('acme', 'europe-north1', {
      name: 'all',
      networkEndpointType: 'SERVERLESS',
      cloudRun: { service: '', urlMask: 'example.com/<service>' },
    });
    const north = { ...US, region: 'europe-north1' };
    const { fields } = core.getBackendService('acme', 'hello');
    const backends = [...fields.backends, { group: groupOf(north, 'all') }];
    core.insertBackendService('acme', { name: 'masked', backends });
    const clients = googleClients({ compute: api.url });
    const masked = loadBalancer({ project: 'acme', backendService: 'masked' }, clients);

    const made = await masked.drain(north, [US], fence);

    expect(made.status).toBe('failed');
    expect(made.message).toContain('leads to other services too, by the URL mask example.com/<service>');
    expect((await masked.attachments([north]))[0]?.isAttached).toBe(true);
  });
});

describe('undrain', () => {
  test('puts the region back, and done twice is done once', async () => {
    await balancer.drain(EU, [US], fence);

    expect(await balancer.undrain(EU, fence)).toEqual({
      status: 'done',
      message: 'europe-west1 is on load balancer hello',
    });
    expect((await balancer.undrain(EU, fence)).status).toBe('done');
    expect(served()).toEqual(['us-east4', 'europe-west1']);
    expect(patches()).toBe(2);
  });

  test('passes over a group that leads to a traffic tag', async () => {
    insertGroup(ASIA, 'canary-only', { service: 'hello', tag: 'canary' });

    await balancer.undrain(ASIA, fence);

    expect(core.backendsOf('acme', 'hello').at(-1)).toMatchObject({
      region: 'asia-northeast1',
      tag: undefined,
    });
  });

  test('does not guess between several groups', async () => {
    insertGroup(ASIA, 'other');

    const made = await balancer.undrain(ASIA, fence);

    expect(made.status).toBe('failed');
    expect(made.message).toContain('(hello, other): put the one that is meant on hello by hand');
  });

  test('says how to make the group that is missing', async () => {
    const made = await balancer.undrain({ ...US, region: 'us-west1' }, fence);

    expect(made.status).toBe('failed');
    expect(made.message).toMatch(
      /gcloud compute network-endpoint-groups create hello-us-west1 .*--region=us-west1/,
    );
  });
});

test('a change that takes its time is under way until its operation is done', async () => {
  await stop();
  await start(5_000);

  const first = await balancer.drain(EU, [US], fence);
  const second = await balancer.drain(EU, [US], fence);
  const whileRunning = served();
  await clock.advance(5_000);
  const third = await balancer.drain(EU, [US], fence);

  expect(first.status).toBe('again');
  expect(second.status).toBe('again');
  expect(second.message).toMatch(/once operation-\S+ is done/);
  expect(whileRunning).toEqual(['us-east4', 'europe-west1']);
  expect(third.status).toBe('done');
  expect([served(), patches()]).toEqual([['us-east4'], 1]);
});

test('a backend service that is not there is not found', async () => {
  const clients = googleClients({ compute: api.url });
  const missing = loadBalancer({ project: 'acme', backendService: 'nope' }, clients);

  await expect(missing.attachments([US])).rejects.toMatchObject({ code: 'NotFound' });
});

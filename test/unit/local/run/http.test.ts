import type { protos, v2 } from '@google-cloud/run';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type GoogleClients, googleClients } from '../../../../functions/google/clients.ts';
import { realClock } from '../../../../local/clock.ts';
import { InstantDataPlane } from '../../../../local/dataplane/instant.ts';
import { type HttpServer, serve } from '../../../../local/http.ts';
import { CloudRun } from '../../../../local/run/core.ts';
import { cloudRunApi } from '../../../../local/run/http.ts';

const PARENT = 'projects/acme/locations/us-east4';
const NAME = `${PARENT}/services/hello`;
const IMAGE = 'us-central1-docker.pkg.dev/acme/apps/hello';

type IService = protos.google.cloud.run.v2.IService;

const SERVICE: IService = {
  labels: { team: 'a' },
  ingress: 'INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER',
  launchStage: 'BETA',
  binaryAuthorization: { useDefault: true },
  scaling: { minInstanceCount: 1, scalingMode: 'AUTOMATIC' },
  template: {
    revision: 'hello-a',
    executionEnvironment: 'EXECUTION_ENVIRONMENT_GEN2',
    timeout: { seconds: 60 },
    nodeSelector: { accelerator: 'nvidia-l4' },
    containers: [
      {
        image: IMAGE,
        env: [{ name: 'MODE', value: 'fast' }],
        resources: { limits: { cpu: '4', 'nvidia.com/gpu': '1' } },
      },
    ],
  },
  traffic: [{ type: 'TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION', revision: 'hello-a', percent: 100 }],
};

describe('the real clients of Cloud Run', () => {
  let core: CloudRun;
  let server: HttpServer;
  let clients: GoogleClients;
  let services: v2.ServicesClient;
  let revisions: v2.RevisionsClient;

  beforeEach(async () => {
    const dataPlane = new InstantDataPlane(realClock);
    dataPlane.startMs = 5;
    core = new CloudRun({
      clock: realClock,
      dataPlane,
      routeMs: 5,
      serviceUrl: () => 'http://service.invalid',
      tagUrl: (_, __, ___, tag) => `http://${tag}.invalid`,
    });
    server = await serve(cloudRunApi(core));
    clients = googleClients({ run: server.url });
    services = await clients.services();
    revisions = await clients.revisions();
  });

  afterEach(async () => {
    await core.close();
    await server.close();
  });

  async function create(): Promise<void> {
    const [operation] = await services.createService({
      parent: PARENT,
      serviceId: 'hello',
      service: SERVICE,
    });
    await operation.promise();
  }

  test('create a service, wait for its operation and read back every setting', async () => {
    await create();

    const [service] = await services.getService({ name: NAME });

    expect(service).toMatchObject({
      ...SERVICE,
      template: {
        revision: 'hello-a',
        executionEnvironment: 'EXECUTION_ENVIRONMENT_GEN2',
        timeout: { seconds: '60' },
        nodeSelector: { accelerator: 'nvidia-l4' },
        containers: SERVICE.template?.containers,
      },
    });
    expect(service).toMatchObject({
      generation: '1',
      observedGeneration: '1',
      reconciling: false,
      terminalCondition: { state: 'CONDITION_SUCCEEDED' },
      trafficStatuses: [{ revision: 'hello-a', percent: 100 }],
      latestReadyRevision: `${NAME}/revisions/hello-a`,
    });
  });

  test('send back what they read and make no new revision', async () => {
    await create();
    const [service] = await services.getService({ name: NAME });

    const [operation] = await services.updateService({
      service,
      updateMask: { paths: ['template', 'traffic'] },
    });
    await operation.promise();

    const [found] = await revisions.listRevisions({ parent: NAME });
    expect(found.map(revision => revision.name)).toEqual([`${NAME}/revisions/hello-a`]);
  });

  test('update by mask, and read the tag with its address', async () => {
    await create();

    const [operation] = await services.updateService({
      service: {
        name: NAME,
        template: { ...SERVICE.template, revision: 'hello-b' },
        traffic: [
          { type: 'TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION', revision: 'hello-a', percent: 100 },
          { type: 'TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION', revision: 'hello-b', tag: 'canary' },
        ],
      },
      updateMask: { paths: ['template', 'traffic'] },
    });
    await operation.promise();

    const [service] = await services.getService({ name: NAME });
    expect(service.labels).toEqual({ team: 'a' });
    expect(service.trafficStatuses).toMatchObject([
      { revision: 'hello-a', percent: 100 },
      { revision: 'hello-b', percent: 0, tag: 'canary', uri: 'http://canary.invalid' },
    ]);
    const [revision] = await revisions.getRevision({ name: `${NAME}/revisions/hello-b` });
    expect(revision.conditions?.[0]).toMatchObject({ type: 'Ready', state: 'CONDITION_SUCCEEDED' });
    expect(revision.containers?.[0]?.image).toBe(IMAGE);
  });

  test('see a stale etag, a bad request and a missing service with the codes of gRPC', async () => {
    await create();

    await expect(
      services.updateService({ service: { name: NAME, etag: '"old"' }, updateMask: { paths: ['labels'] } }),
    ).rejects.toMatchObject({ code: 10 });
    await expect(
      services.updateService({
        service: { name: NAME, traffic: [{ revision: 'hello-a', percent: 1 }] },
        updateMask: { paths: ['traffic'] },
      }),
    ).rejects.toMatchObject({ code: 3, message: expect.stringContaining('sum to 1, want 100') });
    await expect(services.getService({ name: `${PARENT}/services/none` })).rejects.toMatchObject({ code: 5 });
    await expect(
      services.createService({ parent: PARENT, serviceId: 'hello', service: SERVICE }),
    ).rejects.toMatchObject({ code: 6 });
  });

  test('see an operation that failed, and find it again by its name', async () => {
    core.failNextOperation({ code: 9, message: 'not routed' });

    const [operation] = await services.createService({
      parent: PARENT,
      serviceId: 'hello',
      service: SERVICE,
    });

    await expect(operation.promise()).rejects.toMatchObject({
      code: 9,
      message: expect.stringContaining('not routed'),
    });
    const resumed = await services.checkCreateServiceProgress(operation.name ?? '');
    expect(resumed.done).toBe(true);
  });

  test('validate without changing, and create by update', async () => {
    const [validated] = await services.createService({
      parent: PARENT,
      serviceId: 'hello',
      service: SERVICE,
      validateOnly: true,
    });
    expect(validated.done).toBe(true);
    await expect(services.getService({ name: NAME })).rejects.toMatchObject({ code: 5 });

    await services.updateService({ service: { ...SERVICE, name: NAME }, allowMissing: true });

    expect((await services.getService({ name: NAME }))[0].name).toBe(NAME);
  });

  test('list and delete', async () => {
    await create();
    await services.createService({
      parent: PARENT,
      serviceId: 'other',
      service: { template: { containers: [{ image: IMAGE }] } },
    });

    const [listed] = await services.listServices({ parent: PARENT });
    expect(listed.map(service => service.name)).toEqual([NAME, `${PARENT}/services/other`]);
    const [everywhere] = await revisions.listRevisions({ parent: `${PARENT}/services/-` });
    expect(everywhere).toHaveLength(2);

    const [operation] = await services.deleteService({ name: NAME });
    await operation.promise();
    const [left] = await services.listServices({ parent: PARENT });
    expect(left.map(service => service.name)).toEqual([`${PARENT}/services/other`]);
  });
});

describe('requests by hand', () => {
  test('wait for an operation, page through lists and are refused where nothing is', async () => {
    const clock = realClock;
    const core = new CloudRun({
      clock,
      dataPlane: new InstantDataPlane(clock),
      routeMs: 5,
      serviceUrl: () => 'http://service.invalid',
      tagUrl: () => 'http://tag.invalid',
    });
    await using server = await listening(core);

    const created = await post(`${server.url}/v2/${PARENT}/services?serviceId=hello`, SERVICE);
    const waited = await post(`${server.url}/v2/${String(created.body['name'])}:wait`, { timeout: '30s' });
    expect(waited.body).toMatchObject({ done: true, response: { name: NAME } });

    const operations = await get(`${server.url}/v2/${PARENT}/operations`);
    expect(operations).toMatchObject({ operations: [{ name: created.body['name'], done: true }] });

    await post(`${server.url}/v2/${PARENT}/services?serviceId=other`, {
      template: { containers: [{ image: IMAGE }] },
    });
    const first = await get(`${server.url}/v2/${PARENT}/services?pageSize=1`);
    const second = await get(
      `${server.url}/v2/${PARENT}/services?pageSize=1&pageToken=${String(first['nextPageToken'])}`,
    );
    expect(first).toMatchObject({ services: [{ name: NAME }] });
    expect(second).toMatchObject({ services: [{ name: `${PARENT}/services/other` }] });
    expect(second['nextPageToken']).toBeUndefined();

    const jobs = await fetch(`${server.url}/v2/${PARENT}/jobs`);
    expect(jobs.status).toBe(501);
    const broken = await fetch(`${server.url}/v2/${PARENT}/services?serviceId=x`, {
      method: 'POST',
      body: '{',
    });
    expect(broken.status).toBe(400);
    await core.close();
  });
});

async function listening(core: CloudRun): Promise<HttpServer & AsyncDisposable> {
  const server = await serve(cloudRunApi(core));
  return { ...server, [Symbol.asyncDispose]: () => server.close() };
}

async function post(url: string, body: object): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function get(url: string): Promise<Record<string, unknown>> {
  return (await (await fetch(url)).json()) as Record<string, unknown>;
}

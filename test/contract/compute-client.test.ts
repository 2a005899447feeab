import {
  BackendServicesClient,
  GlobalOperationsClient,
  MachineTypesClient,
  RegionNetworkEndpointGroupsClient,
  RegionOperationsClient,
} from '@google-cloud/compute';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { options } from '../../functions/google/clients.ts';
import { calling } from '../../functions/google/errors.ts';
import { VirtualClock } from '../../local/clock.ts';
import { ComputeCore } from '../../local/compute/core.ts';
import { computeApi } from '../../local/compute/http.ts';
import { type HttpServer, serve } from '../../local/http.ts';

const OPERATION_MS = 5000;

let clock: VirtualClock;
let core: ComputeCore;
let api: HttpServer;

beforeEach(async () => {
  clock = new VirtualClock();
  core = new ComputeCore({ clock, operationMs: OPERATION_MS });
  api = await serve(computeApi(core));
});

afterEach(async () => {
  core.stop();
  await api.close();
});

function group(region: string): string {
  return `https://www.googleapis.com/compute/v1/projects/acme/regions/${region}/networkEndpointGroups/hello`;
}

function insertGroup(region: string) {
  return core.insertNetworkEndpointGroup('acme', region, {
    name: 'hello',
    networkEndpointType: 'SERVERLESS',
    cloudRun: { service: 'hello' },
  });
}

async function helloInTwoRegions(): Promise<void> {
  insertGroup('us-east4');
  insertGroup('europe-west1');
  core.insertBackendService('acme', {
    name: 'hello',
    loadBalancingScheme: 'EXTERNAL_MANAGED',
    protocol: 'HTTPS',
    backends: [{ group: group('us-east4') }, { group: group('europe-west1') }],
  });
  await clock.advance(OPERATION_MS);
}

test('a serverless NEG and a backend service are made, waited for and read', async () => {
  const groups = new RegionNetworkEndpointGroupsClient(options(api.url));
  const services = new BackendServicesClient(options(api.url));

  const [inserted] = await groups.insert({
    project: 'acme',
    region: 'us-east4',
    networkEndpointGroupResource: {
      name: 'hello',
      networkEndpointType: 'SERVERLESS',
      cloudRun: { service: 'hello' },
    },
  });
  await clock.advance(OPERATION_MS);
  const [waited] = await new RegionOperationsClient(options(api.url)).wait({
    project: 'acme',
    region: 'us-east4',
    operation: inserted.latestResponse.name ?? '',
  });
  await services.insert({
    project: 'acme',
    backendServiceResource: {
      name: 'hello',
      loadBalancingScheme: 'EXTERNAL_MANAGED',
      protocol: 'HTTPS',
      backends: [{ group: group('us-east4') }],
    },
  });

  const [listed] = await groups.list({ project: 'acme', region: 'us-east4' });
  const [service] = await services.get({ project: 'acme', backendService: 'hello' });

  expect(waited.status).toBe('DONE');
  expect(listed.map(({ name, cloudRun }) => [name, cloudRun?.service])).toEqual([['hello', 'hello']]);
  expect(service.backends?.map(backend => backend.group)).toEqual([group('us-east4')]);
  expect(service.fingerprint).toMatch(/^[\w+/]+=$/);
});

test('a region drained by fingerprint leaves the load balancer when the operation is done', async () => {
  await helloInTwoRegions();
  const services = new BackendServicesClient(options(api.url));
  const [service] = await services.get({ project: 'acme', backendService: 'hello' });

  const [patched] = await services.patch({
    project: 'acme',
    backendService: 'hello',
    backendServiceResource: {
      fingerprint: service.fingerprint ?? '',
      backends: [{ group: group('us-east4') }],
    },
  });

  const whileRunning = core.backendsOf('acme', 'hello').map(({ region }) => region);
  const operations = new GlobalOperationsClient(options(api.url));
  const [running] = await operations.get({ project: 'acme', operation: patched.latestResponse.name ?? '' });
  const waiting = operations.wait({ project: 'acme', operation: patched.latestResponse.name ?? '' });
  await clock.advance(OPERATION_MS);
  const [done] = await waiting;

  expect(running.status).toBe('RUNNING');
  expect(whileRunning).toEqual(['us-east4', 'europe-west1']);
  expect(done.status).toBe('DONE');
  expect(core.backendsOf('acme', 'hello')).toEqual([
    { region: 'us-east4', service: 'hello', tag: undefined },
  ]);
});

test('the operation has a name and a number, and is found by either', async () => {
  await helloInTwoRegions();
  const services = new BackendServicesClient(options(api.url));
  const [service] = await services.get({ project: 'acme', backendService: 'hello' });
  const [patched] = await services.patch({
    project: 'acme',
    backendService: 'hello',
    backendServiceResource: { fingerprint: service.fingerprint ?? '', timeoutSec: 30 },
  });
  const operations = new GlobalOperationsClient(options(api.url));

  const [byNumber] = await operations.get({ project: 'acme', operation: patched.name ?? '' });

  expect(patched.name).toMatch(/^\d+$/);
  expect(byNumber.name).toBe(patched.latestResponse.name);
});

test.each([{ fingerprint: 'c3RhbGU=' }, {}])('a patch with %j is a conflict', async fingerprint => {
  await helloInTwoRegions();
  const services = new BackendServicesClient(options(api.url));

  const patch = calling('drain', () =>
    services.patch({
      project: 'acme',
      backendService: 'hello',
      backendServiceResource: { ...fingerprint, backends: [{ group: group('us-east4') }] },
    }),
  );

  await expect(patch).rejects.toMatchObject({ code: 'Conflict', message: 'drain: Invalid fingerprint.' });
  expect(core.backendsOf('acme', 'hello')).toHaveLength(2);
});

test('what does not exist is not found', async () => {
  const services = new BackendServicesClient(options(api.url));
  const get = calling('read', () => services.get({ project: 'acme', backendService: 'nope' }));
  await expect(get).rejects.toMatchObject({ code: 'NotFound' });
});

test.each([
  ['c4a-standard-4', 'ARM64'],
  ['n4a-highmem-2', 'ARM64'],
  ['t2a-standard-1', 'ARM64'],
  ['n2d-standard-8', 'X86_64'],
  ['e2-medium', 'X86_64'],
])('machine type %s is %s', async (machineType, architecture) => {
  const client = new MachineTypesClient(options(api.url));
  const [found] = await client.get({ project: 'acme', zone: 'us-central1-a', machineType });
  expect(found.architecture).toBe(architecture);
});

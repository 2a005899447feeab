import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Rollout } from '../../functions/rollout/record.ts';
import { PROJECT } from '../../local/names.ts';
import { aPolicyService, E2eWorld, GATED } from './world.ts';

const REGIONS = { us: 'us-east4', eu: 'europe-west1' };

function behindLoadBalancer(name: string, change: object = {}): object {
  const targets = Object.entries(REGIONS).map(([target, region]) => ({
    name: target,
    cloudRun: { project: PROJECT, region, service: name },
  }));
  return aPolicyService(name, {
    targets,
    loadBalancer: { project: PROJECT, backendService: name },
    ...change,
  });
}

const SERVICES = [
  behindLoadBalancer('stuck', { strategy: { ...GATED.strategy, progressDeadline: '6s' } }),
  behindLoadBalancer('moved'),
  behindLoadBalancer('amiss'),
  behindLoadBalancer('burning', GATED),
];

let world: E2eWorld;
beforeAll(async () => {
  world = await E2eWorld.open(SERVICES);
});
afterAll(() => world.close());

/** Puts the groups of both regions there, and those of some on the backend service. */
function attach(service: string, regions: readonly string[] = Object.values(REGIONS)): void {
  const { compute } = world.cloud.cores;
  for (const region of Object.values(REGIONS)) {
    compute.insertNetworkEndpointGroup(PROJECT, region, {
      name: service,
      networkEndpointType: 'SERVERLESS',
      cloudRun: { service },
    });
  }
  compute.insertBackendService(PROJECT, {
    name: service,
    backends: regions.map(region => ({ group: groupOf(service, region) })),
  });
}

function groupOf(service: string, region: string): string {
  return `projects/${PROJECT}/regions/${region}/networkEndpointGroups/${service}`;
}

function attached(service: string): string[] {
  return world.cloud.cores.compute.backendsOf(PROJECT, service).map(({ region }) => region);
}

/** The share of each revision's requests in a region. */
function servedIn(service: string, region: string): number[] {
  return world.cloud.cores.run.backendsOf(PROJECT, region, service).map(({ weight }) => weight);
}

function command(service: string, fields: object): void {
  world.publish('rollout-commands', { service, actor: 'ops@example.com', ...fields });
}

async function refused(service: string, tag: string, why: RegExp): Promise<void> {
  await world.until(service, tag, ({ history }) =>
    history.some(({ reason, message }) => reason === 'CommandRefused' && why.test(message)),
  );
}

async function drained(service: string): Promise<string[]> {
  return Object.keys((await world.store.read('service', service))?.drained ?? {});
}

const isPaused = ({ phase }: Rollout) => phase === 'Paused';

test('a region that cannot be restored leaves the load balancer, and undrain brings it back', async () => {
  attach('stuck');
  await world.push({ service: 'stuck', tag: 'v1' });
  await world.until('stuck', 'v1');
  await world.push({ service: 'stuck', tag: 'v2' });
  await world.until('stuck', 'v2', isPaused);
  const recover = world.cloud.faults.run.inject({
    methods: ['PATCH'],
    path: /us-east4.*stuck/,
    fault: { kind: 'status', status: 503 },
  });
  command('stuck', { command: 'abort' });

  await world.eventually(
    () => `us-east4 to leave; there are ${attached('stuck')}`,
    () => attached('stuck').length === 1,
  );
  const meanwhile = await world.until('stuck', 'v2', ({ history }) =>
    history.some(({ reason }) => reason === 'RegionDrained'),
  );
  expect(attached('stuck')).toEqual(['europe-west1']);
  expect(servedIn('stuck', 'europe-west1')).toEqual([100]);
  expect(meanwhile.phase).toBe('RollingBack');
  expect(meanwhile.targets['eu']?.status).toBe('Restored');
  command('stuck', { command: 'undrain', target: 'us' });
  await refused('stuck', 'v2', /us is being restored and does not serve stable yet/);

  recover();
  const ended = await world.until('stuck', 'v2');
  expect(ended.phase).toBe('Degraded');
  expect(servedIn('stuck', 'us-east4')).toEqual([100]);
  expect(attached('stuck')).toEqual(['europe-west1']);
  expect(await drained('stuck')).toEqual(['us']);

  command('stuck', { command: 'undrain', target: 'us' });
  await world.until('stuck', 'v2', ({ history }) => history.at(-1)?.reason === 'RegionUndrained');
  expect(attached('stuck')).toEqual(['europe-west1', 'us-east4']);
  expect(await drained('stuck')).toEqual([]);
});

test('a person moves regions; what makes no sense is refused; only what a rollback took out comes back by itself', async () => {
  attach('moved');
  await world.push({ service: 'moved', tag: 'v1' });
  await world.until('moved', 'v1');
  command('moved', { command: 'drain', target: 'us', reason: 'maintenance' });
  await world.eventually(
    () => 'us-east4 to leave',
    async () => (await drained('moved')).length === 1 && attached('moved').length === 1,
  );
  command('moved', { command: 'drain', target: 'eu' });
  await refused('moved', 'v1', /no other region there could take its users/);
  command('moved', { command: 'drain', target: 'mars' });
  await refused('moved', 'v1', /moved has no target mars; it has us, eu/);

  await world.push({ service: 'moved', tag: 'v2' });
  expect((await world.until('moved', 'v2')).phase).toBe('Healthy');
  expect(attached('moved')).toEqual(['europe-west1']);

  await world.store.transact(async transaction => {
    const service = await transaction.read('service', 'moved');
    const out = service?.drained['us'];
    if (service && out) {
      transaction.write('service', 'moved', { ...service, drained: { us: { ...out, by: undefined } } });
    }
  });
  await world.push({ service: 'moved', tag: 'v3' });
  const third = await world.until('moved', 'v3');
  expect(third.phase).toBe('Healthy');
  expect(third.history.map(({ message }) => message)).toContain(
    'moved is ready for v3; out of the load balancer: us',
  );
  expect(attached('moved')).toEqual(['europe-west1', 'us-east4']);
  expect(await drained('moved')).toEqual([]);
});

test('a region that is not on the load balancer keeps a rollout from starting; retry starts it when that is mended', async () => {
  attach('amiss', ['us-east4']);
  await world.push({ service: 'amiss', tag: 'v1' });
  expect((await world.until('amiss', 'v1')).phase).toBe('Healthy');
  await world.push({ service: 'amiss', tag: 'v2' });

  const rejected = await world.until('amiss', 'v2');
  expect(rejected.phase).toBe('Rejected');
  expect(rejected.message).toBe(
    'amiss in europe-west1 is not on backend service amiss: gcloud compute backend-services add-backend amiss ' +
      '--project=acme --global --network-endpoint-group=amiss --network-endpoint-group-region=europe-west1; mend it, then retry',
  );
  expect(Object.values(rejected.targets).some(({ isTouched }) => isTouched)).toBe(false);
  expect(await world.store.read('service', 'amiss')).toMatchObject({ quarantine: {} });

  command('amiss', { command: 'undrain', target: 'eu' });
  await world.until('amiss', 'v2', ({ history }) => history.at(-1)?.reason === 'RegionUndrained');
  command('amiss', { command: 'retry' });
  expect((await world.until('amiss', 'v2', ({ phase }) => phase === 'Healthy')).attempt).toBe(2);
});

test('a rollout waits while an SLO incident is open, and goes on when it closes', async () => {
  attach('burning');
  const incident = (state: string) => ({
    version: '1.2',
    incident: {
      incident_id: '0.1',
      state,
      policy_name: 'guard',
      summary: 'burns',
      policy_user_labels: { slipway_service: 'burning' },
    },
  });
  await world.push({ service: 'burning', tag: 'v1' });
  await world.until('burning', 'v1');
  await world.push({ service: 'burning', tag: 'v2' });
  await world.until('burning', 'v2', isPaused);
  world.publish('slo-alerts', incident('open'));
  expect((await world.until('burning', 'v2')).phase).toBe('Degraded');

  await world.push({ service: 'burning', tag: 'v3' });
  const waiting = await world.until('burning', 'v3', ({ message }) => message.startsWith('Waiting'));
  expect(waiting.message).toBe(
    'Waiting before the start: SLO incident 0.1 (guard) is open: it has to close first; promote --full does not wait for it, and for no canary step either',
  );
  world.publish('slo-alerts', incident('closed'));
  const paused = await world.until('burning', 'v3', isPaused);
  expect(paused.targets['us']?.weight).toBe(50);
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Rollout } from '../../functions/rollout/record.ts';
import type { Api } from '../../local/cloud.ts';
import { type FaultRule, Hold } from '../../local/faults.ts';
import { PROJECT } from '../../local/names.ts';
import type { Send } from '../../local/workflows/host.ts';
import { sendByFetch } from '../../local/workflows/send.ts';
import { Crowd, canaryOf, oneOfTheCrowd, REGION, SHARED_IMAGE, STABLE_IMAGE, stableOf } from './crowd.ts';
import { gkeTargetSpec, gkeTraffic, serveOnGke } from './gke-service.ts';

/** Writes that arrive late, answers that never come, and functions that die in the middle. One service per test. */

/** Gates around the weight: whatever is written between them was asked for by one decision. */
const STRATEGY = {
  steps: [{ pause: {} }, { setWeight: 50 }, { pause: {} }],
  progressDeadline: '20s',
  rollbackWindow: '1h',
};

type Place = 'Cloud Run' | 'GKE';
type Write = 'deploy' | 'setWeight' | 'promote';

interface Stall {
  readonly place: Place;
  readonly write: Write;
  readonly service: string;
}

const STALLS: readonly Stall[] = (['Cloud Run', 'GKE'] as const).flatMap(place =>
  (['deploy', 'setWeight', 'promote'] as const).map(write => ({
    place,
    write,
    service: `${place === 'GKE' ? 'gke' : 'run'}-${write.toLowerCase()}`,
  })),
);

const SERVICES = [
  ...STALLS.map(({ service, place }) =>
    oneOfTheCrowd(service, {
      strategy: STRATEGY,
      ...(place === 'GKE' ? { targets: [gkeTargetSpec(service)] } : {}),
    }),
  ),
  ...['lost', 'crash-gate', 'crash-deploy', 'no-events-status', 'no-events-hang', 'lie'].map(name =>
    oneOfTheCrowd(name, { strategy: STRATEGY }),
  ),
];

/** The first restore of service `lie` is answered as done, and nobody does it. */
let hasLied = false;
const send: Send = async request => {
  const body = request.body?.toString('utf8') ?? '';
  if (hasLied || !/"rollout":"lie-/.test(body) || !/"activity":"restore"/.test(body))
    return sendByFetch(request);
  hasLied = true;
  const answer = { status: 'done', message: 'believe me', overdue: [], restSeconds: 0 };
  const headers = { 'content-type': 'application/json' };
  return { status: 200, headers, body: Buffer.from(JSON.stringify(answer)) };
};

let crowd: Crowd;
let digest: string;
beforeAll(async () => {
  crowd = await Crowd.open(SERVICES, { send });
  digest = await crowd.build('v2');
});
afterAll(() => crowd?.close());

/** The write that is meant, when it is injected right before it is asked for. */
function requestOf({ place, write, service }: Stall): Pick<FaultRule, 'methods' | 'path'> & { api: Api } {
  if (place === 'Cloud Run')
    return { api: 'run', methods: ['PATCH'], path: new RegExp(`/services/${service}$`) };
  const path = write === 'deploy' ? `/deployments/${service}-canary$` : `/httproutes/${service}$`;
  return { api: 'kubernetes', methods: ['PATCH'], path: new RegExp(path) };
}

async function serve({ place, service }: { place: Place; service: string }): Promise<void> {
  if (place === 'GKE') await serveOnGke(crowd.world.cloud, service, STABLE_IMAGE);
  else await crowd.serve(service);
}

function until(service: string, isSo?: (rollout: Rollout) => boolean): Promise<Rollout> {
  return crowd.world.until(service, `${service}-v2`, isSo);
}

function push(service: string): void {
  crowd.push(`${service}-v2`, digest);
}

/** Waits for a gate and opens it. */
async function promoteAt(service: string, gate: string): Promise<void> {
  const { id } = await until(service, ({ phase, pause }) => phase === 'Paused' && pause?.gate === gate);
  crowd.world.publish('rollout-commands', { command: 'promote', service, rollout: id, gate, actor: 'me' });
}

const FIRST_GATE = 'wave 1 step 1';
const LAST_GATE = 'wave 1 step 3';

/** Takes the rollout to where the write comes next. */
async function goUpTo({ service, write }: Stall, next: () => void): Promise<void> {
  if (write === 'deploy') next();
  push(service);
  if (write === 'deploy') return;
  if (write === 'promote') await promoteAt(service, FIRST_GATE);
  const gate = write === 'promote' ? LAST_GATE : FIRST_GATE;
  await until(service, ({ phase, pause }) => phase === 'Paused' && pause?.gate === gate);
  next();
  await promoteAt(service, gate);
}

/** What somebody's late write would change. */
function stateOf({ place, service }: Stall): unknown {
  const { run, kubernetes } = crowd.world.cloud.cores;
  if (place === 'Cloud Run') return run.getService({ project: PROJECT, region: REGION, service });
  const { store } = kubernetes;
  return [
    ...[service, `${service}-canary`].map(name => store.read('deployments', 'default', name)),
    store.read('httproutes', 'default', service),
  ].map(({ metadata: { generation, annotations }, spec }) => ({ generation, annotations, spec }));
}

describe.concurrent('a write that was prepared before a rollback and arrives after it', () => {
  test.each(STALLS)('is refused: $write on $place', async stall => {
    const { service, place } = stall;
    const { cloud } = crowd.world;
    await serve(stall);
    const hold = new Hold();
    const { api, ...request } = requestOf(stall);
    await goUpTo(stall, () => {
      cloud.faults[api].inject({ ...request, times: 1, fault: { kind: 'hold', hold } });
    });
    await hold.caught;
    const { id } = await until(service, () => true);
    crowd.world.publish('rollout-commands', { command: 'abort', service, rollout: id, actor: 'me' });
    const ended = await until(service);
    expect(ended.phase).toBe('Degraded');
    const before = stateOf(stall);

    expect(await hold.release()).toBe(409);

    expect(stateOf(stall)).toEqual(before);
    await crowd.world.eventually(
      () => `the execution of ${service} to end`,
      () => crowd.world.executions('rollout', id).every(({ state }) => state !== 'ACTIVE'),
    );
    expect(stateOf(stall)).toEqual(before);
    const traffic = place === 'GKE' ? gkeTraffic(cloud, service) : crowd.traffic(service);
    expect(traffic).toEqual({
      shares: { [place === 'GKE' ? STABLE_IMAGE : stableOf(service)]: 100 },
      unready: [],
    });
    if (place === 'GKE') expect(JSON.stringify(before)).not.toContain(`"weight":50`);
    else expect(crowd.traffic(service).shares).not.toHaveProperty(canaryOf(ended));
  });
});

describe.concurrent('answers that never come', () => {
  test('to any write make no write twice, and the rollout ends Healthy', async () => {
    await serve({ place: 'Cloud Run', service: 'lost' });
    const { run } = crowd.world.cloud.faults;
    const recover = run.inject({
      methods: ['PATCH'],
      path: /services\/lost$/,
      fault: { kind: 'loseAnswer' },
    });
    push('lost');
    await promoteAt('lost', FIRST_GATE);
    await promoteAt('lost', LAST_GATE);
    const rollout = await until('lost');
    recover();
    expect(rollout.phase).toBe('Healthy');
    const key = { project: PROJECT, region: REGION, service: 'lost' };
    const { cores } = crowd.world.cloud;
    expect(cores.run.listRevisions(key)).toHaveLength(2);
    // Deployed, weighed, promoted: as many changes as without a fault, and the creation.
    expect(cores.run.getService(key).generation).toBe('4');
  });
});

describe('a rollback that believes it has restored everything', () => {
  test('is not over before the record says so', async () => {
    await crowd.serve('lie');
    push('lie');
    await promoteAt('lie', FIRST_GATE);
    const { id } = await until('lie', ({ phase, pause }) => phase === 'Paused' && pause?.gate === LAST_GATE);
    crowd.world.publish('rollout-commands', { command: 'abort', service: 'lie', rollout: id, actor: 'me' });
    await crowd.world.eventually(
      () => 'the first rollback to end',
      () => crowd.world.executions('rollback', id).some(({ state }) => state === 'SUCCEEDED'),
    );
    expect(await until('lie', () => true)).toMatchObject({ phase: 'RollingBack' });
    await crowd.world.sweep();
    expect(await until('lie')).toMatchObject({ phase: 'Degraded' });
    expect(crowd.traffic('lie')).toEqual({ shares: { [stableOf('lie')]: 100 }, unready: [] });
  });
});

describe('when the topic of events takes nothing', () => {
  test.each([{ kind: 'status', status: 503 }, { kind: 'hang' }] as const)(
    'and answers $kind, a rollback goes on',
    async fault => {
      const service = `no-events-${fault.kind}`;
      const { cloud } = crowd.world;
      await crowd.serve(service);
      push(service);
      await until(service, ({ phase }) => phase === 'Paused');
      const recover = cloud.faults.pubsub.inject({ path: /rollout-events/, fault });
      const { id } = await until(service, () => true);
      crowd.world.publish('rollout-commands', {
        command: 'abort',
        service,
        rollout: id,
        actor: 'me',
      });
      const ended = await until(service);
      recover();
      cloud.faults.pubsub.clear();
      expect(ended.phase).toBe('Degraded');
      expect(crowd.traffic(service).shares).toEqual({ [stableOf(service)]: 100 });
    },
  );
});

describe('functions that are killed in the middle', () => {
  test('of a deployment: the workflow comes back, and the rollout ends Healthy', async () => {
    const { functions, faults } = crowd.world.cloud;
    await crowd.serve('crash-deploy');
    const hold = new Hold();
    faults.run.inject({
      methods: ['PATCH'],
      path: /services\/crash-deploy$/,
      times: 1,
      fault: { kind: 'hold', hold },
    });
    push('crash-deploy');
    await hold.caught;
    await functions.crash();
    await functions.restart();
    await hold.release();
    await promoteAt('crash-deploy', FIRST_GATE);
    await promoteAt('crash-deploy', LAST_GATE);
    const rollout = await until('crash-deploy');
    expect(rollout.phase).toBe('Healthy');
    expect(crowd.traffic('crash-deploy')).toEqual({ shares: { [canaryOf(rollout)]: 100 }, unready: [] });
    expect(crowd.world.executions('rollout', rollout.id)).toHaveLength(1);
  });

  test('while messages come: what was not acknowledged comes again', async () => {
    const { functions } = crowd.world.cloud;
    await crowd.serve('crash-gate');
    await functions.crash();
    push('crash-gate');
    await functions.restart();
    await until('crash-gate', ({ phase }) => phase === 'Paused');
    await functions.crash();
    const gate = { command: 'promote', service: 'crash-gate', actor: 'me' };
    crowd.world.publish('rollout-commands', { ...gate, gate: FIRST_GATE });
    await functions.restart();
    await promoteAt('crash-gate', LAST_GATE);
    const rollout = await until('crash-gate');
    expect(rollout).toMatchObject({ phase: 'Healthy', image: SHARED_IMAGE });
    expect(rollout.history.filter(({ reason }) => reason === 'RolloutPromoted')).toHaveLength(2);
  });
});

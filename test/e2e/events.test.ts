import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { SERVICE_LABEL } from '../../functions/handlers/slo-alert.ts';
import { PROJECT, REGISTRY_HOST } from '../../local/names.ts';
import { topicName } from '../../local/wiring.ts';
import { findChecker, publishedSchemaProblems } from '../cdevents/checker.ts';
import { type Envelope, envelopeSchema } from '../cdevents/shape.ts';
import { aPolicyService, E2eWorld, eventHeaders, GATED, rawPush } from './world.ts';

const SERVICES = [
  aPolicyService('raw'),
  aPolicyService('event'),
  aPolicyService('gate', GATED),
  aPolicyService('flaky'),
  aPolicyService('typo'),
  aPolicyService('single'),
  aPolicyService('burning', GATED),
];

const LISTENER = `projects/${PROJECT}/subscriptions/listener`;

let world: E2eWorld;
beforeAll(async () => {
  world = await E2eWorld.open(SERVICES);
  world.cloud.cores.pubsub.createSubscription(LISTENER, { topic: topicName('rollout-events') });
});
afterAll(() => world.close());

function notification(service: string, tag: string, digest: string): object {
  const image = `${REGISTRY_HOST}/${PROJECT}/apps/${service}`;
  return { action: 'INSERT', digest: `${image}@${digest}`, tag: `${image}:${tag}` };
}

async function deadMessages(problem: RegExp) {
  return (await world.store.list('deadMessage')).filter(message => problem.test(message.problem));
}

describe('a push', () => {
  test('rolls out and ends Healthy, first straight to 100 %, then as a canary', async () => {
    await world.push({ service: 'single', tag: 'v1' });
    expect((await world.until('single', 'v1')).phase).toBe('Healthy');
    await world.push({ service: 'single', tag: 'v2' });
    const second = await world.until('single', 'v2');
    expect(second.phase).toBe('Healthy');
    expect(second.history.map(({ message }) => message)).toContain('Advance single.us canary weight 50');
  });

  test('that is delivered again, raw or as a CloudEvent, ends in the same one rollout', async () => {
    const digest = await world.push({ service: 'raw', tag: 'v1' });
    await world.until('raw', 'v1');
    const again = notification('raw', 'v1', digest);
    const raw = await world.post('imagePush', 'gcr', rawPush('gcr', again, 'm1'));
    const event = await world.post(
      'imagePush',
      'gcr',
      rawPush('gcr', again, 'm2'),
      eventHeaders('gcr', 'm2'),
    );
    expect([raw.status, event.status]).toEqual([204, 204]);
    const rollouts = await world.rollouts('raw');
    expect(rollouts.map(({ phase }) => phase)).toEqual(['Healthy']);
    expect(world.executions('rollout', rollouts[0]?.id ?? '')).toHaveLength(1);
  });

  test('that comes only as a CloudEvent starts a rollout', async () => {
    const digest = await world.push({ service: 'event', tag: 'v1' });
    await world.until('event', 'v1');
    const body = rawPush('gcr', notification('event', 'v2', digest), 'm3');
    expect((await world.post('imagePush', 'gcr', body, eventHeaders('gcr', 'm3'))).status).toBe(204);
    expect((await world.until('event', 'v2')).phase).toBe('Healthy');
  });

  test('that was published earlier than the newest is superseded', async () => {
    const digest = await world.push({ service: 'single', tag: 'v3' });
    await world.until('single', 'v3');
    const late = rawPush('gcr', notification('single', 'v0', digest), 'm4', '2020-01-01T00:00:00Z');
    await world.post('imagePush', 'gcr', late);
    expect((await world.until('single', 'v0')).phase).toBe('Superseded');
  });

  test('waits out a registry that answers 500', async () => {
    const recover = world.cloud.faults.registry.inject({
      methods: ['GET'],
      path: /apps\/flaky\/manifests/,
      times: 2,
      fault: { kind: 'status', status: 500 },
    });
    await world.push({ service: 'flaky', tag: 'v1' });
    expect((await world.until('flaky', 'v1')).phase).toBe('Healthy');
    recover();
  });

  test.each([
    ['a delete', { action: 'DELETE', tag: `${REGISTRY_HOST}/${PROJECT}/apps/raw:v1` }],
    [
      'a digest alone',
      { action: 'INSERT', digest: `${REGISTRY_HOST}/${PROJECT}/apps/raw@sha256:${'1'.repeat(64)}` },
    ],
    ['a signature', notification('raw', `sha256-${'1'.repeat(64)}.sig`, `sha256:${'1'.repeat(64)}`)],
    ['an image that no service has', notification('unknown', 'v1', `sha256:${'1'.repeat(64)}`)],
  ])('that is %s starts nothing and is acknowledged', async (_, value) => {
    const before = (await world.store.list('rollout')).length;
    expect((await world.post('imagePush', 'gcr', rawPush('gcr', value, 'm5'))).status).toBe(204);
    expect(await world.store.list('rollout')).toHaveLength(before);
  });
});

describe('a message that makes no sense', () => {
  test.each([
    ['imagePush', 'gcr', 'not JSON', /expected JSON/],
    ['imagePush', 'gcr', { act: 'INSERT' }, /action/],
    ['imagePush', 'gcr', { action: 'INSERT', tag: 'UPPER CASE', digest: 'x' }, /UPPER CASE/],
    [
      'command',
      'rollout-commands',
      { command: 'explode', service: 'raw', actor: 'me' },
      /expected one of promote, pause/,
    ],
    [
      'command',
      'rollout-commands',
      { command: 'promote', service: 'nobody', actor: 'me' },
      /there is no service nobody; the policy has raw/,
    ],
    [
      'sloAlert',
      'slo-alerts',
      { version: '1.2', incident: { state: 'open', policy_name: 'cpu' } },
      /"cpu" to have the user label slipway_service/,
    ],
  ] as const)('on %s (%s) is acknowledged, recorded and reported', async (name, topic, value, problem) => {
    const id = `dead-${problem.source.length}-${JSON.stringify(value).length}`;
    expect((await world.post(name, topic, rawPush(topic, value, id))).status).toBe(204);
    const [message] = await deadMessages(problem);
    expect(message).toMatchObject({ topic });
  });

  test('with a body that is no Pub/Sub message is acknowledged and recorded too', async () => {
    expect((await world.post('imagePush', 'gcr', { hello: 1 })).status).toBe(204);
    expect(await deadMessages(/expected a Pub\/Sub message/)).not.toHaveLength(0);
  });
});

describe('a promote', () => {
  test('that is delivered twice opens one gate', async () => {
    await world.push({ service: 'gate', tag: 'v1' });
    await world.until('gate', 'v1');
    await world.push({ service: 'gate', tag: 'v2' });
    const paused = await world.until('gate', 'v2', ({ phase }) => phase === 'Paused');
    const promote = rawPush(
      'rollout-commands',
      { command: 'promote', service: 'gate', actor: 'me' },
      'promote-1',
    );
    await world.post('command', 'rollout-commands', promote);
    await world.post('command', 'rollout-commands', promote);
    const rollout = await world.until('gate', 'v2');
    expect(paused.pause?.gate).toBe('wave 1 step 2');
    expect(rollout.phase).toBe('Healthy');
    expect(rollout.history.filter(({ reason }) => reason === 'RolloutPromoted')).toHaveLength(1);
    expect(rollout.history.filter(({ reason }) => reason === 'CommandRefused')).toHaveLength(0);
  });
});

describe('a malformed policy', () => {
  test('is refused with file, line and column, and the push goes on when it is mended', async () => {
    await world.writePolicy('services:\n  - name: Typo\n');
    await world.push({ service: 'typo', tag: 'v1' });
    await world.eventually(
      () => 'the functions to name the mistake',
      () =>
        world.cloud.functions
          .lastLines()
          .some(line => line.includes('rollouts.yaml:2:11: services[0].name: expected lower-case letters')),
    );
    await world.writePolicy(stringify({ services: SERVICES }));
    expect((await world.until('typo', 'v1')).phase).toBe('Healthy');
  });
});

describe('an alert', () => {
  test('takes the rollout at its gate back, and its end is on record', async () => {
    await world.push({ service: 'burning', tag: 'v1' });
    await world.until('burning', 'v1');
    await world.push({ service: 'burning', tag: 'v2' });
    await world.until('burning', 'v2', ({ phase }) => phase === 'Paused');
    for (const state of ['open', 'closed']) {
      const labels = { [SERVICE_LABEL]: 'burning' };
      const incident = { incident_id: 'one', state, policy_name: 'burn', policy_user_labels: labels };
      await world.post('sloAlert', 'slo-alerts', rawPush('slo-alerts', { version: '1.2', incident }, state));
    }
    const { phase, history } = await world.until('burning', 'v2');
    expect(phase).toBe('Degraded');
    expect(history.map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(['AlertRecorded', 'AlertClosed', 'RollingBack', 'RolledBack']),
    );
  });
});

/** Of everything above. */
describe('what is published', () => {
  const heard = new Map<string, Received>();

  interface Received {
    readonly envelope: Envelope;
    readonly attributes: Readonly<Record<string, string>>;
  }

  async function listen(): Promise<void> {
    const { pubsub } = world.cloud.cores;
    const messages = await pubsub.pull(LISTENER, 1000, 0);
    for (const { message } of messages) {
      const text = Buffer.from(message.data, 'base64').toString('utf8');
      const envelope = envelopeSchema.parse(JSON.parse(text));
      heard.set(envelope.id, { envelope, attributes: message.attributes });
    }
    pubsub.acknowledge(
      LISTENER,
      messages.map(({ ackId }) => ackId),
    );
  }

  async function recorded(): Promise<string[]> {
    const rollouts = await world.store.list('rollout');
    return rollouts.flatMap(({ id, history }) => history.map(({ sequence }) => `${id}-${sequence}`));
  }

  test('is every entry of every history, and every message that was put aside', async () => {
    const dead = await world.store.list('deadMessage');
    const wanted = async () => [...(await recorded()), ...dead.map(({ id, topic }) => `${topic}-${id}`)];
    let missing: string[] = [];
    await world.eventually(
      () => `events that are missing: ${missing.join(', ')}`,
      async () => {
        await listen();
        missing = (await wanted()).filter(id => !heard.has(id));
        return missing.length === 0;
      },
      30,
    );
    expect([...heard.keys()].sort()).toEqual((await wanted()).sort());
  });

  test('has a word of CDEvents for pushes, deployments, rollbacks and incidents', () => {
    const types = [...heard.values()].map(({ envelope }) => envelope.type);
    const shared = new Set(types.filter(type => type.startsWith('dev.cdevents.')));
    expect([...shared].sort()).toEqual([
      'dev.cdevents.artifact.published.0.3.0',
      'dev.cdevents.incident.detected.0.3.0',
      'dev.cdevents.incident.resolved.0.3.0',
      'dev.cdevents.service.deployed.0.3.0',
      'dev.cdevents.service.rolledback.0.3.0',
      'dev.cdevents.service.upgraded.0.3.0',
    ]);
  });

  test('says who is served by what: deployed first, then upgraded', () => {
    const told = [...heard.values()].filter(({ envelope }) =>
      envelope.type.startsWith('dev.cdevents.service.'),
    );
    const ofSingle = told.filter(({ attributes }) => attributes['service'] === 'single');
    const served = ofSingle
      .sort((a, b) => a.envelope.time.localeCompare(b.envelope.time))
      .map(({ envelope }) => [envelope.type.split('.')[3], envelope.data.customData['tag']]);
    expect(served).toEqual([
      ['deployed', 'v1'],
      ['upgraded', 'v2'],
      ['upgraded', 'v3'],
    ]);
  });

  test('carries in its attributes what a filter asks for', () => {
    for (const { envelope, attributes } of heard.values()) {
      const { rollout, service, phase, reason, topic } = envelope.data.customData;
      const told = attributes['topic'] === undefined ? { rollout, service, phase, reason } : { topic };
      expect(attributes).toMatchObject({ type: envelope.type, ...told });
    }
  });

  const checker = findChecker();
  test.skipIf(!checker)(
    'is valid by the published schemas (npm run test:cdevents builds what checks it)',
    async () => {
      const envelopes = [...heard.values()].map(({ envelope }) => envelope);
      expect(await publishedSchemaProblems(checker ?? '', envelopes)).toEqual([]);
    },
  );
});

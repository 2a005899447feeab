import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { cloudEvent } from '../../../functions/google/events.ts';
import {
  incidentEvent,
  messageEvent,
  rolloutEvent,
  serviceEvent,
} from '../../../functions/rollout/cdevents.ts';
import {
  note,
  noteIncident,
  type Reason,
  type Rollout,
  withTarget,
} from '../../../functions/rollout/record.ts';
import { type RolloutEvent, transition } from '../../../functions/rollout/state.ts';
import { parseSubscriptionFilter } from '../../../local/pubsub/filter.ts';
import { findChecker, publishedSchemaProblems } from '../../cdevents/checker.ts';
import { A_JUDGEMENT, EXAMPLE_EVENTS, EXAMPLES, newestEntry } from '../../cdevents/examples.ts';
import { type Envelope, envelopeSchema, shapeProblems } from '../../cdevents/shape.ts';
import {
  aService,
  aWorld,
  DIGEST,
  play,
  START_MS,
  UNTIL_FIRST_PAUSE,
  UNTIL_GATE,
  UNTIL_HEALTHY,
} from '../../worlds.ts';

/** The compiler sees to it that none is missing. */
const REASONS = Object.keys({
  RolloutCreated: true,
  RolloutQueued: true,
  RolloutStarted: true,
  RolloutRejected: true,
  RolloutSuperseded: true,
  RolloutCompleted: true,
  RolloutSettled: true,
  RolloutAborted: true,
  RolloutPaused: true,
  RolloutResumed: true,
  RolloutPromoted: true,
  RolloutUndone: true,
  RolloutRetried: true,
  RolloutStepCompleted: true,
  RollingBack: true,
  RolledBack: true,
  CanaryPauseStep: true,
  CanaryReady: true,
  TrafficWeightUpdated: true,
  TargetPromoted: true,
  TargetRestored: true,
  RestoreFailed: true,
  AnalysisRunSuccessful: true,
  AnalysisRunInconclusive: true,
  AnalysisRunFailed: true,
  AnalysisRunError: true,
  AlertRecorded: true,
  AlertClosed: true,
  MessageLost: true,
  PreflightWaiting: true,
  PreflightPassed: true,
  RegionDrained: true,
  RegionKept: true,
  RegionUndrained: true,
  ServiceFrozen: true,
  ServiceUnfrozen: true,
  CommandRefused: true,
} satisfies Record<Reason, true>) as Reason[];

const HELLO = `pkg:oci/hello@${DIGEST.replace(':', '%3A')}?repository_url=example.dev/acme/hello&tag=v1`;
const HELLO_BEFORE = `pkg:oci/hello@sha256%3A${'0'.repeat(64)}?repository_url=example.dev/acme/hello`;

const underWay = play(aWorld(), UNTIL_FIRST_PAUSE).world.rollout;
const healthy = play(aWorld(), UNTIL_HEALTHY).world.rollout;

/** The envelope of an entry that is appended to the rollout's history, as it goes over the wire. */
function sent(rollout: Rollout, reason: Reason, target?: string): Envelope {
  return envelopeOf(note(rollout, START_MS, reason, `because of ${reason}`, target));
}

function envelopeOf(rollout: Rollout): Envelope {
  return onTheWire(rolloutEvent(rollout, newestEntry(rollout)));
}

function onTheWire(event: Parameters<typeof cloudEvent>[0]): Envelope {
  return envelopeSchema.parse(JSON.parse(JSON.stringify(cloudEvent(event, 'acme'))));
}

function targetsWith(rollout: Rollout, stable: Rollout['targets'][string]['stable']): Rollout['targets'] {
  return Object.fromEntries(Object.entries(rollout.targets).map(([name, one]) => [name, { ...one, stable }]));
}

describe('what the world has a word for', () => {
  const first = { ...healthy, targets: targetsWith(healthy, null) };

  test.each<[string, Envelope, string]>([
    ['a verified push', sent(underWay, 'RolloutCreated'), 'dev.cdevents.artifact.published.0.3.0'],
    [
      'the first rollout that completes',
      sent(first, 'RolloutCompleted'),
      'dev.cdevents.service.deployed.0.3.0',
    ],
    ['every later one', sent(healthy, 'RolloutCompleted'), 'dev.cdevents.service.upgraded.0.3.0'],
    ['a rollback', sent(healthy, 'RolledBack'), 'dev.cdevents.service.rolledback.0.3.0'],
    [
      'a digest that went out again in place of a bad one',
      sent({ ...healthy, undoes: 'hello-2' }, 'RolloutCompleted'),
      'dev.cdevents.service.rolledback.0.3.0',
    ],
    ['an alert', sent(underWay, 'AlertRecorded'), 'dev.cdevents.incident.detected.0.3.0'],
    ['its end', sent(underWay, 'AlertClosed'), 'dev.cdevents.incident.resolved.0.3.0'],
  ])('%s has its type in CDEvents', (_, envelope, type) => {
    expect(envelope.type).toBe(type);
  });

  test('an upgrade names the service, the project it runs in and the digest under its tag', () => {
    expect(sent(healthy, 'RolloutCompleted').data.subject).toEqual({
      id: 'hello',
      content: { environment: { id: 'projects/acme' }, artifactId: HELLO },
    });
  });

  test('a service in several projects has all of them for its environment', () => {
    const spec = aService({
      targets: [
        {
          name: 'arm',
          gke: {
            cluster: 'projects/shop/locations/us-central1/clusters/main',
            namespace: 'default',
            deployment: 'hello',
            container: 'hello',
          },
        },
        ...aService().targets,
      ],
    });
    const { subject } = sent({ ...healthy, spec }, 'RolloutCompleted').data;
    expect(subject.content['environment']).toEqual({ id: 'projects/acme,projects/shop' });
    const onArm = sent({ ...healthy, spec }, 'CanaryReady', 'arm').data.subject;
    expect(onArm.content['environment']).toEqual({ id: 'projects/shop/locations/us-central1/clusters/main' });
  });

  test('a published artifact is its own subject', () => {
    expect(sent(underWay, 'RolloutCreated').subject).toBe(HELLO);
  });

  test('an image that was refused, or that a person started, was not published by that', () => {
    const rejected = {
      ...underWay,
      verification: { ...verificationOf(underWay), status: 'rejected' as const },
    };
    const started = { ...underWay, startedBy: 'ada' };
    const types = [rejected, started].map(rollout => sent(rollout, 'RolloutCreated').type);
    expect(types).toEqual(Array(2).fill('dev.slipway.rollout.rolloutcreated.0.1.0'));
  });

  test('a rollback names what serves again, and what was taken back beside it', () => {
    const { subject, customData } = sent(healthy, 'RolledBack').data;
    expect(subject.content['artifactId']).toBe(HELLO_BEFORE);
    const before = `sha256:${'0'.repeat(64)}`;
    expect(customData).toMatchObject({ digest: DIGEST, tag: 'v1', restored: { us: before, eu: before } });
  });

  test.each([
    ['nothing served before', null],
    ['the platform does not tell what did', { revision: 'hello-00001', digest: undefined }],
  ])('a rollback names what was taken back when %s', (_, stable) => {
    const rollout = { ...healthy, targets: targetsWith(healthy, stable) };
    const { subject, customData } = sent(rollout, 'RolledBack').data;
    expect(subject.content['artifactId']).toBe(HELLO);
    expect(customData).toMatchObject({ restored: { us: null, eu: null } });
  });

  test('a target that was given up is not restored', () => {
    const given = withTarget(healthy, 'us', { status: 'Failed' });
    const before = `sha256:${'0'.repeat(64)}`;
    expect(sent(given, 'RolledBack').data.customData).toMatchObject({ restored: { us: null, eu: before } });
  });

  test('what went out in place of a bad digest is named itself', () => {
    const { subject } = sent({ ...healthy, undoes: 'hello-2' }, 'RolloutCompleted').data;
    expect(subject.content['artifactId']).toBe(HELLO);
  });

  test('an incident keeps its id from its beginning to its end', () => {
    const opened = noteIncident(underWay, START_MS, 'AlertRecorded', 'it burns', 'incident-7');
    const closed = noteIncident(opened, START_MS + 1000, 'AlertClosed', 'it is over', 'incident-7');
    expect(envelopeOf(opened).data.subject).toEqual({
      id: 'incident-7',
      content: {
        description: 'it burns',
        environment: { id: 'projects/acme' },
        service: { id: 'hello' },
        artifactId: HELLO,
      },
    });
    expect(envelopeOf(closed).subject).toBe('incident-7');
  });

  test('a name with characters of a package URL is written so that it can be read back', () => {
    const rollout = { ...underWay, image: '127.0.0.1:5000/acme/Hello_World', tag: 'v1+build' };
    const id = sent(rollout, 'RolloutCreated').subject;
    const query = new URLSearchParams(id.slice(id.indexOf('?')));
    expect(query.get('repository_url')).toBe('127.0.0.1:5000/acme/Hello_World');
    expect(query.get('tag')).toBe('v1+build');
  });
});

function verificationOf({ verification }: Rollout) {
  if (!verification) throw new Error('the rollout was not verified');
  return verification;
}

describe('everything else', () => {
  test('has a type of its own, with a version', () => {
    const envelope = sent(underWay, 'TrafficWeightUpdated', 'us');
    expect(envelope.type).toBe('dev.slipway.rollout.trafficweightupdated.0.1.0');
    expect(envelope.data.subject).toEqual({
      id: underWay.id,
      content: {
        service: { id: 'hello' },
        environment: { id: 'projects/acme/locations/us-east4' },
        artifactId: HELLO,
      },
    });
  });

  test('tells what the record knows, and the entry itself', () => {
    const { customData, context } = sent(underWay, 'TrafficWeightUpdated', 'us').data;
    expect(customData).toEqual({
      rollout: underWay.id,
      service: 'hello',
      image: 'example.dev/acme/hello',
      digest: DIGEST,
      tag: 'v1',
      phase: 'Progressing',
      sequence: underWay.history.length + 1,
      atMs: START_MS,
      reason: 'TrafficWeightUpdated',
      message: 'because of TrafficWeightUpdated',
      target: 'us',
      next: { wave: 1, step: 2 },
      weights: { us: 5, eu: 0 },
    });
    expect(context).toEqual({
      specversion: '0.5.1',
      id: `${underWay.id}-${underWay.history.length + 1}`,
      source: '//slipway.dev/projects/acme/services/hello',
      type: 'dev.slipway.rollout.trafficweightupdated.0.1.0',
      timestamp: '2026-01-05T09:00:00.000Z',
    });
  });

  test('carries the judgement when it is a verdict, and only then', () => {
    const judged = { ...underWay, judgement: A_JUDGEMENT };
    expect(sent(judged, 'AnalysisRunFailed').data.customData['judgement']).toEqual(A_JUDGEMENT);
    expect(sent(judged, 'CanaryPauseStep').data.customData).not.toHaveProperty('judgement');
  });
});

test('subscriptions can ask for type, service, rollout, phase, reason and target', () => {
  const rollout = note(underWay, START_MS, 'CanaryReady', 'it answers', 'us');
  expect(rolloutEvent(rollout, newestEntry(rollout)).attributes).toEqual({
    service: 'hello',
    rollout: underWay.id,
    phase: 'Progressing',
    reason: 'CanaryReady',
    target: 'us',
  });
});

const GATE = { wave: 0, step: 3 };
const ROLLBACK: readonly RolloutEvent[] = [
  { type: 'looked', position: GATE, judgement: A_JUDGEMENT, callback: undefined },
  { type: 'begun', workflow: 'rollback', execution: 'two' },
  {
    type: 'progressed',
    target: 'us',
    stage: 'restore',
    progress: { status: 'done', message: 'as it was' },
    weight: 0,
  },
  { type: 'restored' },
];

const DEAD = {
  id: '7',
  topic: 'gcr',
  receivedMs: START_MS,
  problem: 'expected JSON: Unexpected end of JSON input',
  text: '{"action":',
};

const EVERYTHING: readonly Envelope[] = [
  ...EXAMPLE_EVENTS.map(onTheWire),
  ...REASONS.flatMap(reason => [sent(underWay, reason), sent(healthy, reason, 'us')]),
  sent({ ...underWay, judgement: A_JUDGEMENT }, 'AnalysisRunFailed'),
  sent({ ...healthy, targets: targetsWith(healthy, null) }, 'RolloutCompleted'),
  envelopeOf(noteIncident(underWay, START_MS, 'AlertRecorded', 'it burns', 'incident-7')),
  onTheWire(incidentEvent('AlertRecorded', aService(), 'incident-8', 'it burns', START_MS)),
  onTheWire(incidentEvent('AlertClosed', aService(), 'incident-8', 'it is over', START_MS)),
  onTheWire(serviceEvent('frozen', 'hello-freeze-1', 'hello', { actor: 'ada' }, START_MS)),
  onTheWire(serviceEvent('unfrozen', 'hello-unfreeze-2', 'hello', { actor: 'ada' }, START_MS)),
  onTheWire(messageEvent('refused', 'gcr-7', DEAD)),
  onTheWire(
    messageEvent('deadlettered', 'dead-letters-7', { ...DEAD, subscription: 'gcr-imagePush', attempts: 20 }),
  ),
];

describe('every event there is', () => {
  test('has what CDEvents and CloudEvents require', () => {
    expect(shapeProblems(EVERYTHING)).toEqual([]);
  });

  const checker = findChecker();
  test.skipIf(!checker)(
    'is valid by the published schemas (npm run test:cdevents builds what checks it)',
    async () => {
      expect(await publishedSchemaProblems(checker ?? '', EVERYTHING)).toEqual([]);
    },
  );

  test.skipIf(!checker)('is checked by schemas that refuse what is wrong', async () => {
    const [upgraded, weight] = [
      sent(healthy, 'RolloutCompleted'),
      sent(underWay, 'TrafficWeightUpdated', 'us'),
    ];
    const wrong = [
      change(upgraded, ({ data }) => ({ ...data, subject: { ...data.subject, content: {} } })),
      change(upgraded, ({ data }) => ({ ...data, customdata: {} })),
      change(upgraded, ({ data }) => ({ ...data, context: { ...data.context, timestamp: 'yesterday' } })),
      change(upgraded, ({ data }) => ({ ...data, subject: aSubject({ artifactId: 'hello:v1' }) })),
      change(weight, ({ data }) => ({ ...data, subject: { content: {} } })),
      { ...weight, data: { ...weight.data, context: { ...weight.data.context, colour: 'red' } } },
    ];
    expect(await publishedSchemaProblems(checker ?? '', wrong)).toHaveLength(wrong.length);
  });

  function aSubject(content: object): object {
    return { id: 'hello', content: { environment: { id: 'projects/acme' }, ...content } };
  }

  function change(envelope: Envelope, to: (envelope: Envelope) => object): object {
    return { ...envelope, data: to(envelope) };
  }
});

describe('docs/events.md', () => {
  const page = readFileSync(new URL('../../../docs/events.md', import.meta.url), 'utf8');

  test('has the type of every event there is', () => {
    const missing = EVERYTHING.map(({ type }) => type).filter(type => !page.includes(`\`${type}\``));
    expect([...new Set(missing)]).toEqual([]);
  });

  test('has examples that are what is sent', () => {
    const blocks = [...page.matchAll(/^```json\n(.*?)^```$/gms)].map(([, text = '']) => JSON.parse(text));
    expect(blocks).toEqual(JSON.parse(JSON.stringify(EXAMPLES)));
  });

  test('has filters that Pub/Sub takes and that let the example through', () => {
    const [upgraded] = EXAMPLE_EVENTS;
    const attributes = { ...upgraded?.attributes, type: upgraded?.type ?? '' };
    const filters = [...page.matchAll(/--message-filter='([^']+)'/g)].map(([, filter = '']) => filter);
    expect(filters).not.toHaveLength(0);
    expect(filters.filter(filter => !parseSubscriptionFilter(filter)(attributes))).toEqual([]);
  });
});

/** What a listener is promised to hear of. */
test.each([
  ['promoted', UNTIL_HEALTHY],
  ['taken back', [...UNTIL_GATE, ...ROLLBACK]],
])('every change of phase, weight and verdict of a rollout that is %s has an event', (_, events) => {
  let world = aWorld();
  const untold: string[] = [];
  for (const event of events) {
    const { rollout } = world;
    world = transition(world, event, START_MS).world;
    const isTold = world.rollout.history.length > rollout.history.length;
    if (!isTold && told(rollout) !== told(world.rollout)) untold.push(JSON.stringify(event));
  }
  expect(untold).toEqual([]);
});

function told({ phase, targets, judgement }: Rollout): string {
  const weights = Object.values(targets).map(({ weight }) => weight);
  return JSON.stringify({ phase, weights, verdict: judgement?.verdict });
}

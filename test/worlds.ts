import type { Verdict } from '../functions/image/verify.ts';
import { admit, type Push } from '../functions/rollout/admission.ts';
import { parsePolicy, type Service } from '../functions/rollout/policy.ts';
import { newServiceState, type Rollout } from '../functions/rollout/record.ts';
import { type RolloutEvent, transition } from '../functions/rollout/state.ts';
import type { Transition, World } from '../functions/rollout/world.ts';

/** A Monday morning. */
export const START_MS = Date.UTC(2026, 0, 5, 9);

export const DIGEST = `sha256:${'a'.repeat(64)}`;

const POLICY = `
services:
  - name: hello
    image: example.dev/acme/hello
    targets:
      - {name: us, cloudRun: {project: acme, region: us-east4, service: hello}}
      - {name: eu, cloudRun: {project: acme, region: europe-west1, service: hello}}
    strategy:
      waves: [[us], [eu]]
      steps: [{setWeight: 5}, {pause: {duration: 1m}}, {setWeight: 50}, {pause: {}}]
      progressDeadline: 5m
      rollbackWindow: 1h
`;

/** The service of most tests: two waves of one target, a timed pause and a gate. */
export function aService(change: Partial<Service> = {}): Service {
  const parsed = parsePolicy(POLICY, 'test.yaml');
  const [service] = parsed.ok ? parsed.policy.services : [];
  if (!service) throw new Error('the policy of the tests does not parse');
  return { ...service, ...change };
}

export function aPush(change: Partial<Push> = {}): Push {
  return { image: 'example.dev/acme/hello', digest: DIGEST, tag: 'v1', publishedMs: START_MS, ...change };
}

export function anAcceptedVerdict(digest = DIGEST): Verdict {
  return {
    status: 'accepted',
    digest,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    platforms: [],
    reasons: [],
  };
}

/** A rollout that was just admitted and has its turn. */
export function aWorld(service = aService()): World {
  const verdict = anAcceptedVerdict();
  const free = newServiceState(service.name);
  const { rollout, service: state } = admit(service, aPush(), verdict, free, undefined, START_MS);
  return { rollout, service: state };
}

/** Plays events one after the other, one second apart. */
export function play(world: World, events: readonly RolloutEvent[], fromMs = START_MS): Transition {
  let state: Transition = { world, actions: [] };
  events.forEach((event, index) => {
    state = transition(state.world, event, fromMs + index * 1000);
  });
  return state;
}

const STABLE = { revision: 'hello-00001', digest: `sha256:${'0'.repeat(64)}` };

export const BEGUN = { type: 'begun', workflow: 'rollout', execution: 'one' } as const satisfies RolloutEvent;

/** Up to the first pause of the first wave: 5 % on `us`. */
export const UNTIL_FIRST_PAUSE: readonly RolloutEvent[] = [
  BEGUN,
  { type: 'armed', target: 'us', stable: STABLE },
  { type: 'armed', target: 'eu', stable: STABLE },
  { type: 'starting', target: 'us', stage: 'deploy' },
  { type: 'progressed', target: 'us', stage: 'deploy', progress: { status: 'done', message: 'made' } },
  { type: 'progressed', target: 'us', stage: 'probe', progress: { status: 'done', message: 'answers' } },
  { type: 'starting', target: 'us', stage: 'weight' },
  {
    type: 'progressed',
    target: 'us',
    stage: 'weight',
    progress: { status: 'done', message: 'confirmed' },
    weight: 5,
  },
  { type: 'stepped', position: { wave: 0, step: 0 } },
];

/** Up to the gate at 50 % of the first wave. */
export const UNTIL_GATE: readonly RolloutEvent[] = [
  ...UNTIL_FIRST_PAUSE,
  { type: 'stepped', position: { wave: 0, step: 1 } },
  {
    type: 'progressed',
    target: 'us',
    stage: 'weight',
    progress: { status: 'done', message: 'confirmed' },
    weight: 50,
  },
  { type: 'stepped', position: { wave: 0, step: 2 } },
  {
    type: 'looked',
    position: { wave: 0, step: 3 },
    judgement: undefined,
    callback: 'http://callback.invalid/1',
  },
];

export const UNTIL_HEALTHY: readonly RolloutEvent[] = [...UNTIL_GATE, { type: 'completed' }];

export function sentences(rollout: Rollout): string[] {
  return rollout.history.map(({ message }) => message);
}

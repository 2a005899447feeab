import { readFileSync } from 'node:fs';
import type { Verdict } from '../../../functions/image/verify.ts';
import { admit } from '../../../functions/rollout/admission.ts';
import type { Counts, Judgement } from '../../../functions/rollout/judge.ts';
import { parsePolicy, type Service } from '../../../functions/rollout/policy.ts';
import {
  newServiceState,
  note,
  type Rollout,
  type ServiceState,
  withTrend,
} from '../../../functions/rollout/record.ts';
import type { RolloutEvent } from '../../../functions/rollout/state.ts';
import type { World } from '../../../functions/rollout/world.ts';
import { DIGEST, play } from '../../worlds.ts';

/** Records as the page has to show them, made by the rules of the rollout itself. */

const RESTORED = { status: 'done', message: 'stable serves everything' } as const;

/** The example policy's service, under another name. */
export function exampleService(name: string): Service {
  const file = new URL('../../../rollouts.yaml', import.meta.url);
  const parsed = parsePolicy(readFileSync(file, 'utf8'), 'rollouts.yaml');
  const [service] = parsed.ok ? parsed.policy.services : [];
  if (!service) throw new Error('rollouts.yaml does not parse');
  return { ...service, name };
}

/** At 25 % on its first wave, in a pause, with a judge who needs more requests. */
export function midRollout(name: string, nowMs: number): World {
  const fromMs = nowMs - 20 * 60_000;
  const { world } = play(admitted(name, 'v1.1.0', acceptedImage(), fromMs), UNTIL_25, fromMs);
  const spread = spreadOut(world.rollout, fromMs, nowMs - 4 * 60_000);
  const judged = trendOf(fromMs, nowMs).reduce(withTrend, spread);
  const untilMs = nowMs + 6 * 60_000;
  const pause = { gate: 'wave 1 step 4', openedMs: nowMs - 4 * 60_000, untilMs, promotedBy: undefined };
  const judgement = judgementAt(nowMs - 3000, 1);
  return { ...world, rollout: { ...judged, pause, judgement, updatedMs: nowMs } };
}

/** Taken back by the judge, its digest in quarantine. */
export function rolledBack(name: string, nowMs: number): World {
  const before = midRollout(name, nowMs);
  const bad = { good: 402, bad: 98 };
  const message = 'canary success rate 80.40% of 500 requests, stable 99.82% of 9504: below 98.80%';
  const { missing: _, ...seen } = judgementAt(nowMs, 1);
  const judgement: Judgement = { ...seen, verdict: 'Failed', because: 'worse', message, canary: bad };
  const { position } = before.rollout;
  const look: RolloutEvent = { type: 'looked', position, judgement, callback: undefined };
  const events: RolloutEvent[] = [
    look,
    { type: 'begun', workflow: 'rollback', execution: 'two' },
    ...['us', 'arm'].flatMap((target): RolloutEvent[] => [
      { type: 'starting', target, stage: 'restore' },
      { type: 'progressed', target, stage: 'restore', progress: RESTORED, weight: 0 },
    ]),
    { type: 'restored' },
  ];
  return play(before, events, nowMs).world;
}

/** Refused at the door. */
export function rejected(name: string, nowMs: number): World {
  return admitted(name, 'v1.3.0', refusedImage(), nowMs);
}

/** Everything that others can write holds `text`. */
export function hostile(name: string, text: string, nowMs: number): World {
  const { rollout, service } = midRollout(name, nowMs);
  const said = note(
    note(rollout, nowMs, 'CommandRefused', text),
    nowMs,
    'AlertRecorded',
    text.repeat(40),
    'us',
  );
  const targets = Object.fromEntries(
    Object.entries(said.targets).map(([target, state]) => [target, { ...state, message: text }]),
  );
  const evil: Rollout = {
    ...said,
    tag: text.slice(0, 120),
    message: text.repeat(150).slice(0, 10_000),
    startedBy: text,
    heldBy: text.slice(0, 200),
    targets,
    verification: { ...refusedImage(), platforms: [evilPlatform(text)] },
    cause: { kind: 'Judge', message: text, atMs: nowMs },
  };
  return {
    rollout: evil,
    service: { ...service, frozen: { by: text.slice(0, 100), reason: text, sinceMs: nowMs } },
  };
}

/** What served before the others, and still does where they were taken back. */
export function servesBefore(name: string, nowMs: number): { readonly rollout: Rollout } {
  const { rollout } = midRollout(name, nowMs - 3 * 24 * 3_600_000);
  const message = `${name} v1.0.0 serves everything`;
  const over = { phase: 'Healthy', message, pause: undefined } as const;
  return { rollout: { ...rollout, ...over, id: `${name}-before`, tag: 'v1.0.0' } };
}

function evilPlatform(text: string): Verdict['platforms'][number] {
  const executables = [{ file: `/${text}`, layer: DIGEST, is: text.slice(0, 60) }];
  const sizeBytes = 1;
  return {
    platform: 'linux/amd64',
    digest: DIGEST,
    sizeBytes,
    configDigest: DIGEST,
    entrypoint: [text],
    executables,
  };
}

function admitted(name: string, tag: string, verdict: Verdict, nowMs: number): World {
  const service = exampleService(name);
  const push = { image: service.image, digest: DIGEST, tag, publishedMs: nowMs };
  const free: ServiceState = { ...newServiceState(name), healthy: `${name}-before` };
  const { rollout, service: state } = admit(service, push, verdict, free, undefined, nowMs);
  return { rollout, service: state };
}

const FIRST_WAVE = ['us', 'arm'];

function shifted(weight: number): RolloutEvent[] {
  return FIRST_WAVE.map(target => ({
    type: 'progressed',
    target,
    stage: 'weight',
    progress: { status: 'done', message: `the canary gets ${weight} % of the traffic` },
    weight,
    architecture: target === 'arm' ? 'arm64' : 'amd64',
  }));
}

const UNTIL_25: readonly RolloutEvent[] = [
  {
    type: 'begun',
    workflow: 'rollout',
    execution: 'projects/acme/locations/us-central1/workflows/rollout/executions/one',
  },
  ...['us', 'eu', 'asia', 'arm'].map(
    (target): RolloutEvent => ({
      type: 'armed',
      target,
      stable: { revision: 'hello-9c74e9dd9e-1', digest: `sha256:${'0'.repeat(64)}` },
      architecture: target === 'arm' ? 'arm64' : 'amd64',
    }),
  ),
  ...FIRST_WAVE.flatMap((target): RolloutEvent[] => [
    { type: 'starting', target, stage: 'deploy' },
    { type: 'progressed', target, stage: 'deploy', progress: { status: 'done', message: 'ready' } },
    {
      type: 'progressed',
      target,
      stage: 'probe',
      progress: { status: 'done', message: '/health answered 200' },
    },
    { type: 'starting', target, stage: 'weight' },
  ]),
  ...shifted(5),
  { type: 'stepped', position: { wave: 0, step: 0 } },
  { type: 'stepped', position: { wave: 0, step: 1 } },
  ...shifted(25),
  { type: 'stepped', position: { wave: 0, step: 2 } },
];

/** The events played one second apart, over the whole time. */
function spreadOut(rollout: Rollout, fromMs: number, toMs: number): Rollout {
  const lastMs = rollout.history.at(-1)?.atMs ?? fromMs;
  const stretch = (atMs: number) =>
    Math.round(fromMs + ((atMs - fromMs) / (lastMs - fromMs)) * (toMs - fromMs));
  return { ...rollout, history: rollout.history.map(entry => ({ ...entry, atMs: stretch(entry.atMs) })) };
}

function trendOf(fromMs: number, toMs: number): Judgement[] {
  const beginMs = fromMs + 3 * 60_000;
  const count = 40;
  return Array.from({ length: count }, (_, index) =>
    judgementAt(beginMs + ((toMs - beginMs) * (index + 1)) / count, (index + 1) / count),
  );
}

/** @param part 0 to 1: how much of the requests has been seen */
function judgementAt(atMs: number, part: number): Judgement {
  const wobble = 1 + 0.5 * Math.sin(part * 23);
  const canary = countsOf(Math.round(423 * part), 0.0071 * wobble);
  const stable = countsOf(Math.round(9504 * part), 0.0019);
  const message =
    'canary success rate 99.29% of 423 requests, stable 99.81% of 9504: 208 more canary requests are needed, 4m0s at the present rate, to tell it from 98.81%';
  return {
    verdict: 'Inconclusive',
    message,
    atMs,
    canary,
    stable,
    limit: 0.0119,
    missing: { requests: Math.round(423 - 215 * part), seconds: Math.round(480 - 240 * part) },
    scopes: [
      { scope: 'target us', verdict: 'Inconclusive', message, canary, stable },
      {
        scope: 'target arm',
        verdict: 'Successful',
        message,
        canary: countsOf(203, 0.005),
        stable: countsOf(4800, 0.002),
      },
    ],
  };
}

function countsOf(total: number, errors: number): Counts {
  const bad = Math.round(total * errors);
  return { good: total - bad, bad };
}

function acceptedImage(): Verdict {
  const platform = (platform: string, is: string, sizeBytes: number): Verdict['platforms'][number] => ({
    platform,
    digest: `sha256:${'b'.repeat(64)}`,
    sizeBytes,
    configDigest: `sha256:${'c'.repeat(64)}`,
    entrypoint: ['/usr/local/bin/node', '/app/server.ts'],
    revision: '4f9d1c2e77b0a8b6c3d2e1f0a9b8c7d6e5f4a3b2',
    executables: [{ file: '/usr/local/bin/node', layer: `sha256:${'d'.repeat(64)}`, is }],
  });
  return {
    status: 'accepted',
    digest: DIGEST,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    platforms: [
      platform('linux/amd64', 'ELF 64-bit x86-64', 48_210_000),
      platform('linux/arm64', 'ELF 64-bit AArch64', 46_870_000),
    ],
    reasons: [],
    differences: [{ what: 'the user', values: { 'linux/amd64': 'node', 'linux/arm64': 'root' } }],
  };
}

function refusedImage(): Verdict {
  const { platforms } = acceptedImage();
  return {
    ...acceptedImage(),
    status: 'rejected',
    platforms: platforms.slice(0, 1),
    differences: [],
    reasons: [
      {
        code: 'PlatformMissing',
        message: 'linux/arm64 is required and not in the index, which has linux/amd64.',
        fix: 'docker buildx build --platform linux/amd64,linux/arm64 --push …',
      },
      {
        code: 'BinaryMismatch',
        message: '/usr/local/bin/node is ELF 64-bit AArch64, but is listed for linux/amd64.',
        fix: 'Build with FROM --platform=$TARGETPLATFORM, or copy the binary of each platform.',
      },
    ],
  };
}

import { createHash } from 'node:crypto';
import { cloudEvent, type RolloutEventMessage } from '../../functions/google/events.ts';
import { messageEvent, rolloutEvent } from '../../functions/rollout/cdevents.ts';
import type { Judgement } from '../../functions/rollout/judge.ts';
import {
  type HistoryEntry,
  note,
  noteIncident,
  type Rollout,
  withTarget,
} from '../../functions/rollout/record.ts';
import { aWorld, play, START_MS, UNTIL_FIRST_PAUSE } from '../worlds.ts';

/** The examples of docs/events.md, in its order. */

const BEFORE = { revision: 'hello-1f0c2d3e4b-1', digest: digestOf('hello v1') };
const AT_MS = START_MS + 754_000;

const underWay: Rollout = {
  ...withTargets(play(aWorld(), UNTIL_FIRST_PAUSE).world.rollout, 0),
  digest: digestOf('hello v2'),
  tag: 'v2',
};

export const A_JUDGEMENT: Judgement = {
  verdict: 'Failed',
  message: 'canary success rate 80.00% of 400 requests, stable 99.90% of 8000: below 98.90%',
  atMs: AT_MS,
  canary: { good: 320, bad: 80 },
  stable: { good: 7992, bad: 8 },
  limit: 0.011,
  because: 'worse',
  scopes: [],
};

function withTargets(rollout: Rollout, weight: number): Rollout {
  const targets = Object.entries(rollout.targets).map(([name, one]) => [
    name,
    { ...one, stable: BEFORE, weight },
  ]);
  return { ...rollout, targets: Object.fromEntries(targets) };
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

export function newestEntry({ history }: Rollout): HistoryEntry {
  const entry = history.at(-1);
  if (!entry) throw new Error('the rollout has no history');
  return entry;
}

function told(rollout: Rollout): RolloutEventMessage {
  return rolloutEvent(rollout, newestEntry(rollout));
}

function inFull(event: RolloutEventMessage): object {
  const attributes = {
    'content-type': 'application/cloudevents+json',
    type: event.type,
    ...event.attributes,
  };
  return { attributes, data: cloudEvent(event, 'acme') };
}

const promoted = { ...withTargets(underWay, 100), phase: 'Healthy' } as const;
const upgraded = note(promoted, AT_MS, 'RolloutCompleted', 'Promotion completed! v2 serves on every target');
const back = { ...underWay, phase: 'Degraded' } as const;
const rolledBack = note(back, AT_MS, 'RolledBack', `Rolled back hello v2: ${A_JUDGEMENT.message}`);
const created = note(
  underWay,
  AT_MS,
  'RolloutCreated',
  `v2 was pushed as ${underWay.digest.slice(0, 19)}, for hello`,
);
const burning = 'SLO alert rollout-guard (incident 0.n4x2) opened: burn rate above 10';
const alerted = noteIncident(underWay, AT_MS, 'AlertRecorded', burning, '0.n4x2');
const shifted = withTarget(underWay, 'us', { weight: 5 });
const weight = note(shifted, AT_MS, 'TrafficWeightUpdated', 'Advance hello.us canary weight 5', 'us');
const judged = note({ ...shifted, judgement: A_JUDGEMENT }, AT_MS, 'AnalysisRunFailed', A_JUDGEMENT.message);
const refused = messageEvent('refused', 'rollout-commands-1180', {
  id: '1180',
  topic: 'rollout-commands',
  receivedMs: AT_MS,
  problem: 'there is no service hullo; the policy has hello',
  text: '{"command":"promote","service":"hullo","actor":"ada"}',
});

export const EXAMPLES: readonly object[] = [
  inFull(told(upgraded)),
  told(created).subject,
  { subject: told(rolledBack).subject, customData: told(rolledBack).customData },
  told(alerted).subject,
  { subject: told(weight).subject, customData: told(weight).customData },
  { judgement: A_JUDGEMENT },
  { subject: refused.subject, customData: refused.customData },
];

/** Those events whole, for the checks of their shape. */
export const EXAMPLE_EVENTS: readonly RolloutEventMessage[] = [
  ...[upgraded, created, rolledBack, alerted, weight, judged].map(told),
  refused,
];

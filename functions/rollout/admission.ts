import { createHash } from 'node:crypto';
import type { Verdict } from '../image/verify.ts';
import type { Service } from './policy.ts';
import { note, type Phase, type Reason, type Rollout, type ServiceState } from './record.ts';
import type { Action } from './state.ts';

/** A pushed tag of an image that a service rolls out. */
export interface Push {
  readonly image: string;
  readonly digest: string;
  readonly tag: string;
  readonly publishedMs: number;
}

/** The key of a rollout is (service, digest, tag); the id is made of it, so that a push that comes twice finds its record. */
export function rolloutId(service: string, { digest, tag }: Pick<Push, 'digest' | 'tag'>): string {
  const key = createHash('sha256').update(`${service}\n${digest}\n${tag}`).digest('hex');
  return `${service}-${key.slice(0, 10)}`;
}

export interface Admission {
  readonly rollout: Rollout;
  readonly service: ServiceState;
  readonly actions: readonly Action[];
  /** The waiting rollout that this one takes the place of. */
  readonly displaced: string | undefined;
  /** The rollout in flight that has to make way. */
  readonly overtaken: string | undefined;
}

/** Decides what becomes of a verified push. The first rule that applies wins, in this order. */
export function admit(
  spec: Service,
  push: Push,
  verdict: Verdict,
  service: ServiceState,
  nowMs: number,
): Admission {
  const record = newRollout(spec, push, verdict, nowMs);
  const seen = { ...service, newestPublishedMs: Math.max(service.newestPublishedMs, push.publishedMs) };
  const closed = (phase: Phase, reason: Reason, message: string): Admission => {
    const rollout = { ...note(record, nowMs, reason, message), phase, message };
    return { rollout, service: seen, actions: [], displaced: undefined, overtaken: undefined };
  };

  if (verdict.status === 'rejected') {
    return closed('Rejected', 'RolloutRejected', verdict.reasons.map(({ message }) => message).join('; '));
  }
  const quarantined = service.quarantine[push.digest];
  if (quarantined) {
    const why = `${shortDigest(push.digest)} is in quarantine since ${quarantined.rollout}: ${quarantined.message.replace(/[.]$/, '')}; a person can lift it with retry`;
    return closed('Rejected', 'RolloutRejected', why);
  }
  if (push.publishedMs < service.newestPublishedMs) {
    return closed('Superseded', 'RolloutSuperseded', 'a newer push was there before this one arrived');
  }
  if (service.active !== undefined) return queue(record, seen, service.active, nowMs);
  return {
    rollout: record,
    service: { ...seen, active: record.id },
    actions: [{ do: 'ensure', rollout: record.id }],
    displaced: undefined,
    overtaken: undefined,
  };
}

/** The newest waits; with `onBusy: supersede` the one in flight makes way. */
function queue(record: Rollout, service: ServiceState, active: string, nowMs: number): Admission {
  const overtakes = record.spec.strategy.onBusy === 'supersede';
  const message = overtakes ? `waits until ${active} is rolled back` : `waits for ${active}`;
  return {
    rollout: { ...note(record, nowMs, 'RolloutQueued', message), message },
    service: { ...service, waiting: record.id },
    actions: [],
    displaced: service.waiting,
    overtaken: overtakes ? active : undefined,
  };
}

function newRollout(spec: Service, push: Push, verdict: Verdict, nowMs: number): Rollout {
  const rollout: Rollout = {
    ...push,
    id: rolloutId(spec.name, push),
    service: spec.name,
    createdMs: nowMs,
    updatedMs: nowMs,
    phase: 'Pending',
    message: 'verified, about to start',
    epoch: 0,
    attempt: 1,
    spec,
    owner: undefined,
    launch: undefined,
    deaths: 0,
    ...freshCourse(spec, nowMs),
    verification: verdict,
    handled: [],
    history: [],
  };
  return note(
    rollout,
    nowMs,
    'RolloutCreated',
    `${push.tag} of ${spec.name} was pushed as ${shortDigest(push.digest)}`,
  );
}

/** What a rollout knows of its way before it has gone any of it. */
export function freshCourse(spec: Service, nowMs: number) {
  const untouched = {
    status: 'Waiting',
    message: '',
    sinceMs: nowMs,
    stable: undefined,
    isTouched: false,
    weight: 0,
    architecture: undefined,
  } as const;
  return {
    position: { wave: 0, step: 0 },
    targets: Object.fromEntries(spec.targets.map(({ name }) => [name, untouched])),
    pause: undefined,
    heldBy: undefined,
    isFull: false,
    servingSinceMs: undefined,
    callback: undefined,
    judgement: undefined,
    cause: undefined,
    windowEndsMs: undefined,
  };
}

export function shortDigest(digest: string): string {
  return digest.slice(0, 'sha256:'.length + 12);
}

import { createHash } from 'node:crypto';
import type { Verdict } from '../image/verify.ts';
import type { Service } from './policy.ts';
import { isFinal, note, type Phase, type Reason, type Rollout, type ServiceState } from './record.ts';
import { shortDigest } from './wording.ts';
import { say, type World } from './world.ts';

/** A pushed tag of an image that a service rolls out. */
export interface Push {
  readonly image: string;
  readonly digest: string;
  readonly tag: string;
  readonly publishedMs: number;
  /** Who asked for it; undefined for a push. */
  readonly startedBy?: string | undefined;
  /** W3C trace context of the message. */
  readonly traceparent?: string | undefined;
}

/** The key of a rollout is (service, digest, tag); the id is made of it, so that a push that comes twice finds its record. */
export function rolloutId(service: string, { digest, tag }: Pick<Push, 'digest' | 'tag'>): string {
  const key = createHash('sha256').update(`${service}\n${digest}\n${tag}`).digest('hex');
  return `${service}-${key.slice(0, 10)}`;
}

export interface Admission {
  readonly rollout: Rollout;
  readonly service: ServiceState;
  /** The one that waited and is superseded by this one. */
  readonly displaced: Rollout | undefined;
}

/** Decides what becomes of a verified push. The first rule that applies wins, in this order. */
export function admit(
  spec: Service,
  push: Push,
  verdict: Verdict,
  service: ServiceState,
  waiting: Rollout | undefined,
  nowMs: number,
): Admission {
  const record = newRollout(spec, push, verdict, nowMs);
  if (verdict.status === 'rejected') {
    return close(record, service, 'Rejected', 'RolloutRejected', reasonsOf(verdict), nowMs);
  }
  const against = service.quarantine[push.digest];
  if (against) {
    return close(
      record,
      service,
      'Rejected',
      'RolloutRejected',
      quarantineMessage(push.digest, against),
      nowMs,
    );
  }
  if (push.publishedMs < service.newestPublishedMs) {
    const message = 'a newer push was there before this one arrived';
    return close(record, service, 'Superseded', 'RolloutSuperseded', message, nowMs);
  }
  return takeTurn(record, { ...service, newestPublishedMs: push.publishedMs }, waiting, nowMs);
}

/**
 * The same tag was put on the same digest again, later: a tag that moved away and came back. What could serve and does
 * not is tried once more; otherwise it is said why nothing starts. Undefined when it is only a message that came twice.
 */
export function admitAgain(
  { rollout, verdict }: { rollout: Rollout; verdict?: Verdict | undefined },
  push: Push,
  spec: Service,
  service: ServiceState,
  waiting: Rollout | undefined,
  nowMs: number,
): Admission | undefined {
  if (push.publishedMs <= rollout.publishedMs) return undefined;
  const again = {
    ...rollout,
    publishedMs: push.publishedMs,
    startedBy: push.startedBy,
    verification: verdict ?? rollout.verification,
  };
  const reason = whyNotAgain(again, service);
  if (reason && push.startedBy !== undefined) {
    const message = `rollout by ${push.startedBy} does not apply: ${reason}`;
    return { rollout: note(rollout, nowMs, 'CommandRefused', message), service, displaced: undefined };
  }
  if (reason) {
    const message = `${came(push)} again and nothing starts: ${reason}`;
    return { rollout: note(again, nowMs, 'RolloutCreated', message), service, displaced: undefined };
  }
  const fresh: Rollout = {
    ...note(again, nowMs, 'RolloutCreated', `${came(push)} again`),
    ...freshCourse(spec, nowMs),
    spec,
    traceparent: push.traceparent,
    phase: 'Pending',
    message: 'pushed again, about to start',
    attempt: rollout.attempt + 1,
    deaths: 0,
  };
  return takeTurn(fresh, { ...service, newestPublishedMs: push.publishedMs }, waiting, nowMs);
}

function whyNotAgain(rollout: Rollout, service: ServiceState): string | undefined {
  const against = service.quarantine[rollout.digest];
  if (against) return quarantineMessage(rollout.digest, against);
  if (rollout.verification?.status === 'rejected') return reasonsOf(rollout.verification);
  if (service.healthy === rollout.id) return 'it serves already';
  if (!isFinal(rollout)) return `it is ${rollout.phase} already`;
  if (rollout.publishedMs < service.newestPublishedMs) return 'a newer push was there before';
  return undefined;
}

function reasonsOf({ reasons }: Verdict): string {
  return reasons.map(({ message }) => message).join('; ');
}

function quarantineMessage(digest: string, against: { rollout: string; message: string }): string {
  const why = against.message.replace(/[.]$/, '');
  return `${shortDigest(digest)} is in quarantine since ${against.rollout}: ${why}; a person can lift it with retry`;
}

function close(
  record: Rollout,
  service: ServiceState,
  phase: Phase,
  reason: Reason,
  message: string,
  nowMs: number,
): Admission {
  return { rollout: { ...say(record, nowMs, reason, message), phase }, service, displaced: undefined };
}

/** A free service is taken; of those that wait for a busy one the newest stays. */
export function takeTurn(
  record: Rollout,
  service: ServiceState,
  waiting: Rollout | undefined,
  nowMs: number,
): Admission {
  const displaced = waiting && {
    ...say(waiting, nowMs, 'RolloutSuperseded', `${record.tag} is newer and takes its place`),
    phase: 'Superseded' as const,
  };
  if (service.active === undefined) {
    return { rollout: record, service: { ...service, active: record.id, waiting: undefined }, displaced };
  }
  return {
    rollout: say(record, nowMs, 'RolloutQueued', `waits for ${service.active}`),
    service: { ...service, waiting: record.id },
    displaced,
  };
}

/** With `onBusy: supersede`: the rollout in flight that has to make way for this one. */
export function overtaken({ rollout, service }: World): string | undefined {
  const overtakes = rollout.spec.strategy.onBusy === 'supersede' && service.waiting === rollout.id;
  return overtakes ? service.active : undefined;
}

function newRollout(spec: Service, push: Push, verdict: Verdict, nowMs: number): Rollout {
  const rollout: Rollout = {
    ...push,
    startedBy: push.startedBy,
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
    history: [],
  };
  const message = `${came(push)} as ${shortDigest(push.digest)}, for ${spec.name}`;
  return note(rollout, nowMs, 'RolloutCreated', message);
}

function came({ tag, startedBy }: Push): string {
  return startedBy === undefined ? `${tag} was pushed` : `${tag} was started by ${startedBy}`;
}

/** What a rollout knows of its way before it has gone any of it. */
export function freshCourse(spec: Service, nowMs: number) {
  const untouched = {
    status: 'Waiting',
    message: '',
    sinceMs: nowMs,
    stable: undefined,
    isTouched: false,
    mayServe: false,
    weight: 0,
    architecture: undefined,
  } as const;
  return {
    attemptMs: nowMs,
    position: { wave: 0, step: 0 },
    targets: Object.fromEntries(spec.targets.map(({ name }) => [name, untouched])),
    pause: undefined,
    heldBy: undefined,
    burnsEverywhere: false,
    isFull: false,
    undoes: undefined,
    servingSinceMs: undefined,
    callback: undefined,
    judgement: undefined,
    evidence: undefined,
    trend: [],
    cause: undefined,
    windowEndsMs: undefined,
  };
}

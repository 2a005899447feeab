import type { RolloutEventMessage } from '../google/events.ts';
import type { DeadMessage } from '../store/store.ts';
import { isFirst } from './plan.ts';
import type { Service, TargetSpec } from './policy.ts';
import { type HistoryEntry, isRollingOut, type Rollout } from './record.ts';

/** Those of CDEvents' vocabulary that a rollout brings about, https://github.com/cdevents/spec/tree/v0.5.1. */
type Shared =
  | 'artifact.published'
  | 'service.deployed'
  | 'service.upgraded'
  | 'service.rolledback'
  | 'incident.detected'
  | 'incident.resolved';

/** Of these events; each has a version of its own in CDEvents. */
const SHARED_VERSION = '0.3.0';

/** Raised when a field of the own events changes its meaning or goes. */
const OWN_VERSION = '0.1.0';

/** What a new entry of the history says to the world. */
export function rolloutEvent(rollout: Rollout, entry: HistoryEntry): RolloutEventMessage {
  const { id, service, phase } = rollout;
  const { reason, target } = entry;
  const shared = inSharedWords(rollout, entry);
  return {
    id: `${id}-${entry.sequence}`,
    type: shared ? sharedType(shared) : ownType('rollout', reason),
    source: `services/${service}`,
    timeMs: entry.atMs,
    subject: shared ? sharedSubject(shared, rollout, entry) : ownSubject(rollout, entry),
    customData: detailsOf(rollout, entry),
    attributes: { service, rollout: id, phase, reason, ...(target ? { target } : {}) },
  };
}

/** A message that never took effect: `refused` makes no sense, `deadlettered` was given up by Pub/Sub. */
export function messageEvent(
  what: 'refused' | 'deadlettered',
  key: string,
  message: DeadMessage,
): RolloutEventMessage {
  const { topic } = message;
  return {
    id: key,
    type: ownType('message', what),
    source: `topics/${topic}`,
    timeMs: message.receivedMs,
    subject: { id: key, content: { topic } },
    customData: message,
    attributes: { topic },
  };
}

/** What befalls a service that has had no rollout yet, so that no history tells of it. */
export function serviceEvent(
  what: 'frozen' | 'unfrozen' | 'commandrefused',
  key: string,
  service: string,
  customData: object,
  nowMs: number,
): RolloutEventMessage {
  return {
    id: key,
    type: ownType('service', what),
    source: `services/${service}`,
    timeMs: nowMs,
    subject: { id: service, content: {} },
    customData: { service, ...customData },
    attributes: { service },
  };
}

/** The same for an alert. */
export function incidentEvent(
  reason: 'AlertRecorded' | 'AlertClosed',
  spec: Service,
  incident: string,
  message: string,
  nowMs: number,
): RolloutEventMessage {
  const service = spec.name;
  const shared = reason === 'AlertRecorded' ? 'incident.detected' : 'incident.resolved';
  return {
    id: `${service}-${reason}-${incident}`,
    type: sharedType(shared),
    source: `services/${service}`,
    timeMs: nowMs,
    subject: incidentSubject(spec, incident, message),
    customData: { service, atMs: nowMs, reason, message, incident },
    attributes: { service, reason },
  };
}

function sharedType(shared: Shared): string {
  return `dev.cdevents.${shared}.${SHARED_VERSION}`;
}

function ownType(subject: 'rollout' | 'service' | 'message', predicate: string): string {
  return `dev.slipway.${subject}.${predicate.toLowerCase()}.${OWN_VERSION}`;
}

function inSharedWords(rollout: Rollout, { reason }: HistoryEntry): Shared | undefined {
  switch (reason) {
    case 'RolloutCreated':
      return wasPushed(rollout) ? 'artifact.published' : undefined;
    case 'RolloutCompleted':
      // What goes out again in place of a bad digest served before.
      if (rollout.undoes !== undefined) return 'service.rolledback';
      return isFirst(rollout.targets) ? 'service.deployed' : 'service.upgraded';
    case 'RolledBack':
      return 'service.rolledback';
    case 'AlertRecorded':
      return 'incident.detected';
    case 'AlertClosed':
      return 'incident.resolved';
    default:
      return undefined;
  }
}

/** By a person's command nothing is published, and a refused image must not look like one to be used. */
function wasPushed({ startedBy, verification }: Rollout): boolean {
  return startedBy === undefined && verification?.status === 'accepted';
}

type Subject = RolloutEventMessage['subject'];

function sharedSubject(shared: Shared, rollout: Rollout, entry: HistoryEntry): Subject {
  const { service, spec } = rollout;
  const environment = { id: environmentOf(spec) };
  switch (shared) {
    case 'artifact.published':
      return { id: artifactId(rollout), content: {} };
    case 'service.deployed':
    case 'service.upgraded':
      return { id: service, content: { environment, artifactId: artifactId(rollout) } };
    case 'service.rolledback':
      return { id: service, content: { environment, artifactId: artifactBack(rollout, entry) } };
    case 'incident.detected':
    case 'incident.resolved':
      return incidentSubject(spec, entry.incident ?? 'unknown', entry.message, artifactId(rollout));
  }
}

function incidentSubject(spec: Service, incident: string, description: string, artifact?: string): Subject {
  const content = { description, environment: { id: environmentOf(spec) }, service: { id: spec.name } };
  return { id: incident, content: { ...content, ...(artifact ? { artifactId: artifact } : {}) } };
}

function ownSubject(rollout: Rollout, { target }: HistoryEntry): Subject {
  const { id, service, spec } = rollout;
  const place = spec.targets.find(({ name }) => name === target);
  const environment = { id: place ? placeOf(place) : environmentOf(spec) };
  return { id, content: { service: { id: service }, environment, artifactId: artifactId(rollout) } };
}

/** The project of the service's targets, `projects/acme`; with several projects all of them, joined by commas. */
function environmentOf({ targets }: Service): string {
  const projects = targets.map(target => placeOf(target).split('/', 2).join('/'));
  return [...new Set(projects)].sort().join(',');
}

function placeOf({ cloudRun, gke }: TargetSpec): string {
  return cloudRun ? `projects/${cloudRun.project}/locations/${cloudRun.region}` : (gke?.cluster ?? '');
}

/** https://github.com/package-url/purl-spec/blob/main/types-doc/oci-definition.md */
function artifactId({ image, digest, tag }: Pick<Rollout, 'image' | 'digest'> & { tag?: string }): string {
  const name = image.slice(image.lastIndexOf('/') + 1);
  const qualifiers = `repository_url=${encoded(image)}${tag === undefined ? '' : `&tag=${encoded(tag)}`}`;
  return `pkg:oci/${encoded(name)}@${encoded(digest)}?${qualifiers}`;
}

function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll('%2F', '/');
}

/**
 * What serves after a rollback: the digest that did before, under a tag that nobody remembers. Of several it is the
 * first target's; when nothing served before there is only the one that was taken back to name.
 */
function artifactBack(rollout: Rollout, { reason }: HistoryEntry): string {
  if (reason !== 'RolledBack') return artifactId(rollout);
  const digest = Object.values(restoredDigests(rollout)).find(one => one !== null);
  return digest === undefined ? artifactId(rollout) : artifactId({ image: rollout.image, digest });
}

/** Per target; null when nothing served, the platform does not tell, or the target was given up. */
function restoredDigests({ targets }: Rollout): Record<string, string | null> {
  return perTarget(targets, ({ stable, status }) => (status === 'Failed' ? null : (stable?.digest ?? null)));
}

/** The same fields in every event of a rollout, whatever its type; what belongs to one kind is there for that kind only. */
function detailsOf(rollout: Rollout, entry: HistoryEntry): object {
  const { id, service, image, digest, tag, phase, position, targets, judgement } = rollout;
  return {
    rollout: id,
    service,
    image,
    digest,
    tag,
    phase,
    ...entry,
    ...(isRollingOut(rollout) ? { next: { wave: position.wave + 1, step: position.step + 1 } } : {}),
    weights: perTarget(targets, ({ weight }) => weight),
    ...(entry.reason.startsWith('AnalysisRun') ? { judgement } : {}),
    ...(entry.reason === 'RolledBack' ? { restored: restoredDigests(rollout) } : {}),
  };
}

function perTarget<T>(
  targets: Rollout['targets'],
  of: (target: Rollout['targets'][string]) => T,
): Record<string, T> {
  return Object.fromEntries(Object.entries(targets).map(([name, target]) => [name, of(target)]));
}

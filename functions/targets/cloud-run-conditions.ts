import type { protos } from '@google-cloud/run';

type ICondition = protos.google.cloud.run.v2.ICondition;
type IRevision = protos.google.cloud.run.v2.IRevision;

export interface Health {
  readonly phase: 'ready' | 'pending' | 'failed';
  /** Why it is not ready, in words. */
  readonly message: string;
}

/** Reasons of Cloud Run (CommonReason and RevisionReason) in words for people. */
const WORDS: Readonly<Record<string, string>> = {
  REVISION_FAILED: 'the revision failed',
  PROGRESS_DEADLINE_EXCEEDED: 'it was not ready within the deadline of Cloud Run',
  CONTAINER_MISSING: 'the image was not found',
  CONTAINER_PERMISSION_DENIED: 'Cloud Run is not permitted to read the image',
  CONTAINER_IMAGE_UNAUTHORIZED: 'the image was refused by Binary Authorization',
  CONTAINER_IMAGE_AUTHORIZATION_CHECK_FAILED: 'Binary Authorization could not check the image',
  ENCRYPTION_KEY_PERMISSION_DENIED: 'Cloud Run is not permitted to use the encryption key',
  ENCRYPTION_KEY_CHECK_FAILED: 'the encryption key could not be checked',
  SECRETS_ACCESS_CHECK_FAILED: 'a secret that the revision uses cannot be read',
  INTERNAL: 'Cloud Run had an internal error',
  VPC_NETWORK_NOT_FOUND: 'the VPC network was not found',
  HEALTH_CHECK_CONTAINER_ERROR: 'the container did not pass its health check',
  MIN_INSTANCES_NOT_PROVISIONED: 'its minimum instances are not provisioned',
  MIN_INSTANCES_WARMING: 'its minimum instances are still starting',
  ACTIVE_REVISION_LIMIT_REACHED: 'the limit of active revisions is reached',
  NO_DEPLOYMENT: 'it has no deployment',
};

/** Failures that Cloud Run itself tries to mend: they count as failed only when somebody's deadline says so. */
const TRANSIENT: ReadonlySet<string> = new Set([
  'WAITING_FOR_OPERATION',
  'IMMEDIATE_RETRY',
  'POSTPONED_RETRY',
  'MIN_INSTANCES_NOT_PROVISIONED',
  'MIN_INSTANCES_WARMING',
]);

/** Conditions of a revision that only tell whether somebody uses it. */
const UNRELATED: ReadonlySet<string> = new Set(['Active', 'Retry', 'MinInstancesProvisioned']);

export function healthOf(revision: IRevision): Health {
  const conditions = revision.conditions ?? [];
  const ready = conditions.find(({ type }) => type === 'Ready');
  if (ready?.state === 'CONDITION_SUCCEEDED') return { phase: 'ready', message: 'ready' };
  const failed = [ready, ...conditions.filter(({ type }) => !UNRELATED.has(type ?? ''))].filter(
    condition => condition?.state === 'CONDITION_FAILED',
  );
  const telling = failed.find(condition => condition && reasonOf(condition)) ?? failed[0];
  if (!telling) return { phase: 'pending', message: ready?.message || 'Cloud Run is starting it' };
  return {
    phase: TRANSIENT.has(reasonOf(telling) ?? '') ? 'pending' : 'failed',
    message: inWords(telling),
  };
}

/** A condition as a sentence: what its reason means, then what Cloud Run said. */
export function inWords(condition: ICondition): string {
  const reason = reasonOf(condition);
  const words = reason ? (WORDS[reason] ?? reason) : undefined;
  return [words, condition.message].filter(Boolean).join(': ') || 'Cloud Run gives no reason';
}

export function isSucceeded(conditions: readonly ICondition[] | null | undefined, type: string): boolean {
  return conditions?.find(condition => condition.type === type)?.state === 'CONDITION_SUCCEEDED';
}

function reasonOf({ reason, revisionReason }: ICondition): string | undefined {
  const known = [revisionReason, reason].map(String);
  return known.find(name => /^[A-Z_]+$/.test(name) && !/UNDEFINED|^UNKNOWN$/.test(name));
}

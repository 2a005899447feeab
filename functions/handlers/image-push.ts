import type { CloudEvent } from '@google-cloud/functions-framework';
import { z } from 'zod';
import type { Dependencies } from '../dependencies.ts';
import { SlipwayError } from '../errors.ts';
import { parseReference } from '../image/reference.ts';
import { type ReasonCode, type Verdict, verifyImage } from '../image/verify.ts';
import { announce, ensureExecution, makeWay } from '../orchestrator.ts';
import { admit, admitAgain, type Push, rolloutId } from '../rollout/admission.ts';
import { remember, signed } from '../rollout/commands.ts';
import { type Service, tagMatches } from '../rollout/policy.ts';
import { newServiceState, type Rollout } from '../rollout/record.ts';
import { currentTraceparent, inSpan } from '../telemetry/scope.ts';
import { parseJson, putAside, readMessage } from './message.ts';

/** https://cloud.google.com/artifact-registry/docs/configure-notifications: three keys, none of them always there. */
const notificationSchema = z.object({
  action: z.string(),
  digest: z.string().optional(),
  tag: z.string().optional(),
});

/** Topic `gcr`: a pushed image becomes a rollout of every service that it matches. */
export async function imagePush(deps: Dependencies, event: CloudEvent<unknown>): Promise<void> {
  const message = readMessage(event, deps.nowMs());
  if (!message)
    return putAside(deps, 'gcr', event, JSON.stringify(event.data ?? null), 'expected a Pub/Sub message');
  const parsed = parseJson(message.text, notificationSchema);
  if (!parsed.ok) return putAside(deps, 'gcr', event, message.text, parsed.problem);
  const push = readPush(parsed.value, message.publishedMs);
  if (push.kind === 'ignored') {
    deps.log('INFO', `ignored: ${push.why}`, { messageId: message.id });
    return;
  }
  if (push.kind === 'malformed') return putAside(deps, 'gcr', event, message.text, push.why);
  const { services } = await deps.policy();
  const matching = services.filter(
    service => service.image === push.value.image && tagMatches(service.tags, push.value.tag),
  );
  const { image, digest, tag } = push.value;
  if (matching.length === 0) deps.log('INFO', `no service rolls out ${image}:${tag}`, { image, digest, tag });
  for (const service of matching) await roll(deps, service, push.value);
}

type ReadPush =
  | { kind: 'push'; value: Push }
  | { kind: 'ignored'; why: string }
  | { kind: 'malformed'; why: string };

/** cosign signatures and attestations, and the referrers fallback, are tags too. */
const ARTEFACT_TAG = /^sha256-[0-9a-f]{64}(\.(sig|att|sbom))?$/;

function readPush(notification: z.output<typeof notificationSchema>, publishedMs: number): ReadPush {
  const { action, digest, tag } = notification;
  if (action !== 'INSERT') return { kind: 'ignored', why: `action ${action}` };
  if (!tag)
    return {
      kind: 'ignored',
      why: 'a digest without a tag: part of an image, or not meant to be rolled out',
    };
  if (!digest) return { kind: 'ignored', why: `tag ${tag} without a digest` };
  try {
    const tagged = parseReference(tag);
    const pinned = parseReference(digest);
    if (!tagged.tag || !pinned.digest)
      return {
        kind: 'malformed',
        why: `expected HOST/IMAGE:TAG and HOST/IMAGE@DIGEST, found ${tag} and ${digest}`,
      };
    if (ARTEFACT_TAG.test(tagged.tag))
      return { kind: 'ignored', why: `${tagged.tag} is a signature or attestation` };
    const image = `${pinned.host}/${pinned.repository}`;
    return { kind: 'push', value: { image, digest: pinned.digest, tag: tagged.tag, publishedMs } };
  } catch (error) {
    return { kind: 'malformed', why: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Makes the record if it is not there, and always sees to its execution: so a push that comes twice, or again after a
 * crash in between, ends the same.
 */
export async function roll(deps: Dependencies, spec: Service, push: Push, commandId?: string): Promise<void> {
  const id = rolloutId(spec.name, push);
  const store = await deps.store();
  const known = await store.read('rollout', id);
  const verdict = needsVerdict(known, push) ? await verify(deps, spec, push) : undefined;
  const traced = { ...push, traceparent: currentTraceparent() };
  const isNews = await admitOnce(deps, spec, traced, verdict, commandId);
  if (!isNews) {
    const said = `${push.tag} came again and changes nothing: it is ${known?.phase ?? 'known'}`;
    deps.log('INFO', said, { rollout: id, service: spec.name });
  }
  await makeWay(deps, await ensureExecution(deps, id));
}

/** What was refused may be mended without another digest: signed, attested, scanned. */
function needsVerdict(known: Rollout | undefined, { publishedMs }: Push): boolean {
  if (!known) return true;
  return known.verification?.status === 'rejected' && publishedMs > known.publishedMs;
}

async function verify(deps: Dependencies, spec: Service, push: Push): Promise<Verdict> {
  const registry = await deps.registry();
  const authorities = await deps.authorities();
  const { image, digest, tag } = push;
  const attributes = {
    'container.image.name': image,
    'container.image.tags': [tag],
    'oci.manifest.digest': digest,
    'slipway.service': spec.name,
  };
  const verdict = await inSpan({ name: 'verify image', attributes }, () =>
    verifyImage(registry, image, digest, spec.verify, authorities),
  );
  const isYoung = deps.nowMs() - push.publishedMs < COMING_MS;
  const awaited = verdict.reasons.filter(({ code }) => MAY_STILL_COME.has(code));
  if (verdict.status === 'accepted' || awaited.length < verdict.reasons.length || !isYoung) return verdict;
  const message = `${push.tag} of ${spec.name} may be signed or attested any moment: ${awaited.map(reason => reason.message).join(' ')}`;
  throw new SlipwayError(message, { code: 'Unavailable', operation: 'verify image' });
}

/**
 * Pipelines sign what they have pushed, some with several keys one after the other: until then, and with nothing else
 * wrong, the message is delivered again.
 */
const MAY_STILL_COME: ReadonlySet<ReasonCode> = new Set([
  'SignatureMissing',
  'SignatureInvalid',
  'ProvenanceMissing',
  'ProvenanceMismatch',
  'ProvenanceNotSigned',
  'BuilderNotTrusted',
  'AttestationMissing',
  'AttestationInvalid',
]);
const COMING_MS = 5 * 60_000;

/** @returns whether anything came of it */
async function admitOnce(
  deps: Dependencies,
  spec: Service,
  push: Push,
  verdict: Verdict | undefined,
  commandId: string | undefined,
): Promise<boolean> {
  const store = await deps.store();
  const { before, admission } = await store.transact(async transaction => {
    const known = await transaction.read('rollout', rolloutId(spec.name, push));
    const state = (await transaction.read('service', spec.name)) ?? newServiceState(spec.name);
    if (commandId !== undefined && state.handled.includes(commandId)) {
      return { before: { rollout: known, waiting: undefined }, admission: undefined };
    }
    const service = commandId === undefined ? state : remember(state, commandId);
    const waiting = service.waiting ? await transaction.read('rollout', service.waiting) : undefined;
    const decided = known
      ? admitAgain({ rollout: known, verdict }, push, spec, service, waiting, deps.nowMs())
      : verdict && admit(spec, push, verdict, service, waiting, deps.nowMs());
    const admitted =
      decided && commandId !== undefined
        ? { ...decided, rollout: signed(commandId, known, decided.rollout) }
        : decided;
    if (admitted) {
      transaction.write('rollout', admitted.rollout.id, admitted.rollout);
      transaction.write('service', spec.name, admitted.service);
      if (admitted.displaced) transaction.write('rollout', admitted.displaced.id, admitted.displaced);
    }
    return { before: { rollout: known, waiting }, admission: admitted };
  });
  if (!admission) return false;
  await announce(deps, before.rollout, admission.rollout);
  if (admission.displaced) await announce(deps, before.waiting, admission.displaced);
  return true;
}

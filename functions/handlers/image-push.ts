import type { CloudEvent } from '@google-cloud/functions-framework';
import { z } from 'zod';
import type { Dependencies } from '../dependencies.ts';
import { parseReference } from '../image/reference.ts';
import { verifyImage } from '../image/verify.ts';
import { announce, apply, carryOut } from '../orchestrator.ts';
import { admit, type Push, rolloutId } from '../rollout/admission.ts';
import { type Service, tagMatches } from '../rollout/policy.ts';
import { newServiceState, note } from '../rollout/record.ts';
import { transition } from '../rollout/state.ts';
import { bury, parseJson, readMessage } from './message.ts';

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
    return bury(deps, 'gcr', event, JSON.stringify(event.data ?? null), 'expected a Pub/Sub message');
  const parsed = parseJson(message.text, notificationSchema);
  if (!parsed.ok) return bury(deps, 'gcr', event, message.text, parsed.problem);
  const push = readPush(parsed.value, message.publishedMs);
  if (push.kind === 'ignored') {
    deps.log('INFO', `ignored: ${push.why}`, { messageId: message.id });
    return;
  }
  if (push.kind === 'malformed') return bury(deps, 'gcr', event, message.text, push.why);
  const { services } = await deps.policy();
  const matching = services.filter(
    service => service.image === push.value.image && tagMatches(service.tags, push.value.tag),
  );
  if (matching.length === 0) deps.log('INFO', `no service rolls out ${push.value.image}:${push.value.tag}`);
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
async function roll(deps: Dependencies, service: Service, push: Push): Promise<void> {
  const id = rolloutId(service.name, push);
  const store = await deps.store();
  if (!(await store.read('rollout', id))) await create(deps, service, push);
  await apply(deps, id, world => ({ world, actions: [] }));
}

async function create(deps: Dependencies, spec: Service, push: Push): Promise<void> {
  const verdict = await verifyImage(await deps.registry(), push.image, push.digest, spec.verify);
  const store = await deps.store();
  const admitted = await store.transact(async transaction => {
    const id = rolloutId(spec.name, push);
    if (await transaction.read('rollout', id)) return undefined;
    const service = (await transaction.read('service', spec.name)) ?? newServiceState(spec.name);
    const admission = admit(spec, push, verdict, service, deps.nowMs());
    const displaced = admission.displaced
      ? await transaction.read('rollout', admission.displaced)
      : undefined;
    transaction.write('rollout', id, admission.rollout);
    transaction.write('service', spec.name, admission.service);
    if (displaced) {
      const message = `${push.tag} is newer`;
      const superseded = {
        ...note(displaced, deps.nowMs(), 'RolloutSuperseded', message),
        phase: 'Superseded',
        message,
      } as const;
      transaction.write('rollout', displaced.id, superseded);
    }
    return admission;
  });
  if (!admitted) return;
  await announce(deps, admitted.rollout, admitted.rollout.history);
  for (const action of admitted.actions) await carryOut(deps, action);
  if (admitted.overtaken) await makeWay(deps, admitted.overtaken, push.tag);
}

async function makeWay(deps: Dependencies, id: string, newerTag: string): Promise<void> {
  const cause = { kind: 'Superseded', message: `${newerTag} was pushed and goes first` } as const;
  await apply(deps, id, (world, nowMs) => transition(world, { type: 'troubled', cause }, nowMs));
}

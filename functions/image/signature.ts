import { z } from 'zod';
import { attempt, readBlob, type Source } from './contents.ts';
import { parseDocument } from './documents.ts';
import { isEnvelopeSigned } from './dsse.ts';
import { isSignedByOne, type PublicKey } from './public-keys.ts';
import { type Attachment, type Attachments, SIMPLE_SIGNING_TYPE, type Wanted } from './referrers.ts';
import { isAbout, MAX_EVIDENCE_BYTES, parseEvidence } from './statement.ts';
import { signatureInvalid, signatureMissing } from './supply-chain-reasons.ts';
import type { Reason } from './verdict.ts';

const COSIGN_SIGN = 'https://sigstore.dev/cosign/sign/v1';
const SIGNATURE: Wanted = { tagSuffix: 'sig', predicateTypes: new Set([COSIGN_SIGN]) };
const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';
const MAX_PAYLOAD_BYTES = 64 * 1024;

/** What cosign signs, by Red Hat's "simple signing". Source: sigstore/cosign, specs/SIGNATURE_SPEC.md. */
const payloadSchema = z.looseObject({
  critical: z.looseObject({
    type: z.literal('cosign container image signature'),
    image: z.looseObject({ 'docker-manifest-digest': z.string() }),
  }),
});

/** Why a signature does not count, to be read after "the signature": "is by another key". */
type Flaw = string;
type Judgement = 'holds' | 'no signature' | { readonly flaw: Flaw };

/**
 * Whether one of the keys signed the pushed digest with cosign, version 1, 2 or 3. One signature that holds is enough.
 *
 * Like `cosign verify --key`, it takes the signature for what it says about the digest: under which name the image was
 * signed is not compared, so that a signature may be copied along with it. Transparency logs are not asked.
 */
export async function checkSignature(
  source: Source,
  attachments: Attachments,
  digest: string,
  publicKeys: readonly PublicKey[],
): Promise<readonly Reason[]> {
  const flaws: Flaw[] = [];
  for await (const found of attachments.of(digest, SIGNATURE)) {
    if (!found.ok) {
      flaws.push(asFlaw(found.reason.message));
      continue;
    }
    const judgement = await judge(source, found.value, digest, publicKeys);
    if (judgement === 'holds') return [];
    if (judgement !== 'no signature') flaws.push(judgement.flaw);
  }
  if (flaws.length === 0) return [signatureMissing(source.image, digest)];
  return [signatureInvalid(source.image, digest, flaws)];
}

async function judge(
  source: Source,
  { descriptor, where }: Attachment,
  digest: string,
  publicKeys: readonly PublicKey[],
): Promise<Judgement> {
  const isSimple = descriptor.mediaType === SIMPLE_SIGNING_TYPE;
  const bytes = await readBlob(source, descriptor, where, isSimple ? MAX_PAYLOAD_BYTES : MAX_EVIDENCE_BYTES);
  if (!bytes.ok) return { flaw: asFlaw(bytes.reason.message) };
  if (isSimple) {
    const signature = descriptor.annotations?.[SIGNATURE_ANNOTATION] ?? '';
    return judgePayload(bytes.value, Buffer.from(signature, 'base64'), where, digest, publicKeys);
  }
  return judgeEvidence(source, descriptor.mediaType, bytes.value, where, digest, publicKeys);
}

function judgePayload(
  payload: Buffer,
  signature: Buffer,
  where: string,
  digest: string,
  publicKeys: readonly PublicKey[],
): Judgement {
  const parsed = parseDocument(payloadSchema, payload);
  if (!parsed.ok) return { flaw: `${where} ${parsed.problem}` };
  if (parsed.value.critical.image['docker-manifest-digest'] !== digest) return OTHER_IMAGE;
  return isSignedByOne(publicKeys, payload, signature) ? 'holds' : OTHER_KEY;
}

async function judgeEvidence(
  source: Source,
  mediaType: string,
  bytes: Buffer,
  where: string,
  digest: string,
  publicKeys: readonly PublicKey[],
): Promise<Judgement> {
  const evidence = parseEvidence(mediaType, bytes);
  if (!evidence.ok) return { flaw: `${where} ${evidence.problem}` };
  if (evidence.value.kind === 'messageSignature') {
    return judgeMessage(source, evidence.value.signature, digest, publicKeys);
  }
  if (evidence.value.kind === 'other') return 'no signature';
  const { statement, envelope } = evidence.value;
  if (statement.predicateType !== COSIGN_SIGN || !envelope) return 'no signature';
  if (!isAbout(statement, [digest])) return OTHER_IMAGE;
  return isEnvelopeSigned(envelope, publicKeys) ? 'holds' : OTHER_KEY;
}

/** It is over the bytes of the image's own index or manifest, which were read before but are not kept. */
async function judgeMessage(
  source: Source,
  signature: Buffer,
  digest: string,
  publicKeys: readonly PublicKey[],
): Promise<Judgement> {
  const signed = await attempt(`the image ${digest}`, () => source.registry.manifest(source.image, digest));
  if (!signed.ok) return { flaw: asFlaw(signed.reason.message) };
  return isSignedByOne(publicKeys, signed.value.bytes, signature) ? 'holds' : OTHER_KEY;
}

const OTHER_KEY: Judgement = { flaw: 'one is by another key or was altered' };
const OTHER_IMAGE: Judgement = { flaw: 'one is for another image' };

/** A sentence becomes part of one. */
function asFlaw(sentence: string): Flaw {
  return sentence.replace(/\.$/, '').replace(/^The /, 'the ');
}

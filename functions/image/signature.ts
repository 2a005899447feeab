import { z } from 'zod';
import { attempt, type Outcome, type Source } from './contents.ts';
import { parseDocument } from './documents.ts';
import { isEnvelopeSigned } from './dsse.ts';
import { isSignedByOne, type PublicKey } from './public-keys.ts';
import { type Attachment, type Attachments, once, SIMPLE_SIGNING_TYPE, type Wanted } from './referrers.ts';
import { isAbout, parseEvidence } from './statement.ts';
import { signatureInvalid, signatureMissing } from './supply-chain-reasons.ts';
import type { Reason } from './verdict.ts';

const COSIGN_SIGN = 'https://sigstore.dev/cosign/sign/v1';
export const SIGNATURE: Wanted = { tagSuffix: 'sig', predicateTypes: new Set([COSIGN_SIGN]) };
const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';

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
  const signed = once(() => readSigned(source, digest));
  for await (const found of attachments.of(digest, SIGNATURE)) {
    if (!found.ok) {
      flaws.push(asFlaw(found.reason.message));
      continue;
    }
    const judgement = await judge(found.value, { digest, read: signed }, publicKeys);
    if (judgement === 'holds') return [];
    if (judgement !== 'no signature') flaws.push(judgement.flaw);
  }
  if (flaws.length === 0) return [signatureMissing(source.image, digest)];
  return [signatureInvalid(source.image, digest, flaws)];
}

interface Signed {
  readonly digest: string;
  /** Its bytes. */
  readonly read: () => Promise<Outcome<Buffer>>;
}

async function judge(
  { descriptor, where, read }: Attachment,
  signed: Signed,
  publicKeys: readonly PublicKey[],
): Promise<Judgement> {
  const bytes = await read();
  if (!bytes.ok) return { flaw: asFlaw(bytes.reason.message) };
  if (descriptor.mediaType === SIMPLE_SIGNING_TYPE) {
    const signature = descriptor.annotations?.[SIGNATURE_ANNOTATION] ?? '';
    return judgePayload(bytes.value, Buffer.from(signature, 'base64'), where, signed.digest, publicKeys);
  }
  return judgeEvidence(descriptor.mediaType, bytes.value, where, signed, publicKeys);
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
  mediaType: string,
  bytes: Buffer,
  where: string,
  signed: Signed,
  publicKeys: readonly PublicKey[],
): Promise<Judgement> {
  const evidence = parseEvidence(mediaType, bytes);
  if (!evidence.ok) return { flaw: `${where} ${evidence.problem}` };
  if (evidence.value.kind === 'messageSignature') {
    return judgeMessage(evidence.value.signature, signed, publicKeys);
  }
  if (evidence.value.kind === 'other') return 'no signature';
  const { statement, envelope } = evidence.value;
  if (statement.predicateType !== COSIGN_SIGN || !envelope) return 'no signature';
  if (!isAbout(statement, [signed.digest])) return OTHER_IMAGE;
  return isEnvelopeSigned(envelope, publicKeys) ? 'holds' : OTHER_KEY;
}

async function judgeMessage(
  signature: Buffer,
  signed: Signed,
  publicKeys: readonly PublicKey[],
): Promise<Judgement> {
  const bytes = await signed.read();
  if (!bytes.ok) return { flaw: asFlaw(bytes.reason.message) };
  return isSignedByOne(publicKeys, bytes.value, signature) ? 'holds' : OTHER_KEY;
}

/** The bytes of the image's own index or manifest, which were read before but are not kept. */
function readSigned(source: Source, digest: string): Promise<Outcome<Buffer>> {
  return attempt(
    `the image ${digest}`,
    async () => (await source.registry.manifest(source.image, digest)).bytes,
  );
}

const OTHER_KEY: Judgement = { flaw: 'one is by another key or was altered' };
const OTHER_IMAGE: Judgement = { flaw: 'one is for another image' };

/** A sentence becomes part of one. */
function asFlaw(sentence: string): Flaw {
  return sentence.replace(/\.$/, '').replace(/^The /, 'the ');
}

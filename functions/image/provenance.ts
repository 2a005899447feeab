import { z } from 'zod';
import { no, type Outcome } from './contents.ts';
import { isEnvelopeSigned } from './dsse.ts';
import type { PublicKey } from './public-keys.ts';
import { documentInvalid } from './reasons.ts';
import { type Attachment, type Attachments, SIMPLE_SIGNING_TYPE, type Wanted } from './referrers.ts';
import { type Evidence, isAbout, parseEvidence, subjectsOf } from './statement.ts';
import type { Subject } from './supply-chain.ts';
import {
  builderNotTrusted,
  grouped,
  provenanceMismatch,
  provenanceMissing,
  provenanceNotSigned,
} from './supply-chain-reasons.ts';
import type { Reason, VerifiedPlatform } from './verdict.ts';

export const SLSA: Wanted = {
  tagSuffix: 'att',
  predicateTypes: new Set(['https://slsa.dev/provenance/v0.2', 'https://slsa.dev/provenance/v1']),
};

const builder = z.looseObject({ id: z.string() }).optional();
const slsa02 = z.looseObject({ builder });
const slsa1 = z.looseObject({ runDetails: z.looseObject({ builder }).optional() });

export interface ProvenanceRules {
  /** Exact ids; one that ends in `*` stands for all that begin so. */
  readonly builders: readonly string[];
  /** Empty when the policy asks for no signature. */
  readonly publicKeys: readonly PublicKey[];
}

interface Found {
  readonly outcome: Outcome<Attachment>;
  /** Part of the index, so that whoever signs the index signs it too. */
  readonly isInIndex: boolean;
}

/**
 * Whether SLSA provenance names a trusted builder for every platform. One good attestation is enough.
 *
 * Without `publicKeys` it is only as trustworthy as everybody who may push to the repository: nobody's signature
 * stands behind what BuildKit writes into the index, and signatures of attestations are not looked at. With them the
 * provenance has to be in the index, which the signature of the image covers, or be signed by one of the keys itself.
 */
export async function checkProvenance(
  attachments: Attachments,
  subject: Subject,
  rules: ProvenanceRules,
): Promise<readonly Reason[]> {
  const byPlatform = await Promise.all(
    subject.platforms.map(platform => checkPlatform(attachments, subject, platform, rules)),
  );
  return byPlatform.flat();
}

async function checkPlatform(
  attachments: Attachments,
  subject: Subject,
  platform: VerifiedPlatform,
  rules: ProvenanceRules,
): Promise<readonly Reason[]> {
  const refusals = new Map<string, Reason>();
  let isThere = false;
  for await (const { outcome, isInIndex } of provenanceOf(attachments, subject, platform.digest)) {
    if (outcome.ok && outcome.value.descriptor.mediaType === SIMPLE_SIGNING_TYPE) continue;
    const evidence = outcome.ok ? await readEvidence(outcome.value) : outcome;
    if (!evidence.ok) {
      refusals.set(evidence.reason.message, evidence.reason);
      continue;
    }
    if (!isProvenance(evidence.value)) continue;
    isThere = true;
    const refusal = judge(evidence.value, isInIndex, subject, platform, rules);
    if (refusal === undefined) return [];
    refusals.set(refusal.message, refusal);
  }
  const missing = isThere ? [] : [provenanceMissing(platform.platform, platform.digest)];
  return [...missing, ...grouped(refusals.values())];
}

async function* provenanceOf(
  attachments: Attachments,
  subject: Subject,
  digest: string,
): AsyncGenerator<Found, void> {
  const written = (subject.index?.manifests ?? []).filter(
    ({ annotations }) =>
      annotations?.['vnd.docker.reference.type'] === 'attestation-manifest' &&
      annotations['vnd.docker.reference.digest'] === digest,
  );
  for await (const outcome of attachments.in(written, SLSA)) yield { outcome, isInIndex: true };
  for (const about of new Set([digest, subject.digest])) {
    for await (const outcome of attachments.of(about, SLSA)) yield { outcome, isInIndex: false };
  }
}

async function readEvidence({ descriptor, where, read }: Attachment): Promise<Outcome<Evidence>> {
  const bytes = await read();
  if (!bytes.ok) return bytes;
  const evidence = parseEvidence(descriptor.mediaType, bytes.value);
  return evidence.ok ? evidence : no(documentInvalid(where, evidence.problem));
}

type StatementEvidence = Extract<Evidence, { kind: 'statement' }>;

function isProvenance(evidence: Evidence): evidence is StatementEvidence {
  return evidence.kind === 'statement' && SLSA.predicateTypes.has(evidence.statement.predicateType);
}

function judge(
  { statement, envelope }: StatementEvidence,
  isInIndex: boolean,
  subject: Subject,
  { platform, digest }: VerifiedPlatform,
  { builders, publicKeys }: ProvenanceRules,
): Reason | undefined {
  if (!isAbout(statement, [digest, subject.digest])) {
    return provenanceMismatch(platform, digest, subjectsOf(statement));
  }
  const mustBeSigned = publicKeys.length > 0 && !isInIndex;
  if (mustBeSigned && !(envelope && isEnvelopeSigned(envelope, publicKeys))) {
    return provenanceNotSigned(platform);
  }
  const id = builderOf(statement.predicateType, statement.predicate);
  return builders.some(trusted => isTrusted(trusted, id))
    ? undefined
    : builderNotTrusted(platform, id, builders);
}

/** Empty where none is named; BuildKit names none unless it is told to. */
function builderOf(predicateType: string, predicate: unknown): string {
  if (predicateType.endsWith('/v0.2')) return slsa02.safeParse(predicate).data?.builder?.id ?? '';
  return slsa1.safeParse(predicate).data?.runDetails?.builder?.id ?? '';
}

function isTrusted(trusted: string, id: string): boolean {
  if (id === '') return false;
  return trusted.endsWith('*') ? id.startsWith(trusted.slice(0, -1)) : id === trusted;
}

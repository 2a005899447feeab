import { SlipwayError } from '../errors.ts';
import { checkAttestors } from './attestors.ts';
import type { Authorities } from './authorities.ts';
import type { Source } from './contents.ts';
import type { Index } from './documents.ts';
import { checkProvenance, SLSA } from './provenance.ts';
import { parsePublicKeys } from './public-keys.ts';
import { attachmentsIn } from './referrers.ts';
import { checkSignature, SIGNATURE } from './signature.ts';
import type { Reason, VerifiedPlatform } from './verdict.ts';
import type { VerifyRules } from './verify.ts';
import { checkVulnerabilities } from './vulnerabilities.ts';

/** What was pushed and what of it will run. */
export interface Subject {
  /** Of the index, or of the single manifest that was pushed. */
  readonly digest: string;
  /** Undefined when a single manifest was pushed. */
  readonly index: Index | undefined;
  /** The required platforms that were found. */
  readonly platforms: readonly VerifiedPlatform[];
}

/**
 * Where an image comes from and who vouches for it, as far as the rules ask.
 *
 * @returns every reason against it. Trouble that may pass, such as a scan that is not finished, does not keep from
 * telling what is wrong anyhow: what is in the way of one check is dropped when another has reasons.
 * @throws SlipwayError when something that is required cannot be looked up, and there are no reasons without it: never
 * taken for a pass, or for missing. At once when no retry mends it
 */
export async function checkSupplyChain(
  source: Source,
  subject: Subject,
  rules: VerifyRules,
  authorities: Authorities | undefined,
): Promise<readonly Reason[]> {
  const { provenance, signature, vulnerabilities, binaryAuthorization } = rules;
  const publicKeys = parsePublicKeys(signature?.publicKeys ?? []);
  const attachments = attachmentsIn(source, [
    ...(provenance ? [SLSA] : []),
    ...(signature ? [SIGNATURE] : []),
  ]);
  const found = await Promise.all([
    provenance && orTrouble(checkProvenance(attachments, subject, { ...provenance, publicKeys })),
    signature && orTrouble(checkSignature(source, attachments, subject.digest, publicKeys)),
    vulnerabilities &&
      orTrouble(checkVulnerabilities(asked(authorities), source.image, subject, vulnerabilities.maxSeverity)),
    binaryAuthorization &&
      orTrouble(checkAttestors(asked(authorities), source.image, subject, binaryAuthorization.attestors)),
  ]);
  const reasons = found.flatMap(one => (one === undefined || one instanceof SlipwayError ? [] : one));
  const trouble = found.find(one => one instanceof SlipwayError);
  if (trouble && reasons.length === 0) throw trouble;
  return reasons;
}

/** What was found, or what kept from finding it and may pass. All else is thrown on. */
export async function orTrouble<T>(work: Promise<T>): Promise<T | SlipwayError> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof SlipwayError && error.canRetry) return error;
    throw error;
  }
}

function asked(authorities: Authorities | undefined): Authorities {
  if (authorities) return authorities;
  throw new SlipwayError(
    'verify.vulnerabilities and verify.binaryAuthorization need Google Cloud, which is not asked here.',
    { code: 'InvalidArgument', operation: 'check the supply chain' },
  );
}

import { SlipwayError } from '../errors.ts';
import { checkAttestors } from './attestors.ts';
import type { Authorities } from './authorities.ts';
import type { Source } from './contents.ts';
import type { Index } from './documents.ts';
import { checkProvenance } from './provenance.ts';
import { parsePublicKeys } from './public-keys.ts';
import { attachmentsIn } from './referrers.ts';
import { checkSignature } from './signature.ts';
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
 * @returns every reason against it
 * @throws SlipwayError when something that is required cannot be looked up: never taken for a pass, or for missing
 */
export async function checkSupplyChain(
  source: Source,
  subject: Subject,
  rules: VerifyRules,
  authorities: Authorities | undefined,
): Promise<readonly Reason[]> {
  const { provenance, signature, vulnerabilities, binaryAuthorization } = rules;
  const publicKeys = parsePublicKeys(signature?.publicKeys ?? []);
  const attachments = attachmentsIn(source);
  const found = await Promise.all([
    provenance ? checkProvenance(source, attachments, subject, { ...provenance, publicKeys }) : [],
    signature ? checkSignature(source, attachments, subject.digest, publicKeys) : [],
    vulnerabilities
      ? checkVulnerabilities(asked(authorities), source.image, subject, vulnerabilities.maxSeverity)
      : [],
    binaryAuthorization
      ? checkAttestors(asked(authorities), source.image, subject, binaryAuthorization.attestors)
      : [],
  ]);
  return found.flat();
}

function asked(authorities: Authorities | undefined): Authorities {
  if (authorities) return authorities;
  throw new SlipwayError(
    'verify.vulnerabilities and verify.binaryAuthorization need Google Cloud, which is not asked here.',
    { code: 'InvalidArgument', operation: 'check the supply chain' },
  );
}

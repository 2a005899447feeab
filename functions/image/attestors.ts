import type { Attestation, Authorities } from './authorities.ts';
import { reason } from './reasons.ts';
import type { Subject } from './supply-chain.ts';
import type { Reason } from './verdict.ts';

/**
 * Refuses an image that one of the attestors has not attested: the pushed digest itself, which is what Slipway deploys,
 * or else every required platform of it. Binary Authorization's own enforcement looks at the digest that is deployed.
 *
 * @param attestors `projects/P/attestors/A`
 * @throws SlipwayError when an attestor does not exist or the services cannot be asked
 */
export async function checkAttestors(
  authorities: Authorities,
  image: string,
  subject: Subject,
  attestors: readonly string[],
): Promise<readonly Reason[]> {
  const found = await Promise.all(
    attestors.map(async attestor => {
      const parts = await readAttestations(authorities, attestor, image, subject);
      return judge(attestor, image, subject.digest, parts);
    }),
  );
  return found.flatMap(one => one ?? []);
}

interface Part {
  readonly what: string;
  readonly attestation: Attestation;
}

interface Parts {
  readonly pushed: Part;
  /** Empty for a single manifest, and when the pushed digest is attested anyway. */
  readonly platforms: readonly Part[];
}

async function readAttestations(
  authorities: Authorities,
  attestor: string,
  image: string,
  { digest, index, platforms }: Subject,
): Promise<Parts> {
  const attestation = await authorities.attestation(attestor, image, digest);
  const pushed = { what: `the pushed digest ${digest}`, attestation };
  if (attestation.status === 'verified' || !index) return { pushed, platforms: [] };
  const parts = platforms.map(async one => ({
    what: `${one.platform} (${one.digest})`,
    attestation: await authorities.attestation(attestor, image, one.digest),
  }));
  return { pushed, platforms: await Promise.all(parts) };
}

function judge(attestor: string, image: string, digest: string, parts: Parts): Reason | undefined {
  const { pushed, platforms } = parts;
  if (isVerified(pushed) || (platforms.length > 0 && platforms.every(isVerified))) return undefined;
  const invalid = [pushed, ...platforms].flatMap(({ what, attestation }) =>
    attestation.status === 'invalid' ? [`of ${what}: ${attestation.problem}`] : [],
  );
  if (invalid.length > 0) {
    return reason(
      'AttestationInvalid',
      `${attestor} does not verify the attestation ${invalid.join('; ')}.`,
      `Find out who made it; if the image is good, attest it with a key of the attestor: ${attest(attestor, image, digest)}`,
    );
  }
  const missing = platforms.filter(part => !isVerified(part)).map(({ what }) => what);
  const each = platforms.length > missing.length ? `, nor ${missing.join(', ')}` : '';
  return reason(
    'AttestationMissing',
    `${attestor} has not attested ${pushed.what}${each}.`,
    `Attest the image: ${attest(attestor, image, digest)}`,
  );
}

function isVerified({ attestation }: Part): boolean {
  return attestation.status === 'verified';
}

/** https://cloud.google.com/sdk/gcloud/reference/container/binauthz/attestations/sign-and-create */
function attest(attestor: string, image: string, digest: string): string {
  const [, project = 'PROJECT'] = attestor.split('/');
  return [
    `gcloud container binauthz attestations sign-and-create --project=${project}`,
    `--artifact-url=${image}@${digest} --attestor=${attestor} --validate`,
    '--keyversion=projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY/cryptoKeyVersions/VERSION',
  ].join(' ');
}

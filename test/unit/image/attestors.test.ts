import { expect, test } from 'vitest';
import { SlipwayError } from '../../../functions/errors.ts';
import { checkAttestors } from '../../../functions/image/attestors.ts';
import type { Attestation, Authorities } from '../../../functions/image/authorities.ts';
import type { Subject } from '../../../functions/image/supply-chain.ts';
import type { VerifiedPlatform } from '../../../functions/image/verdict.ts';

const IMAGE = 'us-docker.pkg.dev/acme/apps/hello';
const CI = 'projects/acme/attestors/ci';
const QA = 'projects/acme/attestors/qa';
const INDEX = `sha256:${'0'.repeat(64)}`;
const AMD64 = platform('linux/amd64', 'a');
const ARM64 = platform('linux/arm64', 'b');
const VERIFIED: Attestation = { status: 'verified' };
const FORGED: Attestation = { status: 'invalid', problem: 'no signature is by a public key of the attestor' };

const SUBJECT: Subject = {
  digest: INDEX,
  index: { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] },
  platforms: [AMD64, ARM64],
};

function platform(name: string, digit: string): VerifiedPlatform {
  const digest = `sha256:${digit.repeat(64)}`;
  return { platform: name, digest, sizeBytes: 1, configDigest: digest, entrypoint: ['/app'] };
}

/** Attestations by attestor and digest; all others are missing. */
function attested(known: Readonly<Record<string, Readonly<Record<string, Attestation>>>>): Authorities {
  return {
    scans: async () => [],
    vulnerabilities: async () => [],
    attestation: async (attestor, _, digest) => known[attestor]?.[digest] ?? { status: 'missing' },
  };
}

test('the pushed digest is enough', async () => {
  const authorities = attested({ [CI]: { [INDEX]: VERIFIED } });
  expect(await checkAttestors(authorities, IMAGE, SUBJECT, [CI])).toEqual([]);
});

test('all required platforms are enough', async () => {
  const authorities = attested({ [CI]: { [AMD64.digest]: VERIFIED, [ARM64.digest]: VERIFIED } });
  expect(await checkAttestors(authorities, IMAGE, SUBJECT, [CI])).toEqual([]);
});

test('one platform of two is not, and the reason names the other', async () => {
  const authorities = attested({ [CI]: { [AMD64.digest]: VERIFIED } });
  expect(await checkAttestors(authorities, IMAGE, SUBJECT, [CI])).toEqual([
    {
      code: 'AttestationMissing',
      message: `${CI} has not attested the pushed digest ${INDEX}, nor linux/arm64 (${ARM64.digest}).`,
      fix: `Attest the image: gcloud container binauthz attestations sign-and-create --project=acme --artifact-url=${IMAGE}@${INDEX} --attestor=${CI} --validate --keyversion=projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY/cryptoKeyVersions/VERSION`,
    },
  ]);
});

test('every attestor must have attested, and each that has not is a reason', async () => {
  const authorities = attested({ [CI]: { [INDEX]: VERIFIED } });
  const reasons = await checkAttestors(authorities, IMAGE, SUBJECT, [CI, QA, 'projects/acme/attestors/boss']);
  expect(reasons.map(({ message }) => message.split(' ')[0])).toEqual([QA, 'projects/acme/attestors/boss']);
});

test('an attestation that the attestor does not verify is told apart from none', async () => {
  const [refused] = await checkAttestors(attested({ [CI]: { [INDEX]: FORGED } }), IMAGE, SUBJECT, [CI]);
  expect(refused?.code).toBe('AttestationInvalid');
  expect(refused?.message).toBe(
    `${CI} does not verify the attestation of the pushed digest ${INDEX}: no signature is by a public key of the attestor.`,
  );
});

test('a forged attestation of one platform does not pass beside a good one of the other', async () => {
  const authorities = attested({ [CI]: { [AMD64.digest]: VERIFIED, [ARM64.digest]: FORGED } });
  const [refused] = await checkAttestors(authorities, IMAGE, SUBJECT, [CI]);
  expect(refused?.code).toBe('AttestationInvalid');
  expect(refused?.message).toContain(`of linux/arm64 (${ARM64.digest})`);
});

test('an index of which no platform was found is not attested by nothing', async () => {
  const [refused] = await checkAttestors(attested({}), IMAGE, { ...SUBJECT, platforms: [] }, [CI]);
  expect(refused?.code).toBe('AttestationMissing');
});

test('a single manifest must be attested itself', async () => {
  const single = { digest: AMD64.digest, index: undefined, platforms: [AMD64] };
  const [refused] = await checkAttestors(attested({}), IMAGE, single, [CI]);
  expect(refused?.message).toBe(`${CI} has not attested the pushed digest ${AMD64.digest}.`);
});

test('a service that cannot be asked is an error, not a pass', async () => {
  const away: Authorities = {
    ...attested({}),
    attestation: async () => {
      throw new SlipwayError('no answer', { code: 'Unavailable', operation: 'ask' });
    },
  };
  await expect(checkAttestors(away, IMAGE, SUBJECT, [CI])).rejects.toMatchObject({ canRetry: true });
});

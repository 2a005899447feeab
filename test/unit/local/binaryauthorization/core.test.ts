import { constants, createHash, generateKeyPairSync, sign } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { BinaryAuthorization } from '../../../../local/binaryauthorization/core.ts';
import { VirtualClock } from '../../../../local/clock.ts';
import { ecSigner, payloadOf, pem } from './signer.ts';

const IMAGE = 'us-docker.pkg.dev/acme/apps/hello';
const DIGEST = `sha256:${'a'.repeat(64)}`;
const OTHER_DIGEST = `sha256:${'b'.repeat(64)}`;
const NOTE = 'projects/acme/notes/ci';
const CI = 'projects/acme/attestors/ci';
const signer = ecSigner('ci-key');

let core: BinaryAuthorization;
beforeEach(() => {
  core = new BinaryAuthorization({ clock: new VirtualClock() });
});

function makeAttestor(publicKey: object): void {
  core.createAttestor('projects/acme', 'ci', {
    userOwnedGrafeasNote: { noteReference: NOTE, publicKeys: [publicKey] },
  });
}

function validate(attestation: object, change: object = {}) {
  return core.validate(CI, {
    attestation,
    occurrenceNote: NOTE,
    occurrenceResourceUri: `https://${IMAGE}@${DIGEST}`,
    ...change,
  });
}

test('an attestation by a key of the attestor is verified', () => {
  makeAttestor(signer.publicKey);
  expect(validate(signer.attest(IMAGE, DIGEST))).toEqual({ result: 'VERIFIED' });
});

test('one by another key with the same id is not', () => {
  makeAttestor(signer.publicKey);
  expect(validate(ecSigner('ci-key').attest(IMAGE, DIGEST))).toEqual({
    result: 'ATTESTATION_NOT_VERIFIABLE',
    denialReason: 'no signature is by a public key of the attestor',
  });
});

test('one whose payload was changed after it was signed is not', () => {
  makeAttestor(signer.publicKey);
  const { signatures } = signer.attest(IMAGE, OTHER_DIGEST);
  const forged = { serializedPayload: payloadOf(IMAGE, DIGEST).toString('base64'), signatures };
  expect(validate(forged).result).toBe('ATTESTATION_NOT_VERIFIABLE');
});

test('one of another digest is not, though its signature is good', () => {
  makeAttestor(signer.publicKey);
  expect(validate(signer.attest(IMAGE, OTHER_DIGEST)).denialReason).toBe(
    `the signed payload is about ${OTHER_DIGEST}, not about ${DIGEST}`,
  );
});

test('one that hangs on another note is not', () => {
  makeAttestor(signer.publicKey);
  const elsewhere = { occurrenceNote: 'projects/acme/notes/qa' };
  expect(validate(signer.attest(IMAGE, DIGEST), elsewhere).result).toBe('ATTESTATION_NOT_VERIFIABLE');
});

test('an attestor without keys verifies nothing', () => {
  core.createAttestor('projects/acme', 'ci', { userOwnedGrafeasNote: { noteReference: NOTE } });
  expect(validate(signer.attest(IMAGE, DIGEST)).result).toBe('ATTESTATION_NOT_VERIFIABLE');
});

test.each([
  ['RSA_SIGN_PSS_2048_SHA256', constants.RSA_PKCS1_PSS_PADDING],
  ['RSA_SIGN_PKCS1_2048_SHA256', constants.RSA_PKCS1_PADDING],
])('%s is understood, and a key without an id gets the digest of the key', (signatureAlgorithm, padding) => {
  const { publicKey, privateKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  makeAttestor({ pkixPublicKey: { publicKeyPem: pem(publicKey), signatureAlgorithm } });
  const payload = payloadOf(IMAGE, DIGEST);
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
  const signature = sign('sha256', payload, { key, padding, saltLength }).toString('base64');
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const publicKeyId = `ni:///sha-256;${createHash('sha256').update(der).digest('base64url')}`;
  const serializedPayload = payload.toString('base64');
  expect(validate({ serializedPayload, signatures: [{ publicKeyId, signature }] })).toEqual({
    result: 'VERIFIED',
  });
});

test('a key that is not what its algorithm says is refused when the attestor is made', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const pkixPublicKey = { publicKeyPem: pem(publicKey), signatureAlgorithm: 'ECDSA_P256_SHA256' };
  expect(() => makeAttestor({ pkixPublicKey })).toThrow('the key is not one for ECDSA_P256_SHA256');
});

test('attestors are listed by project, are there once, and can be deleted', () => {
  makeAttestor(signer.publicKey);
  expect(() => makeAttestor(signer.publicKey)).toThrow('already exists');
  expect(core.listAttestors('projects/acme').map(({ name }) => name)).toEqual([CI]);
  expect(core.listAttestors('projects/ac')).toEqual([]);
  core.deleteAttestor(CI);
  expect(() => core.getAttestor(CI)).toThrow('not found');
});

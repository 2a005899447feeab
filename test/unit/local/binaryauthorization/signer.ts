import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** A signer of attestations, and the public key that an attestor knows it by. */
export interface Signer {
  readonly publicKey: { readonly id: string; readonly pkixPublicKey: object };
  /** What Container Analysis stores of one attestation, for `image` at `digest`. */
  attest(image: string, digest: string): { serializedPayload: string; signatures: object[] };
}

export function ecSigner(id: string): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pkixPublicKey = { publicKeyPem: pem(publicKey), signatureAlgorithm: 'ECDSA_P256_SHA256' };
  return {
    publicKey: { id, pkixPublicKey },
    attest(image, digest) {
      const payload = payloadOf(image, digest);
      const signature = sign('sha256', payload, privateKey).toString('base64');
      return {
        serializedPayload: payload.toString('base64'),
        signatures: [{ publicKeyId: id, signature }],
      };
    },
  };
}

export function pem(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

/** https://cloud.google.com/binary-authorization/docs/making-attestations */
export function payloadOf(image: string, digest: string): Buffer {
  return Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': image },
        image: { 'docker-manifest-digest': digest },
        type: 'Google cloud binauthz container signature',
      },
    }),
  );
}

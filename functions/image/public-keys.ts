import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { SlipwayError } from '../errors.ts';

const MIN_RSA_BITS = 2048;

/** Curves with the hash that cosign signs with; it took SHA-256 for all of them once. */
const CURVE_HASHES: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ['sha256'],
  secp384r1: ['sha384', 'sha256'],
  secp521r1: ['sha512', 'sha256'],
};

export interface PublicKey {
  readonly key: KeyObject;
  /** Of `crypto.verify`; null where the key's scheme has its own. */
  readonly hashes: readonly (string | null)[];
}

/**
 * @param pems each one `-----BEGIN PUBLIC KEY-----` block: ECDSA on a NIST curve, RSA (PKCS #1 v1.5, SHA-256) or Ed25519
 *   (plain: with Ed25519ph, which `cosign sign` 3.1 makes, `cosign verify` itself finds no valid signature)
 * @throws SlipwayError `InvalidArgument` for a key that no signature could be checked with
 */
export function parsePublicKeys(pems: readonly string[]): readonly PublicKey[] {
  return pems.map((pem, index) => parsePublicKey(pem, `verify.signature.publicKeys[${index}]`));
}

export function isSignedByOne(keys: readonly PublicKey[], data: Buffer, signature: Buffer): boolean {
  return keys.some(({ key, hashes }) => hashes.some(hash => isSigned(hash, data, key, signature)));
}

function isSigned(hash: string | null, data: Buffer, key: KeyObject, signature: Buffer): boolean {
  try {
    return verify(hash, data, key, signature);
  } catch {
    // OpenSSL throws for some signatures that are malformed.
    return false;
  }
}

function parsePublicKey(pem: string, where: string): PublicKey {
  // createPublicKey would also take private keys and certificates, and the first of several.
  const blocks = pem.match(/-----BEGIN [^-]*-----/g) ?? [];
  if (blocks.length !== 1 || blocks[0] !== '-----BEGIN PUBLIC KEY-----') {
    throw unusable(where, 'expected one PEM block, -----BEGIN PUBLIC KEY-----, as in cosign.pub');
  }
  let key: KeyObject;
  try {
    key = createPublicKey({ key: pem, format: 'pem' });
  } catch {
    throw unusable(where, 'what is in the PEM block is not a public key');
  }
  return { key, hashes: hashesFor(key, where) };
}

function hashesFor(key: KeyObject, where: string): readonly (string | null)[] {
  const { namedCurve = '', modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'ec': {
      const hashes = CURVE_HASHES[namedCurve];
      if (hashes) return hashes;
      throw unusable(
        where,
        `the curve ${namedCurve} is not one that cosign signs with (P-256, P-384, P-521)`,
      );
    }
    case 'rsa':
      if (modulusLength >= MIN_RSA_BITS) return ['sha256'];
      throw unusable(where, `an RSA key of ${modulusLength} bits is too short, ${MIN_RSA_BITS} are needed`);
    case 'ed25519':
      return [null];
    default:
      throw unusable(where, `a key of type ${key.asymmetricKeyType} is not ECDSA, RSA or Ed25519`);
  }
}

function unusable(where: string, why: string): SlipwayError {
  return new SlipwayError(`${where}: ${why}.`, { code: 'InvalidArgument', operation: 'verify image' });
}

import { constants, createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { ApiError } from '../http.ts';

/** `RSA_SIGN_PKCS1_2048_SHA256`, `RSA_PSS_4096_SHA512`, `ECDSA_P256_SHA256`, and the same in Cloud KMS's spelling. */
const ALGORITHM =
  /^(?:(?<pss>RSA_(?:SIGN_)?PSS)|(?<pkcs1>RSA_SIGN_PKCS1)|(?<ecdsa>ECDSA|EC_SIGN))_P?(?<bits>\d+)_SHA(?<hash>\d+)$/;
const CURVES: Readonly<Record<string, string>> = {
  256: 'prime256v1',
  384: 'secp384r1',
  521: 'secp521r1',
};

interface Algorithm {
  readonly scheme: 'pss' | 'pkcs1' | 'ecdsa';
  readonly bits: number;
  readonly hash: string;
}

/** Checks that a key is what its signature algorithm says, as the service does when an attestor is made. */
export function readPublicKey(pem: string, algorithm: string): KeyObject {
  const { scheme, bits } = parseAlgorithm(algorithm);
  const key = parsePem(pem);
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  const isRight =
    scheme === 'ecdsa'
      ? namedCurve === CURVES[bits]
      : key.asymmetricKeyType === 'rsa' && modulusLength === bits;
  if (isRight) return key;
  throw new ApiError('INVALID_ARGUMENT', `publicKeyPem: the key is not one for ${algorithm}`);
}

/** The id of a key that was given none: the digest of its DER encoding, as RFC 6920 writes it. */
export function defaultKeyId(key: KeyObject): string {
  const der = key.export({ type: 'spki', format: 'der' });
  return `ni:///sha-256;${createHash('sha256').update(der).digest('base64url')}`;
}

export function isSigned(key: KeyObject, algorithm: string, payload: Buffer, signature: Buffer): boolean {
  const { scheme, hash } = parseAlgorithm(algorithm);
  if (scheme !== 'pss') return verify(hash, payload, key, signature);
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  return verify(hash, payload, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }, signature);
}

function parseAlgorithm(name: string): Algorithm {
  const { pss, pkcs1, bits, hash } = ALGORITHM.exec(name)?.groups ?? {};
  if (!bits || !hash) throw new ApiError('INVALID_ARGUMENT', `signatureAlgorithm: "${name}" is not known`);
  const scheme = pss ? 'pss' : pkcs1 ? 'pkcs1' : 'ecdsa';
  return { scheme, bits: Number(bits), hash: `sha${hash}` };
}

function parsePem(pem: string): KeyObject {
  try {
    return createPublicKey(pem);
  } catch (error) {
    throw new ApiError('INVALID_ARGUMENT', `publicKeyPem: ${error instanceof Error ? error.message : error}`);
  }
}

import { createHash, type Hash } from 'node:crypto';

/** Algorithms that a digest may name and that can be checked here, with the length of their lower-case hex. */
const HEX_LENGTH: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Whether the text follows the digest grammar of the OCI image specification. */
export function isDigest(text: string): boolean {
  if (!/^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/.test(text)) return false;
  const [algorithm, encoded] = splitDigest(text);
  if (!Object.hasOwn(HEX_LENGTH, algorithm)) return true;
  return encoded.length === HEX_LENGTH[algorithm] && /^[0-9a-f]+$/.test(encoded);
}

/** Whether bytes can be checked against the digest: it is one, of an algorithm that can be computed here. */
export function isCheckable(digest: string): boolean {
  return isDigest(digest) && Object.hasOwn(HEX_LENGTH, splitDigest(digest)[0]);
}

export interface DigestCheck {
  update(chunk: Uint8Array): void;
  /** The digest of what was given to `update`; call once. */
  actual(): string;
}

/** A running check against `digest`; undefined when its algorithm is one that cannot be computed here. */
export function digestCheck(digest: string): DigestCheck | undefined {
  if (!isCheckable(digest)) return undefined;
  const [algorithm] = splitDigest(digest);
  const hash: Hash = createHash(algorithm);
  return {
    update: chunk => {
      hash.update(chunk);
    },
    actual: () => `${algorithm}:${hash.digest('hex')}`,
  };
}

function splitDigest(digest: string): [algorithm: string, encoded: string] {
  const colon = digest.indexOf(':');
  return [digest.slice(0, colon), digest.slice(colon + 1)];
}

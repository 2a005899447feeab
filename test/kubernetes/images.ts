import { registryClient } from '../../functions/image/registry.ts';

export interface Images {
  /** Repository without tag or digest. */
  readonly image: string;
  readonly stableDigest: string;
  readonly canaryDigest: string;
  /** Its container ends as soon as it starts. */
  readonly brokenDigest: string;
}

/** Public, small, for both architectures; the command of the suite's containers tells the versions apart. */
const BUSYBOX = 'registry.k8s.io/e2e-test-images/busybox';
const TAGS = { stable: '1.36.1-1', canary: '1.37.0-1', broken: '1.29-4' };

/**
 * Three digests of one busybox.
 * @param image a mirror of it, with the same tags, for clusters that cannot reach the original
 */
export async function findImages(image = BUSYBOX): Promise<Images> {
  const registry = registryClient({ mirrors: {}, accessToken: async () => undefined });
  const digestOf = async (tag: string) => (await registry.manifest(image, tag)).digest;
  return {
    image,
    stableDigest: await digestOf(TAGS.stable),
    canaryDigest: await digestOf(TAGS.canary),
    brokenDigest: await digestOf(TAGS.broken),
  };
}

/** For nodes that are played and pull nothing. */
export const NO_IMAGES: Images = {
  image: 'example.invalid/hello',
  stableDigest: `sha256:${'a'.repeat(64)}`,
  canaryDigest: `sha256:${'b'.repeat(64)}`,
  brokenDigest: `sha256:${'c'.repeat(64)}`,
};

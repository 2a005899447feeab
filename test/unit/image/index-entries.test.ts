import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../functions/image/digest.ts';
import { indexSchema } from '../../../functions/image/documents.ts';
import { choose, flatten } from '../../../functions/image/index-entries.ts';
import type { Registry } from '../../../functions/image/registry.ts';
import { INDEX_TYPE, MANIFEST_TYPE } from '../../../local/images/parts.ts';

const ARM = { os: 'linux', architecture: 'arm64' };
const ATTESTATION = { 'vnd.docker.reference.type': 'attestation-manifest' };

const unused = () => Promise.reject(new Error('not to be called'));
const nothing: Registry = { manifest: unused, blob: unused, referrers: unused };

function entry(name: string, fields: object = {}) {
  return { mediaType: MANIFEST_TYPE, digest: digestOf(Buffer.from(name)), size: 1, ...fields };
}

async function entriesOf(manifests: readonly object[]) {
  const index = indexSchema.parse({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests });
  return (await flatten({ registry: nothing, image: 'registry.example/hello' }, index)).entries;
}

describe('an annotation that calls an entry an attestation', () => {
  it.each([
    ['without a platform', {}, 0],
    ['for unknown/unknown', { platform: { os: 'unknown', architecture: 'unknown' } }, 0],
    ['for a real platform, which runtimes would run,', { platform: ARM }, 1],
  ])('on an entry %s leaves %j: %i', async (_, fields, left) => {
    expect(await entriesOf([entry('a', { annotations: ATTESTATION, ...fields })])).toHaveLength(left);
  });
});

describe('an entry without a platform', () => {
  const listed = entry('listed', { platform: ARM });
  const silent = entry('silent');
  /** As the config would say it. */
  async function named(manifests: readonly object[]) {
    return (await entriesOf(manifests)).map(one => ({ ...one, platform: one.platform ?? ARM }));
  }

  it('comes after one that is listed for it, of whatever variant, and is no duplicate of it', async () => {
    const old = entry('old', { platform: { os: 'linux', architecture: 'arm', variant: 'v6' } });
    const chosen = choose(await named([silent, listed]), ARM, []);
    expect([chosen.entry?.digest, chosen.reason]).toEqual([listed.digest, undefined]);
    const arm = { os: 'linux', architecture: 'arm' };
    const better = (await named([silent, old])).map(one =>
      one.digest === silent.digest ? { ...one, platform: arm } : one,
    );
    expect(choose(better, arm, []).entry?.digest).toBe(old.digest);
  });

  it('is taken where none is listed', async () => {
    expect(choose(await named([silent]), ARM, []).entry?.digest).toBe(silent.digest);
    expect(choose(await named([silent, entry('other')]), ARM, []).reason?.code).toBe('DuplicatePlatform');
  });

  it('cannot be feigned by a field of that name', async () => {
    const feigned = entry('feigned', { platform: ARM, isSilent: true });
    expect(choose(await named([listed, feigned]), ARM, []).reason?.code).toBe('DuplicatePlatform');
  });
});

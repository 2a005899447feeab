import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tagFor } from '../../../functions/image/referrers.ts';
import { provenanceOf } from '../../../local/images/attestation.ts';
import { descriptor, INDEX_TYPE, part } from '../../../local/images/parts.ts';
import { type Attached, bundledStatement } from '../../../local/images/signature.ts';
import { codes, keyPair, SignedWorld, testImage } from './signed-world.ts';

const image = testImage();
const RULES = { provenance: { builders: ['https://ci.example'] } };
const { privateKey } = keyPair();

let world: SignedWorld;

beforeEach(async () => {
  world = await SignedWorld.open();
  await world.push(image);
});
afterEach(() => world.close());

function provenanceBy(builderId: string): Attached {
  return bundledStatement(image.index, provenanceOf(image.digest, 'all', { builderId }), privateKey);
}

function listed(...attached: readonly Attached[]): string {
  const manifests = attached.map(({ manifest }) => descriptor(manifest));
  return JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests });
}

describe('the referrers API', () => {
  const good = provenanceBy('https://ci.example');

  it('is read page by page, and links are not followed to other hosts', async () => {
    await world.attach(good);
    world.instead = ({ path, query }) => {
      if (!path.includes('/referrers/')) return undefined;
      const isSecond = query.get('last') === 'a&b';
      return {
        status: 200,
        headers: {
          'content-type': `${INDEX_TYPE}; charset=utf-8`,
          ...(isSecond ? {} : { link: '<https://elsewhere.example/x?n=1&last=a%26b>; rel="next"' }),
        },
        body: listed(...(isSecond ? [good] : [])),
      };
    };
    expect(await world.check(image, RULES)).toEqual([]);
  });

  it('is not read without end', async () => {
    let pages = 0;
    world.instead = ({ path }) => {
      if (!path.endsWith(`/referrers/${image.digest}`)) return undefined;
      pages++;
      return {
        status: 200,
        headers: { 'content-type': INDEX_TYPE, link: `<?last=${pages}>; rel=next` },
        body: listed(),
      };
    };
    const reasons = await world.check(image, RULES);

    expect(codes(reasons)).toContain('TooManyAttachments');
    expect(pages).toBe(16);
  });

  it('is an error where it makes no sense', async () => {
    world.instead = ({ path }) =>
      path.includes('/referrers/')
        ? { status: 200, headers: { 'content-type': INDEX_TYPE }, body: '{"manifests": 1}' }
        : undefined;
    await expect(world.check(image, RULES)).rejects.toMatchObject({ code: 'Internal', canRetry: false });
  });

  it('leaves alone what is something else by its type', async () => {
    world.instead = ({ path }) =>
      path.includes('/referrers/')
        ? {
            status: 200,
            headers: { 'content-type': INDEX_TYPE },
            body: JSON.stringify({
              schemaVersion: 2,
              manifests: [
                { ...descriptor(good.manifest), artifactType: 'application/spdx+json' },
                { ...descriptor(good.manifest), mediaType: 'application/vnd.oci.artifact.manifest.v1+json' },
                {
                  ...descriptor(good.manifest),
                  annotations: { 'dev.sigstore.bundle.predicateType': 'https://spdx.dev/Document' },
                },
              ],
            }),
          }
        : undefined;

    expect(codes(await world.check(image, RULES))).toEqual(['ProvenanceMissing', 'ProvenanceMissing']);
    expect(world.requests.filter(path => path.includes(good.reference))).toEqual([]);
  });

  it('may list what is not there, which is told', async () => {
    world.instead = ({ path }) =>
      path.endsWith(`/referrers/${image.digest}`)
        ? { status: 200, headers: { 'content-type': INDEX_TYPE }, body: listed(good) }
        : undefined;
    expect(codes(await world.check(image, RULES))).toContain('ContentMissing');
  });
});

describe('a registry without the referrers API', () => {
  const fallback = image.digest.replace(':', '-');

  it.each([
    { status: 404 },
    { status: 400 },
    { status: 405 },
    { status: 501 },
    { status: 200, headers: { 'content-type': 'text/html' }, body: '<h1>Welcome</h1>' },
  ])('is asked for the tag instead: %o', async answer => {
    const good = provenanceBy('https://ci.example');
    await world.attach(good);
    const list = part(INDEX_TYPE, JSON.parse(listed(good)));
    world.instead = ({ path }) => {
      if (path.includes('/referrers/')) return answer;
      if (!path.endsWith(`/manifests/${fallback}`)) return undefined;
      return { status: 200, headers: { 'content-type': INDEX_TYPE }, body: list.bytes };
    };
    expect(await world.check(image, RULES)).toEqual([]);
  });

  it('has no attachments where the tag is not there, or is something else', async () => {
    const other = provenanceBy('https://ci.example');
    world.instead = ({ path }) => (path.includes('/referrers/') ? { status: 404 } : undefined);
    expect(codes(await world.check(image, RULES))).toEqual(['ProvenanceMissing', 'ProvenanceMissing']);

    await world.attach({ manifest: other.manifest, reference: fallback });
    expect(codes(await world.check(image, RULES))).toEqual(['ProvenanceMissing', 'ProvenanceMissing']);
  });
});

it('finds the tag of a digest as the distribution specification writes it', () => {
  const hex = '0123456789abcdef'.repeat(8);
  expect(tagFor(`sha256:${hex.slice(0, 64)}`)).toBe(`sha256-${hex.slice(0, 64)}`);
  expect(tagFor(`sha512:${hex}`)).toBe(`sha512-${hex.slice(0, 64)}`);
  expect(tagFor('a+b:x=y')).toBe('a-b-x-y');
});

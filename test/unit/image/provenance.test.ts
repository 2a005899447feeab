import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SlipwayError } from '../../../functions/errors.ts';
import { provenanceOf } from '../../../local/images/attestation.ts';
import { type BuiltManifest, part } from '../../../local/images/parts.ts';
import { bundledStatement, referrer, taggedStatement } from '../../../local/images/signature.ts';
import { codes, keyPair, SignedWorld, testImage } from './signed-world.ts';

const BUILDER = 'https://ci.example/runs/7';
const STATEMENT_TYPE = 'application/vnd.in-toto+json';
const TRUSTED = { provenance: { builders: [BUILDER] } };

let world: SignedWorld;

beforeEach(async () => {
  world = await SignedWorld.open();
});
afterEach(() => world.close());

function fromCi({ digest, platform }: BuiltManifest) {
  return provenanceOf(digest, platform, { builderId: BUILDER });
}

/** One blob is served as other bytes. */
function swapBlob(digest: string, bytes: string): void {
  world.instead = ({ path }) =>
    path.endsWith(`/blobs/${digest}`) ? { status: 200, body: bytes } : undefined;
}

describe('provenance in the index, as BuildKit writes it', () => {
  it.each(['v0.2', 'v1'] as const)('is accepted as SLSA %s from a trusted builder', async version => {
    const image = testImage(({ digest, platform }) =>
      provenanceOf(digest, platform, { version, builderId: BUILDER }),
    );
    await world.push(image);

    expect(await world.check(image, TRUSTED)).toEqual([]);
    // An attestation manifest and its statement for each platform, and nothing else.
    expect(world.requests.map(path => path.split('/')[0])).toEqual([
      'manifests',
      'manifests',
      'blobs',
      'blobs',
    ]);
  });

  it.each([
    ['https://ci.example/*', []],
    ['*', []],
    ['https://ci.example/', ['BuilderNotTrusted', 'BuilderNotTrusted']],
    ['https://ci.example/runs/8', ['BuilderNotTrusted', 'BuilderNotTrusted']],
    ['https://ci.example/runs/7/*', ['BuilderNotTrusted', 'BuilderNotTrusted']],
  ])('is held against the list: %s', async (entry, expected) => {
    const image = testImage(fromCi);
    await world.push(image);
    expect(codes(await world.check(image, { provenance: { builders: [entry] } }))).toEqual(expected);
  });

  it('must name a builder, whatever the list says', async () => {
    const image = testImage(({ digest, platform }) => provenanceOf(digest, platform, { builderId: '' }));
    await world.push(image);
    const [reason] = await world.check(image, { provenance: { builders: ['*'] } });

    expect(reason?.code).toBe('BuilderNotTrusted');
    expect(reason?.message).toContain('The provenance of linux/amd64 names no builder');
    expect(reason?.fix).toContain('builder-id=ID');
  });

  it('must be there for every platform', async () => {
    const image = testImage(built => (built.platform === 'linux/amd64' ? fromCi(built) : undefined));
    await world.push(image);
    const reasons = await world.check(image, TRUSTED);

    expect(codes(reasons)).toEqual(['ProvenanceMissing']);
    expect(reasons[0]?.message).toContain(`linux/arm64 (${image.platforms[1]?.digest})`);
    expect(reasons[0]?.fix).toContain('docker buildx build --provenance=mode=max');
  });

  it('must be about the manifest that it is listed for', async () => {
    const other = testImage().platforms[0];
    const image = testImage(({ platform }) =>
      provenanceOf(other?.digest ?? '', platform, { builderId: BUILDER }),
    );
    await world.push(image);
    const reasons = await world.check(image, TRUSTED);

    expect(codes(reasons)).toEqual(['ProvenanceMismatch']);
    expect(reasons[0]?.message).toContain(`attached to linux/arm64 is about ${other?.digest}`);
  });

  it('may stand beside a bill of materials, which is not read', async () => {
    const image = testImage(built => ({ ...fromCi(built), predicateType: 'https://spdx.dev/Document' }));
    await world.push(image);

    expect(codes(await world.check(image, TRUSTED))).toEqual(['ProvenanceMissing', 'ProvenanceMissing']);
    expect(world.requests.filter(path => path.startsWith('blobs/'))).toEqual([]);
  });

  it('counts only with the bytes of its digest', async () => {
    const image = testImage(fromCi);
    await world.push(image);
    const layer = image.manifests[2]?.layers[0];
    swapBlob(layer?.digest ?? '', (layer?.bytes.toString() ?? '').replace('runs/7', 'runs/6'));
    const reasons = await world.check(image, TRUSTED);

    expect(codes(reasons)).toEqual(['ProvenanceMissing', 'ContentInvalid']);
    expect(reasons[1]?.message).toContain(`instead of ${layer?.digest}`);
  });
});

describe('provenance beside the image', () => {
  const { privateKey } = keyPair();
  const image = testImage();

  function aboutIndex(builderId = BUILDER) {
    return provenanceOf(image.digest, 'all', { builderId });
  }

  it('may be about the index, in a sigstore bundle', async () => {
    await world.push(image);
    await world.attach(bundledStatement(image.index, aboutIndex(), privateKey));
    expect(await world.check(image, TRUSTED)).toEqual([]);
  });

  it('may be about each platform', async () => {
    await world.push(image);
    await world.attach(...image.platforms.map(built => bundledStatement(built, fromCi(built), privateKey)));
    expect(await world.check(image, TRUSTED)).toEqual([]);
  });

  it('may be a bare statement', async () => {
    await world.push(image);
    await world.attach(referrer(image.index, STATEMENT_TYPE, part(STATEMENT_TYPE, aboutIndex())));
    expect(await world.check(image, TRUSTED)).toEqual([]);
  });

  it('may be an envelope under the tag of cosign attest', async () => {
    await world.push(image);
    await world.attach(taggedStatement(image.digest, aboutIndex(), privateKey));
    expect(await world.check(image, TRUSTED)).toEqual([]);
  });

  it('is good enough once, whatever else is attached', async () => {
    await world.push(image);
    await world.attach(
      referrer(image.index, STATEMENT_TYPE, part(STATEMENT_TYPE, { not: 'a statement' })),
      bundledStatement(image.index, aboutIndex('https://elsewhere.example'), privateKey),
      bundledStatement(image.index, aboutIndex(), privateKey),
    );
    expect(await world.check(image, TRUSTED)).toEqual([]);
  });

  it('is told with everything that is wrong with it, once', async () => {
    await world.push(image);
    await world.attach(
      referrer(image.index, STATEMENT_TYPE, part(STATEMENT_TYPE, { not: 'a statement' })),
      bundledStatement(image.index, aboutIndex('https://elsewhere.example\u001b[2J'), privateKey),
      taggedStatement(image.digest, aboutIndex('https://elsewhere.example\u001b[2J'), privateKey),
    );
    const reasons = (await world.check(image, TRUSTED)).slice(0, 2);

    expect(codes(reasons).sort()).toEqual(['BuilderNotTrusted', 'DocumentInvalid']);
    expect(reasons.some(({ message }) => message.includes('https://elsewhere.example?[2J built it'))).toBe(
      true,
    );
  });

  it('is not read where it is too large to be a statement', async () => {
    const small = part(STATEMENT_TYPE, aboutIndex());
    const large = { ...small, bytes: Buffer.alloc(8 * 1024 * 1024 + 1) };
    const { manifest, reference } = referrer(image.index, STATEMENT_TYPE, large);
    await world.push(image);
    await world.attach({ manifest: { ...manifest, layers: [small] }, reference });
    const reasons = await world.check(image, TRUSTED);

    expect(codes(reasons)).toContain('ContentInvalid');
    expect(reasons[1]?.message).toContain('8388609 bytes, at most 8388608 are read');
    expect(world.requests.filter(path => path.startsWith('blobs/'))).toEqual([]);
  });
});

describe('provenance where the policy asks for signatures too', () => {
  const { privateKey, publicKey } = keyPair();
  const image = testImage();
  const rules = { ...TRUSTED, signature: { publicKeys: [publicKey] } };
  const statement = provenanceOf(image.digest, 'all', { builderId: BUILDER });

  async function provenanceCodes(checked = image): Promise<string[]> {
    return codes(await world.check(checked, rules)).filter(code => code !== 'SignatureMissing');
  }

  it('is covered by the signature of the image when it is in the index', async () => {
    const attested = testImage(fromCi);
    await world.push(attested);
    expect(await provenanceCodes(attested)).toEqual([]);
  });

  it('counts beside the image when one of the keys signed it', async () => {
    await world.push(image);
    await world.attach(bundledStatement(image.index, statement, privateKey));
    expect(await provenanceCodes()).toEqual([]);
  });

  it.each([
    ['another key signed it', bundledStatement(image.index, statement, keyPair().privateKey)],
    ['nobody signed it', referrer(image.index, STATEMENT_TYPE, part(STATEMENT_TYPE, statement))],
  ])('does not count beside the image when %s', async (_, attached) => {
    await world.push(image);
    await world.attach(attached);
    expect(await provenanceCodes()).toEqual(['ProvenanceNotSigned', 'ProvenanceNotSigned']);
  });
});

describe('a registry that cannot be asked', () => {
  it.each([
    [503, true],
    [429, true],
    [401, false],
    [403, false],
  ])('is an error, not a verdict: %d', async (status, canRetry) => {
    const image = testImage();
    await world.push(image);
    world.instead = ({ path }) => (path.includes('/referrers/') ? { status } : undefined);
    const error = await world.check(image, TRUSTED).catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(SlipwayError);
    expect(error).toHaveProperty('canRetry', canRetry);
  });
});

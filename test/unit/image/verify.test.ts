import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SlipwayError } from '../../../functions/errors.ts';
import { digestOf } from '../../../functions/image/digest.ts';
import type { Registry } from '../../../functions/image/registry.ts';
import { type Verdict, verifyImage } from '../../../functions/image/verify.ts';
import type { HttpServer } from '../../../local/http.ts';
import { CONFIG_TYPE, INDEX_TYPE, MANIFEST_TYPE } from '../../../local/images/parts.ts';
import { configFor, HOST, IMAGE, listed, OddRegistry, reading } from './odd-registry.ts';

const BOTH = ['linux/amd64', 'linux/arm64'];

let odd: OddRegistry;
let registry: Registry;
let server: HttpServer;

beforeEach(async () => {
  odd = new OddRegistry();
  ({ registry, server } = await reading(odd.handler));
});
afterEach(() => server.close());

function verify(digest: string, platforms: readonly string[] = BOTH): Promise<Verdict> {
  return verifyImage(registry, IMAGE, digest, { platforms, binaries: false });
}

function codes(verdict: Verdict): string[] {
  return verdict.reasons.map(reason => reason.code);
}

function goodEntries(): object[] {
  return BOTH.map(platform => listed(odd.manifest(configFor(platform)), platform));
}

describe('a good image', () => {
  it('is accepted, with what was found for each platform', async () => {
    const layer = odd.put('application/vnd.oci.image.layer.v1.tar+gzip', 'never read without binaries');
    const config = configFor('linux/arm64', {
      config: {
        Entrypoint: ['/hello'],
        Cmd: ['--port', '8080'],
        Labels: { 'org.opencontainers.image.revision': 'abc' },
      },
      rootfs: { diff_ids: [digestOf(Buffer.from('x'))] },
    });
    const arm = odd.manifest(config, [layer]);
    const verdict = await verify(odd.index([listed(arm, 'linux/arm64/v8')]).digest, ['linux/arm64']);

    expect(verdict.status).toBe('accepted');
    expect(verdict.mediaType).toBe(INDEX_TYPE);
    expect(verdict.platforms).toEqual([
      {
        platform: 'linux/arm64',
        digest: arm.digest,
        configDigest: digestOf(Buffer.from(JSON.stringify(config))),
        sizeBytes: arm.size + JSON.stringify(config).length + layer.size,
        entrypoint: ['/hello', '--port', '8080'],
        revision: 'abc',
      },
    ]);
  });

  it('may be a Docker manifest list', async () => {
    const manifests = BOTH.map(platform => {
      const config = odd.put('application/vnd.docker.container.image.v1+json', configFor(platform));
      const mediaType = 'application/vnd.docker.distribution.manifest.v2+json';
      return listed(odd.put(mediaType, { schemaVersion: 2, mediaType, config, layers: [] }), platform);
    });
    const mediaType = 'application/vnd.docker.distribution.manifest.list.v2+json';
    const list = odd.put(mediaType, { schemaVersion: 2, mediaType, manifests });
    expect((await verify(list.digest)).status).toBe('accepted');
  });

  it('may hold its manifests in nested indexes', async () => {
    const inner = odd.index(goodEntries());
    const outer = odd.index([inner]);
    expect((await verify(outer.digest)).status).toBe('accepted');
  });

  it('may hold attestations and platforms that are not required, which are not looked into', async () => {
    const attestation = odd.manifest({ os: 'unknown', architecture: 'unknown' });
    const absent = { mediaType: MANIFEST_TYPE, digest: digestOf(Buffer.from('s390x')), size: 5 };
    const index = odd.index([
      ...goodEntries(),
      listed(absent, 'linux/s390x'),
      {
        ...listed(attestation, 'unknown/unknown'),
        annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
      },
    ]);
    const verdict = await verify(index.digest);

    expect(verdict.status).toBe('accepted');
    expect(odd.requests.some(path => path.includes(absent.digest) || path.includes(attestation.digest))).toBe(
      false,
    );
  });

  it('may be a single manifest where one platform is required', async () => {
    const single = odd.manifest(configFor('linux/amd64'));
    const verdict = await verify(single.digest, ['linux/amd64']);
    expect(verdict.status).toBe('accepted');
    expect(verdict.platforms[0]?.platform).toBe('linux/amd64');
  });

  it('may leave the platform to the config', async () => {
    const index = odd.index(BOTH.map(platform => odd.manifest(configFor(platform))));
    expect((await verify(index.digest)).status).toBe('accepted');
  });

  it('takes three round trips: index, manifests, configs', async () => {
    await verify(odd.index(goodEntries()).digest);
    expect(odd.requests.map(path => path.split('/')[4])).toEqual([
      'manifests',
      'manifests',
      'manifests',
      'blobs',
      'blobs',
    ]);
  });
});

describe('platforms', () => {
  it('that are missing are all named, with what there is and how to build them', async () => {
    const index = odd.index([listed(odd.manifest(configFor('linux/amd64')), 'linux/amd64')]);
    const verdict = await verify(index.digest, [...BOTH, 'linux/s390x']);

    expect(codes(verdict)).toEqual(['PlatformMissing', 'PlatformMissing']);
    expect(verdict.reasons[0]?.message).toBe('The image has no linux/arm64; it has only linux/amd64.');
    expect(verdict.reasons[0]?.fix).toContain('--platform linux/amd64,linux/arm64,linux/s390x');
    expect(verdict.platforms.map(({ platform }) => platform)).toEqual(['linux/amd64']);
  });

  it('of a single manifest are too few, and it says that it is no index', async () => {
    const verdict = await verify(odd.manifest(configFor('linux/amd64')).digest);
    expect(codes(verdict)).toEqual(['PlatformMissing', 'NotAnIndex']);
    expect(verdict.platforms.map(({ platform }) => platform)).toEqual(['linux/amd64']);
  });

  it('of a lower variant are what a machine of a higher one runs, the best of them', async () => {
    const variants = ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4'];
    const images = variants.map(variant => odd.manifest(configFor(variant, { note: variant })));
    const index = odd.index(images.map((image, at) => listed(image, variants[at] ?? '')));
    const verdict = await verify(index.digest, ['linux/amd64/v3']);
    expect(verdict.reasons).toEqual([]);
    expect(verdict.platforms.map(({ platform, digest }) => [platform, digest])).toEqual([
      ['linux/amd64/v3', images[1]?.digest],
    ]);
  });

  it('may leave the variant out of the config', async () => {
    const index = odd.index([listed(odd.manifest(configFor('linux/arm')), 'linux/arm/v6')]);
    expect((await verify(index.digest, ['linux/arm/v6'])).status).toBe('accepted');
  });

  it('that only a config names are missing when that cannot be read, for that reason', async () => {
    const config = configFor('linux/arm64');
    const silent = odd.manifest(config);
    odd.forget(digestOf(Buffer.from(JSON.stringify(config))));
    const amd = listed(odd.manifest(configFor('linux/amd64')), 'linux/amd64');
    const verdict = await verify(odd.index([amd, silent]).digest);
    expect(codes(verdict)).toEqual(['ContentMissing', 'PlatformMissing']);
    expect((await verify(odd.index([amd, silent]).digest, ['linux/amd64'])).status).toBe('accepted');
  });

  it('with another variant do not count', async () => {
    const index = odd.index([listed(odd.manifest(configFor('linux/amd64/v3')), 'linux/amd64/v3')]);
    const verdict = await verify(index.digest, ['linux/amd64']);
    expect(verdict.reasons[0]?.message).toBe('The image has no linux/amd64; it has only linux/amd64/v3.');
  });

  it('that are listed twice are ambiguous', async () => {
    const twin = odd.manifest(configFor('linux/arm64', { note: 'another build' }));
    const verdict = await verify(odd.index([...goodEntries(), listed(twin, 'linux/arm64/v8')]).digest);
    expect(codes(verdict)).toEqual(['DuplicatePlatform']);
    expect(verdict.reasons[0]?.message).toContain(twin.digest);
  });

  it('that are listed twice with the same digest are not', async () => {
    const [first, second] = goodEntries();
    const verdict = await verify(odd.index([first ?? {}, second ?? {}, second ?? {}]).digest);
    expect(verdict.status).toBe('accepted');
  });
});

describe('an index that lies', () => {
  it('about the architecture is found out by the config', async () => {
    const amd = odd.manifest(configFor('linux/amd64'));
    const verdict = await verify(odd.index(BOTH.map(platform => listed(amd, platform))).digest);

    expect(codes(verdict)).toEqual(['ConfigMismatch']);
    expect(verdict.reasons[0]?.message).toContain('as linux/arm64, but its config says linux/amd64');
    expect(verdict.reasons[0]?.fix).toContain('$BUILDPLATFORM');
  });

  it('is found out also when the config says nothing', async () => {
    const silent = odd.manifest({ rootfs: { diff_ids: [] } });
    const verdict = await verify(odd.index([listed(silent, 'linux/arm64')]).digest, ['linux/arm64']);
    expect(verdict.reasons[0]?.message).toContain('no os and architecture');
  });

  it('gives all reasons of all platforms at once', async () => {
    const layer = odd.put('application/x-unknown', 'x');
    const amd = odd.manifest(configFor('linux/arm64'), [layer]);
    const index = odd.index([
      listed(amd, 'linux/amd64'),
      listed({ ...amd, digest: digestOf(Buffer.from('gone')) }, 'linux/arm64'),
    ]);
    const verdict = await verify(index.digest, [...BOTH, 'linux/s390x']);
    expect(codes(verdict).sort()).toEqual([
      'ConfigMismatch',
      'ContentMissing',
      'LayersMismatch',
      'PlatformMissing',
      'UnsupportedMediaType',
    ]);
  });
});

describe('content that cannot be an image', () => {
  const single = async (mediaType: string, content: object | string) =>
    verify(odd.put(mediaType, content).digest, ['linux/amd64']);

  it('is missing: the digest is not in the registry', async () => {
    const verdict = await verify(digestOf(Buffer.from('nothing')));
    expect(codes(verdict)).toEqual(['ContentMissing']);
    expect(verdict.mediaType).toBe('');
  });

  it('is missing: a config was deleted', async () => {
    const config = configFor('linux/amd64');
    const manifest = odd.manifest(config);
    odd.forget(digestOf(Buffer.from(JSON.stringify(config))));
    expect(codes(await verify(manifest.digest, ['linux/amd64']))).toEqual(['ContentMissing']);
  });

  it('has another digest than it was asked for by', async () => {
    const promised = digestOf(Buffer.from('promised'));
    odd.put(INDEX_TYPE, { schemaVersion: 2, manifests: [] }, promised);
    const verdict = await verify(promised);
    expect(codes(verdict)).toEqual(['ContentInvalid']);
    expect(verdict.reasons[0]?.message).toContain('instead of');
  });

  it('has a config with another digest', async () => {
    const config = configFor('linux/amd64');
    const manifest = odd.manifest(config);
    const text = JSON.stringify(config);
    odd.put(CONFIG_TYPE, text.replace('hello', 'hullo'), digestOf(Buffer.from(text)));
    expect(codes(await verify(manifest.digest, ['linux/amd64']))).toEqual(['ContentInvalid']);
  });

  it('has another size than it is listed with', async () => {
    const manifest = odd.manifest(configFor('linux/amd64'));
    const index = odd.index([listed({ ...manifest, size: manifest.size + 1 }, 'linux/amd64')]);
    expect(codes(await verify(index.digest, ['linux/amd64']))).toEqual(['ContentInvalid']);
  });

  it('is not JSON', async () => {
    expect(codes(await single(INDEX_TYPE, '<html>'))).toEqual(['DocumentInvalid']);
    expect(codes(await single(INDEX_TYPE, '[1]'))).toEqual(['DocumentInvalid']);
    expect(codes(await single(INDEX_TYPE, '\ufffd'.repeat(3)))).toEqual(['DocumentInvalid']);
  });

  it('is JSON of another shape', async () => {
    const verdict = await single(INDEX_TYPE, { schemaVersion: 2, manifests: [{ digest: 7 }] });
    expect(codes(verdict)).toEqual(['DocumentInvalid']);
    expect(verdict.reasons[0]?.message).toContain('manifests.0');
  });

  it('is schema 1', async () => {
    const verdict = await single('application/vnd.docker.distribution.manifest.v1+prettyjws', {
      schemaVersion: 1,
    });
    expect(codes(verdict)).toEqual(['UnsupportedMediaType']);
    expect(verdict.reasons[0]?.message).toContain('schema 1');
  });

  it('is an artifact of another kind', async () => {
    const config = odd.put('application/vnd.cncf.helm.config.v1+json', {});
    const verdict = await single(MANIFEST_TYPE, {
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config,
      layers: [],
    });
    expect(codes(verdict)).toEqual(['UnsupportedMediaType']);
    expect(verdict.reasons[0]?.message).toContain('application/vnd.cncf.helm.config.v1+json');
  });

  it('calls itself something else than the registry does', async () => {
    expect(
      codes(await single(MANIFEST_TYPE, { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [] })),
    ).toEqual(['MediaTypeMismatch']);
  });

  it('is a manifest of 50 MB', async () => {
    const verdict = await single(INDEX_TYPE, ' '.repeat(50 * 1024 * 1024));
    expect(codes(verdict)).toEqual(['ContentInvalid']);
    expect(verdict.reasons[0]?.message).toContain('at most 4194304');
  });

  it('lists 10,000 children', async () => {
    const child = odd.manifest(configFor('linux/amd64'));
    const index = odd.index(Array.from({ length: 10_000 }, () => listed(child, 'linux/amd64')));
    expect(codes(await verify(index.digest, ['linux/amd64']))).toEqual(['IndexTooLarge']);
    expect(odd.requests).toHaveLength(1);
  });

  it('has more values than an index or a manifest can have', async () => {
    const bomb = `{"schemaVersion":2,"manifests":[${'{},'.repeat(1_300_000)}{}]}`;
    const verdict = await single(INDEX_TYPE, bomb);
    expect(codes(verdict)).toEqual(['DocumentInvalid']);
    expect(verdict.reasons[0]?.message).toContain('more than 100000 values');
  });

  it('is nested so deeply that reading it takes another way out', async () => {
    const verdict = await single(INDEX_TYPE, `{"schemaVersion":2,"manifests":${'['.repeat(90_000)}`);
    expect(codes(verdict)).toEqual(['DocumentInvalid']);
  });

  it('has more layers than can be mounted', async () => {
    const layer = odd.put('application/vnd.oci.image.layer.v1.tar', 'x');
    const many = odd.manifest(
      configFor('linux/amd64'),
      Array.from({ length: 501 }, () => layer),
    );
    const verdict = await verify(many.digest, ['linux/amd64']);
    expect(codes(verdict)).toEqual(['DocumentInvalid']);
    expect(verdict.reasons[0]?.message).toContain('501 layers');
  });

  it('has a command that would fill the record', async () => {
    const words = Array.from({ length: 1000 }, () => 'x'.repeat(4000));
    const manifest = odd.manifest(configFor('linux/amd64', { config: { Cmd: words } }));
    const [platform] = (await verify(manifest.digest, ['linux/amd64'])).platforms;
    expect(JSON.stringify(platform?.entrypoint).length).toBeLessThan(70_000);
  });

  it('names other places for its content, which are not asked', async () => {
    const config = {
      ...odd.put(CONFIG_TYPE, configFor('linux/amd64')),
      urls: ['https://elsewhere.example/x'],
    };
    const body = { schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers: [] };
    const verdict = await verify(odd.put(MANIFEST_TYPE, body).digest, ['linux/amd64']);
    expect(verdict.status).toBe('accepted');
    expect(odd.requests).toHaveLength(2);
  });

  it.each([`blake3:${'a'.repeat(64)}`, 'sha256:short', 'nonsense'])(
    'is listed by %s, which nothing can be checked against',
    async digest => {
      const index = odd.index([listed({ mediaType: MANIFEST_TYPE, digest, size: 5 }, 'linux/amd64')]);
      expect(codes(await verify(index.digest, ['linux/amd64']))).toEqual(['DigestUnsupported']);
      expect(odd.requests).toHaveLength(1);
    },
  );

  it('was pushed by a digest that cannot be computed here', async () => {
    const verdict = await verify(`multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8`);
    expect(codes(verdict)).toEqual(['DigestUnsupported']);
    expect(verdict.reasons[0]?.fix).toContain('sha256');
    expect(odd.requests).toHaveLength(0);
  });

  it('is checked against sha512 as well', async () => {
    const config = JSON.stringify(configFor('linux/amd64'));
    const digest = `sha512:${createHash('sha512').update(config).digest('hex')}`;
    const described = odd.put(CONFIG_TYPE, config, digest);
    const body = { schemaVersion: 2, mediaType: MANIFEST_TYPE, config: described, layers: [] };
    expect((await verify(odd.put(MANIFEST_TYPE, body).digest, ['linux/amd64'])).status).toBe('accepted');
    odd.put(CONFIG_TYPE, config.replace('hello', 'hullo'), digest);
    expect(codes(await verify(odd.put(MANIFEST_TYPE, body).digest, ['linux/amd64']))).toEqual([
      'ContentInvalid',
    ]);
  });

  it('nests indexes without end', async () => {
    let index = odd.index(goodEntries());
    for (let depth = 0; depth < 10; depth++) index = odd.index([index]);
    expect(codes(await verify(index.digest))).toEqual(['IndexTooLarge']);
    expect(odd.requests.length).toBeLessThan(5);
  });

  it('is an index that holds itself', async () => {
    // Only a registry that lies about content can serve one; asked by tag, nothing contradicts it at first.
    const own = digestOf(Buffer.from('its own digest'));
    const size = JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [] }).length;
    odd.put(
      INDEX_TYPE,
      { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [{ mediaType: INDEX_TYPE, digest: own, size }] },
      own,
    );
    const outer = odd.index([{ mediaType: INDEX_TYPE, digest: own, size }]);
    expect(codes(await verify(outer.digest))).toEqual(['ContentInvalid']);
  });

  it('lists manifests as a kind that they are not', async () => {
    const config = odd.put(CONFIG_TYPE, configFor('linux/amd64'));
    const index = odd.index([listed(config, 'linux/amd64')]);
    expect(codes(await verify(index.digest, ['linux/amd64']))).toEqual(['UnsupportedMediaType']);
  });
});

describe('what the image is not guilty of', () => {
  it.each([
    [500, 'Unavailable', true],
    [503, 'Unavailable', true],
    [429, 'ResourceExhausted', true],
    [401, 'Unauthenticated', false],
    [403, 'PermissionDenied', false],
  ])('an answer of %i is thrown as %s', async (status, code, canRetry) => {
    const broken = await reading(() => ({ status, body: 'no' }));
    const error = await verifyImage(broken.registry, IMAGE, digestOf(Buffer.from('x')), {
      platforms: BOTH,
      binaries: false,
    }).catch((thrown: unknown) => thrown);
    await broken.server.close();

    expect(error).toBeInstanceOf(SlipwayError);
    expect(error).toMatchObject({ code, canRetry });
  });

  it('trouble with one child is thrown too, although another is already known to be bad', async () => {
    const index = odd.index([
      listed(odd.manifest(configFor('linux/arm64')), 'linux/amd64'),
      listed(odd.manifest(configFor('linux/arm64', { note: 'flaky' })), 'linux/arm64'),
    ]);
    let asked = 0;
    const flaky = await reading(request =>
      request.path.includes('/manifests/') && ++asked === 3 ? { status: 503 } : odd.handler(request),
    );
    const verdict = verifyImage(flaky.registry, IMAGE, index.digest, { platforms: BOTH, binaries: false });
    await expect(verdict).rejects.toMatchObject({ code: 'Unavailable' });
    await flaky.server.close();
  });

  it('a platform in the rules that is none', async () => {
    await expect(verify(odd.index([]).digest, ['arm'])).rejects.toMatchObject({ code: 'InvalidArgument' });
  });

  it.each([`${HOST}/Acme`, `${IMAGE}:v1`, 'hello'])('an image name such as %s', async image => {
    const bad = verifyImage(registry, image, odd.index([]).digest, { platforms: BOTH, binaries: false });
    await expect(bad).rejects.toMatchObject({ code: 'InvalidArgument' });
  });
});

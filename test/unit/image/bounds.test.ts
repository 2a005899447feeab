import { beforeEach, describe, expect, it } from 'vitest';
import { SlipwayError } from '../../../functions/errors.ts';
import type { Authorities } from '../../../functions/image/authorities.ts';
import { boundPlatform } from '../../../functions/image/bounded.ts';
import { STATEMENT_TYPE } from '../../../functions/image/referrers.ts';
import { type Verdict, type VerifyRules, verifyImage } from '../../../functions/image/verify.ts';
import { provenanceOf } from '../../../local/images/attestation.ts';
import { INDEX_TYPE } from '../../../local/images/parts.ts';
import { bundledSignature } from '../../../local/images/signature.ts';
import { configFor, type Descriptor, IMAGE, listed } from './odd-registry.ts';
import { keyPair } from './signed-world.ts';
import { StoredRegistry } from './stored-registry.ts';

const ARM64 = ['linux/arm64'];
const BUILDER = 'https://ci.example';
const { privateKey, publicKey } = keyPair();
const BOTH_ASKED = { provenance: { builders: [BUILDER] }, signature: { publicKeys: [publicKey] } };

let registry: StoredRegistry;
let image: Descriptor;

beforeEach(() => {
  registry = new StoredRegistry();
  image = registry.manifestOf(configFor('linux/arm64'));
  registry.requests.length = 0;
});

function verify(
  rules: Partial<VerifyRules>,
  over: { digest?: string; image?: string; authorities?: Authorities; signal?: AbortSignal } = {},
): Promise<Verdict> {
  const all = { platforms: ARM64, binaries: false, ...rules };
  const { digest = image.digest, image: name = IMAGE, authorities, signal } = over;
  return verifyImage(registry, name, digest, all, authorities, signal);
}

function codes({ reasons }: Verdict): string[] {
  return reasons.map(({ code }) => code);
}

function asked(what: string): string[] {
  return registry.requests.filter(request => request.startsWith(what));
}

function signature(): Descriptor {
  const bytes = Buffer.from('{}');
  const subject = { mediaType: image.mediaType, digest: image.digest, bytes };
  const [layer] = bundledSignature(subject, privateKey).manifest.layers;
  if (!layer) throw new Error('a signature has a layer');
  return registry.putBlob(layer.mediaType, layer.bytes);
}

function junk(number: number): Descriptor {
  return registry.putBlob(STATEMENT_TYPE, { number });
}

describe('what is attached to an image', () => {
  it('is read up to 256 documents, however it is spread, and once for signature and provenance', async () => {
    for (let manifest = 0; manifest < 64; manifest++) {
      const layers = Array.from({ length: 64 }, (_, layer) => junk(manifest * 64 + layer));
      registry.attach(image, layers, { annotations: { number: `${manifest}` } });
    }
    const verdict = await verify(BOTH_ASKED);

    expect(verdict.status).toBe('rejected');
    expect(codes(verdict)).toContain('TooManyAttachments');
    // The image and its config, the list, two of cosign's tags.
    expect(registry.requests.length).toBeLessThanOrEqual(256 + 5);
    expect(new Set(asked('blob')).size).toBe(asked('blob').length);
  });

  it('is read up to 32 MiB', async () => {
    for (let number = 0; number < 5; number++) {
      registry.attach(image, [registry.putBlob(STATEMENT_TYPE, Buffer.alloc(8 * 1024 * 1024, number))]);
    }
    const verdict = await verify({ provenance: { builders: [BUILDER] } });

    expect(codes(verdict)).toContain('TooManyAttachments');
    expect(asked('blob')).toHaveLength(1 + 3);
  });

  it('may be 128 attachments of which the last will do', async () => {
    for (let number = 0; number < 126; number++) registry.attach(image, [junk(number)]);
    const statement = provenanceOf(image.digest, 'all', { builderId: BUILDER });
    registry.attach(image, [registry.putBlob(STATEMENT_TYPE, statement)]);
    registry.attach(image, [signature()]);
    const { provenance, signature: signed } = BOTH_ASKED;

    expect(codes(await verify({ provenance }))).toEqual([]);
    expect(codes(await verify({ signature: signed }))).toEqual([]);
  });

  it('is told with three faults of a kind and the number of the others', async () => {
    for (let number = 0; number < 50; number++) registry.attach(image, [junk(number)]);
    const { reasons } = await verify({ provenance: { builders: [BUILDER] } });

    expect(reasons.map(({ code }) => code)).toEqual([
      'ProvenanceMissing',
      ...Array(3).fill('DocumentInvalid'),
    ]);
    expect(reasons.at(-1)?.message).toContain('There are 47 more of this kind.');
  });

  it('signs the bytes of the image, which are read once for all such signatures', async () => {
    const type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
    for (let number = 0; number < 5; number++) {
      const messageSignature = { signature: Buffer.from(`${number}`).toString('base64') };
      registry.attach(image, [registry.putBlob(type, { mediaType: type, messageSignature })]);
    }
    expect(codes(await verify({ signature: BOTH_ASKED.signature }))).toEqual(['SignatureInvalid']);
    expect(asked(`manifest ${image.digest}`)).toHaveLength(2);
  });
});

describe('the whole check', () => {
  it.each(['manifest', 'referrers', 'blob'])(
    'ends when it is told to, at a %s that never comes',
    async what => {
      const ending = new AbortController();
      registry.attach(image, [junk(1)]);
      registry.meanwhile = request => {
        if (!request.startsWith(what)) return;
        ending.abort();
        return new Promise<never>(() => undefined);
      };
      const checked = verify(BOTH_ASKED, { signal: ending.signal });

      await expect(checked).rejects.toMatchObject({ code: 'DeadlineExceeded', canRetry: true });
    },
  );

  it('asks for nothing more once it has ended', async () => {
    const ending = new AbortController();
    for (let number = 0; number < 5; number++) registry.attach(image, [junk(number)]);
    registry.meanwhile = request => {
      if (request.startsWith('referrers')) ending.abort();
    };
    await expect(verify(BOTH_ASKED, { signal: ending.signal })).rejects.toThrow('took too long');
    expect(registry.requests.at(-1)).toMatch(/^referrers/);
  });
});

describe('a verdict', () => {
  it('has fifty reasons and the number of the others, in a quarter of a megabyte', async () => {
    const layers = Array.from({ length: 500 }, (_, number) => ({
      mediaType: `${'x'.repeat(8000)}${number}`,
      digest: image.digest,
      size: 1,
    }));
    const { digest } = registry.manifestOf(configFor('linux/arm64'), layers);
    const verdict = await verify({}, { digest });

    expect(verdict.reasons).toHaveLength(51);
    expect(verdict.reasons.at(-1)).toMatchObject({ code: 'MoreReasons' });
    expect(verdict.reasons.at(-1)?.message).toBe(
      'There are 451 more reasons against the image (LayersMismatch, UnsupportedMediaType).',
    );
    expect(JSON.stringify(verdict).length).toBeLessThan(256 * 1024);
  });

  it('has no more of a command and its files than people read', () => {
    const long = 'x'.repeat(5000);
    const { entrypoint, executables } = boundPlatform({
      ...{ platform: 'linux/arm64', digest: image.digest, sizeBytes: 1, configDigest: image.digest },
      entrypoint: ['/app', long, 'left out'],
      executables: Array(20).fill({ file: long, layer: image.digest, is: long }),
    });
    expect(entrypoint).toEqual(['/app', `${'x'.repeat(4092)}…`]);
    expect(executables).toHaveLength(12);
    expect(executables?.[0]?.file).toHaveLength(1025);
  });
});

describe('an image with something else against it', () => {
  const NAME = 'us-docker.pkg.dev/acme/apps/hello';
  const vulnerabilities = { maxSeverity: 'high' } as const;
  const unfinished: Authorities = {
    scans: async () => [{ state: 'unfinished' }],
    vulnerabilities: async () => [],
    attestation: async () => ({ status: 'missing' }),
  };
  const over = { image: NAME, authorities: unfinished };

  it('is rejected while its scan is not finished: a platform is missing', async () => {
    const { digest } = registry.put(INDEX_TYPE, {
      schemaVersion: 2,
      manifests: [listed(image, 'linux/arm64')],
    });
    const rules = { platforms: ['linux/amd64', 'linux/arm64'], vulnerabilities };
    expect(codes(await verify(rules, { ...over, digest }))).toEqual(['PlatformMissing']);
  });

  it('is rejected while its scan is not finished: it is not attested', async () => {
    const binaryAuthorization = { attestors: ['projects/acme/attestors/ci'] };
    expect(codes(await verify({ vulnerabilities, binaryAuthorization }, over))).toEqual([
      'AttestationMissing',
    ]);
  });

  it('is waited for where there is nothing else', async () => {
    await expect(verify({ vulnerabilities }, over)).rejects.toMatchObject({ code: 'Unavailable' });
  });

  it('is an error where no retry mends what cannot be looked up', async () => {
    const denied = async () => {
      throw new SlipwayError('denied', { code: 'PermissionDenied', operation: 'read scans' });
    };
    const rules = { platforms: ['linux/amd64', 'linux/arm64'], vulnerabilities };
    const checked = verify(rules, { image: NAME, authorities: { ...unfinished, scans: denied } });
    await expect(checked).rejects.toMatchObject({ code: 'PermissionDenied' });
  });
});

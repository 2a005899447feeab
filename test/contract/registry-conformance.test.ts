import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../functions/image/digest.ts';
import { INDEX_TYPES, MANIFEST_TYPES } from '../../functions/image/documents.ts';
import { realClock } from '../../local/clock.ts';
import { serve } from '../../local/http.ts';
import { type BuiltImage, buildImage } from '../../local/images/build.ts';
import { standInElf } from '../../local/images/elf.ts';
import { descriptor, INDEX_TYPE, MANIFEST_TYPE, part } from '../../local/images/parts.ts';
import { pushImage } from '../../local/images/push.ts';
import { RegistryCore } from '../../local/registry/core.ts';
import { isUpload, registryHandler } from '../../local/registry/http.ts';
import { isInstalled, type RunningRegistry, skopeo, startDockerRegistry } from './registry-processes.ts';

/** The local registry and what other people wrote for registries: their tools, their registry, their conformance suite. */

const APP = path.join(import.meta.dirname, '..', '..', 'app');
const PLATFORMS = ['linux/amd64', 'linux/arm64'] as const;
const ZSTD_LAYER = 'application/vnd.oci.image.layer.v1.tar+zstd';

const HAS_SKOPEO = isInstalled('skopeo');
const HAS_REGISTRY = isInstalled('docker-registry');
/** `go build -o DIRECTORY-ON-PATH/oci-conformance .` in `conformance/` of github.com/opencontainers/distribution-spec */
const HAS_SUITE = isInstalled('oci-conformance');

const HAS_BUILDAH = isInstalled('buildah') && canBuild();
const tools: readonly (readonly [string, boolean])[] = [
  ['skopeo', HAS_SKOPEO],
  ['buildah', HAS_BUILDAH],
  ["Debian's docker-registry", HAS_REGISTRY],
  ["the specification's suite (oci-conformance)", HAS_SUITE],
];
const names = (there: boolean) => tools.filter(([, is]) => is === there).map(([name]) => name);
console.info(
  `Registry conformance: tried with ${names(true).join(', ') || 'nothing'}; ` +
    `not installed, or not able to work here: ${names(false).join(', ') || 'nothing'}.`,
);

let folder: string;
let inMemory: RunningRegistry;
let inFiles: RunningRegistry;
/** Of all requests to the local registries: the repositories that blobs were to be mounted from. */
const mountedFrom: (string | null)[] = [];
/** What buildah called the image of each platform: the digest of its config. */
let builtIds: readonly string[] = [];
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'slipway-registry-conformance-'));
  inMemory = await startLocal();
  inFiles = await startLocal(path.join(folder, 'registry'));
  if (HAS_BUILDAH) builtIds = await buildWithBuildah(at(inMemory, 'origin/buildah'));
});
afterAll(async () => {
  await Promise.all([inMemory.close(), inFiles.close()]);
  await rm(folder, { recursive: true, force: true });
});

function startLocal(directory?: string): Promise<RunningRegistry> {
  const options = { host: 'registry.example', clock: realClock };
  const handler = registryHandler(new RegistryCore({ ...options, ...(directory ? { directory } : {}) }));
  return serve(
    request => {
      if (request.query.has('mount')) mountedFrom.push(request.query.get('from'));
      return handler(request);
    },
    0,
    isUpload,
  );
}

/** Every manifest and blob that the reference leads to, by digest; each has the digest that it goes by. */
async function contentsOf(registry: RunningRegistry, repository: string, reference = 'v1') {
  const contents = new Map<string, Buffer>();
  const get = async (kind: 'manifests' | 'blobs', what: string): Promise<Buffer> => {
    const reply = await fetch(`${registry.url}/v2/${repository}/${kind}/${what}`, {
      headers: { accept: [...INDEX_TYPES, ...MANIFEST_TYPES].join(', ') },
    });
    expect([kind, what, reply.status]).toEqual([kind, what, 200]);
    const bytes = Buffer.from(await reply.arrayBuffer());
    const digest = digestOf(bytes);
    expect(reply.headers.get('docker-content-digest')).toBe(digest);
    contents.set(digest, bytes);
    return bytes;
  };
  const walk = async (what: string): Promise<void> => {
    const manifest = JSON.parse((await get('manifests', what)).toString());
    for (const child of manifest.manifests ?? []) await walk(child.digest);
    for (const blob of [manifest.config, ...(manifest.layers ?? [])]) {
      if (blob) await get('blobs', blob.digest);
    }
  };
  await walk(reference);
  return contents;
}

function at(registry: RunningRegistry, repository: string): string {
  return `docker://${new URL(registry.url).host}/${repository}:v1`;
}

/** Copies all platforms; with `--preserve-digests` in the options it fails rather than change a byte. */
function copy(from: string, to: string, ...options: string[]): Promise<string> {
  const insecure = [
    ...(from.startsWith('docker:') ? ['--src-tls-verify=false'] : []),
    ...(to.startsWith('docker:') ? ['--dest-tls-verify=false'] : []),
  ];
  return skopeo('--insecure-policy', 'copy', '--quiet', '--all', ...insecure, ...options, from, to);
}

/** The same platforms with layers in one zstd frame each. */
function withZstd(image: BuiltImage): BuiltImage {
  const manifests = image.manifests.map(({ platform, config, layers }) => {
    const packed = layers.map(layer => {
      const bytes = zstdCompressSync(gunzipSync(layer.bytes));
      return { mediaType: ZSTD_LAYER, digest: digestOf(bytes), bytes };
    });
    const manifest = part(MANIFEST_TYPE, {
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: descriptor(config),
      layers: packed.map(descriptor),
    });
    return { ...manifest, platform, config, layers: packed };
  });
  const index = part(INDEX_TYPE, {
    schemaVersion: 2,
    mediaType: INDEX_TYPE,
    manifests: manifests.map(manifest => {
      const [os, architecture] = manifest.platform.split('/');
      return { ...descriptor(manifest), platform: { os, architecture } };
    }),
  });
  return { digest: index.digest, index, manifests };
}

async function buildah(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('buildah', [...storageIn(folder), ...args]);
  return stdout.trim();
}

function storageIn(directory: string): string[] {
  return ['--storage-driver', 'vfs', '--root', `${directory}/storage`, '--runroot', `${directory}/run`];
}

/** buildah wants rights that some sandboxes do not give. */
function canBuild(): boolean {
  const directory = mkdtempSync(path.join(tmpdir(), 'slipway-buildah-probe-'));
  try {
    execFileSync('buildah', [...storageIn(directory), 'from', 'scratch'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** @returns the image id of each platform */
async function buildWithBuildah(to: string): Promise<string[]> {
  const ids: string[] = [];
  await buildah('manifest', 'create', 'built');
  for (const platform of PLATFORMS) {
    const architecture = platform.split('/')[1] ?? '';
    const binary = path.join(folder, `${architecture}-app`);
    await writeFile(binary, standInElf(platform));
    const container = await buildah('from', '--arch', architecture, 'scratch');
    await buildah('copy', '--chmod', '755', container, binary, '/bin/app');
    await buildah('config', '--arch', architecture, '--entrypoint', '["/bin/app"]', container);
    ids.push(await buildah('commit', '--quiet', '--rm', '--manifest', 'built', container));
  }
  await buildah('manifest', 'push', '--all', '--tls-verify=false', '--format', 'oci', 'built', to);
  return ids;
}

describe.skipIf(!HAS_SKOPEO)(
  'skopeo copy --all, out of the local registry and into another, changes no byte',
  () => {
    beforeAll(async () => {
      const plain = await buildImage({ appDir: APP, version: 'v1', platforms: PLATFORMS });
      const attested = await buildImage({
        appDir: APP,
        version: 'v1',
        platforms: PLATFORMS,
        attestation: true,
      });
      const to = { endpoint: inMemory.url, tag: 'v1' };
      await pushImage(attested, { ...to, repository: 'origin/attested' });
      await pushImage(withZstd(plain), { ...to, repository: 'origin/zstd' });
      await pushImage(plain, { ...to, repository: 'origin/plain' });
      await copy(at(inMemory, 'origin/plain'), at(inMemory, 'origin/docker'), '--format', 'v2s2');
    });

    const images = [
      ['an index with attestations', 'attested', true, 14],
      ['an index with zstd layers', 'zstd', true, 8],
      ['a Docker manifest list', 'docker', false, 8],
      ...(HAS_BUILDAH ? ([['what buildah built', 'buildah', true, 7]] as const) : []),
    ] as const;

    it.each(images)('%s, by a folder', async (_, image, _isOci, parts) => {
      const way = `dir:${folder}/dir-${image}`;
      const before = await contentsOf(inMemory, `origin/${image}`);
      await copy(at(inMemory, `origin/${image}`), way, '--preserve-digests');
      await copy(way, at(inFiles, `by-folder/${image}`), '--preserve-digests');
      expect(before.size).toBe(parts);
      expect(await contentsOf(inFiles, `by-folder/${image}`)).toEqual(before);
    });

    it.each(images.filter(([, , isOci]) => isOci))('%s, by an OCI layout', async (_, image) => {
      const way = `oci:${folder}/oci-${image}:v1`;
      await copy(at(inMemory, `origin/${image}`), way, '--preserve-digests');
      await copy(way, at(inFiles, `by-layout/${image}`), '--preserve-digests');
      expect(await contentsOf(inFiles, `by-layout/${image}`)).toEqual(
        await contentsOf(inMemory, `origin/${image}`),
      );
    });

    it('to another repository of the same registry, which mounts the blobs', async () => {
      mountedFrom.length = 0;
      await copy(at(inMemory, 'origin/attested'), at(inMemory, 'mounted/attested'), '--preserve-digests');
      expect(mountedFrom.length).toBeGreaterThan(0);
      expect(await contentsOf(inMemory, 'mounted/attested')).toEqual(
        await contentsOf(inMemory, 'origin/attested'),
      );
    });

    describe.skipIf(!HAS_REGISTRY)("with Debian's docker-registry on the way", () => {
      let theirs: RunningRegistry;
      beforeAll(async () => {
        theirs = await startDockerRegistry();
      });
      afterAll(() => theirs.close());

      it.each(images)('%s', async (_, image) => {
        const before = await contentsOf(inMemory, `origin/${image}`);
        await copy(at(inMemory, `origin/${image}`), at(theirs, image), '--preserve-digests');
        expect(await contentsOf(theirs, image)).toEqual(before);
        await copy(at(theirs, image), at(inFiles, `by-registry/${image}`), '--preserve-digests');
        expect(await contentsOf(inFiles, `by-registry/${image}`)).toEqual(before);
      });
    });
  },
);

describe.skipIf(!HAS_SKOPEO)('skopeo, asking the local registry', () => {
  const insecure = '--tls-verify=false';
  const host = () => new URL(inFiles.url).host;

  it('lists tags, inspects and deletes', async () => {
    const built = await buildImage({ appDir: APP, version: 'v2', platforms: PLATFORMS });
    for (const tag of ['v2', 'v1'])
      await pushImage(built, { endpoint: inFiles.url, repository: 'acme/asked', tag });
    const image = at(inFiles, 'acme/asked');
    const list = async () =>
      JSON.parse(await skopeo('list-tags', insecure, `docker://${host()}/acme/asked`)).Tags;

    expect(await list()).toEqual(['v1', 'v2']);
    expect(await skopeo('inspect', insecure, '--raw', image)).toBe(built.index.bytes.toString());
    const arm = JSON.parse(await skopeo('inspect', insecure, '--override-arch', 'arm64', image));
    expect(arm).toMatchObject({ Digest: built.digest, Architecture: 'arm64', RepoTags: ['v1', 'v2'] });
    const config = await skopeo('inspect', insecure, '--config', '--raw', '--override-arch', 'arm64', image);
    expect(config).toBe(built.manifests[1]?.config.bytes.toString());

    await skopeo('delete', insecure, image);
    expect(await list()).toEqual([]);
    await expect(skopeo('inspect', insecure, image)).rejects.toThrow(
      /manifest unknown|is not in acme\/asked/,
    );
  });
});

describe.skipIf(!HAS_BUILDAH)('buildah, with the local registry', () => {
  it('pulls back what it pushed', async () => {
    await buildah('rmi', '--all', '--force');
    const image = `${new URL(inMemory.url).host}/origin/buildah:v1`;
    for (const [index, platform] of PLATFORMS.entries()) {
      const pulled = await buildah('pull', '--quiet', '--tls-verify=false', '--platform', platform, image);
      expect(pulled).toBe(builtIds[index]);
    }
  });
});

describe.skipIf(!HAS_SUITE)("the distribution specification's own suite", () => {
  it.each(['in memory', 'in files'])('passes with blobs %s', async where => {
    const registry = where === 'in memory' ? inMemory : inFiles;
    const env = {
      ...process.env,
      OCI_REGISTRY: new URL(registry.url).host,
      OCI_TLS: 'disabled',
      OCI_RESULTS_DIR: path.join(folder, 'results'),
      OCI_VERSION: '1.1',
      OCI_API_BLOBS_UPLOAD_CANCEL: 'true',
      OCI_API_BLOBS_DIGEST_HEADER: 'true',
      OCI_API_MANIFESTS_DIGEST_HEADER: 'true',
    };
    const { stdout } = await promisify(execFile)('oci-conformance', [], {
      env,
      cwd: folder,
      maxBuffer: 64 * 1024 * 1024,
    });
    expect(stdout).toMatch(/^OCI Conformance Result: Pass$/m);
    expect(stdout).toMatch(/^ *FAIL\.*: +0$/m);
  });
});

import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MANIFEST_TYPES, manifestSchema } from '../../functions/image/documents.ts';
import { registryClient } from '../../functions/image/registry.ts';
import { type Verdict, type VerifyRules, verifyImage } from '../../functions/image/verify.ts';
import { realClock } from '../../local/clock.ts';
import { serve } from '../../local/http.ts';
import { buildImage } from '../../local/images/build.ts';
import { standInElf } from '../../local/images/elf.ts';
import { pushImage } from '../../local/images/push.ts';
import { RegistryCore } from '../../local/registry/core.ts';
import { registryHandler } from '../../local/registry/http.ts';
import { isInstalled, type RunningRegistry, skopeo, startDockerRegistry } from './registry-processes.ts';

/** Images that other tools made, in a registry that is not ours, where these are installed. */

const HOST = 'registry.example';
const PLATFORMS = ['linux/amd64', 'linux/arm64'] as const;
const APP = path.join(import.meta.dirname, '..', '..', 'app');
const HAS_REGISTRY = isInstalled('docker-registry');
const HAS_SKOPEO = isInstalled('skopeo');

let registry: RunningRegistry;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'slipway-images-'));
  registry = HAS_REGISTRY
    ? await startDockerRegistry()
    : await serve(registryHandler(new RegistryCore({ host: HOST, clock: realClock })));
});
afterAll(async () => {
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});

async function verify(
  repository: string,
  rules: Partial<VerifyRules> = {},
  from = registry,
): Promise<Verdict> {
  const client = registryClient({ mirrors: { [HOST]: from.url }, accessToken: async () => undefined });
  const image = `${HOST}/${repository}`;
  const { digest } = await client.manifest(image, 'v1');
  return verifyImage(client, image, digest, { platforms: PLATFORMS, binaries: true, ...rules });
}

/** Media type of the first platform's first layer. */
async function layerType(repository: string, verdict: Verdict, from = registry): Promise<string> {
  const manifest = await fetch(`${from.url}/v2/${repository}/manifests/${verdict.platforms[0]?.digest}`, {
    headers: { accept: [...MANIFEST_TYPES].join(', ') },
  });
  return manifestSchema.parse(await manifest.json()).layers[0]?.mediaType ?? '';
}

function at(repository: string, where = registry): string {
  return `docker://${new URL(where.url).host}/${repository}:v1`;
}

const isBuildahAble = canBuild();
console.info(
  [
    `Image contract: pulled from ${HAS_REGISTRY ? "Debian's docker-registry" : 'the local registry (docker-registry is not installed)'};`,
    `images made by ${[HAS_SKOPEO ? 'skopeo' : '', isBuildahAble ? 'buildah' : '', 'local/images'].filter(Boolean).join(', ')}.`,
    HAS_SKOPEO ? '' : 'skopeo is not installed.',
    isBuildahAble ? '' : 'buildah is not installed or cannot build here.',
  ]
    .filter(Boolean)
    .join(' '),
);

/** buildah wants rights that some sandboxes do not give. */
function canBuild(): boolean {
  if (!isInstalled('buildah')) return false;
  const root = path.join(tmpdir(), `slipway-buildah-probe-${process.pid}`);
  const storage = ['--storage-driver', 'vfs', '--root', root, '--runroot', `${root}-run`];
  try {
    execFileSync('buildah', [...storage, 'from', '--name', 'probe', 'scratch'], { stdio: 'ignore' });
    execFileSync('buildah', [...storage, 'rm', 'probe'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    execFileSync('rm', ['-rf', root, `${root}-run`]);
  }
}

describe.skipIf(!HAS_SKOPEO)('an image that skopeo wrote', () => {
  beforeAll(async () => {
    const built = await buildImage({ appDir: APP, version: 'v1', platforms: PLATFORMS });
    await pushImage(built, { endpoint: registry.url, repository: 'acme/origin', tag: 'v1' });
  });

  const copy = (from: string, to: string, ...options: string[]) =>
    skopeo('--insecure-policy', 'copy', '--quiet', ...options, from, to);
  const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false'];

  it('as a Docker manifest list is accepted with its binaries', async () => {
    await copy(at('acme/origin'), at('acme/list'), ...insecure, '--all', '--format', 'v2s2');
    const verdict = await verify('acme/list');
    expect(verdict.reasons).toEqual([]);
    expect(verdict.mediaType).toBe('application/vnd.docker.distribution.manifest.list.v2+json');
    expect(await layerType('acme/list', verdict)).toBe('application/vnd.docker.image.rootfs.diff.tar.gzip');
  });

  it('with layers of many zstd frames is accepted with its binaries', async () => {
    // To another registry, for skopeo uses again the gzip layers that it knows to be in the first.
    const other = await serve(registryHandler(new RegistryCore({ host: HOST, clock: realClock })));
    const unpacked = `dir:${path.join(folder, 'unpacked')}`;
    try {
      await copy(at('acme/origin'), unpacked, '--all', '--src-tls-verify=false', '--dest-decompress');
      const compress = ['--format', 'oci', '--dest-compress-format', 'zstd:chunked'];
      await copy(unpacked, at('acme/zstd', other), '--all', '--dest-tls-verify=false', ...compress);
      const verdict = await verify('acme/zstd', {}, other);
      expect(verdict.reasons).toEqual([]);
      expect(await layerType('acme/zstd', verdict, other)).toBe(
        'application/vnd.oci.image.layer.v1.tar+zstd',
      );
      expect(verdict.platforms.map(({ executables }) => executables?.at(-1)?.is)).toEqual([
        'ELF 64-bit x86-64',
        'ELF 64-bit AArch64',
      ]);
    } finally {
      await other.close();
    }
  });

  it('for one platform only lacks the other', async () => {
    await copy(at('acme/origin'), at('acme/single'), ...insecure, '--override-arch', 'amd64');
    const verdict = await verify('acme/single');
    expect(verdict.reasons.map(({ code }) => code)).toEqual(['PlatformMissing', 'NotAnIndex']);
  });
});

describe.skipIf(!isBuildahAble)('an image that buildah built', () => {
  const buildah = async (...args: string[]): Promise<string> => {
    const storage = ['--storage-driver', 'vfs', '--root', `${folder}/storage`, '--runroot', `${folder}/run`];
    const { stdout } = await promisify(execFile)('buildah', [...storage, ...args]);
    return stdout.trim();
  };

  /** @param machine what the binary is for, platform by platform */
  async function build(
    repository: string,
    machine: Readonly<Record<(typeof PLATFORMS)[number], (typeof PLATFORMS)[number]>>,
  ): Promise<void> {
    await buildah('manifest', 'create', repository);
    for (const platform of PLATFORMS) {
      const architecture = platform.split('/')[1] ?? '';
      const binary = path.join(folder, `${architecture}-app`);
      await writeFile(binary, standInElf(machine[platform]));
      const container = await buildah('from', '--arch', architecture, 'scratch');
      await buildah('copy', '--chmod', '755', container, binary, '/bin/app');
      await buildah('config', '--arch', architecture, '--entrypoint', '["app"]', '--user', '1000', container);
      await buildah('config', '--env', 'PATH=/usr/bin:/bin', container);
      await buildah('commit', '--quiet', '--rm', '--manifest', repository, container);
    }
    await buildah(
      'manifest',
      'push',
      '--all',
      '--tls-verify=false',
      '--format',
      'oci',
      repository,
      at(repository),
    );
  }

  it('is accepted, found through PATH, and its platforms are one build', async () => {
    await build('acme/built', { 'linux/amd64': 'linux/amd64', 'linux/arm64': 'linux/arm64' });
    const verdict = await verify('acme/built', { twins: 'strict' });
    expect(verdict.reasons).toEqual([]);
    expect(verdict.platforms.map(({ executables }) => executables?.[0]?.file)).toEqual([
      '/bin/app',
      '/bin/app',
    ]);
  });

  it('with the binary of the machine that built it is refused for the other', async () => {
    await build('acme/slip', { 'linux/amd64': 'linux/amd64', 'linux/arm64': 'linux/amd64' });
    const verdict = await verify('acme/slip');
    expect(verdict.reasons.map(({ code }) => code)).toEqual(['BinaryMismatch']);
    expect(verdict.reasons[0]?.message).toContain('is ELF 64-bit x86-64 and should be ELF 64-bit AArch64');
  });
});

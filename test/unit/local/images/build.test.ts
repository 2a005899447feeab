import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../../../functions/image/digest.ts';
import { readElf } from '../../../../functions/image/elf.ts';
import {
  type BuildOptions,
  type BuiltImage,
  type BuiltPart,
  buildImage,
} from '../../../../local/images/build.ts';

let appDir: string;

beforeEach(async () => {
  appDir = await mkdtemp(path.join(tmpdir(), 'slipway-app-'));
  for (const name of ['server.ts', 'log.ts', 'Dockerfile', 'server.test.ts', '.env', 'README.md']) {
    await writeFile(path.join(appDir, name), `// ${name}\n`);
  }
});
afterEach(() => rm(appDir, { recursive: true, force: true }));

function build(over: Partial<BuildOptions> = {}): Promise<BuiltImage> {
  return buildImage({
    appDir,
    version: 'v1',
    platforms: ['linux/amd64', 'linux/arm64'],
    attestation: true,
    ...over,
  });
}

function json(part: BuiltPart | undefined): Record<string, unknown> {
  const parsed: unknown = JSON.parse(part?.bytes.toString('utf8') ?? '');
  return parsed as Record<string, unknown>;
}

async function filesIn(layer: BuiltPart | undefined): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const archive = extract();
  Readable.from([gunzipSync(layer?.bytes ?? Buffer.alloc(0))]).pipe(archive);
  for await (const entry of archive) {
    const parts: Uint8Array[] = [];
    for await (const chunk of entry) if (chunk instanceof Uint8Array) parts.push(chunk);
    if (entry.header.type === 'file') files.set(entry.header.name, Buffer.concat(parts));
  }
  return files;
}

describe('buildImage', () => {
  it('makes the same bytes of the same sources, and others of others', async () => {
    const first = await build();
    expect((await build()).digest).toBe(first.digest);
    expect((await build({ version: 'v2' })).digest).not.toBe(first.digest);
    await writeFile(path.join(appDir, 'log.ts'), 'changed');
    expect((await build()).digest).not.toBe(first.digest);
  });

  it('lists a manifest per platform and an attestation for each', async () => {
    const built = await build();
    const [amd, arm] = built.manifests;
    const platform = (architecture: string, os = 'linux') => ({ architecture, os });
    expect(json(built.index)['manifests']).toMatchObject([
      { digest: amd?.digest, platform: platform('amd64') },
      { digest: arm?.digest, platform: platform('arm64') },
      {
        platform: platform('unknown', 'unknown'),
        annotations: {
          'vnd.docker.reference.type': 'attestation-manifest',
          'vnd.docker.reference.digest': amd?.digest,
        },
      },
      {
        platform: platform('unknown', 'unknown'),
        annotations: { 'vnd.docker.reference.digest': arm?.digest },
      },
    ]);
    expect((await build({ attestation: false })).manifests).toHaveLength(2);
  });

  it('attests what it lists', async () => {
    const { manifests } = await build();
    const statement = json(manifests[2]?.layers[0]);
    expect(json(manifests[2])['layers']).toMatchObject([
      {
        mediaType: 'application/vnd.in-toto+json',
        annotations: { 'in-toto.io/predicate-type': statement['predicateType'] },
      },
    ]);
    expect(statement['subject']).toMatchObject([
      { digest: { sha256: manifests[0]?.digest.slice('sha256:'.length) } },
    ]);
  });

  it('configures the container as a Dockerfile would', async () => {
    const { manifests } = await build({ env: { FAIL_RATIO: '0.2', VERSION: 'v9' } });
    const config = json(manifests[1]?.config);
    expect(config).toMatchObject({ os: 'linux', architecture: 'arm64' });
    expect(config['config']).toMatchObject({
      Entrypoint: ['/usr/local/bin/node'],
      Cmd: ['/app/server.ts'],
      WorkingDir: '/app',
      User: '1000',
      ExposedPorts: { '8080/tcp': {} },
      Env: [expect.stringMatching(/^PATH=/), 'VERSION=v9', 'TARGETARCH=arm64', 'FAIL_RATIO=0.2'],
      Labels: {
        'org.opencontainers.image.version': 'v1',
        'org.opencontainers.image.revision': expect.stringMatching(/^[0-9a-f]{40}$/),
        'org.opencontainers.image.source': expect.stringMatching(/^https:/),
      },
    });
  });

  it('puts the sources, and nothing but the sources, beside a stand-in for node', async () => {
    const { manifests } = await build();
    for (const [index, machine] of [62, 183].entries()) {
      const [base, app] = manifests[index]?.layers ?? [];
      const node = (await filesIn(base)).get('usr/local/bin/node');
      expect(readElf(node ?? Buffer.alloc(0))?.machine).toBe(machine);
      expect([...(await filesIn(app)).keys()]).toEqual(['app/log.ts', 'app/server.ts']);
    }
  });

  it('names layers by what they unpack to', async () => {
    const { manifests } = await build();
    const unpacked = manifests[0]?.layers.map(layer => digestOf(gunzipSync(layer.bytes)));
    expect(json(manifests[0]?.config)['rootfs']).toEqual({ type: 'layers', diff_ids: unpacked });
  });

  it('lies where it is told to', async () => {
    const built = await build({
      lieAbout: { binaries: { 'linux/arm64': 'linux/amd64' }, configs: { 'linux/amd64': 'linux/arm64' } },
    });
    const [amd, arm] = built.manifests;
    expect(json(amd?.config)['architecture']).toBe('arm64');
    const node = (await filesIn(arm?.layers[0])).get('usr/local/bin/node');
    expect(readElf(node ?? Buffer.alloc(0))?.machine).toBe(62);
  });

  it('says what is missing in a folder that is no app', async () => {
    await rm(path.join(appDir, 'server.ts'));
    await expect(build()).rejects.toThrow('has no server.ts');
  });
});

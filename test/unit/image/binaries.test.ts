import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { constants, createZstdCompress, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../../functions/image/digest.ts';
import type { Registry } from '../../../functions/image/registry.ts';
import { inspectBinaries } from '../../../functions/image/entrypoint.ts';
import { MAX_REMEMBERED_BYTES } from '../../../functions/image/files.ts';
import { readImage } from '../../../functions/image/inspect.ts';
import { readLayer, unpackedLimitBytes } from '../../../functions/image/layers.ts';
import { type Verdict, verifyImage } from '../../../functions/image/verify.ts';
import type { HttpServer } from '../../../local/http.ts';
import { standInElf } from '../../../local/images/elf.ts';
import { dynamicElf, scatteredElf } from './executables.ts';
import {
  type Archive,
  directory,
  hardlink,
  layerOf,
  symlink,
  type TarEntry,
  tarOf,
} from './layer-archives.ts';
import { configFor, IMAGE, OddRegistry, reading } from './odd-registry.ts';

const ARM = standInElf('linux/arm64');
const AMD = standInElf('linux/amd64');
const GZIP = 'application/vnd.oci.image.layer.v1.tar+gzip';

let odd: OddRegistry;
let registry: Registry;
let server: HttpServer;

beforeEach(async () => {
  odd = new OddRegistry();
  ({ registry, server } = await reading(odd.handler));
});
afterEach(() => server.close());

/** Verifies an arm64 image with the given layers, bottom first. */
async function verify(
  layers: readonly Archive[],
  config: object,
  platform = 'linux/arm64',
): Promise<Verdict> {
  const descriptors = layers.map(layer => odd.put(layer.mediaType, layer.bytes));
  const diffIds = layers.map(layer => layer.diffId);
  const manifest = odd.manifest(configFor(platform, { config, rootfs: { diff_ids: diffIds } }), descriptors);
  odd.requests.length = 0;
  return verifyImage(registry, IMAGE, manifest.digest, { platforms: [platform], binaries: true });
}

/** The same, each list of entries being a gzip layer. */
async function verifyFiles(layers: readonly (readonly TarEntry[])[], config: object): Promise<Verdict> {
  return verify(await Promise.all(layers.map(entries => layerOf(entries))), config);
}

function codes(verdict: Verdict): string[] {
  return verdict.reasons.map(reason => reason.code);
}

function executed(verdict: Verdict): (string | undefined)[] {
  return (verdict.platforms[0]?.executables ?? []).map(one => `${one.file}: ${one.is}`);
}

const START = { Entrypoint: ['/bin/app'] };

describe('a binary', () => {
  it('of the right machine is accepted, and said where it is', async () => {
    const layer = await layerOf([{ name: 'bin/app', content: ARM }]);
    const verdict = await verify([layer], START);
    expect(verdict.status).toBe('accepted');
    expect(verdict.platforms[0]?.executables).toEqual([
      { file: '/bin/app', layer: digestOf(layer.bytes), is: 'ELF 64-bit AArch64' },
    ]);
  });

  it('of another machine is a mismatch that names file, layer, what it is and what it should be', async () => {
    const layer = await layerOf([{ name: 'bin/app', content: AMD }]);
    const verdict = await verify([layer], START);
    expect(codes(verdict)).toEqual(['BinaryMismatch']);
    const { message, fix } = verdict.reasons[0] ?? { message: '', fix: '' };
    for (const part of ['/bin/app', digestOf(layer.bytes), 'x86-64', 'AArch64', 'exec format error']) {
      expect(message).toContain(part);
    }
    expect(fix).toContain('TARGETARCH');
  });

  it.each(['gzip', 'zstd', 'none'] as const)('is found in a layer with compression %s', async compression => {
    const layer = await layerOf([{ name: './bin/app', content: ARM }], compression);
    expect((await verify([layer], START)).reasons).toEqual([]);
  });

  it('is not looked at unless the rules ask for it', async () => {
    const layer = await layerOf([{ name: 'bin/app', content: AMD }]);
    const manifest = odd.manifest(configFor('linux/arm64', { rootfs: { diff_ids: [layer.diffId] } }), [
      odd.put(layer.mediaType, layer.bytes),
    ]);
    const verdict = await verifyImage(registry, IMAGE, manifest.digest, {
      platforms: ['linux/arm64'],
      binaries: false,
    });
    expect(verdict.status).toBe('accepted');
    expect(verdict.platforms[0]?.executables).toBeUndefined();
  });
});

describe('layers', () => {
  it('are read from the top, and only as far as needed', async () => {
    const verdict = await verifyFiles(
      [
        [{ name: 'base', content: randomBytes(1000) }],
        [{ name: 'bin/app', content: ARM }],
        [{ name: 'etc/x' }],
      ],
      START,
    );
    expect(verdict.status).toBe('accepted');
    // Manifest, config, and two of the three layers.
    expect(odd.requests).toHaveLength(4);
  });

  it('on top decide', async () => {
    expect(
      codes(
        await verifyFiles([[{ name: 'bin/app', content: ARM }], [{ name: 'bin/app', content: AMD }]], START),
      ),
    ).toEqual(['BinaryMismatch']);
    expect(
      codes(
        await verifyFiles([[{ name: 'bin/app', content: AMD }], [{ name: 'bin/app', content: ARM }]], START),
      ),
    ).toEqual([]);
  });

  it.each([
    ['the file', 'bin/.wh.app'],
    ['its folder', '.wh.bin'],
    ['all that was in its folder', 'bin/.wh..wh..opq'],
  ])('may take away %s', async (_, whiteout) => {
    const verdict = await verifyFiles([[{ name: 'bin/app', content: ARM }], [{ name: whiteout }]], START);
    expect(codes(verdict)).toEqual(['EntrypointNotFound']);
  });

  it('may replace the folder with a file', async () => {
    const verdict = await verifyFiles(
      [[{ name: 'bin/app', content: ARM }], [{ name: 'bin', content: 'x' }]],
      START,
    );
    expect(codes(verdict)).toEqual(['EntrypointNotFound']);
  });

  it('may bring back in the same layer what they take away', async () => {
    const verdict = await verifyFiles(
      [
        [{ name: 'bin/app', content: AMD }],
        [{ name: 'bin/.wh..wh..opq' }, { name: 'bin/app', content: ARM }],
      ],
      START,
    );
    expect(verdict.status).toBe('accepted');
  });
});

describe('a directory that a layer does not list', () => {
  const sh = { name: 'usr/bin/sh', content: ARM };
  const config = { Entrypoint: ['/bin/app'] };

  it('is the link that it is in the layer below', async () => {
    const layers = [[symlink('bin', 'usr/bin'), sh], [{ name: 'bin/app', content: '#!/bin/sh\n' }]];
    expect(executed(await verifyFiles(layers, config))).toEqual([
      '/usr/bin/app: script for /bin/sh',
      '/usr/bin/sh: ELF 64-bit AArch64',
    ]);
    expect(executed(await verifyFiles(layers, { Entrypoint: ['/usr/bin/app'] }))[0]).toContain(
      '/usr/bin/app',
    );
  });

  it('is the link that it is in the same layer', async () => {
    const layers = [[symlink('bin', 'usr/bin'), sh, { name: 'bin/app', content: '#!/usr/bin/sh\n' }]];
    expect(executed(await verifyFiles(layers, { Entrypoint: ['/usr/bin/app'] }))).toHaveLength(2);
  });

  it('is no link any more when a layer in between listed it', async () => {
    const layers = [
      [symlink('bin', 'usr/bin'), sh],
      [directory('bin')],
      [{ name: 'bin/app', content: '#!/bin/sh\n' }],
    ];
    expect(codes(await verifyFiles(layers, config))).toEqual(['EntrypointNotFound']);
  });

  it('is no link any more when its layer took the link away', async () => {
    const layers = [
      [symlink('bin', 'usr/bin'), sh],
      [{ name: '.wh.bin' }, { name: 'bin/app', content: '#!/bin/sh\n' }],
    ];
    expect(codes(await verifyFiles(layers, config))).toEqual(['EntrypointNotFound']);
  });

  it('may be a link to the root, or to a link', async () => {
    const start = async (layers: readonly (readonly TarEntry[])[], file: string) =>
      executed(await verifyFiles(layers, { Entrypoint: [file] }));
    const app = { name: 'bin/app', content: ARM };
    const link = [symlink('bin', 'usr/bin'), symlink('usr', 'system/usr'), directory('system/usr/bin')];
    expect(await start([[symlink('bin', '/')], [app]], '/app')).toEqual(['/app: ELF 64-bit AArch64']);
    expect(await start([link, [app]], '/system/usr/bin/app')).toEqual([
      '/system/usr/bin/app: ELF 64-bit AArch64',
    ]);
  });

  it('takes its whiteouts along', async () => {
    const layers = [
      [symlink('bin', 'usr/bin'), { name: 'usr/bin/app', content: ARM }],
      [{ name: 'bin/.wh.app' }],
    ];
    expect(codes(await verifyFiles(layers, config))).toEqual(['EntrypointNotFound']);
  });

  it('ends where links lead in circles', async () => {
    const layers = [
      [symlink('bin', 'usr'), symlink('usr', 'bin')],
      [{ name: 'bin/app', content: '#!/bin/sh\n' }],
    ];
    expect(codes(await verifyFiles(layers, config))).toEqual(['EntrypointNotFound']);
  });
});

describe('links', () => {
  it('are followed across layers, relative and absolute, in files and folders', async () => {
    const verdict = await verifyFiles(
      [
        [{ name: 'usr/lib/app/real', content: ARM }, hardlink('usr/lib/app/same', 'usr/lib/app/real')],
        [directory('usr/bin'), symlink('usr/bin/app', '../lib/app/same')],
        [symlink('bin', '/usr/bin')],
      ],
      START,
    );
    expect(executed(verdict)).toEqual(['/usr/lib/app/same: ELF 64-bit AArch64']);
  });

  it('between files keep what was there when their layer was unpacked', async () => {
    const layers = (base: Buffer, replaced: Buffer) => [
      [{ name: 'base', content: base }],
      [hardlink('bin/app', 'base')],
      [{ name: 'base', content: replaced }],
    ];
    expect(executed(await verifyFiles(layers(ARM, AMD), START))).toEqual(['/bin/app: ELF 64-bit AArch64']);
    expect(codes(await verifyFiles(layers(AMD, ARM), START))).toEqual(['BinaryMismatch']);
  });

  it('never lead out of the image', async () => {
    const verdict = await verifyFiles(
      [[symlink('bin/app', '../../../../opt/app'), { name: '../../opt/app', content: ARM }]],
      START,
    );
    expect(executed(verdict)).toEqual(['/opt/app: ELF 64-bit AArch64']);
  });

  it.each([
    ['to itself', [symlink('bin/app', 'app')]],
    ['in a circle', [symlink('bin/app', '/bin/b'), symlink('bin/b', '/bin/app')]],
    ['that grows', [symlink('bin/app', 'app/app/app')]],
  ])('%s end', async (_, entries) => {
    const verdict = await verifyFiles([entries], START);
    expect(codes(verdict)).toEqual(['EntrypointNotFound']);
    expect(verdict.reasons[0]?.message).toContain('in circles');
  });
});

describe('the command', () => {
  it('is looked up in PATH, passing over what cannot be executed', async () => {
    const verdict = await verifyFiles(
      [
        [
          { name: 'opt/a/app', content: AMD, mode: 0o644 },
          { name: 'opt/b/app', content: ARM },
        ],
      ],
      { Env: ['PATH=/none:/opt/a:/opt/b'], Cmd: ['app'] },
    );
    expect(executed(verdict)).toEqual(['/opt/b/app: ELF 64-bit AArch64']);
  });

  it('has the usual PATH when the image sets none', async () => {
    const verdict = await verifyFiles([[{ name: 'usr/local/bin/app', content: ARM }]], { Cmd: ['app'] });
    expect(verdict.status).toBe('accepted');
  });

  it('may be relative to the working directory', async () => {
    const verdict = await verifyFiles([[{ name: 'srv/app', content: ARM }]], {
      WorkingDir: '/srv',
      Cmd: ['./app'],
    });
    expect(verdict.status).toBe('accepted');
  });

  it.each([
    ['EntrypointMissing', {}, []],
    ['EntrypointNotFound', { Cmd: ['/gone'] }, []],
    ['EntrypointNotFound', { Cmd: ['gone'] }, []],
    ['EntrypointNotExecutable', { Cmd: ['/app'] }, [{ name: 'app', content: ARM, mode: 0o644 }]],
    ['EntrypointNotExecutable', { Cmd: ['/dir'] }, [directory('dir')]],
    ['EntrypointUnknownFormat', { Cmd: ['/app'] }, [{ name: 'app', content: 'echo hello' }]],
    ['EntrypointUnknownFormat', { Cmd: ['/app'] }, [{ name: 'app', content: AMD.subarray(0, 30) }]],
  ])('that cannot be started is %s: %j', async (code, config, entries) => {
    expect(codes(await verifyFiles([entries], config))).toEqual([code]);
  });
});

describe('scripts and wrappers', () => {
  const sh = { name: 'bin/sh', content: ARM };

  it('are followed to their interpreter', async () => {
    const verdict = await verifyFiles([[sh, { name: 'app.sh', content: '#! /bin/sh -e\nexec server\n' }]], {
      Cmd: ['/app.sh'],
    });
    expect(executed(verdict)).toEqual(['/app.sh: script for /bin/sh', '/bin/sh: ELF 64-bit AArch64']);
  });

  it('with an interpreter of another machine are a mismatch', async () => {
    const verdict = await verifyFiles(
      [
        [
          { name: 'bin/sh', content: AMD },
          { name: 'app.sh', content: '#!/bin/sh\n' },
        ],
      ],
      { Cmd: ['/app.sh'] },
    );
    expect(codes(verdict)).toEqual(['BinaryMismatch']);
  });

  it('with an interpreter that is not there say so', async () => {
    const verdict = await verifyFiles([[{ name: 'app.sh', content: '#!/bin/bash\n' }]], { Cmd: ['/app.sh'] });
    expect(codes(verdict)).toEqual(['EntrypointNotFound']);
    expect(verdict.reasons[0]?.message).toContain('/bin/bash');
  });

  it.each([
    ['#!/usr/bin/env node\n'],
    ['#!/usr/bin/env -S node --enable-source-maps\n'],
    ['#!/usr/bin/env -S NODE_ENV=production node\n'],
  ])('%s goes through env to node', async line => {
    const verdict = await verifyFiles(
      [
        [
          { name: 'usr/bin/env', content: ARM },
          { name: 'usr/local/bin/node', content: AMD },
          { name: 'app', content: line },
        ],
      ],
      { Cmd: ['/app'] },
    );
    expect(codes(verdict)).toEqual(['BinaryMismatch']);
    expect(verdict.reasons[0]?.message).toContain('/usr/local/bin/node');
  });

  it.each([
    [['/sbin/tini', '--', 'node', 'server.js']],
    [['/sbin/tini', '-s', '-p', 'SIGTERM', 'node', 'server.js']],
    [['/bin/sh', '-c', 'exec node server.js']],
    [['/bin/sh', '-c', 'node server.js | tee log']],
  ])('%j starts node', async argv => {
    const verdict = await verifyFiles(
      [[sh, { name: 'sbin/tini', content: ARM }, { name: 'bin/node', content: AMD }]],
      { Cmd: argv },
    );
    expect(codes(verdict)).toEqual(['BinaryMismatch']);
    expect(verdict.reasons[0]?.message).toContain('/bin/node');
  });

  it('are taken to start Cmd in the end, as entrypoint scripts do', async () => {
    const files = (node: Buffer) => [
      [sh, { name: 'bin/node', content: node }, { name: 'entry.sh', content: '#!/bin/sh\nexec "$@"\n' }],
    ];
    const config = { Entrypoint: ['/entry.sh'], Cmd: ['node', 'server.js'] };
    expect(codes(await verifyFiles(files(AMD), config))).toEqual(['BinaryMismatch']);
    expect(executed(await verifyFiles(files(ARM), config))).toHaveLength(3);
  });

  it('with the line ends of Windows are refused for that', async () => {
    const verdict = await verifyFiles([[sh, { name: 'app.sh', content: '#!/bin/sh\r\nexec server\r\n' }]], {
      Cmd: ['/app.sh'],
    });
    expect(codes(verdict)).toEqual(['EntrypointNotFound']);
    expect(verdict.reasons[0]?.message).toContain('line ends of Windows');
    expect(verdict.reasons[0]?.fix).toContain('dos2unix');
  });

  it('cannot write to a terminal by their names', async () => {
    const verdict = await verifyFiles([[{ name: 'app', content: '#!/bin/\u001b[2J\u202eevil\n' }]], {
      Cmd: ['/app'],
    });
    expect(verdict.reasons[0]?.message).toContain('/bin/\ufffd[2J\ufffdevil');
  });

  it('are not blamed for words that only a shell understands', async () => {
    const config = [
      { Cmd: ['/bin/sh', '-c', 'cd /app && ./run'] },
      { Cmd: ['/bin/sh', '-c', '$START'] },
      { Entrypoint: ['/entry.sh'], Cmd: ['--verbose'] },
      { Entrypoint: ['/entry.sh'], Cmd: ['serve'] },
    ];
    for (const one of config) {
      const verdict = await verifyFiles([[sh, { name: 'entry.sh', content: '#!/bin/sh\n' }]], one);
      expect(verdict.reasons).toEqual([]);
    }
  });

  it('that interpret each other end', async () => {
    const verdict = await verifyFiles(
      [
        [
          { name: 'a', content: '#!/b\n' },
          { name: 'b', content: '#!/a\n' },
        ],
      ],
      { Cmd: ['/a'] },
    );
    expect(codes(verdict)).toEqual(['EntrypointUnknownFormat']);
  });
});

describe('the dynamic loader', () => {
  const LOADER = '/lib/ld-linux-aarch64.so.1';
  const app = { name: 'bin/app', content: dynamicElf(183, LOADER) };

  it('is among what is executed', async () => {
    const verdict = await verifyFiles([[{ name: LOADER, content: ARM }], [app]], START);
    expect(executed(verdict)).toEqual(['/bin/app: ELF 64-bit AArch64', `${LOADER}: ELF 64-bit AArch64`]);
  });

  it('must be in the image', async () => {
    const verdict = await verifyFiles([[{ name: 'lib/ld-musl-aarch64.so.1', content: ARM }], [app]], START);
    expect(codes(verdict)).toEqual(['LoaderMissing']);
    expect(verdict.reasons[0]?.message).toContain(LOADER);
  });

  it('of glibc is not in Alpine, and it says so', async () => {
    const musl = { name: 'lib/ld-musl-aarch64.so.1', content: ARM };
    const layer = await layerOf([musl, app]);
    const { message = '', fix } = (await verify([layer], START)).reasons[0] ?? {};
    for (const part of ['/bin/app', digestOf(layer.bytes), 'AArch64 for glibc', LOADER, musl.name]) {
      expect(message).toContain(part);
    }
    expect(fix).toContain('FROM alpine in both');
  });

  it('of musl is not in Debian, and it says so', async () => {
    const alpine = { name: 'bin/app', content: dynamicElf(183, '/lib/ld-musl-aarch64.so.1') };
    const verdict = await verifyFiles([[{ name: LOADER, content: ARM }, alpine]], START);
    expect(verdict.reasons[0]?.message).toContain('for musl (Alpine)');
  });

  it('is found at the end of an executable that was rewritten', async () => {
    const rewritten = scatteredElf(183, LOADER, { table: 100_000, name: 200_000 });
    const verdict = await verifyFiles([[{ name: 'bin/app', content: rewritten }]], START);
    expect(codes(verdict)).toEqual(['LoaderMissing']);
  });

  it('that cannot be read is not taken for none', async () => {
    const odder = scatteredElf(183, LOADER, { table: 200_000, name: 100_000 });
    const verdict = await verifyFiles([[{ name: 'bin/app', content: odder }]], START);
    expect(codes(verdict)).toEqual(['EntrypointUnknownFormat']);
  });

  it('must be of the same machine', async () => {
    const verdict = await verifyFiles([[{ name: LOADER, content: AMD }], [app]], START);
    expect(codes(verdict)).toEqual(['BinaryMismatch']);
  });
});

describe('an entry', () => {
  const sparse = (name: string, fields: object) => ({
    name,
    content: ARM,
    pax: { 'GNU.sparse.name': 'bin/app', 'GNU.sparse.realsize': '512', ...fields },
  });

  it('that is sparse has its real name, and is not judged by what is stored of it', async () => {
    const one = sparse('GNUSparseFile.0/app', { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0' });
    expect(codes(await verifyFiles([[one]], START))).toEqual(['EntrypointUnknownFormat']);
  });

  it('that only says so has the name that runtimes give it', async () => {
    const one = sparse('bin/other', { 'GNU.sparse.major': '2', 'GNU.sparse.minor': '0' });
    expect(codes(await verifyFiles([[one]], START))).toEqual(['EntrypointNotFound']);
    expect(executed(await verifyFiles([[one]], { Entrypoint: ['/bin/other'] }))).toHaveLength(1);
  });
});

describe('a layer that cannot be unpacked', () => {
  async function single(bytes: Buffer, diffId = digestOf(Buffer.from('whatever')), mediaType = GZIP) {
    const verdict = await verify([{ mediaType, bytes, diffId }], START);
    expect(codes(verdict)).toHaveLength(1);
    return verdict.reasons[0] ?? { code: undefined, message: '' };
  }

  it('is not compressed as it says', async () => {
    expect((await single(Buffer.from('not gzip'))).code).toBe('LayerInvalid');
  });

  it('is truncated', async () => {
    const { bytes, diffId } = await layerOf([{ name: 'bin/app', content: randomBytes(10_000) }]);
    expect((await single(bytes.subarray(0, 5000), diffId)).code).toBe('LayerInvalid');
    const tar = await tarOf([{ name: 'bin/app', content: randomBytes(10_000) }]);
    expect((await single(gzipSync(tar.subarray(0, 5000)))).code).toBe('LayerInvalid');
  });

  it('is truncated zstd', async () => {
    const { mediaType, bytes, diffId } = await layerOf([{ name: 'x', content: randomBytes(9000) }], 'zstd');
    expect((await single(bytes.subarray(0, 5000), diffId, mediaType)).code).toBe('LayerInvalid');
  });

  it('has more or fewer bytes than are listed', async () => {
    const layer = await layerOf([{ name: 'bin/app', content: ARM }]);
    const descriptor = odd.put(layer.mediaType, layer.bytes);
    for (const size of [descriptor.size - 1, descriptor.size + 1]) {
      const config = configFor('linux/arm64', { config: START, rootfs: { diff_ids: [layer.diffId] } });
      const manifest = odd.manifest(config, [{ ...descriptor, size }]);
      const rules = { platforms: ['linux/arm64'], binaries: true };
      const verdict = await verifyImage(registry, IMAGE, manifest.digest, rules);
      expect(codes(verdict)).toEqual(['ContentInvalid']);
      expect(verdict.reasons[0]?.message).toContain(`${size} are listed`);
    }
  });

  it('has a digest that cannot be checked', async () => {
    const layer = await layerOf([{ name: 'bin/app', content: ARM }]);
    expect((await single(layer.bytes, `blake3:${'a'.repeat(64)}`)).code).toBe('DigestUnsupported');
  });

  it('is no archive', async () => {
    expect((await single(gzipSync(randomBytes(4096)))).code).toBe('LayerInvalid');
  });

  it('unpacks to something else than the config lists', async () => {
    const { bytes } = await layerOf([{ name: 'bin/app', content: ARM }]);
    expect((await single(bytes)).message).toContain('the config lists');
  });

  it('does not have the digest it is listed with', async () => {
    const layer = await layerOf([{ name: 'bin/app', content: ARM }]);
    const forged = await layerOf([{ name: 'bin/app', content: AMD }]);
    const descriptor = odd.put(layer.mediaType, layer.bytes);
    const manifest = odd.manifest(
      configFor('linux/arm64', { config: START, rootfs: { diff_ids: [layer.diffId] } }),
      [descriptor],
    );
    odd.put(layer.mediaType, forged.bytes, descriptor.digest);
    const verdict = await verifyImage(registry, IMAGE, manifest.digest, {
      platforms: ['linux/arm64'],
      binaries: true,
    });
    expect(codes(verdict)).toEqual(['ContentInvalid']);
  });

  it.each([
    ['gzip', (bytes: Buffer) => gzipSync(bytes, { level: 1 })],
    ['zstd', (bytes: Buffer) => zstdCompressSync(bytes)],
  ])('is a bomb of %s', async (compression, compress) => {
    const bomb = compress(Buffer.alloc(70 * 1024 * 1024));
    const mediaType = `application/vnd.oci.image.layer.v1.tar+${compression}`;
    expect((await single(bomb, undefined, mediaType)).message).toContain('unpacks to more than');
  });

  it('wants a window that would fill the memory', async () => {
    const params = { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_enableLongDistanceMatching]: 1 };
    const stream = createZstdCompress({ params });
    stream.end(await tarOf([{ name: 'bin/app', content: ARM }]));
    const bytes = await buffer(stream);
    const { code, message } = await single(bytes, undefined, 'application/vnd.oci.image.layer.v1.tar+zstd');
    expect(code).toBe('LayerInvalid');
    expect(message).toContain('too much memory');
  });

  it('has a header that would fill the memory', async () => {
    const tar = await tarOf([{ name: `${'x'.repeat(5 * 1024 * 1024)}/app`, content: ARM }]);
    expect((await single(gzipSync(tar))).code).toBe('LayerInvalid');
  });

  it('has more files than there is memory for', async () => {
    const entries = Array.from({ length: 50 }, (_, index) => ({ name: `bin/${index}`, content: ARM }));
    const layer = await layerOf(entries);
    const { size, digest } = odd.put(layer.mediaType, layer.bytes);
    const read = (rememberedBytes: number) =>
      readLayer(
        { registry, image: IMAGE },
        {
          descriptor: { mediaType: layer.mediaType, digest, size },
          diffId: layer.diffId,
          rememberedBytes,
          signal: new AbortController().signal,
        },
      );
    expect(await read(MAX_REMEMBERED_BYTES - 20_000)).toMatchObject({ ok: true });
    expect(await read(MAX_REMEMBERED_BYTES - 1000)).toMatchObject({
      ok: false,
      reason: {
        code: 'LayerInvalid',
        message: expect.stringContaining('more paths than can be looked at'),
        fix: expect.stringContaining('Leave out of the image'),
      },
    });
  });

  it('may have more executable files that cannot be started than there is memory for', async () => {
    const plain = Array.from({ length: 50 }, (_, index) => ({ name: `lib/${index}.js`, content: 'x' }));
    const layer = await layerOf([...plain, { name: 'bin/run', content: '#!/bin/sh\n' }]);
    const { size, digest } = odd.put(layer.mediaType, layer.bytes);
    const read = await readLayer(
      { registry, image: IMAGE },
      {
        descriptor: { mediaType: layer.mediaType, digest, size },
        diffId: layer.diffId,
        rememberedBytes: MAX_REMEMBERED_BYTES - 1000,
        signal: new AbortController().signal,
      },
    );
    if (!read.ok) throw new Error(read.reason.message);
    expect(read.value.node('bin/run')).toMatchObject({ content: { is: 'script' } });
    expect(read.value.node('lib/1.js')).toBeUndefined();
  });

  it('goes on after the end of the archive, where runtimes stop', async () => {
    const tars = await Promise.all([AMD, ARM].map(content => tarOf([{ name: 'bin/app', content }])));
    const { code, message } = await single(gzipSync(Buffer.concat(tars)));
    expect(code).toBe('LayerInvalid');
    expect(message).toContain('after the end of the archive');
  });

  it('may unpack to so much, and not for hours', () => {
    const [MiB, GiB] = [1024 ** 2, 1024 ** 3];
    expect(unpackedLimitBytes(1000)).toBe(64 * MiB);
    expect(unpackedLimitBytes(10 * MiB)).toBe(2000 * MiB);
    expect(unpackedLimitBytes(GiB)).toBe(16 * GiB);
    expect(unpackedLimitBytes(10 * GiB)).toBe(40 * GiB);
  });

  it('is worth a retry when it was the connection that broke', async () => {
    const layer = await layerOf([{ name: 'bin/app', content: ARM }]);
    const descriptor = odd.put(layer.mediaType, layer.bytes);
    const manifest = odd.manifest(
      configFor('linux/arm64', { config: START, rootfs: { diff_ids: [layer.diffId] } }),
      [descriptor],
    );
    const broken = await reading(request =>
      request.path.endsWith(descriptor.digest) ? { status: 503 } : odd.handler(request),
    );
    const verdict = verifyImage(broken.registry, IMAGE, manifest.digest, {
      platforms: ['linux/arm64'],
      binaries: true,
    });
    await expect(verdict).rejects.toMatchObject({ code: 'Unavailable', canRetry: true });
    await broken.server.close();
  });

  it('is not read for longer than there is time', async () => {
    const layer = await layerOf([{ name: 'bin/app', content: ARM }]);
    const config = configFor('linux/arm64', { config: START, rootfs: { diff_ids: [layer.diffId] } });
    const { digest } = odd.manifest(config, [odd.put(layer.mediaType, layer.bytes)]);
    const source = { registry, image: IMAGE };
    const read = await readImage(source, {
      digest,
      size: (await registry.manifest(IMAGE, digest)).bytes.length,
    });
    if (!read.ok) throw new Error(read.reason.message);
    const timeUp = AbortSignal.abort(new DOMException('time is up', 'TimeoutError'));
    const inspection = inspectBinaries(source, read.value, { os: 'linux', architecture: 'arm64' }, timeUp);
    await expect(inspection).rejects.toMatchObject({ code: 'DeadlineExceeded', canRetry: true });
  });

  it('that stands still is given up when time is up', async () => {
    const layer = await layerOf([{ name: 'bin/app', content: ARM }]);
    const standing = new Readable({ read: () => undefined });
    const timeUp = new AbortController();
    const stream = { manifest: registry.manifest, referrers: registry.referrers, blob: async () => standing };
    const reading = readLayer(
      { registry: stream, image: IMAGE },
      {
        descriptor: { mediaType: layer.mediaType, digest: digestOf(layer.bytes), size: layer.bytes.length },
        diffId: layer.diffId,
        rememberedBytes: 0,
        signal: timeUp.signal,
      },
    );
    standing.push(layer.bytes.subarray(0, 20));
    timeUp.abort(new DOMException('time is up', 'TimeoutError'));
    await expect(reading).rejects.toMatchObject({ code: 'DeadlineExceeded', canRetry: true });
    expect(standing.destroyed).toBe(true);
  });

  it('ends in a verdict, whatever the bytes', async () => {
    const whole = await tarOf([directory('bin'), { name: 'bin/app', content: ARM }, symlink('a', 'b')]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 }),
        async changes => {
          const bytes = Buffer.from(whole);
          for (const [at, value] of changes) bytes[at] = value;
          const mediaType = 'application/vnd.oci.image.layer.v1.tar';
          const verdict = await verify([{ mediaType, bytes, diffId: digestOf(bytes) }], START);
          expect(['accepted', 'rejected']).toContain(verdict.status);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('a platform whose binaries are not known', () => {
  it('is refused rather than passed', async () => {
    const verdict = await verify([await layerOf([{ name: 'app.exe' }])], START, 'windows/amd64');
    expect(codes(verdict)).toEqual(['EntrypointUnknownFormat']);
    expect(verdict.reasons[0]?.fix).toContain('verify.binaries');
  });
});

import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyLayer } from '../../../../local/dataplane/layers.ts';
import { LAYER, type TarEntry, tarOf } from './fixtures/memory-registry.ts';

let home: string;
let root: string;

beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'slipway-layers-'));
  root = path.join(home, 'outer', 'rootfs');
  await mkdir(root, { recursive: true });
});

afterEach(() => rm(home, { recursive: true, force: true }));

async function unpack(...layers: TarEntry[][]): Promise<void> {
  for (const entries of layers) await applyLayer(root, Readable.from([await tarOf(entries)]), LAYER);
}

function read(name: string): Promise<string> {
  return readFile(path.join(root, name), 'utf8');
}

describe('compression', () => {
  it.each([
    ['plain', LAYER, (bytes: Buffer) => bytes],
    ['gzip', `${LAYER}+gzip`, (bytes: Buffer) => gzipSync(bytes)],
    ['Docker gzip', 'application/vnd.docker.image.rootfs.diff.tar.gzip', (bytes: Buffer) => gzipSync(bytes)],
    ['zstd', `${LAYER}+zstd`, (bytes: Buffer) => zstdCompressSync(bytes)],
  ])('%s layers are unpacked', async (_name, mediaType, compress) => {
    const tar = await tarOf([{ name: 'app/file', content: 'hello' }]);
    await applyLayer(root, Readable.from([compress(tar)]), mediaType);
    expect(await read('app/file')).toBe('hello');
  });

  it('refuses media types that are no tar archive', async () => {
    const unpacked = applyLayer(root, Readable.from([Buffer.from('x')]), 'application/vnd.in-toto+json');
    await expect(unpacked).rejects.toThrow(
      'media type "application/vnd.in-toto+json", expected a tar archive',
    );
  });

  it('says what is wrong with a damaged layer', async () => {
    const damaged = gzipSync(await tarOf([{ name: 'file', content: 'x'.repeat(10_000) }])).fill(0, 30);
    const unpacked = applyLayer(root, Readable.from([damaged]), `${LAYER}+gzip`);
    await expect(unpacked).rejects.toThrow(/invalid|incorrect|unexpected/i);
  });

  it('fails on a layer that is cut short', async () => {
    const tar = await tarOf([{ name: 'file', content: 'x'.repeat(10_000) }]);
    const unpacked = applyLayer(root, Readable.from([tar.subarray(0, 4000)]), LAYER);
    await expect(unpacked).rejects.toThrow('Unexpected end of data');
  });
});

describe('layers over each other', () => {
  it('an upper file replaces a lower one, a directory keeps what it has', async () => {
    await unpack(
      [
        { name: 'app', type: 'directory' },
        { name: 'app/a', content: 'lower' },
        { name: 'app/b', content: 'stays' },
      ],
      [
        { name: 'app', type: 'directory' },
        { name: 'app/a', content: 'upper' },
      ],
    );
    expect(await read('app/a')).toBe('upper');
    expect(await read('app/b')).toBe('stays');
  });

  it('a file replaces a directory and a directory replaces a file', async () => {
    await unpack(
      [
        { name: 'one/inner', content: 'x' },
        { name: 'two', content: 'x' },
      ],
      [
        { name: 'one', content: 'a file now' },
        { name: 'two', type: 'directory' },
        { name: 'two/inner', content: 'y' },
      ],
    );
    expect(await read('one')).toBe('a file now');
    expect(await read('two/inner')).toBe('y');
  });

  it('a whiteout hides a lower file and a lower directory', async () => {
    await unpack(
      [
        { name: 'app/gone', content: 'x' },
        { name: 'app/dir/inner', content: 'x' },
        { name: 'app/stays', content: 'x' },
      ],
      [
        { name: 'app/.wh.gone', content: '' },
        { name: 'app/.wh.dir', content: '' },
      ],
    );
    expect(await readdir(path.join(root, 'app'))).toEqual(['stays']);
  });

  it('a whiteout spares what its own layer wrote, before it and after it', async () => {
    await unpack(
      [{ name: 'app/a', content: 'lower' }],
      [
        { name: 'app/a', content: 'upper' },
        { name: 'app/.wh.a', content: '' },
      ],
    );
    expect(await read('app/a')).toBe('upper');
  });

  it('an opaque directory hides all of the lower layers and nothing of its own', async () => {
    await unpack(
      [
        { name: 'app/lower', content: 'x' },
        { name: 'app/both/lower', content: 'x' },
      ],
      [
        { name: 'app/before', content: 'x' },
        { name: 'app/both/upper', content: 'x' },
        { name: 'app/.wh..wh..opq', content: '' },
        { name: 'app/after', content: 'x' },
      ],
    );
    expect((await readdir(path.join(root, 'app'))).sort()).toEqual(['after', 'before', 'both']);
    expect(await readdir(path.join(root, 'app/both'))).toEqual(['upper']);
  });

  it('keeps whether a file may be executed', async () => {
    await unpack([
      { name: 'run', mode: 0o755, content: 'x' },
      { name: 'data', mode: 0o444, content: 'x' },
    ]);
    expect((await stat(path.join(root, 'run'))).mode & 0o777).toBe(0o755);
    expect((await stat(path.join(root, 'data'))).mode & 0o111).toBe(0);
  });

  it('leaves devices out', async () => {
    await unpack([
      { name: 'dev/null', type: 'character-device' },
      { name: 'file', content: 'x' },
    ]);
    expect(await readdir(path.join(root, 'dev'))).toEqual([]);
  });
});

describe('links', () => {
  it('an absolute link leads to the file of the image', async () => {
    await unpack([
      { name: 'etc/hostname', content: 'inside' },
      { name: 'deep/er/link', type: 'symlink', linkname: '/etc/hostname' },
    ]);
    expect(await readlink(path.join(root, 'deep/er/link'))).toBe('../../etc/hostname');
    expect(await read('deep/er/link')).toBe('inside');
  });

  it('a relative link cannot climb over the root', async () => {
    await writeFile(path.join(home, 'secret'), 'outside');
    await unpack([
      { name: 'secret', content: 'inside' },
      { name: 'app/link', type: 'symlink', linkname: '../../../../../secret' },
    ]);
    expect(await read('app/link')).toBe('inside');
  });

  it('writing through a linked directory stays inside the root', async () => {
    await unpack(
      [{ name: 'out', type: 'symlink', linkname: '../../../../..' }],
      [{ name: 'out/written', content: 'x' }],
    );
    expect(await read('written')).toBe('x');
    expect(await readdir(home)).toEqual(['outer']);
  });

  it('a name full of dots stays inside the root', async () => {
    await unpack([{ name: '../../../evil', content: 'x' }]);
    expect(await read('evil')).toBe('x');
    expect(await readdir(home)).toEqual(['outer']);
  });

  it('a file replaces a link instead of writing through it', async () => {
    await unpack(
      [
        { name: 'target', content: 'untouched' },
        { name: 'link', type: 'symlink', linkname: 'target' },
      ],
      [{ name: 'link', content: 'a file now' }],
    );
    expect(await read('target')).toBe('untouched');
    expect(await read('link')).toBe('a file now');
  });

  it('hard links share a file, also over layers', async () => {
    await unpack(
      [{ name: 'bin/node', mode: 0o755, content: 'node' }],
      [{ name: 'usr/bin/node', type: 'link', linkname: 'bin/node' }],
    );
    expect(await read('usr/bin/node')).toBe('node');
  });

  it('a hard link to a symbolic link means the same file from elsewhere', async () => {
    await unpack([
      { name: 'a/b/c/file', content: 'inside' },
      { name: 'a/b/c/up', type: 'symlink', linkname: '../../../a/b/c/file' },
      { name: 'up', type: 'link', linkname: 'a/b/c/up' },
    ]);
    expect(await read('up')).toBe('inside');
  });

  it('a hard link to something outside is refused', async () => {
    await writeFile(path.join(home, 'secret'), 'outside');
    const unpacked = unpack([{ name: 'link', type: 'link', linkname: '../../secret' }]);
    await expect(unpacked).rejects.toThrow('ENOENT');
  });
});

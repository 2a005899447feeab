import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ImageStore } from '../../../../local/dataplane/images.ts';
import { gzipLayer, IMAGE, INDEX, MemoryRegistry, putNodeImage } from './fixtures/memory-registry.ts';

let cacheDir: string;
let registry: MemoryRegistry;
let store: ImageStore;

beforeEach(async () => {
  cacheDir = await mkdtemp(path.join(tmpdir(), 'slipway-images-'));
  registry = new MemoryRegistry();
  store = new ImageStore(registry, cacheDir);
});

afterEach(() => rm(cacheDir, { recursive: true, force: true }));

it('unpacks the platform that the node has', async () => {
  const reference = await putNodeImage(registry, { files: { 'app/server.js': '// the app' } });
  const amd64 = await store.pull(reference, 'amd64');
  const arm64 = await store.pull(reference, 'arm64');
  const machineOf = async (rootfs: string) =>
    (await readFile(path.join(rootfs, 'usr/local/bin/node'))).readUInt16LE(18);
  expect(await machineOf(amd64.rootfs)).toBe(62);
  expect(await machineOf(arm64.rootfs)).toBe(183);
  expect(arm64.config.architecture).toBe('arm64');
});

it('an index without the platform fails in words of containerd', async () => {
  const reference = await putNodeImage(registry, { files: {}, architectures: ['amd64'] });
  await expect(store.pull(reference, 'arm64')).rejects.toMatchObject({
    reason: 'NoMatchForPlatform',
    message: `failed to pull and unpack image "${reference}": no match for platform in manifest: not found`,
  });
});

it('takes an arm64 entry with variant v8 for an arm64 node', async () => {
  const platform = { os: 'linux', architecture: 'arm64', variant: 'v8' };
  const entry = registry.putImage(platform, {}, [await gzipLayer([{ name: 'file', content: 'x' }])]);
  const digest = registry.putIndex([{ ...entry, platform }]);
  const image = await store.pull(`${IMAGE}@${digest}`, 'arm64');
  expect(await readdir(image.rootfs)).toEqual(['file']);
});

it('finds the platform in an index within the index', async () => {
  const layers = [await gzipLayer([{ name: 'file', content: 'x' }])];
  const platform = { os: 'linux', architecture: 'arm64' };
  const inner = registry.putIndex([{ ...registry.putImage(platform, {}, layers), platform }]);
  const other = registry.putIndex([]);
  const outer = [other, inner].map(digest => ({ mediaType: INDEX, digest, size: 1 }));
  const reference = `${IMAGE}@${registry.putIndex(outer)}`;
  await expect(store.pull(reference, 'arm64')).resolves.toBeDefined();
  await expect(store.pull(reference, 'amd64')).rejects.toMatchObject({ reason: 'NoMatchForPlatform' });
});

it('a manifest without an index runs where its config says', async () => {
  const layers = [await gzipLayer([{ name: 'file', content: 'x' }])];
  const { digest } = registry.putImage({ os: 'linux', architecture: 'amd64' }, {}, layers);
  await expect(store.pull(`${IMAGE}@${digest}`, 'amd64')).resolves.toBeDefined();
  await expect(store.pull(`${IMAGE}@${digest}`, 'arm64')).rejects.toMatchObject({
    reason: 'NoMatchForPlatform',
  });
});

it('many pulls of one image at a time do the work once', async () => {
  const reference = await putNodeImage(registry, { files: { 'app/server.js': '' } });
  await Promise.all(Array.from({ length: 8 }, () => store.pull(reference, 'amd64')));
  expect(registry.reads).toEqual([...new Set(registry.reads)]);
});

it('an image that was pulled by digest is there when the registry is not', async () => {
  const reference = await putNodeImage(registry, { files: { 'app/server.js': '' } });
  await store.pull(reference, 'amd64');
  registry.reads.length = 0;
  await store.pull(reference, 'amd64');
  expect(registry.reads).toEqual([]);
});

it('asks again where a tag points to', async () => {
  const platform = { os: 'linux', architecture: 'amd64' };
  registry.putImage(platform, {}, [await gzipLayer([{ name: 'first', content: '' }])], 'v1');
  await store.pull(`${IMAGE}:v1`, 'amd64');
  registry.putImage(platform, {}, [await gzipLayer([{ name: 'second', content: '' }])], 'v1');
  const image = await store.pull(`${IMAGE}:v1`, 'amd64');
  expect(await readdir(image.rootfs)).toEqual(['second']);
});

it('a store over the same folder unpacks nothing again', async () => {
  const reference = await putNodeImage(registry, { files: { 'app/server.js': '' } });
  const { rootfs } = await store.pull(reference, 'amd64');
  registry.reads.length = 0;
  const again = await new ImageStore(registry, cacheDir).pull(reference, 'amd64');
  expect(again.rootfs).toBe(rootfs);
  expect(registry.reads).toHaveLength(3);
});

it('leaves nothing behind after a failed pull, and the next pull succeeds', async () => {
  const reference = await putNodeImage(registry, { files: { 'app/server.js': '' } });
  registry.failBlobs = 1;
  await expect(store.pull(reference, 'amd64')).rejects.toMatchObject({
    reason: 'ImagePull',
    message: expect.stringContaining('503 from the registry'),
  });
  expect(await readdir(cacheDir)).toEqual([]);
  await expect(store.pull(reference, 'amd64')).resolves.toBeDefined();
});

it('names the layer that cannot be unpacked and clears away what was', async () => {
  const good = await gzipLayer([{ name: 'file', content: 'x' }]);
  const damaged = { ...good, bytes: Buffer.from('no gzip at all') };
  const platform = { os: 'linux', architecture: 'amd64' };
  const { digest } = registry.putImage(platform, {}, [good, damaged]);
  await expect(store.pull(`${IMAGE}@${digest}`, 'amd64')).rejects.toThrow(
    /layer sha256:.*: incorrect header/,
  );
  expect(await readdir(cacheDir)).toEqual([]);
});

it('says what is wrong with a reference', async () => {
  await expect(store.pull('registry.test/Upper/Case', 'amd64')).rejects.toMatchObject({
    reason: 'ImagePull',
    message: expect.stringContaining('is not an image reference'),
  });
});

import { createWriteStream } from 'node:fs';
import { link, lstat, mkdir, readdir, readlink, realpath, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough, type Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { isMissing, locate } from './rootfs.ts';

/** https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts */
const OPAQUE = '.wh..wh..opq';
const WHITEOUT = '.wh.';
const RESERVED = '.wh..wh.';

interface Layer {
  /** A real path. */
  readonly root: string;
  /** Real paths this layer has written, with the directories they lie in: its own whiteouts spare them. */
  readonly written: Set<string>;
}

/** Unpacks one layer over what lower layers left in `root`. Owners and device files are left out: nobody here is root. */
export async function applyLayer(root: string, blob: Readable, mediaType: string): Promise<void> {
  const layer: Layer = { root: await realpath(root), written: new Set() };
  const tar = extract();
  let applying = Promise.resolve();
  tar.on('entry', (header, source, next) => {
    // Unlike tar-stream's own, Node's streams remember an error for whoever comes to read them later.
    const content = new PassThrough();
    pipeline(source, content).catch(() => {});
    applying = apply(layer, header, content).then(() => {
      content.resume();
      next();
    }, next);
  });
  try {
    await pipeline(blob, decompressor(mediaType), tar);
  } finally {
    // After this nothing writes any more, so the caller may clear the tree away.
    await applying;
  }
}

function decompressor(mediaType: string): Transform {
  if (mediaType.endsWith('gzip')) return createGunzip();
  if (mediaType.endsWith('zstd')) return createZstdDecompress();
  if (mediaType.endsWith('tar')) return new PassThrough();
  throw new Error(`layer has media type "${mediaType}", expected a tar archive, plain or with gzip or zstd`);
}

async function apply(layer: Layer, header: Header, content: Readable): Promise<void> {
  const name = path.posix.normalize(`/${header.name}`).replace(/\/$/, '');
  if (name === '') return;
  const base = path.posix.basename(name);
  const directory = path.posix.dirname(name);
  if (base.startsWith(WHITEOUT)) return hide(layer, directory, base);
  const parent = await makeDirectory(layer.root, directory);
  if (await write(layer.root, header, content, path.join(parent, base)))
    remember(layer, path.join(parent, base));
}

async function hide(layer: Layer, directory: string, base: string): Promise<void> {
  const parent = await locate(layer.root, directory);
  if (!parent) return;
  if (base === OPAQUE) return hideAll(layer, parent);
  if (base.startsWith(RESERVED)) return;
  const hidden = base.slice(WHITEOUT.length);
  if (hidden === '' || hidden === '.' || hidden === '..') throw new Error(`"${base}" hides nothing`);
  await hideOne(layer, path.join(parent, hidden));
}

async function hideAll(layer: Layer, directory: string): Promise<void> {
  for (const name of await readdir(directory)) await hideOne(layer, path.join(directory, name));
}

/** What this layer itself wrote stays, wherever in the archive the whiteout stands. */
async function hideOne(layer: Layer, target: string): Promise<void> {
  if (!layer.written.has(target)) return rm(target, { recursive: true, force: true });
  if ((await lstat(target)).isDirectory()) await hideAll(layer, target);
}

/** @returns whether there is something at `target` now */
async function write(root: string, header: Header, content: Readable, target: string): Promise<boolean> {
  const { type, linkname, mode } = header;
  switch (type) {
    case 'directory':
      await replace(target, true);
      await mkdir(target, { recursive: true });
      return true;
    case 'file':
    case 'contiguous-file':
      await replace(target);
      await writeFile(content, target, mode);
      return true;
    case 'symlink':
      await replace(target);
      await symlink(containedLink(root, target, linkname), target);
      return true;
    case 'link':
      await hardLink(root, requireLinkName(header), target);
      return true;
    default:
      return false;
  }
}

/** Takes away what a lower layer left here, but never the contents of a directory that stays a directory. */
async function replace(target: string, byDirectory = false): Promise<void> {
  const existing = await lstat(target).catch(error => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (!existing || (byDirectory && existing.isDirectory())) return;
  await rm(target, { recursive: true, force: true });
}

async function writeFile(content: Readable, target: string, mode: number): Promise<void> {
  // The owner keeps read and write, or the tree could not be deleted or linked into later.
  await pipeline(content, createWriteStream(target, { flags: 'wx', mode: (mode & 0o777) | 0o600 }));
}

/**
 * A link text that stays in the tree for every program that follows it: absolute targets become relative ones, and `..`
 * stops at the root, as it does in a container.
 */
function containedLink(root: string, at: string, linkName: string): string {
  const directory = `/${path.relative(root, path.dirname(at))}`;
  const target = path.posix.resolve(directory, linkName);
  return path.posix.relative(directory, target) || '.';
}

async function hardLink(root: string, linkName: string, target: string): Promise<void> {
  const directory = await locate(root, path.posix.dirname(`/${linkName}`));
  if (!directory) throw new Error(`link to "${linkName}", which the image does not contain`);
  const source = path.join(directory, path.posix.basename(linkName));
  if (source === target) return;
  await replace(target);
  if ((await lstat(source)).isSymbolicLink()) {
    // A relative link means something else in another directory.
    const meant = `/${path.relative(root, path.resolve(directory, await readlink(source)))}`;
    await symlink(containedLink(root, target, meant), target);
    return;
  }
  await link(source, target);
}

function requireLinkName(header: Header): string {
  if (!header.linkname) throw new Error(`link "${header.name}" has no target`);
  return path.posix.normalize(`/${header.linkname}`);
}

async function makeDirectory(root: string, directory: string): Promise<string> {
  if (directory === '/') return root;
  const found = await locate(root, directory);
  if (found) return found;
  const parent = await makeDirectory(root, path.posix.dirname(directory));
  const made = path.join(parent, path.posix.basename(directory));
  await mkdir(made);
  return made;
}

function remember(layer: Layer, target: string): void {
  for (let at = target; at !== layer.root && !layer.written.has(at); at = path.dirname(at)) {
    layer.written.add(at);
  }
}

import { createHash } from 'node:crypto';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { SlipwayError } from '../errors.ts';
import { attempt, no, type Outcome, type Source } from './contents.ts';
import type { Descriptor } from './documents.ts';
import { readElf } from './elf.ts';
import { DIRECTORY, type FileContent, type FileNode, LayerFiles } from './files.ts';
import { type Compression, compressionOf } from './layer-types.ts';
import { reason, unsupportedMediaType } from './reasons.ts';

/** Of each executable: the ELF header, its program headers and, as linkers place it, the name of the loader. */
const HEAD_BYTES = 8 * 1024;
/** A layer that unpacks to more than this many times its size is a bomb. */
const MAX_EXPANSION = 200;
const ALWAYS_ALLOWED_BYTES = 64 * 1024 * 1024;
/** zstd windows up to 32 MiB; encoders ask for 8 MiB at their usual best. */
const ZSTD_WINDOW_LOG = 25;
/** Beyond this, files that cannot be executed are no longer remembered; see {@link MAX_PATHS}. */
const MAX_PLAIN_PATHS = 100_000;
const MAX_PATHS = 200_000;
const MAX_PATH_LENGTH = 4096;

export interface LayerToRead {
  readonly descriptor: Descriptor;
  /** Digest of the unpacked layer, from the config. */
  readonly diffId: string | undefined;
  /** Paths remembered from the layers above: all of an image together are bounded. */
  readonly remembered: number;
}

/**
 * Reads one layer to its end, and what could be executed from it. However large the layer, memory is bounded by some 200
 * bytes for each of 200,000 paths, the decompressor's window, the pieces in flight and an archive header, of which the
 * tar reader takes up to 4 MiB.
 */
export async function readLayer(source: Source, layer: LayerToRead): Promise<Outcome<LayerFiles>> {
  const { descriptor } = layer;
  const where = `the layer ${descriptor.digest}`;
  const compression = compressionOf(descriptor.mediaType);
  if (!compression) return no(unsupportedMediaType(where, descriptor.mediaType));
  const opened = await attempt(where, () => source.registry.blob(source.image, descriptor.digest));
  if (!opened.ok) return opened;
  const read = await attempt(where, () => unpack(opened.value, compression, layer));
  if (!read.ok || read.value instanceof LayerFiles) return read as Outcome<LayerFiles>;
  return no(
    reason(
      'LayerInvalid',
      `The layer ${descriptor.digest} cannot be unpacked: ${read.value.problem}.`,
      'Build and push the image again.',
    ),
  );
}

interface Problem {
  readonly problem: string;
}

/** What our own checks throw into the streams. Of several errors it is the one that tells why. */
class LayerProblem extends Error {}

function problemOf(error: unknown): Problem {
  return { problem: error instanceof Error ? error.message : String(error) };
}

async function unpack(
  blob: Readable,
  compression: Compression,
  layer: LayerToRead,
): Promise<LayerFiles | Problem> {
  const files = new LayerFiles(layer.descriptor.digest);
  const meter = new Meter(layer.descriptor.size);
  const tar = extract();
  const [written, read] = await Promise.allSettled([
    pipeline([blob, ...decompressor(compression), meter, tar]),
    readEntries(tar, files, layer.remembered),
  ]);
  if (written.status === 'rejected' && written.reason instanceof SlipwayError) throw written.reason;
  if (read.status === 'rejected' && read.reason instanceof LayerProblem) return problemOf(read.reason);
  if (written.status === 'rejected') return problemOf(written.reason);
  if (read.status === 'rejected') return problemOf(read.reason);
  if (layer.diffId?.startsWith('sha256:') && meter.digest() !== layer.diffId) {
    return { problem: `unpacked it has the digest ${meter.digest()}, but the config lists ${layer.diffId}` };
  }
  return files;
}

function decompressor(compression: Compression): Transform[] {
  if (compression === 'gzip') return [zlib.createGunzip()];
  if (compression === 'zstd') {
    return [zlib.createZstdDecompress({ params: { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG } })];
  }
  return [];
}

/** Counts and hashes the unpacked bytes, and ends the reading when they get out of hand. */
class Meter extends Transform {
  readonly #limit: number;
  readonly #hash = createHash('sha256');
  #digest: string | undefined;
  #total = 0;

  constructor(packedBytes: number) {
    super();
    this.#limit = Math.max(ALWAYS_ALLOWED_BYTES, packedBytes * MAX_EXPANSION);
  }

  digest(): string {
    this.#digest ??= `sha256:${this.#hash.digest('hex')}`;
    return this.#digest;
  }

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error: Error | null, data?: Buffer) => void,
  ) {
    this.#total += chunk.length;
    this.#hash.update(chunk);
    if (this.#total > this.#limit)
      return done(new LayerProblem(`it unpacks to more than ${this.#limit} bytes`));
    done(null, chunk);
  }
}

type TarEntry = AsyncIterable<unknown> & { readonly header: Header };

async function readEntries(
  tar: AsyncIterable<TarEntry>,
  files: LayerFiles,
  remembered: number,
): Promise<void> {
  for await (const entry of tar) {
    const head = await readHead(entry);
    remember(files, entry.header, head, remembered);
  }
}

/** The entry is read to its end either way: the tar reader waits for that. */
async function readHead(entry: TarEntry): Promise<Buffer> {
  const wanted = isExecutable(entry.header) ? HEAD_BYTES : 0;
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of entry) {
    if (length >= wanted || !(chunk instanceof Uint8Array)) continue;
    parts.push(Buffer.from(chunk.subarray(0, wanted - length)));
    length += chunk.length;
  }
  return Buffer.concat(parts);
}

function remember(files: LayerFiles, header: Header, head: Buffer, remembered: number): void {
  const path = cleanPath(header.name);
  const size = files.size + remembered;
  if (path.length > MAX_PATH_LENGTH) throw new LayerProblem('it has a path of more than 4096 characters');
  if (size > MAX_PATHS) throw new LayerProblem(`the image has more than ${MAX_PATHS} paths to look at`);
  const slash = path.lastIndexOf('/');
  const name = path.slice(slash + 1);
  const directory = path.slice(0, Math.max(0, slash));
  if (name === '.wh..wh..opq') {
    files.opaque.add(directory);
  } else if (name.startsWith('.wh.')) {
    files.whiteouts.add(directory === '' ? name.slice(4) : `${directory}/${name.slice(4)}`);
  } else {
    const node = nodeOf(files, header, head);
    if (node !== PLAIN_FILE || size < MAX_PLAIN_PATHS) files.add(path, node);
  }
}

const PLAIN_FILE: FileNode = { kind: 'file', executable: false, content: { is: 'other' } };

function nodeOf(files: LayerFiles, header: Header, head: Buffer): FileNode {
  const target = (header.linkname ?? '').slice(0, MAX_PATH_LENGTH);
  if (header.type === 'directory') return DIRECTORY;
  if (header.type === 'symlink') return { kind: 'link', target };
  if (header.type === 'link')
    return files.nodes.get(cleanPath(target)) ?? { kind: 'link', target: `/${cleanPath(target)}` };
  return isExecutable(header) ? { kind: 'file', executable: true, content: contentOf(head) } : PLAIN_FILE;
}

function contentOf(head: Buffer): FileContent {
  const elf = readElf(head);
  if (elf) return { is: 'elf', elf };
  if (head.toString('latin1', 0, 2) !== '#!') return { is: 'other' };
  const line = head.toString('utf8', 2, 256).split('\n', 1)[0] ?? '';
  const [, interpreter, argument] = /^[ \t]*([^ \t]+)[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
  return interpreter ? { is: 'script', interpreter, argument: argument || undefined } : { is: 'other' };
}

function isExecutable(header: Header): boolean {
  const isFile = header.type === 'file' || header.type === 'contiguous-file' || header.type == null;
  return isFile && ((header.mode ?? 0) & 0o111) !== 0;
}

/** Inside the root whatever it says: `./a`, `/a` and `../a` are all `a`. */
function cleanPath(name: string): string {
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

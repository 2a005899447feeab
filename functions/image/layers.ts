import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import { extract } from 'tar-stream';
import { SlipwayError } from '../errors.ts';
import { normalise } from '../google/errors.ts';
import { attempt, no, type Outcome, type Source } from './contents.ts';
import { type DigestCheck, digestCheck, isCheckable } from './digest.ts';
import type { Descriptor } from './documents.ts';
import { LayerFiles } from './files.ts';
import { readEntries } from './layer-entries.ts';
import { type Compression, compressionOf } from './layer-types.ts';
import { digestUnsupported, layerInvalid, unsupportedMediaType } from './reasons.ts';
import { spendBuffers } from './spent-buffers.ts';
import { LayerProblem, TarHeaders } from './tar-headers.ts';
import { cutAtFrameEnds } from './zstd-frames.ts';

/** A layer that unpacks to more than this many times its size is a bomb. */
const MAX_EXPANSION = 200;
const ALWAYS_ALLOWED_BYTES = 64 * 1024 * 1024;
/**
 * What unpacks to more than this is a bomb, too, unless it hardly shrinks when packed, as large models do. Two such layers
 * at a time are unpacked within the time that all layers have: beyond, time would always be up first, and a retry sent
 * after a retry.
 */
const MAX_BOMB_BYTES = 16 * 1024 * 1024 * 1024;
const ORDINARY_EXPANSION = 4;
/** zstd windows up to 32 MiB; encoders ask for 8 MiB at their usual best. */
const ZSTD_WINDOW_LOG = 25;

export interface LayerToRead {
  readonly descriptor: Descriptor;
  /** Digest of the unpacked layer, from the config. */
  readonly diffId: string;
  /** What is remembered of the layers above. */
  readonly rememberedBytes: number;
  /** Ends the reading. */
  readonly signal: AbortSignal;
}

/**
 * Reads one layer to its end, for only then its digests are known and no later entry can replace an earlier one, and
 * returns what could be executed from it.
 *
 * However large the layer, memory is bounded: 32 MiB for the paths of all layers of the image, a zstd window of up to
 * 32 MiB (8 MiB as encoders make them, 32 KiB for gzip), some 20 MiB of pieces in flight and not collected yet, and an
 * extended archive header of up to 1 MiB. `npm run bench -- verify` measures it.
 */
export async function readLayer(source: Source, layer: LayerToRead): Promise<Outcome<LayerFiles>> {
  const { descriptor, diffId } = layer;
  const where = `the layer ${descriptor.digest}`;
  const compression = compressionOf(descriptor.mediaType);
  if (!compression) return no(unsupportedMediaType(where, descriptor.mediaType));
  if (!isCheckable(descriptor.digest)) return no(digestUnsupported(where, descriptor.digest));
  const check = digestCheck(diffId);
  if (!check) return no(digestUnsupported(`${where}, unpacked,`, diffId));
  const opened = await attempt(where, () => source.registry.blob(source.image, descriptor.digest));
  if (!opened.ok) return opened;
  const read = await attempt(where, () => unpack(opened.value, compression, check, layer));
  if (!read.ok || read.value instanceof LayerFiles) return read as Outcome<LayerFiles>;
  const { problem, fix } = read.value;
  const reason = layerInvalid(descriptor.digest, problem);
  return no(fix === undefined ? reason : { ...reason, fix });
}

interface Problem {
  readonly problem: string;
  /** What to do, where it is something else than to build again. */
  readonly fix?: string | undefined;
}

/** @throws SlipwayError what the registry's stream ends in, or the signal */
async function unpack(
  blob: Readable,
  compression: Compression,
  check: DigestCheck,
  { descriptor, diffId, rememberedBytes, signal }: LayerToRead,
): Promise<LayerFiles | Problem> {
  const files = new LayerFiles(descriptor.digest);
  const limit = unpackedLimitBytes(descriptor.size);
  const tar = extract();
  const steps = [
    Readable.from(packed(blob, descriptor.size, compression), { objectMode: false }),
    ...decompressor(compression),
    new Meter(limit, check),
    tar,
  ];
  const [written, read] = await Promise.allSettled([
    pipeline(steps, { signal }),
    readEntries(tar, files, rememberedBytes),
  ]);
  // When another part failed, nothing else tells a connection that stands still.
  blob.destroy();
  const errors: unknown[] = [written, read].flatMap(one => (one.status === 'rejected' ? [one.reason] : []));
  if (signal.aborted) throw normalise(signal.reason, `read layer ${descriptor.digest}`);
  const registrys = errors.find(error => error instanceof SlipwayError);
  if (registrys) throw registrys;
  const [error = undefined] = [...errors.filter(one => one instanceof LayerProblem), ...errors];
  if (error instanceof LayerProblem) return { problem: error.message, fix: error.fix };
  if (error !== undefined) return { problem: error instanceof Error ? error.message : String(error) };
  const actual = check.actual();
  if (actual === diffId) return files;
  return { problem: `unpacked it has the digest ${actual}, but the config lists ${diffId}` };
}

/** What a layer of this size may unpack to. */
export function unpackedLimitBytes(packedBytes: number): number {
  const suspicious = Math.min(MAX_BOMB_BYTES, packedBytes * MAX_EXPANSION);
  return Math.max(ALWAYS_ALLOWED_BYTES, suspicious, packedBytes * ORDINARY_EXPANSION);
}

function decompressor(compression: Compression): Transform[] {
  if (compression === 'gzip') return [zlib.createGunzip()];
  if (compression === 'none') return [];
  const params = { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG };
  return [zlib.createZstdDecompress({ params })];
}

function packed(blob: Readable, sizeBytes: number, compression: Compression): AsyncIterable<Uint8Array> {
  const bytes = sized(blob, sizeBytes);
  return compression === 'zstd' ? cutAtFrameEnds(bytes) : bytes;
}

/** @throws SlipwayError `InvalidArgument` when there are more bytes or fewer than are listed */
async function* sized(
  source: AsyncIterable<Uint8Array>,
  sizeBytes: number,
): AsyncGenerator<Uint8Array, void> {
  const operation = 'read layer';
  let length = 0;
  for await (const chunk of source) {
    length += chunk.length;
    if (length > sizeBytes) break;
    spendBuffers(chunk.length);
    yield chunk;
  }
  if (length === sizeBytes) return;
  const has = length > sizeBytes ? 'more' : `${length}`;
  throw new SlipwayError(`it has ${has} bytes where ${sizeBytes} are listed.`, {
    code: 'InvalidArgument',
    operation,
  });
}

/** Counts and hashes the unpacked bytes, looks at the headers in them, and ends the reading when they get out of hand. */
class Meter extends Transform {
  readonly #limit: number;
  readonly #check: DigestCheck;
  readonly #headers = new TarHeaders();
  #total = 0;

  constructor(limitBytes: number, check: DigestCheck) {
    super();
    this.#limit = limitBytes;
    this.#check = check;
  }

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error: Error | null, data?: Buffer) => void,
  ) {
    this.#total += chunk.length;
    this.#check.update(chunk);
    spendBuffers(chunk.length);
    try {
      if (this.#total > this.#limit) throw new LayerProblem(`it unpacks to more than ${this.#limit} bytes`);
      this.#headers.push(chunk);
    } catch (error) {
      return done(error instanceof Error ? error : new Error(String(error)));
    }
    done(null, chunk);
  }
}

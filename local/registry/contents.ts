import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Bytes by digest, and uploads on their way to become some. */
export interface Contents {
  sizeOf(digest: string): number | undefined;
  /** Bytes from `start` to `end`, both included. */
  read(digest: string, start: number, end: number): Readable;
  remove(digest: string): Promise<void>;
  begin(): Upload;
}

/** Bytes that are there, or that still arrive. */
export type Bytes = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export interface Upload {
  readonly size: number;
  /** Keeps all of the bytes, or none of them if they end in an error. */
  append(bytes: Bytes): Promise<void>;
  /** Keeps what was uploaded, if it has the digest; false, and nothing is kept, if not. */
  finish(digest: string): Promise<boolean>;
  cancel(): Promise<void>;
}

/** Algorithms that a digest may name, with the length of their lower-case hex. */
const HEX_LENGTH: ReadonlyMap<string, number> = new Map([
  ['sha256', 64],
  ['sha512', 128],
]);

export function isAlgorithm(name: string): boolean {
  return HEX_LENGTH.has(name);
}

export function hashFor(digest: string): ReturnType<typeof createHash> | undefined {
  const [, algorithm, hex] = /^([a-z0-9]+):([0-9a-f]+)$/.exec(digest) ?? [];
  if (algorithm === undefined || hex?.length !== HEX_LENGTH.get(algorithm)) return undefined;
  return createHash(algorithm);
}

export class MemoryContents implements Contents {
  readonly #blobs = new Map<string, Buffer>();

  sizeOf(digest: string): number | undefined {
    return this.#blobs.get(digest)?.length;
  }

  read(digest: string, start: number, end: number): Readable {
    return Readable.from([this.#blobs.get(digest)?.subarray(start, end + 1) ?? Buffer.alloc(0)], {
      objectMode: false,
    });
  }

  async remove(digest: string): Promise<void> {
    this.#blobs.delete(digest);
  }

  begin(): Upload {
    const blobs = this.#blobs;
    let parts: Uint8Array[] = [];
    let size = 0;
    return {
      get size() {
        return size;
      },
      async append(bytes) {
        const arrived: Uint8Array[] = [];
        for await (const chunk of bytes) arrived.push(chunk);
        parts = parts.concat(arrived);
        size = parts.reduce((sum, part) => sum + part.length, 0);
      },
      async finish(digest) {
        const bytes = Buffer.concat(parts);
        const hash = hashFor(digest)?.update(bytes);
        if (!hash || !digest.endsWith(`:${hash.digest('hex')}`)) return false;
        blobs.set(digest, bytes);
        return true;
      },
      async cancel() {
        parts = [];
      },
    };
  }
}

/** One file per digest below `directory`, which the caller makes and removes. */
export class FileContents implements Contents {
  readonly #directory: string;
  readonly #sizes = new Map<string, number>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  sizeOf(digest: string): number | undefined {
    return this.#sizes.get(digest);
  }

  read(digest: string, start: number, end: number): Readable {
    return end < start ? Readable.from([]) : createReadStream(this.#file(digest), { start, end });
  }

  async remove(digest: string): Promise<void> {
    this.#sizes.delete(digest);
    await rm(this.#file(digest), { force: true });
  }

  begin(): Upload {
    return new FileUpload(this.#directory, async (file, digest) => {
      this.#sizes.set(digest, (await stat(file)).size);
      await rename(file, this.#file(digest));
    });
  }

  #file(digest: string): string {
    return path.join(this.#directory, digest.replace(':', '-'));
  }
}

type Keep = (file: string, digest: string) => Promise<void>;

class FileUpload implements Upload {
  size = 0;
  readonly #directory: string;
  readonly #file: string;
  readonly #keep: Keep;

  constructor(directory: string, keep: Keep) {
    this.#directory = directory;
    this.#file = path.join(directory, `upload-${randomUUID()}`);
    this.#keep = keep;
  }

  async append(bytes: Bytes): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    try {
      await pipeline(bytes, createWriteStream(this.#file, { flags: 'a' }));
      this.size = (await stat(this.#file)).size;
    } catch (error) {
      await truncate(this.#file, this.size);
      throw error;
    }
  }

  async finish(digest: string): Promise<boolean> {
    if (this.size === 0) await writeFile(this.#file, '');
    if (!(await hasDigest(this.#file, digest))) {
      await this.cancel();
      return false;
    }
    await this.#keep(this.#file, digest);
    return true;
  }

  async cancel(): Promise<void> {
    await rm(this.#file, { force: true });
  }
}

async function hasDigest(file: string, digest: string): Promise<boolean> {
  const hash = hashFor(digest);
  if (!hash) return false;
  await using handle = await open(file);
  for await (const chunk of handle.createReadStream({ autoClose: false })) hash.update(chunk);
  return digest.endsWith(`:${hash.digest('hex')}`);
}

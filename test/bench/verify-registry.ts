import { createCipheriv, createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { digestOf } from '../../functions/image/digest.ts';
import { realClock, sleep } from '../../local/clock.ts';
import type { HttpHandler, HttpReply } from '../../local/http.ts';
import { type SamplePlatform, standInElf } from '../../local/images/elf.ts';
import { CONFIG_TYPE, INDEX_TYPE, MANIFEST_TYPE } from '../../local/images/parts.ts';

const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar+gzip';
export const MIB = 1024 * 1024;

export interface Part {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface Layer extends Part {
  readonly diffId: string;
}

interface Stored extends Part {
  readonly open: () => Buffer | Readable;
}

/** Serves images from memory, or made anew for each request where they are large; slowly on demand, and counts. */
export class BenchRegistry {
  readonly #stored = new Map<string, Stored>();
  latencyMs = 0;
  requests = 0;
  bytes = 0;

  readonly handler: HttpHandler = async request => {
    this.requests++;
    if (this.latencyMs > 0) await sleep(realClock, this.latencyMs);
    const name = request.path.split('/').at(-1) ?? '';
    if (name === '') return { status: 200, body: {} };
    const found = this.#stored.get(name);
    return found ? this.#send(found) : { status: 404 };
  };

  put(mediaType: string, content: object, tag?: string): Part {
    const bytes = Buffer.from(JSON.stringify(content));
    const part = { mediaType, digest: digestOf(bytes), size: bytes.length, open: () => bytes };
    this.#stored.set(part.digest, part);
    if (tag !== undefined) this.#stored.set(tag, part);
    return part;
  }

  /** A layer with these files, incompressible and so as large as they are. */
  async putLayer(files: readonly LayerFile[]): Promise<Layer> {
    const open = () => archive(files);
    const [packed, unpacked] = [createHash('sha256'), createHash('sha256')];
    let size = 0;
    for await (const chunk of open().on('unpacked', (chunk: Buffer) => unpacked.update(chunk))) {
      packed.update(chunk);
      size += chunk.length;
    }
    const digest = `sha256:${packed.digest('hex')}`;
    this.#stored.set(digest, { mediaType: LAYER_TYPE, digest, size, open });
    return { mediaType: LAYER_TYPE, digest, size, diffId: `sha256:${unpacked.digest('hex')}` };
  }

  /** An image that starts `/bin/app`; the layers bottom first. */
  putImage(platform: SamplePlatform, layers: readonly Layer[]): Part {
    const [os, architecture] = platform.split('/');
    const config = this.put(CONFIG_TYPE, {
      os,
      architecture,
      config: { Entrypoint: ['/bin/app'] },
      rootfs: { type: 'layers', diff_ids: layers.map(layer => layer.diffId) },
    });
    const described = layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size }));
    return this.put(MANIFEST_TYPE, { schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers: described });
  }

  putIndex(images: Readonly<Partial<Record<SamplePlatform, Part>>>, tag: string): Part {
    const manifests = Object.entries(images).map(([platform, image]) => {
      const [os, architecture] = platform.split('/');
      return { ...image, platform: { os, architecture } };
    });
    return this.put(INDEX_TYPE, { schemaVersion: 2, mediaType: INDEX_TYPE, manifests }, tag);
  }

  resetCounts(): void {
    this.requests = 0;
    this.bytes = 0;
  }

  #send({ mediaType, size, open }: Stored): HttpReply {
    const body = open();
    const headers = { 'content-type': mediaType, 'content-length': String(size) };
    if (Buffer.isBuffer(body)) this.bytes += size;
    else body.on('data', (chunk: Buffer) => (this.bytes += chunk.length));
    return { status: 200, headers, body };
  }
}

export interface LayerFile {
  readonly name: string;
  readonly mode: number;
  /** An executable, or so many bytes. */
  readonly content: Buffer | number;
}

export function executable(platform: SamplePlatform): LayerFile {
  return { name: 'bin/app', mode: 0o755, content: standInElf(platform) };
}

/** gzip without effort; emits `unpacked` for what goes in. */
function archive(files: readonly LayerFile[]): Readable {
  const tar = pack();
  const packed = createGzip({ level: 0 });
  Readable.from(tar)
    .on('data', chunk => packed.emit('unpacked', chunk))
    .pipe(packed);
  const write = async () => {
    for (const { name, mode, content } of files) {
      const size = typeof content === 'number' ? content : content.length;
      const entry = tar.entry({ name, mode, size, mtime: new Date(0) });
      for (const chunk of typeof content === 'number' ? noise(content) : [content]) {
        if (!entry.write(chunk)) await new Promise<void>(resolve => entry.once('drain', () => resolve()));
      }
      entry.end(Buffer.alloc(0));
      await new Promise<void>(resolve => entry.once('close', () => resolve()));
    }
    tar.finalize();
  };
  write().catch(error => packed.destroy(error));
  return packed;
}

/** The same bytes each time. */
function* noise(length: number): Generator<Buffer, void> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  const zeros = Buffer.alloc(MIB);
  for (let left = length; left > 0; left -= MIB) yield cipher.update(zeros.subarray(0, Math.min(left, MIB)));
}

import { Readable } from 'node:stream';
import { SlipwayError } from '../../../functions/errors.ts';
import { digestOf } from '../../../functions/image/digest.ts';
import type { FetchedManifest, Registry } from '../../../functions/image/registry.ts';
import { CONFIG_TYPE, INDEX_TYPE, MANIFEST_TYPE } from '../../../local/images/parts.ts';
import type { Descriptor } from './odd-registry.ts';

/** A registry in memory, for images with more in them or about them than anybody would push over a socket. */
export class StoredRegistry implements Registry {
  /** `manifest sha256:…`, in order. */
  readonly requests: string[] = [];
  /** Comes before each answer. */
  meanwhile: (request: string) => Promise<void> | void = () => undefined;
  readonly #manifests = new Map<string, FetchedManifest>();
  readonly #blobs = new Map<string, Buffer>();
  readonly #referrers = new Map<string, Descriptor[]>();

  put(mediaType: string, content: object): Descriptor {
    const bytes = Buffer.from(JSON.stringify(content));
    const digest = digestOf(bytes);
    this.#manifests.set(digest, { bytes, mediaType, digest });
    return { mediaType, digest, size: bytes.length };
  }

  putBlob(mediaType: string, content: object | Buffer): Descriptor {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const digest = digestOf(bytes);
    this.#blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  manifestOf(config: object, layers: readonly Descriptor[] = [], over: object = {}): Descriptor {
    const described = this.putBlob(CONFIG_TYPE, config);
    const content = { schemaVersion: 2, mediaType: MANIFEST_TYPE, config: described, layers, ...over };
    return this.put(MANIFEST_TYPE, content);
  }

  attach(subject: Descriptor, layers: readonly Descriptor[], over: object = {}): void {
    const manifest = this.manifestOf({}, layers, { subject, ...over });
    this.#referrers.set(subject.digest, [...(this.#referrers.get(subject.digest) ?? []), manifest]);
  }

  async manifest(_image: string, reference: string): Promise<FetchedManifest> {
    await this.#asked('manifest', reference);
    return this.#manifests.get(reference) ?? missing(reference);
  }

  async blob(_image: string, digest: string): Promise<Readable> {
    await this.#asked('blob', digest);
    return Readable.from([this.#blobs.get(digest) ?? missing(digest)], { objectMode: false });
  }

  async referrers(_image: string, digest: string) {
    await this.#asked('referrers', digest);
    const manifests = this.#referrers.get(digest) ?? [];
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests }));
    return { bytes, nextQuery: undefined };
  }

  async #asked(what: string, reference: string): Promise<void> {
    this.requests.push(`${what} ${reference}`);
    await this.meanwhile(`${what} ${reference}`);
  }
}

function missing(reference: string): never {
  throw new SlipwayError(`${reference} is not there`, { code: 'NotFound', operation: 'read' });
}

import { createHash, randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Clock } from '../clock.ts';
import { type Bytes, type Contents, FileContents, hashFor, MemoryContents, type Upload } from './contents.ts';
import { RegistryError } from './errors.ts';
import { type ManifestFacts, readManifest } from './manifest.ts';

/** The JSON that Artifact Registry publishes on topic `gcr`. `digest` and `tag` are full references. */
export interface Notification {
  readonly action: 'INSERT' | 'DELETE';
  /** `HOST/REPOSITORY@sha256:…` */
  readonly digest?: string;
  /** `HOST/REPOSITORY:TAG` */
  readonly tag?: string;
}

export interface RegistryOptions {
  /** The host that notifications name, wherever the registry is served: `us-central1-docker.pkg.dev`. */
  readonly host: string;
  readonly clock: Clock;
  /** Called once for every manifest that is pushed or deleted, after it was. */
  readonly onPush?: (notification: Notification) => void;
  /** Where blobs are kept as files. Without it they are kept in memory. */
  readonly directory?: string;
}

/** The size that the distribution specification asks every registry to accept. */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

export interface StoredManifest {
  readonly digest: string;
  readonly bytes: Buffer;
  readonly facts: ManifestFacts;
}

/** An upload that nobody finished is forgotten after this long. */
const UPLOAD_LIFETIME_MS = 3_600_000;

interface PendingUpload {
  readonly name: string;
  readonly upload: Upload;
  readonly sinceMs: number;
  isChanging: boolean;
}

export interface Chunk {
  readonly bytes: Bytes;
  /** Where the client says that they belong; undefined when it does not say. */
  readonly start?: number | undefined;
}

class Repository {
  readonly blobs = new Set<string>();
  readonly manifests = new Map<string, StoredManifest>();
  /** Tag → digest */
  readonly tags = new Map<string, string>();
}

/** An OCI registry without its transport: what the distribution specification lets a client push and pull. */
export class RegistryCore {
  readonly host: string;
  readonly #clock: Clock;
  readonly #onPush: (notification: Notification) => void;
  readonly #contents: Contents;
  readonly #repositories = new Map<string, Repository>();
  readonly #uploads = new Map<string, PendingUpload>();

  constructor(options: RegistryOptions) {
    this.host = options.host;
    this.#clock = options.clock;
    this.#onPush = options.onPush ?? (() => undefined);
    this.#contents = options.directory ? new FileContents(options.directory) : new MemoryContents();
  }

  repositories(): string[] {
    return [...this.#repositories.keys()].sort();
  }

  tags(name: string): string[] {
    const repository = this.#repositories.get(checkName(name));
    if (!repository)
      throw new RegistryError('NAME_UNKNOWN', `repository ${name} is not known to the registry`);
    return [...repository.tags.keys()].sort();
  }

  blobSize(name: string, digest: string): number {
    checkDigest(digest);
    const known = this.#repositories.get(checkName(name))?.blobs.has(digest);
    const size = known ? this.#contents.sizeOf(digest) : undefined;
    if (size === undefined) throw new RegistryError('BLOB_UNKNOWN', `blob ${digest} is not in ${name}`);
    return size;
  }

  /** Bytes from `start` to `end`, both included. */
  readBlob(digest: string, start: number, end: number): Readable {
    return this.#contents.read(digest, start, end);
  }

  async deleteBlob(name: string, digest: string): Promise<void> {
    this.blobSize(name, digest);
    this.#repositories.get(name)?.blobs.delete(digest);
    const used = [...this.#repositories.values()].some(repository => repository.blobs.has(digest));
    if (!used) await this.#contents.remove(digest);
  }

  /** False when there is nothing to mount; the client uploads then. */
  mount(name: string, digest: string, from: string | undefined): boolean {
    checkName(name);
    const sources = from === undefined ? [...this.#repositories.values()] : [this.#repositories.get(from)];
    if (!hashFor(digest) || !sources.some(source => source?.blobs.has(digest))) return false;
    this.#repository(name).blobs.add(digest);
    return true;
  }

  async beginUpload(name: string): Promise<string> {
    checkName(name);
    await this.#forgetOldUploads();
    const id = randomUUID();
    const sinceMs = this.#clock.nowMs();
    this.#uploads.set(id, { name, upload: this.#contents.begin(), sinceMs, isChanging: false });
    return id;
  }

  uploaded(name: string, id: string): number {
    return this.#pending(name, id).upload.size;
  }

  /** @returns how many bytes were uploaded so far */
  append(name: string, id: string, chunk: Chunk): Promise<number> {
    return this.#change(name, id, async upload => {
      await appendInOrder(upload, chunk);
      return upload.size;
    });
  }

  /** @param last what is still to be added, possibly nothing; not read when the digest is no digest */
  finishUpload(name: string, id: string, digest: string, last: Chunk): Promise<void> {
    return this.#change(name, id, async upload => {
      checkDigest(digest);
      await appendInOrder(upload, last);
      this.#uploads.delete(id);
      if (!(await upload.finish(digest))) {
        const message = `the ${upload.size} uploaded bytes do not have the digest ${digest}`;
        throw new RegistryError('DIGEST_INVALID', message);
      }
      this.#repository(name).blobs.add(digest);
    });
  }

  cancelUpload(name: string, id: string): Promise<void> {
    return this.#change(name, id, async upload => {
      this.#uploads.delete(id);
      await upload.cancel();
    });
  }

  /** @param reference tag or digest */
  manifest(name: string, reference: string): StoredManifest {
    const repository = this.#repositories.get(checkName(name));
    const digest = isDigestLike(reference)
      ? checkDigest(reference)
      : repository?.tags.get(checkTag(reference));
    const found = digest === undefined ? undefined : repository?.manifests.get(digest);
    if (!found) throw new RegistryError('MANIFEST_UNKNOWN', `manifest ${reference} is not in ${name}`);
    return found;
  }

  putManifest(
    name: string,
    reference: string,
    bytes: Buffer,
    contentType: string | undefined,
  ): StoredManifest {
    checkName(name);
    const byDigest = isDigestLike(reference);
    const digest = digestOf(bytes, byDigest ? algorithmOf(checkDigest(reference)) : 'sha256');
    if (byDigest && digest !== reference) {
      throw new RegistryError('DIGEST_INVALID', `the manifest has the digest ${digest}, not ${reference}`);
    }
    if (!byDigest) checkTag(reference);
    if (bytes.length > MAX_MANIFEST_BYTES) {
      const message = `the manifest has ${bytes.length} bytes, at most ${MAX_MANIFEST_BYTES} are accepted`;
      throw new RegistryError('SIZE_INVALID', message, 413);
    }
    const facts = readManifest(bytes, contentType);
    this.#checkParts(name, facts);
    const stored = { digest, bytes, facts };
    const repository = this.#repository(name);
    repository.manifests.set(digest, stored);
    if (!byDigest) repository.tags.set(reference, digest);
    this.#onPush({
      action: 'INSERT',
      digest: `${this.host}/${name}@${digest}`,
      ...(byDigest ? {} : { tag: `${this.host}/${name}:${reference}` }),
    });
    return stored;
  }

  /** A tag alone, or by digest the manifest with all its tags. */
  deleteManifest(name: string, reference: string): void {
    const { digest } = this.manifest(name, reference);
    const repository = this.#repository(name);
    const isTag = !isDigestLike(reference);
    const all = [...repository.tags].filter(([, tagged]) => tagged === digest).map(([tag]) => tag);
    for (const tag of isTag ? [reference] : all) {
      repository.tags.delete(tag);
      this.#onPush({ action: 'DELETE', tag: `${this.host}/${name}:${tag}` });
    }
    if (isTag) return;
    repository.manifests.delete(digest);
    this.#onPush({ action: 'DELETE', digest: `${this.host}/${name}@${digest}` });
  }

  /** Manifests whose subject is `digest`, oldest first. */
  referrers(name: string, digest: string): StoredManifest[] {
    const manifests = this.#repositories.get(checkName(name))?.manifests.values() ?? [];
    const subject = checkDigest(digest);
    return [...manifests].filter(manifest => manifest.facts.subject === subject);
  }

  async #forgetOldUploads(): Promise<void> {
    for (const [id, { upload, sinceMs, isChanging }] of this.#uploads) {
      if (isChanging || this.#clock.nowMs() - sinceMs < UPLOAD_LIFETIME_MS) continue;
      this.#uploads.delete(id);
      await upload.cancel();
    }
  }

  #checkParts(name: string, facts: ManifestFacts): void {
    const repository = this.#repositories.get(name);
    const blob = facts.blobs.find(digest => !repository?.blobs.has(digest));
    if (blob) throw new RegistryError('MANIFEST_BLOB_UNKNOWN', `blob ${blob} was not pushed to ${name}`);
    const manifest = facts.manifests.find(digest => !repository?.manifests.has(digest));
    if (manifest)
      throw new RegistryError('MANIFEST_BLOB_UNKNOWN', `manifest ${manifest} was not pushed to ${name}`);
  }

  #repository(name: string): Repository {
    const known = this.#repositories.get(name) ?? new Repository();
    this.#repositories.set(name, known);
    return known;
  }

  /** One request at a time: two that add to the same upload would mix their bytes. */
  async #change<T>(name: string, id: string, change: (upload: Upload) => Promise<T>): Promise<T> {
    const pending = this.#pending(name, id);
    if (pending.isChanging) {
      const message = `another request is still adding to upload ${id}; wait for its answer`;
      throw new RegistryError('BLOB_UPLOAD_INVALID', message, 409);
    }
    pending.isChanging = true;
    try {
      return await change(pending.upload);
    } finally {
      pending.isChanging = false;
    }
  }

  #pending(name: string, id: string): PendingUpload {
    const found = this.#uploads.get(id);
    if (found?.name === name) return found;
    throw new RegistryError('BLOB_UPLOAD_UNKNOWN', `no upload ${id} to ${name} is under way`);
  }
}

async function appendInOrder(upload: Upload, { bytes, start }: Chunk): Promise<void> {
  if (start !== undefined && start !== upload.size) {
    const message = `the chunk begins at ${start}, but ${upload.size} bytes were uploaded`;
    throw new RegistryError('BLOB_UPLOAD_INVALID', message, 416);
  }
  await upload.append(bytes);
}

function isDigestLike(reference: string): boolean {
  return reference.includes(':');
}

function algorithmOf(digest: string): string {
  return digest.slice(0, digest.indexOf(':'));
}

function digestOf(bytes: Buffer, algorithm: string): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

function checkName(name: string): string {
  if (NAME.test(name) && name.length <= 255) return name;
  throw new RegistryError('NAME_INVALID', `"${name}" is not a repository name`);
}

function checkTag(tag: string): string {
  if (TAG.test(tag)) return tag;
  throw new RegistryError('MANIFEST_INVALID', `"${tag}" is neither a tag nor a digest`);
}

function checkDigest(digest: string): string {
  if (hashFor(digest)) return digest;
  throw new RegistryError('DIGEST_INVALID', `"${digest}" is not a sha256 or sha512 digest`);
}

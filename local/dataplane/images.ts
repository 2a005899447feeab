import { randomUUID } from 'node:crypto';
import { mkdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import {
  configSchema,
  type Descriptor,
  type ImageConfig,
  INDEX_TYPES,
  indexSchema,
  MANIFEST_TYPES,
  type Manifest,
  manifestSchema,
  parseDocument,
} from '../../functions/image/documents.ts';
import { samePlatform } from '../../functions/image/platforms.ts';
import { imageOf, parseReference, type Reference } from '../../functions/image/reference.ts';
import type { FetchedManifest, Registry } from '../../functions/image/registry.ts';
import type { Architecture } from './dataplane.ts';
import { applyLayer } from './layers.ts';
import { hasCode } from './rootfs.ts';

/** An image of one platform, unpacked. */
export interface UnpackedImage {
  /** A real path, shared by all instances of the image. */
  readonly rootfs: string;
  readonly config: ImageConfig;
}

export class PullError extends Error {
  override readonly name = 'PullError';
  readonly reason: 'ImagePull' | 'NoMatchForPlatform';

  constructor(reason: PullError['reason'], message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

const MAX_INDEX_DEPTH = 3;

/** Pulls and unpacks images into a folder, each platform of each image once. */
export class ImageStore {
  readonly #registry: Registry;
  readonly #cacheDir: string;
  /** By reference and architecture; only references with a digest, for a tag may move. */
  readonly #pulled = new Map<string, Promise<UnpackedImage>>();
  /** By digest of the platform's manifest. */
  readonly #unpacked = new Map<string, Promise<UnpackedImage>>();

  constructor(registry: Registry, cacheDir: string) {
    this.#registry = registry;
    this.#cacheDir = cacheDir;
  }

  /** @throws PullError in containerd's words */
  async pull(text: string, architecture: Architecture): Promise<UnpackedImage> {
    try {
      const reference = parseReference(text);
      const work = () => this.#pull(reference, architecture);
      if (!reference.digest) return await work();
      return await once(this.#pulled, `${text} ${architecture}`, work);
    } catch (error) {
      const reason = error instanceof PullError ? error.reason : 'ImagePull';
      const why = error instanceof Error ? error.message : String(error);
      throw new PullError(reason, `failed to pull and unpack image "${text}": ${why}`, error);
    }
  }

  async #pull(reference: Reference, architecture: Architecture): Promise<UnpackedImage> {
    const image = imageOf(reference);
    const fetched = await this.#registry.manifest(image, reference.digest ?? reference.tag ?? 'latest');
    if (INDEX_TYPES.has(fetched.mediaType)) {
      const chosen = await this.#find(image, fetched, architecture);
      if (!chosen) throw noMatch();
      return this.#unpackOnce(image, chosen);
    }
    const unpacked = await this.#unpackOnce(image, fetched);
    // A lone manifest says nothing about its platform, so its config decides.
    const { os = 'linux', architecture: built = 'unknown', variant } = unpacked.config;
    if (!samePlatform({ os, architecture: built, variant }, platformOf(architecture))) throw noMatch();
    return unpacked;
  }

  async #find(
    image: string,
    index: FetchedManifest,
    architecture: Architecture,
    depth = MAX_INDEX_DEPTH,
  ): Promise<FetchedManifest | undefined> {
    const { manifests } = parsed(indexSchema, index.bytes, `index ${index.digest}`);
    const platform = platformOf(architecture);
    const entry = manifests.find(
      candidate => candidate.platform && samePlatform(candidate.platform, platform),
    );
    if (entry) return this.#registry.manifest(image, entry.digest);
    const nested = depth > 0 ? manifests.filter(({ mediaType }) => INDEX_TYPES.has(mediaType)) : [];
    for (const { digest } of nested) {
      const inner = await this.#registry.manifest(image, digest);
      const found = await this.#find(image, inner, architecture, depth - 1);
      if (found) return found;
    }
    return undefined;
  }

  #unpackOnce(image: string, fetched: FetchedManifest): Promise<UnpackedImage> {
    return once(this.#unpacked, fetched.digest, async () => {
      if (!MANIFEST_TYPES.has(fetched.mediaType)) {
        throw new Error(
          `${fetched.digest} has media type "${fetched.mediaType}", expected an image manifest`,
        );
      }
      const manifest = parsed(manifestSchema, fetched.bytes, `manifest ${fetched.digest}`);
      const bytes = await buffer(await this.#registry.blob(image, manifest.config.digest));
      const config = parsed(configSchema, bytes, `config ${manifest.config.digest}`);
      return { rootfs: await this.#unpack(image, fetched.digest, manifest), config };
    });
  }

  async #unpack(image: string, digest: string, manifest: Manifest): Promise<string> {
    await mkdir(this.#cacheDir, { recursive: true });
    const home = path.join(await realpath(this.#cacheDir), digest.replace(':', '-'));
    const rootfs = path.join(home, 'rootfs');
    if (await exists(rootfs)) return rootfs;
    // Built aside and renamed: a tree under its final name is complete, whoever was interrupted while unpacking.
    const aside = `${home}.${randomUUID()}`;
    try {
      await mkdir(path.join(aside, 'rootfs'), { recursive: true });
      // Ends Node's search for a package scope where a container's root would.
      await writeFile(path.join(aside, 'package.json'), '{}\n');
      for (const layer of manifest.layers) await this.#apply(image, layer, path.join(aside, 'rootfs'));
      await rename(aside, home);
    } catch (error) {
      await rm(aside, { recursive: true, force: true });
      if (!hasCode(error, 'ENOTEMPTY') && !hasCode(error, 'EEXIST')) throw error;
    }
    return rootfs;
  }

  async #apply(image: string, layer: Descriptor, rootfs: string): Promise<void> {
    try {
      await applyLayer(rootfs, await this.#registry.blob(image, layer.digest), layer.mediaType);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`layer ${layer.digest}: ${why}`, { cause: error });
    }
  }
}

/** Concurrent callers share one piece of work; a failure is forgotten, so that the next caller tries again. */
function once<T>(works: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
  const running = works.get(key);
  if (running) return running;
  const started = work();
  works.set(key, started);
  started.catch(() => works.delete(key));
  return started;
}

function platformOf(architecture: Architecture) {
  return { os: 'linux', architecture };
}

function noMatch(): PullError {
  return new PullError('NoMatchForPlatform', 'no match for platform in manifest: not found');
}

function parsed<T>(schema: Parameters<typeof parseDocument<T>>[0], bytes: Buffer, what: string): T {
  const document = parseDocument(schema, bytes);
  if (document.ok) return document.value;
  throw new Error(`${what} ${document.problem}`);
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

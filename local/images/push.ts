import { digestOf } from '../../functions/image/digest.ts';
import { INDEX_TYPES, MANIFEST_TYPES } from '../../functions/image/documents.ts';
import type { BuiltImage, BuiltManifest, BuiltPart } from './build.ts';

export interface Repository {
  /** Base URL of the registry: `http://127.0.0.1:5000`. */
  readonly endpoint: string;
  /** `acme/apps/hello` */
  readonly repository: string;
}

export interface Destination extends Repository {
  readonly tag: string;
}

export interface Pushed {
  readonly digest: string;
  /** Blobs sent, without those that the registry had. */
  readonly uploaded: number;
}

/** What the registry answered and what was being done. */
export class PushError extends Error {
  override readonly name = 'PushError';
}

/** Pushes as any OCI client does: blobs, then each platform's manifest by digest, then the index by tag. */
export async function pushImage(image: BuiltImage, destination: Destination): Promise<Pushed> {
  const blobs = new Map<string, BuiltPart>();
  for (const manifest of image.manifests) {
    for (const blob of [manifest.config, ...manifest.layers]) blobs.set(blob.digest, blob);
  }
  const sent = await Promise.all([...blobs.values()].map(blob => pushBlob(blob, destination)));
  for (const manifest of image.manifests) await putManifest(manifest, manifest.digest, destination);
  await putManifest(image.index, destination.tag, destination);
  return { digest: image.digest, uploaded: sent.filter(Boolean).length };
}

/** Pushes one manifest with its blobs, by tag or by its digest. */
export async function pushManifest(
  manifest: BuiltManifest,
  reference: string,
  destination: Repository,
): Promise<void> {
  for (const blob of [manifest.config, ...manifest.layers]) await pushBlob(blob, destination);
  await putManifest(manifest, reference, destination);
}

/**
 * Gives what is behind a tag or digest another tag.
 *
 * @returns its digest
 */
export async function retag(destination: Destination, reference: string): Promise<string> {
  const url = `${base(destination)}/manifests/${reference}`;
  const accept = [...INDEX_TYPES, ...MANIFEST_TYPES].join(', ');
  const response = await send('GET', url, { headers: { accept } });
  await expect(response, [200], `read ${destination.repository} ${reference}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  const mediaType = response.headers.get('content-type') ?? '';
  const digest = digestOf(bytes);
  await putManifest({ bytes, mediaType, digest }, destination.tag, destination);
  return digest;
}

/** True when it had to be sent. */
async function pushBlob(blob: BuiltPart, destination: Repository): Promise<boolean> {
  const there = await send('HEAD', `${base(destination)}/blobs/${blob.digest}`);
  if (there.status === 200) return false;
  const started = await send('POST', `${base(destination)}/blobs/uploads/`);
  await expect(started, [202], `start the upload of ${blob.digest}`);
  const location = new URL(started.headers.get('location') ?? '', destination.endpoint);
  location.searchParams.set('digest', blob.digest);
  const done = await send('PUT', location.href, {
    headers: { 'content-type': 'application/octet-stream' },
    body: new Uint8Array(blob.bytes),
  });
  await expect(done, [201], `upload ${blob.digest}`);
  return true;
}

async function putManifest(manifest: BuiltPart, reference: string, destination: Repository): Promise<void> {
  const response = await send('PUT', `${base(destination)}/manifests/${reference}`, {
    headers: { 'content-type': manifest.mediaType },
    body: new Uint8Array(manifest.bytes),
  });
  await expect(response, [201], `push manifest ${reference}`);
}

function base({ endpoint, repository }: Repository): string {
  return `${endpoint.replace(/\/$/, '')}/v2/${repository}`;
}

async function send(method: string, url: string, init: RequestInit = {}): Promise<Response> {
  try {
    return await fetch(url, { ...init, method });
  } catch (error) {
    const why = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new PushError(`No registry answers at ${new URL(url).origin}: ${why}.`, { cause: error });
  }
}

async function expect(response: Response, statuses: readonly number[], doing: string): Promise<void> {
  if (statuses.includes(response.status)) return;
  const body = (await response.text()).slice(0, 500);
  throw new PushError(`Could not ${doing}: the registry answered ${response.status}: ${body}`);
}

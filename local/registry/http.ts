import type { Faults } from '../faults.ts';
import type { HttpHandler, HttpReply, HttpRequest } from '../http.ts';
import { isAlgorithm } from './contents.ts';
import type { Chunk, RegistryCore, StoredManifest } from './core.ts';
import { RegistryError } from './errors.ts';

/** Serves a registry by the distribution specification, version 1.1, to any OCI client. */
export function registryHandler(core: RegistryCore, options: { readonly faults?: Faults } = {}): HttpHandler {
  const handler: HttpHandler = async request => {
    const reply = await route(core, request).catch(refusal);
    return { ...reply, headers: { 'docker-distribution-api-version': 'registry/2.0', ...reply.headers } };
  };
  return options.faults?.wrap(handler) ?? handler;
}

function refusal(error: unknown): HttpReply {
  if (!(error instanceof RegistryError)) throw error;
  return {
    status: error.status,
    body: { errors: [{ code: error.code, message: error.message, detail: null }] },
  };
}

type Route = (
  core: RegistryCore,
  request: HttpRequest,
  name: string,
  rest: string,
) => Promise<HttpReply> | HttpReply;

const UPLOADS = /^\/v2\/(.+)\/blobs\/uploads\/([^/]*)$/;

/** Whether the body is a blob or a part of one: of any size, and so to be streamed. */
export function isUpload({ path }: Pick<HttpRequest, 'path'>): boolean {
  return UPLOADS.test(path);
}

/** Names may hold slashes and words such as "blobs": the last match in the path decides. */
const ROUTES: readonly (readonly [RegExp, Route])[] = [
  [UPLOADS, upload],
  [/^\/v2\/(.+)\/blobs\/([^/]+)$/, blob],
  [/^\/v2\/(.+)\/manifests\/([^/]+)$/, manifest],
  [/^\/v2\/(.+)\/referrers\/([^/]+)$/, referrers],
  [/^\/v2\/(.+)\/tags\/(list)$/, tags],
];

async function route(core: RegistryCore, request: HttpRequest): Promise<HttpReply> {
  const { path } = request;
  if (['/v2', '/v2/', '/v2/_catalog'].includes(path)) {
    checkMethod(request, ['GET', 'HEAD']);
    return { status: 200, body: path.endsWith('_catalog') ? { repositories: core.repositories() } : {} };
  }
  const uploads = path.endsWith('/blobs/uploads') ? `${path}/` : path;
  for (const [pattern, handle] of ROUTES) {
    const [, name, rest] = pattern.exec(uploads) ?? [];
    if (name !== undefined) return handle(core, request, name, decode(rest ?? ''));
  }
  throw new RegistryError('UNSUPPORTED', `no such path: ${path}`, 404);
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new RegistryError('UNSUPPORTED', `"${segment}" is not percent-encoded UTF-8`, 400);
  }
}

async function blob(
  core: RegistryCore,
  request: HttpRequest,
  name: string,
  digest: string,
): Promise<HttpReply> {
  if (request.method === 'DELETE') {
    await core.deleteBlob(name, digest);
    return { status: 202 };
  }
  checkMethod(request, ['GET', 'HEAD']);
  const size = core.blobSize(name, digest);
  const headers = {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
  };
  // RFC 9110 defines ranges for GET alone.
  const range = request.method === 'GET' ? parseRange(request.headers['range'], size) : undefined;
  if (range === 'unsatisfiable') return { status: 416, headers: { 'content-range': `bytes */${size}` } };
  const { start, end } = range ?? { start: 0, end: size - 1 };
  const partial = range ? { 'content-range': `bytes ${start}-${end}/${size}` } : {};
  return {
    status: range ? 206 : 200,
    headers: { ...headers, ...partial, 'content-length': String(end - start + 1) },
    body: request.method === 'HEAD' ? undefined : core.readBlob(digest, start, end),
  };
}

/** One range of RFC 9110; anything else is answered whole, as it allows. */
function parseRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === undefined || (first === '' && last === '')) return undefined;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return start > end ? 'unsatisfiable' : { start, end };
}

async function upload(
  core: RegistryCore,
  request: HttpRequest,
  name: string,
  id: string,
): Promise<HttpReply> {
  if (id === '') {
    checkMethod(request, ['POST']);
    return startUpload(core, request, name);
  }
  switch (request.method) {
    case 'GET':
      return uploadStatus(name, id, core.uploaded(name, id), 204);
    case 'PATCH':
      return uploadStatus(name, id, await core.append(name, id, chunkOf(request)), 202);
    case 'PUT':
      return finishUpload(core, request, name, id);
    case 'DELETE':
      await core.cancelUpload(name, id);
      return { status: 204 };
    default:
      throw unsupported(request);
  }
}

function chunkOf(request: HttpRequest): Chunk {
  const bytes = request.stream ?? [request.body];
  const range = request.headers['content-range'];
  if (range === undefined) return { bytes };
  const [, first, last] = /^(\d+)-(\d+)$/.exec(range) ?? [];
  if (first === undefined || last === undefined) {
    const message = `Content-Range is "${range}"; expected FIRST-LAST, both included, such as 0-1023`;
    throw new RegistryError('BLOB_UPLOAD_INVALID', message);
  }
  const announced = Number(last) - Number(first) + 1;
  const sent = request.stream ? Number(request.headers['content-length']) : request.body.length;
  // A body without a Content-Length (chunked transfer encoding) is not known before it has arrived.
  if (!Number.isNaN(sent) && sent !== announced) {
    const message = `Content-Range ${range} is ${announced} bytes, but the body has ${sent}`;
    throw new RegistryError('SIZE_INVALID', message);
  }
  return { bytes, start: Number(first) };
}

async function finishUpload(
  core: RegistryCore,
  request: HttpRequest,
  name: string,
  id: string,
): Promise<HttpReply> {
  const digest = digestOf(request);
  await core.finishUpload(name, id, digest, chunkOf(request));
  return created(`/v2/${name}/blobs/${digest}`, digest);
}

async function startUpload(core: RegistryCore, request: HttpRequest, name: string): Promise<HttpReply> {
  const mount = request.query.get('mount');
  if (mount !== null && core.mount(name, mount, request.query.get('from') ?? undefined)) {
    return created(`/v2/${name}/blobs/${mount}`, mount);
  }
  const algorithm = request.query.get('digest-algorithm');
  if (algorithm !== null && !isAlgorithm(algorithm)) {
    throw new RegistryError(
      'DIGEST_INVALID',
      `digests by "${algorithm}" cannot be checked; use sha256 or sha512`,
    );
  }
  const id = await core.beginUpload(name);
  if (request.query.get('digest') === null) return uploadStatus(name, id, 0, 202);
  return finishUpload(core, request, name, id);
}

function uploadStatus(name: string, id: string, size: number, status: number): HttpReply {
  const headers = {
    location: `/v2/${name}/blobs/uploads/${id}`,
    range: `0-${Math.max(0, size - 1)}`,
    'docker-upload-uuid': id,
  };
  return { status, headers };
}

function digestOf(request: HttpRequest): string {
  const digest = request.query.get('digest');
  if (digest === null) throw new RegistryError('DIGEST_INVALID', 'the query parameter "digest" is missing');
  return digest;
}

function manifest(core: RegistryCore, request: HttpRequest, name: string, reference: string): HttpReply {
  if (request.method === 'DELETE') {
    core.deleteManifest(name, reference);
    return { status: 202 };
  }
  if (request.method === 'PUT') {
    const stored = core.putManifest(name, reference, request.body, request.headers['content-type']);
    const { subject } = stored.facts;
    const reply = created(`/v2/${name}/manifests/${stored.digest}`, stored.digest);
    return {
      ...reply,
      headers: { ...reply.headers, ...(subject === undefined ? {} : { 'oci-subject': subject }) },
    };
  }
  checkMethod(request, ['GET', 'HEAD']);
  const stored = core.manifest(name, reference);
  return {
    status: 200,
    headers: {
      'content-type': stored.facts.mediaType,
      'content-length': String(stored.bytes.length),
      'docker-content-digest': stored.digest,
    },
    body: stored.bytes,
  };
}

function referrers(core: RegistryCore, request: HttpRequest, name: string, digest: string): HttpReply {
  checkMethod(request, ['GET']);
  const wanted = request.query.get('artifactType');
  const all = core.referrers(name, digest);
  const chosen = wanted === null ? all : all.filter(one => one.facts.artifactType === wanted);
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: chosen.map(referrerDescriptor),
  };
  const filtered = wanted === null ? {} : { 'oci-filters-applied': 'artifactType' };
  return { status: 200, headers: { 'content-type': index.mediaType, ...filtered }, body: index };
}

function referrerDescriptor({ digest, bytes, facts }: StoredManifest): object {
  const { mediaType, artifactType, annotations } = facts;
  return { mediaType, digest, size: bytes.length, artifactType, annotations };
}

function tags(core: RegistryCore, request: HttpRequest, name: string): HttpReply {
  checkMethod(request, ['GET']);
  const last = request.query.get('last');
  const after = core.tags(name).filter(tag => last === null || tag > last);
  const limit = request.query.get('n');
  if (limit !== null && !/^\d+$/.test(limit)) {
    throw new RegistryError(
      'UNSUPPORTED',
      `n is "${limit}"; expected how many tags to list, such as 100`,
      400,
    );
  }
  const page = limit === null ? after : after.slice(0, Number(limit));
  const end = page.at(-1);
  const more = end !== undefined && page.length < after.length;
  const query = new URLSearchParams({ n: limit ?? '', last: end ?? '' });
  return {
    status: 200,
    headers: more ? { link: `</v2/${name}/tags/list?${query}>; rel="next"` } : {},
    body: { name, tags: page },
  };
}

function created(location: string, digest: string): HttpReply {
  return { status: 201, headers: { location, 'docker-content-digest': digest } };
}

function checkMethod(request: HttpRequest, allowed: readonly string[]): void {
  if (!allowed.includes(request.method)) throw unsupported(request);
}

function unsupported(request: HttpRequest): RegistryError {
  return new RegistryError('UNSUPPORTED', `${request.method} is not supported on ${request.path}`);
}

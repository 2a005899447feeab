import type { Faults } from '../faults.ts';
import type { HttpHandler, HttpReply, HttpRequest } from '../http.ts';
import type { RegistryCore, StoredManifest } from './core.ts';
import { RegistryError } from './errors.ts';

/** Serves a registry by the distribution specification, version 1.1, to any OCI client. */
export function registryHandler(core: RegistryCore, options: { readonly faults?: Faults } = {}): HttpHandler {
  const handler: HttpHandler = async request => {
    try {
      const reply = await route(core, request);
      return { ...reply, headers: { 'docker-distribution-api-version': 'registry/2.0', ...reply.headers } };
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      return {
        status: error.status,
        body: { errors: [{ code: error.code, message: error.message, detail: null }] },
      };
    }
  };
  return options.faults?.wrap(handler) ?? handler;
}

type Route = (
  core: RegistryCore,
  request: HttpRequest,
  name: string,
  rest: string,
) => Promise<HttpReply> | HttpReply;

/** Names may hold slashes and words such as "blobs": the last match in the path decides. */
const ROUTES: readonly (readonly [RegExp, Route])[] = [
  [/^\/v2\/(.+)\/blobs\/uploads\/([^/]*)$/, upload],
  [/^\/v2\/(.+)\/blobs\/([^/]+)$/, blob],
  [/^\/v2\/(.+)\/manifests\/([^/]+)$/, manifest],
  [/^\/v2\/(.+)\/referrers\/([^/]+)$/, referrers],
  [/^\/v2\/(.+)\/tags\/(list)$/, tags],
];

async function route(core: RegistryCore, request: HttpRequest): Promise<HttpReply> {
  const { path } = request;
  if (path === '/v2' || path === '/v2/') return { status: 200, body: {} };
  if (path === '/v2/_catalog') return { status: 200, body: { repositories: core.repositories() } };
  const uploads = path.endsWith('/blobs/uploads') ? `${path}/` : path;
  for (const [pattern, handle] of ROUTES) {
    const [, name, rest] = pattern.exec(uploads) ?? [];
    if (name !== undefined) return handle(core, request, name, decodeURIComponent(rest ?? ''));
  }
  return {
    status: 404,
    body: { errors: [{ code: 'UNSUPPORTED', message: `no such path: ${path}`, detail: null }] },
  };
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
  const range = parseRange(request.headers['range'], size);
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
      return uploadStatus(name, id, await core.append(name, id, request.body, chunkStart(request)), 202);
    case 'PUT':
      if (request.body.length > 0) await core.append(name, id, request.body, chunkStart(request));
      await core.finishUpload(name, id, digestOf(request));
      return created(`/v2/${name}/blobs/${digestOf(request)}`, digestOf(request));
    case 'DELETE':
      await core.cancelUpload(name, id);
      return { status: 204 };
    default:
      throw unsupported(request);
  }
}

function chunkStart(request: HttpRequest): number | undefined {
  const start = /^(?:bytes )?(\d+)-/.exec(request.headers['content-range'] ?? '')?.[1];
  return start === undefined ? undefined : Number(start);
}

async function startUpload(core: RegistryCore, request: HttpRequest, name: string): Promise<HttpReply> {
  const mount = request.query.get('mount');
  if (mount !== null && core.mount(name, mount, request.query.get('from') ?? undefined)) {
    return created(`/v2/${name}/blobs/${mount}`, mount);
  }
  const id = await core.beginUpload(name);
  if (request.query.get('digest') === null) return uploadStatus(name, id, 0, 202);
  await core.append(name, id, request.body, undefined);
  await core.finishUpload(name, id, digestOf(request));
  return created(`/v2/${name}/blobs/${digestOf(request)}`, digestOf(request));
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
  const page = limit === null ? after : after.slice(0, Math.max(0, Number(limit) || 0));
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

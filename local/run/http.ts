import { ApiError, googleApi, type HttpHandler, type HttpReply, type HttpRequest } from '../http.ts';
import type { CloudRun } from './core.ts';
import { parseMask } from './mask.ts';
import { locationName, type ServiceKey } from './names.ts';
import { violation } from './validation.ts';

const LOCATION = /^\/v2\/projects\/([^/]+)\/locations\/([^/]+)\/(.+)$/;
const DEFAULT_PAGE = 100;
/** Longest time that the API keeps a request for `wait` open, in seconds. */
const LONGEST_WAIT_SECONDS = 60;

/** Cloud Run Admin API v2 as REST, https://cloud.google.com/run/docs/reference/rest/v2. */
export function cloudRunApi(core: CloudRun): HttpHandler {
  return googleApi(async request => {
    const [, project, region, rest] = LOCATION.exec(request.path)?.map(decodeURIComponent) ?? [];
    if (project === undefined || region === undefined || rest === undefined) throw unknownMethod(request);
    const [collection, id, ...inner] = rest.split('/');
    if (collection === 'operations') return operations(core, { project, region }, request, id);
    if (collection !== 'services') throw unknownMethod(request);
    if (id === undefined) return services(core, { project, region }, request);
    const key = { project, region, service: id };
    const [kind, revision, ...more] = inner;
    if (kind === undefined) return service(core, key, request);
    if (kind === 'revisions' && more.length === 0) return revisions(core, key, request, revision);
    throw unknownMethod(request);
  });
}

function services(
  core: CloudRun,
  place: Pick<ServiceKey, 'project' | 'region'>,
  request: HttpRequest,
): HttpReply {
  if (request.method === 'GET') {
    return page(request, 'services', core.listServices(place.project, place.region));
  }
  if (request.method !== 'POST') throw unknownMethod(request);
  const key = { ...place, service: request.query.get('serviceId') ?? '' };
  return ok(core.createService(key, parseBody(request), { validateOnly: flag(request, 'validateOnly') }));
}

function service(core: CloudRun, key: ServiceKey, request: HttpRequest): HttpReply {
  const validateOnly = flag(request, 'validateOnly');
  switch (request.method) {
    case 'GET':
      return ok(core.getService(key));
    case 'PATCH': {
      const mask = parseMask(request.query.get('updateMask'));
      const allowMissing = flag(request, 'allowMissing');
      return ok(core.updateService(key, parseBody(request), { mask, validateOnly, allowMissing }));
    }
    case 'DELETE':
      return ok(core.deleteService(key, { etag: request.query.get('etag') ?? undefined, validateOnly }));
    default:
      throw unknownMethod(request);
  }
}

function revisions(
  core: CloudRun,
  key: ServiceKey,
  request: HttpRequest,
  revision: string | undefined,
): HttpReply {
  if (request.method === 'GET' && revision === undefined) {
    return page(request, 'revisions', core.listRevisions(key));
  }
  if (revision === undefined) throw unknownMethod(request);
  if (request.method === 'GET') return ok(core.getRevision(key, revision));
  if (request.method !== 'DELETE') throw unknownMethod(request);
  return ok(core.deleteRevision(key, revision, { validateOnly: flag(request, 'validateOnly') }));
}

async function operations(
  core: CloudRun,
  place: Pick<ServiceKey, 'project' | 'region'>,
  request: HttpRequest,
  id: string | undefined,
): Promise<HttpReply> {
  const parent = locationName(place);
  if (id === undefined) return page(request, 'operations', core.operations.list(parent));
  const name = `${parent}/operations/${id.replace(/:wait$/, '')}`;
  if (request.method === 'POST' && id.endsWith(':wait')) {
    return ok(await core.operations.wait(name, 1_000 * waitSeconds(request)));
  }
  if (request.method === 'GET') return ok(core.operations.get(name));
  if (request.method !== 'DELETE') throw unknownMethod(request);
  core.operations.delete(name);
  return ok({});
}

function waitSeconds(request: HttpRequest): number {
  const body = parseBody(request);
  const timeout = typeof body === 'object' && body !== null && 'timeout' in body ? String(body.timeout) : '';
  const seconds = Number.parseFloat(timeout);
  return Number.isFinite(seconds) ? Math.min(seconds, LONGEST_WAIT_SECONDS) : LONGEST_WAIT_SECONDS;
}

/** Page tokens are the index of the next item: good enough for lists that live in memory. */
function page(request: HttpRequest, field: string, items: readonly object[]): HttpReply {
  const size = Number(request.query.get('pageSize')) || DEFAULT_PAGE;
  const start = Number(request.query.get('pageToken')) || 0;
  const next = start + size;
  return ok({
    [field]: items.slice(start, next),
    ...(next < items.length ? { nextPageToken: String(next) } : {}),
  });
}

function ok(body: object): HttpReply {
  return { status: 200, body };
}

function flag(request: HttpRequest, name: string): boolean {
  return request.query.get(name) === 'true';
}

function parseBody(request: HttpRequest): unknown {
  if (request.body.length === 0) return {};
  try {
    return JSON.parse(request.body.toString('utf8'));
  } catch (error) {
    throw violation('body', `Invalid JSON payload received. ${error instanceof Error ? error.message : ''}`);
  }
}

function unknownMethod(request: HttpRequest): ApiError {
  return new ApiError(
    'UNIMPLEMENTED',
    `The local Cloud Run does not implement ${request.method} ${request.path}.`,
  );
}

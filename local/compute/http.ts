import type { HttpHandler, HttpRequest } from '../http.ts';
import type { BackendService, ComputeCore, NetworkEndpointGroup } from './core.ts';
import { ComputeError, computeErrorReply } from './errors.ts';
import { machineType } from './machine-types.ts';
import { type Operation, operationJson } from './operations.ts';
import { fingerprintOf, selfLink } from './resources.ts';

type Answer = object | Promise<object>;
type Route = readonly [
  method: string,
  path: RegExp,
  answer: (core: ComputeCore, params: readonly string[], request: HttpRequest) => Answer,
];

const ROUTES: readonly Route[] = [
  [
    'GET',
    /^global\/backendServices$/,
    (core, [project = '']) =>
      list('backendServiceList', core.listBackendServices(project).map(backendServiceJson)),
  ],
  [
    'POST',
    /^global\/backendServices$/,
    (core, [project = ''], request) => operationJson(core.insertBackendService(project, readJson(request))),
  ],
  [
    'GET',
    /^global\/backendServices\/([^/]+)$/,
    (core, [project = '', name = '']) => backendServiceJson(core.getBackendService(project, name)),
  ],
  [
    'PATCH',
    /^global\/backendServices\/([^/]+)$/,
    (core, [project = '', name = ''], request) =>
      operationJson(core.patchBackendService(project, name, readJson(request))),
  ],
  [
    'GET',
    /^regions\/([^/]+)\/networkEndpointGroups$/,
    (core, [project = '', region = '']) =>
      list('networkEndpointGroupList', core.listNetworkEndpointGroups(project, region).map(groupJson)),
  ],
  [
    'POST',
    /^regions\/([^/]+)\/networkEndpointGroups$/,
    (core, [project = '', region = ''], request) =>
      operationJson(core.insertNetworkEndpointGroup(project, region, readJson(request))),
  ],
  [
    'GET',
    /^regions\/([^/]+)\/networkEndpointGroups\/([^/]+)$/,
    (core, [project = '', region = '', name = '']) =>
      groupJson(core.getNetworkEndpointGroup(project, region, name)),
  ],
  [
    'GET',
    /^zones\/([^/]+)\/machineTypes\/([^/]+)$/,
    (_, [project = '', zone = '', name = '']) => machineType(project, zone, name),
  ],
  [
    'GET',
    /^(global|regions\/[^/]+)\/operations$/,
    (core, [project = '', scope = ''], { query }) => {
      const operations = core.operations.list(`projects/${project}/${scope}`);
      return list('operationList', filtered(operations.map(operationJson), query.get('filter') ?? ''));
    },
  ],
  [
    'GET',
    /^(global|regions\/[^/]+)\/operations\/([^/]+)$/,
    (core, [project = '', scope = '', name = '']) =>
      operationJson(core.operations.get(`projects/${project}/${scope}`, name)),
  ],
  [
    'POST',
    /^(global|regions\/[^/]+)\/operations\/([^/]+)\/wait$/,
    (core, [project = '', scope = '', name = '']) => waitFor(core, `projects/${project}/${scope}`, name),
  ],
];

/** The part of the Compute Engine v1 REST API that load balancing over Cloud Run needs. */
export function computeApi(core: ComputeCore): HttpHandler {
  return async request => {
    try {
      return { status: 200, body: await answer(core, request) };
    } catch (error) {
      if (error instanceof ComputeError) return computeErrorReply(error);
      throw error;
    }
  };
}

function answer(core: ComputeCore, request: HttpRequest): Answer {
  const [, project = '', rest = ''] = /^\/compute\/v1\/projects\/([^/]+)\/(.+)$/.exec(request.path) ?? [];
  for (const [method, path, respond] of ROUTES) {
    const match = request.method === method ? path.exec(rest) : null;
    if (match) return respond(core, [project, ...match.slice(1)].map(decodeURIComponent), request);
  }
  throw new ComputeError(
    'notImplemented',
    `The local Compute API has no method ${request.method} ${request.path}.`,
  );
}

async function waitFor(core: ComputeCore, scope: string, name: string): Promise<object> {
  const operation: Operation = await core.operations.wait(scope, name);
  return operationJson(operation);
}

/** One comparison of a text field; the real API knows more. */
function filtered(items: readonly object[], filter: string): readonly object[] {
  if (filter === '') return items;
  const [, field = '', operator, value] = /^\(?(\w+)\s*(=|!=|eq|ne)\s*"?([^"()]+)"?\)?$/.exec(filter) ?? [];
  if (operator === undefined || value === undefined) {
    throw new ComputeError(
      'invalid',
      `Invalid value for field 'filter': '${filter}'. Expected FIELD = VALUE.`,
    );
  }
  const isWanted = operator === '=' || operator === 'eq';
  return items.filter(
    item => (Object.entries(item).find(([key]) => key === field)?.[1] === value) === isWanted,
  );
}

function readJson({ body }: HttpRequest): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (isRecord(value)) return value;
  } catch {
    // Answered below, like JSON of another shape.
  }
  throw new ComputeError('invalid', 'The request body is not a JSON object.');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function list(kind: string, items: readonly object[]): object {
  return { kind: `compute#${kind}`, items };
}

function backendServiceJson({ path, id, createdMs, fields }: BackendService): object {
  return {
    ...fields,
    kind: 'compute#backendService',
    id,
    creationTimestamp: new Date(createdMs).toISOString(),
    selfLink: selfLink(path),
    fingerprint: fingerprintOf(fields),
  };
}

function groupJson({ path, id, createdMs, fields }: NetworkEndpointGroup): object {
  return {
    ...fields,
    kind: 'compute#networkEndpointGroup',
    id,
    creationTimestamp: new Date(createdMs).toISOString(),
    selfLink: selfLink(path),
    region: selfLink(path.split('/').slice(0, 4).join('/')),
  };
}

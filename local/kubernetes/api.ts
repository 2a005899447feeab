import { parse as parseYaml } from 'yaml';
import type { HttpHandler, HttpReply, HttpRequest } from '../http.ts';
import type { Kubernetes } from './core.ts';
import { discovery } from './discovery.ts';
import { isFields, type KubeObject } from './objects.ts';
import { proxyToService } from './proxy.ts';
import { apiVersionOf, findResource, type Resource } from './resources.ts';
import { parseFieldSelector, parseLabelSelector } from './selectors.ts';
import { KubeError, notFound } from './status.ts';
import { asTable, wantsTable } from './table.ts';
import { watch } from './watch.ts';
import {
  apply,
  create,
  type Part,
  type PatchType,
  patch,
  remove,
  update,
  type WriteContext,
} from './writes.ts';

/** The REST API of a cluster, https://kubernetes.io/docs/reference/using-api/api-concepts/, as far as the core goes. */
export function kubernetesApi(core: Kubernetes): HttpHandler {
  return async request => {
    try {
      return await answer(core, request);
    } catch (error) {
      const known =
        error instanceof KubeError
          ? error
          : new KubeError('InternalError', error instanceof Error ? (error.stack ?? '') : String(error));
      return { status: known.httpStatus, body: known.toStatus() };
    }
  };
}

interface Place {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  /** What follows the subresource. */
  readonly rest: string;
}

function answer(core: Kubernetes, request: HttpRequest): Promise<HttpReply> | HttpReply {
  const known = discovery(request.path);
  if (known && request.method === 'GET') return known;
  const place = placeOf(request.path);
  if (!place) throw new KubeError('NotFound', 'the server could not find the requested resource');
  if (place.subresource === 'proxy') return proxyToService(core, request, place);
  if (place.subresource === 'log') return podLog(core, request, place);
  if (place.subresource === 'scale') return scale(core, request, place);
  if (place.subresource && place.subresource !== 'status') {
    throw new KubeError('NotFound', 'the server could not find the requested resource');
  }
  return objects(core, request, place);
}

const PATH =
  /^\/(?:api\/(?<core>v1)|apis\/(?<group>[^/]+)\/(?<version>[^/]+))(?:\/namespaces\/(?<namespace>[^/]+)(?=\/))?\/(?<plural>[^/]+)(?:\/(?<name>[^/]+)(?:\/(?<subresource>[^/]+)(?<rest>\/.*)?)?)?$/;

function placeOf(path: string): Place | undefined {
  // `/namespaces/NAME/status` is the namespace's own status and not a resource called status.
  const own = /^\/api\/v1\/namespaces\/([^/]+)\/(status|finalize)$/.exec(path);
  const groups = PATH.exec(path)?.groups;
  const resource = own
    ? findResource('', 'v1', 'namespaces')
    : findResource(groups?.['group'] ?? '', groups?.['version'] ?? 'v1', groups?.['plural'] ?? '');
  if (!resource) return undefined;
  if (own) return { resource, namespace: undefined, name: own[1], subresource: own[2], rest: '' };
  const decoded = (part: string | undefined) => (part === undefined ? undefined : decodeURIComponent(part));
  return {
    resource,
    namespace: decoded(groups?.['namespace']),
    name: decoded(groups?.['name']),
    subresource: groups?.['subresource'],
    rest: groups?.['rest'] ?? '',
  };
}

function objects(core: Kubernetes, request: HttpRequest, place: Place): HttpReply {
  const { name } = place;
  const part: Part = place.subresource === 'status' ? 'status' : 'main';
  const context = writeContext(core, request, place);
  if (name === undefined) {
    if (request.method === 'GET') return list(core, request, place);
    if (request.method === 'POST') return { status: 201, body: create(context, parseBody(request)) };
    throw new KubeError('MethodNotAllowed', `${request.method} is not supported here`);
  }
  switch (request.method) {
    case 'GET':
      return get(core, request, place, name);
    case 'PUT':
      return { status: 200, body: update(context, name, parseBody(request), part) };
    case 'PATCH':
      return patched(context, name, request, part);
    case 'DELETE':
      return { status: 200, body: remove(context, name, parseBody(request)) };
    default:
      throw new KubeError('MethodNotAllowed', `${request.method} is not supported here`);
  }
}

function get(core: Kubernetes, request: HttpRequest, place: Place, name: string): HttpReply {
  const object = core.store.read(place.resource.plural, place.namespace, name);
  if (!wantsTable(request)) return { status: 200, body: object };
  return { status: 200, body: asTable(place.resource, [object], core.clock.nowMs()) };
}

function list(core: Kubernetes, request: HttpRequest, place: Place): HttpReply {
  const { resource, namespace } = place;
  const filter = filterOf(request);
  if (['true', '1'].includes(request.query.get('watch') ?? '')) {
    return watch(core, request, resource, namespace, filter);
  }
  const items = core.store.list(resource.plural, namespace).filter(filter);
  const metadata = { resourceVersion: core.store.resourceVersion };
  if (wantsTable(request)) {
    return { status: 200, body: { ...asTable(resource, items, core.clock.nowMs()), metadata } };
  }
  const kind = `${resource.kind}List`;
  return { status: 200, body: { kind, apiVersion: apiVersionOf(resource), metadata, items } };
}

function filterOf(request: HttpRequest): (object: KubeObject) => boolean {
  const labels = parseLabelSelector(request.query.get('labelSelector') ?? '');
  const fields = parseFieldSelector(request.query.get('fieldSelector') ?? '');
  return object => labels(object.metadata.labels ?? {}) && fields(object);
}

function patched(context: WriteContext, name: string, request: HttpRequest, part: Part): HttpReply {
  const type = (request.headers['content-type'] ?? '').split(';')[0] ?? '';
  const body = parseBody(request);
  if (type === 'application/apply-patch+yaml') {
    if (!request.query.get('fieldManager')) {
      throw new KubeError('BadRequest', 'PatchOptions is invalid: fieldManager: is required for apply patch');
    }
    const existed = context.store.get(context.resource.plural, context.namespace, name) !== undefined;
    const force = request.query.get('force') === 'true';
    return { status: existed ? 200 : 201, body: apply(context, name, body, force, part) };
  }
  if (!isPatchType(type)) {
    throw new KubeError('UnsupportedMediaType', `the body of the request was in an unknown format: ${type}`);
  }
  if (type === 'application/strategic-merge-patch+json' && context.resource.group.includes('gateway')) {
    throw new KubeError(
      'UnsupportedMediaType',
      'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
    );
  }
  return { status: 200, body: patch(context, name, type, body, part) };
}

function isPatchType(type: string): type is PatchType {
  return [
    'application/json-patch+json',
    'application/merge-patch+json',
    'application/strategic-merge-patch+json',
  ].includes(type);
}

function scale(core: Kubernetes, request: HttpRequest, place: Place): HttpReply {
  const { resource, namespace, name = '' } = place;
  if (resource.plural !== 'deployments' && resource.plural !== 'replicasets') {
    throw new KubeError('NotFound', 'the server could not find the requested resource');
  }
  const object = core.store.read(resource.plural, namespace, name);
  if (request.method === 'GET') return { status: 200, body: scaleOf(object) };
  const body = parseBody(request);
  const spec = isFields(body) && isFields(body['spec']) ? body['spec'] : {};
  const metadata = isFields(body) && isFields(body['metadata']) ? body['metadata'] : {};
  const resourceVersion = metadata['resourceVersion'] ?? object.metadata.resourceVersion;
  const context = writeContext(core, request, place);
  const changed = {
    ...object,
    metadata: { ...object.metadata, resourceVersion },
    spec: { ...object.spec, replicas: spec['replicas'] },
  };
  return { status: 200, body: scaleOf(update(context, name, changed, 'main')) };
}

function scaleOf(object: KubeObject): object {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const spec = isFields(object.spec) ? object.spec : {};
  const status = isFields(object.status) ? object.status : {};
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: spec['replicas'] ?? 0 },
    status: { replicas: status['replicas'] ?? 0 },
  };
}

function podLog(core: Kubernetes, request: HttpRequest, place: Place): HttpReply {
  const { namespace, name = '' } = place;
  const pod = core.store.read('pods', namespace, name);
  const container = request.query.get('container') ?? undefined;
  if (container && !pod.spec.containers.some(one => one.name === container)) {
    throw new KubeError('BadRequest', `container ${container} is not valid for pod ${name}`);
  }
  const isPrevious = request.query.get('previous') === 'true';
  const lines = core.logOf(pod.metadata.uid ?? '', container, isPrevious);
  if (!lines) throw notFound('containers', container ?? name);
  const tail = Number(request.query.get('tailLines') ?? lines.length);
  const text = lines.slice(Math.max(0, lines.length - tail)).map(line => `${line}\n`);
  return { status: 200, headers: { 'content-type': 'text/plain' }, body: text.join('') };
}

function writeContext(core: Kubernetes, request: HttpRequest, place: Place): WriteContext {
  const userAgent = (request.headers['user-agent'] ?? 'unknown').split('/')[0] ?? 'unknown';
  return {
    store: core.store,
    clock: core.clock,
    resource: place.resource,
    namespace: place.resource.namespaced ? place.namespace : undefined,
    manager: request.query.get('fieldManager') ?? userAgent,
  };
}

function parseBody(request: HttpRequest): unknown {
  const text = request.body.toString('utf8');
  if (text === '') return undefined;
  const type = request.headers['content-type'] ?? '';
  if (type.includes('protobuf')) {
    throw new KubeError('UnsupportedMediaType', 'this server reads JSON and YAML alone');
  }
  try {
    return type.includes('yaml') ? parseYaml(text) : JSON.parse(text);
  } catch (error) {
    throw new KubeError('BadRequest', `the body of the request could not be parsed: ${String(error)}`);
  }
}

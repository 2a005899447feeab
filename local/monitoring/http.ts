import { z } from 'zod';
import { ApiError, googleApi, type HttpHandler, type HttpReply, type HttpRequest } from '../http.ts';
import { pageOf } from '../paging.ts';
import { readBody } from '../proto-json.ts';
import type { Collection } from './collection.ts';
import type { MonitoringCore } from './core.ts';
import { parsePrometheusRequest } from './prometheus.ts';
import { joinPoints, splitByPoints } from './query.ts';
import { type TimeSeries, timeSeriesJson } from './time-series.ts';

const MAX_POINTS = 100_000;
const PAGE_SIZE = 1000;

const body = z.looseObject({});
type Body = z.output<typeof body>;

/** What the four kinds of resources do differently. */
interface Kind {
  readonly listField: string;
  readonly collection: Pick<Collection<z.ZodType<object>>, 'get' | 'list'>;
  create(parent: string, query: URLSearchParams, body: Body): object;
  update(name: string, body: Body, mask: string): object;
  delete(name: string, query: URLSearchParams): void;
}

/**
 * The part of the Cloud Monitoring v3 REST API that rollouts need, https://cloud.google.com/monitoring/api/ref_v3/rest, and
 * of its Prometheus API.
 */
export function monitoringApi(core: MonitoringCore): HttpHandler {
  const kinds = kindsOf(core);
  return googleApi(request => {
    const promql = parsePrometheusRequest(request);
    if (promql) return core.queryPrometheus(promql);
    const path = decodeURIComponent(request.path).replace(/^\/v3\//, '');
    const project = /^projects\/([^/]+)\/timeSeries$/.exec(path)?.[1];
    if (project !== undefined && request.method === 'GET')
      return listTimeSeries(core, project, request.query);
    const segments = path.split('/');
    const isCollection = segments.length % 2 === 1;
    const kind = kinds[(isCollection ? segments.at(-1) : segments.at(-2)) ?? ''];
    if (segments[0] !== 'projects' || !kind) throw unknownMethod(request);
    return isCollection
      ? answerCollection(kind, segments.slice(0, -1).join('/'), request)
      : answerResource(kind, path, request);
  });
}

function kindsOf(core: MonitoringCore): Readonly<Record<string, Kind>> {
  const projectOf = (parent: string) => parent.split('/')[1] ?? '';
  return {
    services: {
      listField: 'services',
      collection: core.services,
      create: (parent, query, body) =>
        core.createService(projectOf(parent), query.get('serviceId') ?? undefined, body),
      update: (name, body, mask) => core.services.update(name, body, mask),
      delete: name => core.deleteService(name),
    },
    serviceLevelObjectives: {
      listField: 'serviceLevelObjectives',
      collection: core.slos,
      create: (parent, query, body) =>
        core.createSlo(parent, query.get('serviceLevelObjectiveId') ?? undefined, body),
      update: (name, body, mask) => core.slos.update(name, body, mask),
      delete: name => core.slos.delete(name),
    },
    notificationChannels: {
      listField: 'notificationChannels',
      collection: core.channels,
      create: (parent, _, body) => core.createChannel(projectOf(parent), body),
      update: (name, body, mask) => core.channels.update(name, body, mask),
      delete: (name, query) => core.deleteChannel(name, query.get('force') === 'true'),
    },
    alertPolicies: {
      listField: 'alertPolicies',
      collection: core.policies,
      create: (parent, _, body) => core.createPolicy(projectOf(parent), body),
      update: (name, body, mask) => core.updatePolicy(name, body, mask),
      delete: name => core.deletePolicy(name),
    },
  };
}

function answerCollection(kind: Kind, parent: string, request: HttpRequest): HttpReply {
  if (request.method === 'POST') return ok(kind.create(parent, request.query, readBody(request, body)));
  if (request.method !== 'GET') throw unknownMethod(request);
  if (request.query.get('filter')) {
    throw new ApiError('UNIMPLEMENTED', `The local Monitoring lists ${kind.listField} without filter only.`);
  }
  const all = kind.collection.list(`${parent}/${kind.listField}`);
  const { items, nextPageToken } = pageOf(all, request.query, PAGE_SIZE);
  return ok({ [kind.listField]: items, nextPageToken, totalSize: all.length });
}

function answerResource(kind: Kind, name: string, request: HttpRequest): HttpReply {
  switch (request.method) {
    case 'GET':
      return ok(kind.collection.get(name));
    case 'PATCH':
      return ok(kind.update(name, readBody(request, body), request.query.get('updateMask') ?? ''));
    case 'DELETE':
      kind.delete(name, request.query);
      return ok({});
    default:
      throw unknownMethod(request);
  }
}

function listTimeSeries(core: MonitoringCore, project: string, query: URLSearchParams): HttpReply {
  const series = core.listTimeSeries(project, query);
  const isHeadersOnly = ['1', 'HEADERS'].includes(query.get('view') ?? '');
  const parts = isHeadersOnly ? series.map(one => ({ ...one, points: [] })) : splitByPoints(series);
  const { items, nextPageToken } = pageOf<TimeSeries>(parts, query, MAX_POINTS);
  return ok({ timeSeries: joinPoints(items).map(timeSeriesJson), nextPageToken });
}

function ok(body: object): HttpReply {
  return { status: 200, body };
}

function unknownMethod({ method, path }: HttpRequest): ApiError {
  return new ApiError('UNIMPLEMENTED', `The local Monitoring has no method ${method} ${path}.`);
}

import { z } from 'zod';
import { ApiError, googleApi, type HttpHandler, type HttpReply, type HttpRequest } from '../http.ts';
import { pageOf } from '../paging.ts';
import { readBody } from '../proto-json.ts';
import type { ContainerAnalysis } from './core.ts';

const LARGEST_PAGE = 1000;
const anyBody = z.looseObject({});

/** The part of the Container Analysis v1 REST API that keeps what was found, https://cloud.google.com/container-analysis/docs/reference/rest/v1. */
export function containerAnalysisApi(core: ContainerAnalysis): HttpHandler {
  return googleApi(request => {
    const path = decodeURIComponent(request.path).replace(/^\/v1\//, '');
    const [, project, collection, id, inner] =
      /^(projects\/[^/]+)\/(notes|occurrences)(?:\/([^/:]+)(?:\/(\w+))?)?$/.exec(path) ?? [];
    if (project === undefined) throw unknownMethod(request);
    if (id === undefined) {
      return collection === 'notes' ? notes(core, request, project) : occurrences(core, request, project);
    }
    if (collection === 'notes') return note(core, request, `${project}/notes/${id}`, inner);
    return occurrence(core, request, `${project}/occurrences/${id}`, inner);
  });
}

function notes(core: ContainerAnalysis, request: HttpRequest, project: string): HttpReply {
  if (request.method === 'GET') return page(request, 'notes', core.listNotes(project));
  if (request.method !== 'POST') throw unknownMethod(request);
  const id = request.query.get('noteId') ?? '';
  return ok(core.createNote(project, id, readBody(request, anyBody)));
}

function note(
  core: ContainerAnalysis,
  request: HttpRequest,
  name: string,
  inner: string | undefined,
): HttpReply {
  if (request.method !== 'GET') throw unknownMethod(request);
  if (inner === undefined) return ok(core.getNote(name));
  if (inner !== 'occurrences') throw unknownMethod(request);
  return page(request, 'occurrences', core.listNoteOccurrences(name, filterOf(request)));
}

function occurrences(core: ContainerAnalysis, request: HttpRequest, project: string): HttpReply {
  if (request.method === 'POST') return ok(core.createOccurrence(project, readBody(request, anyBody)));
  if (request.method !== 'GET') throw unknownMethod(request);
  return page(request, 'occurrences', core.listOccurrences(project, filterOf(request)));
}

function occurrence(
  core: ContainerAnalysis,
  request: HttpRequest,
  name: string,
  inner: string | undefined,
): HttpReply {
  switch (`${request.method} ${inner ?? ''}`) {
    case 'GET ':
      return ok(core.getOccurrence(name));
    case 'GET notes':
      return ok(core.getNote(core.getOccurrence(name).noteName));
    case 'PATCH ': {
      const mask = request.query.get('updateMask') ?? '';
      return ok(core.updateOccurrence(name, readBody(request, anyBody), mask));
    }
    case 'DELETE ':
      core.deleteOccurrence(name);
      return ok({});
    default:
      throw unknownMethod(request);
  }
}

function filterOf(request: HttpRequest): string {
  return request.query.get('filter') ?? '';
}

function page(request: HttpRequest, field: string, all: readonly object[]): HttpReply {
  const { items, nextPageToken } = pageOf(all, request.query, LARGEST_PAGE);
  return ok({ [field]: items, nextPageToken });
}

function ok(body: object): HttpReply {
  return { status: 200, body };
}

function unknownMethod({ method, path }: HttpRequest): ApiError {
  return new ApiError('UNIMPLEMENTED', `${method} ${path}: not a method of the local Container Analysis`);
}

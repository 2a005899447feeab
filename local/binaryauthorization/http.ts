import { z } from 'zod';
import { ApiError, googleApi, type HttpHandler, type HttpReply, type HttpRequest } from '../http.ts';
import { pageOf } from '../paging.ts';
import { readBody } from '../proto-json.ts';
import type { BinaryAuthorization } from './core.ts';

const PAGE_SIZE = 1000;
const anyBody = z.looseObject({});

/** Attestors in the Binary Authorization v1 REST API, https://cloud.google.com/binary-authorization/docs/reference/rest. */
export function binaryAuthorizationApi(core: BinaryAuthorization): HttpHandler {
  return googleApi(request => {
    const path = decodeURIComponent(request.path);
    const [, project, id, verb] =
      /^\/v1\/(projects\/[^/]+)\/attestors(?:\/([^/:]+)(?::(\w+))?)?$/.exec(path) ?? [];
    if (project === undefined) throw unknownMethod(request);
    if (id === undefined) return attestors(core, request, project);
    return attestor(core, request, `${project}/attestors/${id}`, verb);
  });
}

function attestors(core: BinaryAuthorization, request: HttpRequest, project: string): HttpReply {
  if (request.method === 'GET') {
    const { items, nextPageToken } = pageOf(core.listAttestors(project), request.query, PAGE_SIZE);
    return ok({ attestors: items, nextPageToken });
  }
  if (request.method !== 'POST') throw unknownMethod(request);
  const id = request.query.get('attestorId') ?? '';
  return ok(core.createAttestor(project, id, readBody(request, anyBody)));
}

function attestor(
  core: BinaryAuthorization,
  request: HttpRequest,
  name: string,
  verb: string | undefined,
): HttpReply {
  switch (`${request.method} ${verb ?? ''}`) {
    case 'GET ':
      return ok(core.getAttestor(name));
    case 'PUT ':
      return ok(core.updateAttestor(name, readBody(request, anyBody)));
    case 'DELETE ':
      core.deleteAttestor(name);
      return ok({});
    case 'POST validateAttestationOccurrence':
      return ok(core.validate(name, readBody(request, anyBody)));
    default:
      throw unknownMethod(request);
  }
}

function ok(body: object): HttpReply {
  return { status: 200, body };
}

function unknownMethod({ method, path }: HttpRequest): ApiError {
  return new ApiError('UNIMPLEMENTED', `${method} ${path}: not a method of the local Binary Authorization`);
}

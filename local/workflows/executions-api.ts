import { z } from 'zod';
import { ApiError, googleApi, type HttpHandler, type HttpReply, type HttpRequest } from '../http.ts';
import { CompileError } from './compile.ts';
import { basicView, type WorkflowsCore } from './engine.ts';
import { EXECUTION_STATES, type Execution } from './execution.ts';
import { CALL_LOG_LEVELS, type CallLogLevel } from './revision.ts';
import { deployApi } from './workflows-api.ts';

const WORKFLOW =
  /^(\/v1\/(projects\/[^/]+\/locations\/[^/]+\/workflows\/[^/]+))\/executions(?:\/([^/:]+))?(.*)$/;

/**
 * Workflow Executions v1 and Workflows v1 over one core: executions with cancel, callbacks, and deployments. Enums are
 * taken as names or numbers and told as the client asks for (`$alt=json;enum-encoding=int`).
 */
export function executionsApi(core: WorkflowsCore): HttpHandler {
  const deploy = deployApi(core);
  return googleApi(request => {
    const path = decodeURI(request.path);
    const match = WORKFLOW.exec(path);
    if (!match) return translateErrors(() => deploy(request));
    const [, , workflow = '', id, rest = ''] = match;
    if (id === undefined && rest === '') return collection(core, workflow, request);
    const name = `${workflow}/executions/${id}`;
    const callback = /^\/callbacks\/([^/]+)$/.exec(rest);
    if (callback) return receiveCallback(core, name, callback[1] ?? '', request);
    return single(core, name, rest, request);
  });
}

async function translateErrors(handle: () => HttpReply | Promise<HttpReply>): Promise<HttpReply> {
  try {
    return await handle();
  } catch (error) {
    if (error instanceof CompileError) throw new ApiError('INVALID_ARGUMENT', error.message);
    throw error;
  }
}

function collection(core: WorkflowsCore, workflow: string, request: HttpRequest): HttpReply {
  if (request.method === 'POST') {
    const { argument, labels, callLogLevel } = parseBody(NewExecutionBody, request);
    return tell(request, core.createExecution(workflow, { argument, labels, callLogLevel }));
  }
  if (request.method !== 'GET') throw new ApiError('UNIMPLEMENTED', `${request.method} executions`);
  const { query } = request;
  checkOrder(query.get('orderBy'));
  const page = core.listExecutions(workflow, {
    filter: query.get('filter') ?? undefined,
    pageSize: Number(query.get('pageSize') ?? 0),
    pageToken: query.get('pageToken') ?? undefined,
    view: viewOf(query) ?? 'BASIC',
  });
  const executions = page.executions.map(execution => encodeEnums(request, execution));
  return { status: 200, body: { executions, nextPageToken: page.nextPageToken } };
}

function single(core: WorkflowsCore, name: string, verb: string, request: HttpRequest): HttpReply {
  if (request.method === 'GET' && verb === '') {
    const execution = core.getExecution(name);
    return tell(request, viewOf(request.query) === 'BASIC' ? basicView(execution) : execution);
  }
  if (request.method === 'POST' && verb === ':cancel') return tell(request, core.cancelExecution(name));
  throw new ApiError('UNIMPLEMENTED', `${request.method} ${name}${verb}`);
}

function checkOrder(order: string | null): void {
  if (!order || /^(?:startTime|createTime) desc$/.test(order)) return;
  throw new ApiError('INVALID_ARGUMENT', `orderBy: only 'startTime desc' is implemented; got: ${order}`);
}

function viewOf(query: URLSearchParams): 'BASIC' | 'FULL' | undefined {
  const view = query.get('view');
  if (view === 'FULL' || view === '2') return 'FULL';
  return view === 'BASIC' || view === '1' ? 'BASIC' : undefined;
}

const CallLogLevelBody = z.union([
  z.enum(CALL_LOG_LEVELS),
  z.int().transform((level, context): CallLogLevel => {
    const known = CALL_LOG_LEVELS[level];
    if (known) return known;
    context.addIssue({ code: 'custom', message: `${level} is no call log level` });
    return z.NEVER;
  }),
]);

const NewExecutionBody = z.object({
  argument: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  callLogLevel: CallLogLevelBody.optional(),
});

/** A JSON body of the given shape, or INVALID_ARGUMENT with what is wrong with it. */
export function parseBody<T>(shape: z.ZodType<T>, request: HttpRequest): T {
  let json: unknown;
  try {
    json = request.body.length === 0 ? {} : JSON.parse(request.body.toString());
  } catch {
    throw new ApiError('INVALID_ARGUMENT', 'the body is not JSON');
  }
  const parsed = shape.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new ApiError('INVALID_ARGUMENT', z.prettifyError(parsed.error));
}

function tell(request: HttpRequest, execution: Partial<Execution>): HttpReply {
  return { status: 200, body: encodeEnums(request, execution) };
}

function encodeEnums(request: HttpRequest, execution: Partial<Execution>): object {
  if (!/enum-encoding=int/.test(request.query.get('$alt') ?? '')) return execution;
  const { state, callLogLevel } = execution;
  return {
    ...execution,
    ...(state === undefined ? {} : { state: EXECUTION_STATES.indexOf(state) }),
    ...(callLogLevel === undefined ? {} : { callLogLevel: CALL_LOG_LEVELS.indexOf(callLogLevel) }),
  };
}

function receiveCallback(
  core: WorkflowsCore,
  execution: string,
  id: string,
  request: HttpRequest,
): HttpReply {
  const { method, path, query, headers, body } = request;
  const delivery = core.deliverCallback(execution, id, {
    method,
    url: query.size > 0 ? `${path}?${query}` : path,
    headers,
    query: Object.fromEntries(query),
    body,
    receivedMs: core.nowMs(),
  });
  switch (delivery) {
    case 'accepted':
      return { status: 200, body: {} };
    case 'full':
      throw new ApiError(
        'RESOURCE_EXHAUSTED',
        'a request for this callback is already waiting to be consumed',
      );
    case 'wrong method':
      throw new ApiError('INVALID_ARGUMENT', `this callback does not take ${method}`);
    case 'unknown':
      throw new ApiError('NOT_FOUND', 'no such callback, or its execution is over');
  }
}

import { z } from 'zod';
import { ApiError, type HttpHandler, type HttpReply, type HttpRequest } from '../http.ts';
import type { WorkflowsCore } from './engine.ts';
import { parseBody } from './executions-api.ts';
import { CALL_LOG_LEVELS, type WorkflowRevision } from './revision.ts';

const PATH = /^\/v1\/(projects\/[^/]+\/locations\/[^/]+)\/(workflows|operations)(?:\/([^/]+))?$/;

/** Workflows v1: create, update, get, list. Every operation is done by the time it is answered. */
export function deployApi(core: WorkflowsCore): HttpHandler {
  const operations = new Map<string, object>();
  return request => {
    const [, parent = '', kind, id] = PATH.exec(decodeURI(request.path)) ?? [];
    if (kind === 'operations' && id !== undefined)
      return getOperation(operations, `${parent}/operations/${id}`);
    if (kind !== 'workflows') throw new ApiError('NOT_FOUND', `no such resource: ${request.path}`);
    if (request.method === 'POST' && id === undefined) return create(core, operations, parent, request);
    if (request.method === 'PATCH' && id !== undefined) return update(core, operations, parent, id, request);
    if (request.method !== 'GET') throw new ApiError('UNIMPLEMENTED', `${request.method} ${request.path}`);
    if (id === undefined)
      return { status: 200, body: { workflows: core.listWorkflows(parent).map(describe) } };
    return { status: 200, body: describe(core.getWorkflow(`${parent}/workflows/${id}`)) };
  };
}

const WorkflowBody = z.strictObject({
  name: z.string().optional(),
  description: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  serviceAccount: z.string().optional(),
  sourceContents: z.string().optional(),
  userEnvVars: z.record(z.string(), z.string()).optional(),
  callLogLevel: z.enum(CALL_LOG_LEVELS).optional(),
});

type WorkflowBody = z.infer<typeof WorkflowBody>;

function create(
  core: WorkflowsCore,
  operations: Map<string, object>,
  parent: string,
  request: HttpRequest,
): HttpReply {
  const id = request.query.get('workflowId');
  if (!id) throw new ApiError('INVALID_ARGUMENT', 'workflowId is missing in the query');
  const name = `${parent}/workflows/${id}`;
  if (core.listWorkflows(parent).some(({ workflow }) => workflow === name)) {
    throw new ApiError('ALREADY_EXISTS', `workflow ${name} already exists`);
  }
  return deploy(core, operations, parent, id, 'create', parseBody(WorkflowBody, request));
}

function update(
  core: WorkflowsCore,
  operations: Map<string, object>,
  parent: string,
  id: string,
  request: HttpRequest,
): HttpReply {
  const before = core.getWorkflow(`${parent}/workflows/${id}`);
  const wanted = parseBody(WorkflowBody, request);
  const merged = mergeUpdate(before, wanted, request.query.get('updateMask'));
  return deploy(core, operations, parent, id, 'update', merged);
}

/** Without a mask every field of the body counts. */
function mergeUpdate(before: WorkflowRevision, wanted: WorkflowBody, mask: string | null): WorkflowBody {
  const current: WorkflowBody = {
    ...before.settings,
    sourceContents: before.source,
    userEnvVars: before.env,
  };
  const isMasked = (key: string) => !mask || mask.split(',').includes(key);
  const changes = Object.entries(wanted).filter(([key]) => isMasked(key));
  return { ...current, ...Object.fromEntries(changes) };
}

function deploy(
  core: WorkflowsCore,
  operations: Map<string, object>,
  parent: string,
  id: string,
  verb: string,
  body: WorkflowBody,
): HttpReply {
  const { sourceContents = '', userEnvVars = {}, labels, serviceAccount, description, callLogLevel } = body;
  const settings = { labels, serviceAccount, description, callLogLevel };
  const revision = core.deploy(parent, id, sourceContents, userEnvVars, settings);
  const name = `${parent}/operations/operation-${operations.size + 1}`;
  const time = new Date(revision.createdMs).toISOString();
  const operation = {
    name,
    metadata: {
      '@type': 'type.googleapis.com/google.cloud.workflows.v1.OperationMetadata',
      createTime: time,
      endTime: time,
      target: revision.workflow,
      verb,
      apiVersion: 'v1',
    },
    done: true,
    response: { '@type': 'type.googleapis.com/google.cloud.workflows.v1.Workflow', ...describe(revision) },
  };
  operations.set(name, operation);
  return { status: 200, body: operation };
}

function getOperation(operations: ReadonlyMap<string, object>, name: string): HttpReply {
  const operation = operations.get(name);
  if (!operation) throw new ApiError('NOT_FOUND', `operation ${name} does not exist`);
  return { status: 200, body: operation };
}

function describe(revision: WorkflowRevision): object {
  const { workflow, revisionId, source, env, settings, createdMs, workflowCreatedMs } = revision;
  const changed = new Date(createdMs).toISOString();
  return {
    name: workflow,
    state: 'ACTIVE',
    revisionId,
    createTime: new Date(workflowCreatedMs).toISOString(),
    updateTime: changed,
    revisionCreateTime: changed,
    sourceContents: source,
    userEnvVars: env,
    ...settings,
  };
}

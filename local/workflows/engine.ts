import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { ApiError } from '../http.ts';
import type { Delivery } from './callbacks.ts';
import { type Execution, type LogEntry, RunningExecution } from './execution.ts';
import { parseFilter } from './filter.ts';
import type { CallbackRequest, Send } from './host.ts';
import { decodeJson } from './json.ts';
import { LIMITS } from './limits.ts';
import type { StackEntry } from './machine.ts';
import {
  type CallLogLevel,
  checkDeployment,
  checkLabels,
  type WorkflowRevision,
  type WorkflowSettings,
} from './revision.ts';

export interface WorkflowsOptions {
  readonly clock: Clock;
  readonly project: string;
  readonly projectNumber?: string;
  /** How workflows reach the world. */
  readonly send: Send;
  /** Where callbacks are served: `http://127.0.0.1:PORT`, no trailing slash. */
  readonly baseUrl: () => string;
  readonly onLog?: (entry: LogEntry) => void;
  /** Before every step of every execution; may call `kill` or `cancelExecution`, and the step then does not run. */
  readonly onStep?: (execution: string, stack: readonly StackEntry[]) => void;
  /** 0 ≤ x < 1; makes identifiers repeatable. */
  readonly random?: () => number;
}

export interface NewExecution {
  /** JSON text. */
  readonly argument?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly callLogLevel?: CallLogLevel | undefined;
}

export interface ListOptions {
  readonly filter?: string | undefined;
  readonly pageSize?: number | undefined;
  readonly pageToken?: string | undefined;
  readonly view?: 'BASIC' | 'FULL' | undefined;
}

export interface ExecutionPage {
  readonly executions: readonly Partial<Execution>[];
  readonly nextPageToken: string | undefined;
}

/** Cloud Workflows in memory. Throws CompileError from `deploy` and ApiError from everything. */
export class WorkflowsCore {
  readonly #options: WorkflowsOptions;
  readonly #uuid: () => string;
  /** Revisions of each workflow, oldest first. */
  readonly #workflows = new Map<string, WorkflowRevision[]>();
  readonly #executions = new Map<string, RunningExecution>();
  #isStopped = false;

  constructor(options: WorkflowsOptions) {
    this.#options = options;
    const { random } = options;
    this.#uuid = random ? () => repeatableUuid(random) : randomUUID;
  }

  nowMs(): number {
    return this.#options.clock.nowMs();
  }

  /** @param parent `projects/P/locations/L` */
  deploy(
    parent: string,
    workflowId: string,
    source: string,
    env: Readonly<Record<string, string>> = {},
    settings: WorkflowSettings = {},
  ): WorkflowRevision {
    if (!/^projects\/[^/]+\/locations\/[^/]+$/.test(parent)) {
      throw new ApiError('INVALID_ARGUMENT', `'${parent}' is not projects/P/locations/L`);
    }
    const program = checkDeployment(workflowId, source, env, settings);
    const workflow = `${parent}/workflows/${workflowId}`;
    const revisions = this.#workflows.get(workflow) ?? [];
    const createdMs = this.#options.clock.nowMs();
    const revision: WorkflowRevision = {
      workflow,
      revisionId: `${String(revisions.length + 1).padStart(6, '0')}-${this.#uuid().slice(0, 3)}`,
      source,
      env: { ...env },
      settings,
      program,
      createdMs,
      workflowCreatedMs: revisions[0]?.createdMs ?? createdMs,
    };
    this.#workflows.set(workflow, [...revisions, revision]);
    return revision;
  }

  /** The newest revision of a workflow. */
  getWorkflow(name: string): WorkflowRevision {
    const revision = this.#workflows.get(name)?.at(-1);
    if (revision) return revision;
    throw new ApiError('NOT_FOUND', `workflow ${name} does not exist`);
  }

  listWorkflows(parent: string): readonly WorkflowRevision[] {
    return [...this.#workflows.keys()]
      .filter(name => name.startsWith(`${parent}/workflows/`))
      .map(name => this.getWorkflow(name));
  }

  createExecution(workflowName: string, request: NewExecution = {}): Execution {
    if (this.#isStopped) throw new ApiError('UNAVAILABLE', 'the workflows engine has been stopped');
    const revision = this.getWorkflow(workflowName);
    const argument = checkArgument(request.argument);
    const labels = { ...revision.settings.labels, ...request.labels };
    checkLabels(labels);
    const id = this.#uuid();
    const execution = new RunningExecution({
      name: `${workflowName}/executions/${id}`,
      revision,
      argument,
      labels,
      callLogLevel: request.callLogLevel ?? revision.settings.callLogLevel ?? 'CALL_LOG_LEVEL_UNSPECIFIED',
      env: { ...revision.env, ...this.#builtInEnv(revision, id) },
      clock: this.#options.clock,
      send: this.#options.send,
      baseUrl: this.#options.baseUrl,
      uuid: this.#uuid,
      onLog: this.#options.onLog ?? (() => {}),
      onStep: this.#options.onStep ?? (() => {}),
    });
    this.#executions.set(execution.name, execution);
    return execution.snapshot();
  }

  getExecution(name: string): Execution {
    return this.#find(name).snapshot();
  }

  /** Newest first. */
  listExecutions(workflowName: string, options: ListOptions = {}): ExecutionPage {
    this.getWorkflow(workflowName);
    const isWanted = parseFilter(options.filter ?? '');
    const all = [...this.#executions.values()]
      .filter(({ name }) => name.startsWith(`${workflowName}/executions/`))
      .reverse()
      .map(execution => execution.snapshot())
      .filter(isWanted);
    const start = checkPageToken(options.pageToken);
    const end = start + pageSize(options);
    const page = all.slice(start, end);
    return {
      executions: options.view === 'FULL' ? page : page.map(basicView),
      nextPageToken: end < all.length ? String(end) : undefined,
    };
  }

  cancelExecution(name: string): Execution {
    const execution = this.#find(name);
    execution.cancel();
    return execution.snapshot();
  }

  /** The process behind the execution vanishes between two steps or in the middle of one; for tests of recovery. */
  kill(name: string): void {
    this.#find(name).kill();
  }

  /** A request to a callback URL; 'unknown' also when the execution is over. */
  deliverCallback(execution: string, callbackId: string, request: CallbackRequest): Delivery {
    return this.#executions.get(execution)?.deliver(callbackId, request) ?? 'unknown';
  }

  /** Stops all timers and requests. Executions stay in the state they are in, and no new ones start. */
  stop(): void {
    this.#isStopped = true;
    for (const execution of this.#executions.values()) execution.abandon();
  }

  #find(name: string): RunningExecution {
    const execution = this.#executions.get(name);
    if (execution) return execution;
    throw new ApiError('NOT_FOUND', `execution ${name} does not exist`);
  }

  #builtInEnv(
    { workflow, revisionId, settings }: WorkflowRevision,
    executionId: string,
  ): Record<string, string> {
    const { project, projectNumber = '100000000001' } = this.#options;
    const [, , , location = '', , workflowId = ''] = workflow.split('/');
    return {
      GOOGLE_CLOUD_LOCATION: location,
      GOOGLE_CLOUD_PROJECT_ID: project,
      GOOGLE_CLOUD_PROJECT_NUMBER: projectNumber,
      GOOGLE_CLOUD_SERVICE_ACCOUNT_NAME:
        settings.serviceAccount ?? `workflows@${project}.iam.gserviceaccount.com`,
      GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID: executionId,
      GOOGLE_CLOUD_WORKFLOW_ID: workflowId,
      GOOGLE_CLOUD_WORKFLOW_REVISION_ID: revisionId,
    };
  }
}

/** Names that `sys.get_env` knows in every workflow. */
export const BUILT_IN_ENV: readonly string[] = [
  'GOOGLE_CLOUD_LOCATION',
  'GOOGLE_CLOUD_PROJECT_ID',
  'GOOGLE_CLOUD_PROJECT_NUMBER',
  'GOOGLE_CLOUD_SERVICE_ACCOUNT_NAME',
  'GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID',
  'GOOGLE_CLOUD_WORKFLOW_ID',
  'GOOGLE_CLOUD_WORKFLOW_REVISION_ID',
];

function checkArgument(argument: string | undefined): string {
  if (!argument) return 'null';
  const bytes = Buffer.byteLength(argument);
  if (bytes > LIMITS.argument) {
    throw new ApiError('INVALID_ARGUMENT', `argument: ${bytes} bytes; the limit is ${LIMITS.argument}`);
  }
  try {
    decodeJson(argument);
    return argument;
  } catch {
    throw new ApiError('INVALID_ARGUMENT', 'argument: not JSON text');
  }
}

function checkPageToken(token: string | undefined): number {
  if (!token) return 0;
  if (/^\d+$/.test(token)) return Number(token);
  throw new ApiError('INVALID_ARGUMENT', `pageToken: '${token}' was not given by this API`);
}

function pageSize({ pageSize: wanted, view }: ListOptions): number {
  const most = view === 'FULL' ? 100 : 1000;
  return Math.min(most, wanted && wanted > 0 ? wanted : 100);
}

export function basicView(execution: Execution): Partial<Execution> {
  const { name, startTime, endTime, duration, state, workflowRevisionId } = execution;
  return {
    name,
    startTime,
    state,
    workflowRevisionId,
    ...(endTime === undefined ? {} : { endTime }),
    ...(duration === undefined ? {} : { duration }),
  };
}

function repeatableUuid(random: () => number): string {
  const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('');
  const variant = '89ab'[Math.floor(random() * 4)];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

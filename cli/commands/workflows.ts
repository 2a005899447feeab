import type { protos } from '@google-cloud/workflows';
import { SlipwayError } from '../../functions/errors.ts';
import { googleClients, readEndpoints } from '../../functions/google/clients.ts';
import { calling } from '../../functions/google/errors.ts';
import { readSettings, type Settings } from '../../functions/settings.ts';
import { data, type Format } from '../data.ts';
import { type Answer, lines, printable, safeTable, type Terminal } from '../output.ts';
import { withProgress } from '../progress.ts';
import { age } from '../tree.ts';
import { type ShownExecution, shownExecution, stepsOf } from '../workflows.ts';

export interface ExecutionsOptions {
  readonly workflow?: string | undefined;
  readonly state?: string | undefined;
  /** Of each workflow. */
  readonly limit: number;
  readonly output: Format;
}

type ListRequest = protos.google.cloud.workflows.executions.v1.IListExecutionsRequest;

const FULL = 'FULL';
const TIMEOUT_MS = 20_000;
/** The API gives no more at once with everything in them. */
const MOST_AT_ONCE = 100;

/** `slipway workflows list`: the two workflows, and how their newest executions are. */
export async function listWorkflows(
  { output }: { readonly output: Format },
  terminal: Terminal,
): Promise<Answer> {
  const settings = readSettings(terminal.env);
  const workflows = await asking(terminal, 'the executions', async () => {
    const found = [];
    for (const name of [settings.rolloutWorkflow, settings.rollbackWorkflow]) {
      found.push({ name, executions: await newest(terminal, settings, name, { pageSize: MOST_AT_ONCE }) });
    }
    return found;
  });
  const rows = workflows.map(({ name, executions }) => {
    const count = (...states: string[]) => executions.filter(({ state }) => states.includes(state)).length;
    return {
      workflow: name,
      location: settings.location,
      executions: executions.length,
      running: count('ACTIVE', 'QUEUED'),
      succeeded: count('SUCCEEDED'),
      failed: count('FAILED', 'CANCELLED', 'UNAVAILABLE'),
      newest: executions[0],
    };
  });
  if (output !== 'text') {
    terminal.out(await data(rows, output));
    return 'yes';
  }
  const header = ['WORKFLOW', 'LOCATION', 'NEWEST', 'RUNNING', 'SUCCEEDED', 'FAILED', 'LAST', 'STATE'];
  const cells = rows.map(({ workflow, location, executions, running, succeeded, failed, newest: last }) => [
    workflow,
    location,
    String(executions),
    String(running),
    String(succeeded),
    String(failed),
    last ? ageOf(last) : '-',
    last?.state ?? '-',
  ]);
  terminal.out(lines(safeTable([header, ...cells], terminal.columns)));
  return 'yes';
}

/** `slipway workflows executions`: the newest ones, with what they are at. */
export async function listExecutions(options: ExecutionsOptions, terminal: Terminal): Promise<Answer> {
  const settings = readSettings(terminal.env);
  const { rolloutWorkflow, rollbackWorkflow } = settings;
  const names = options.workflow === undefined ? [rolloutWorkflow, rollbackWorkflow] : [options.workflow];
  const request: ListRequest = {
    pageSize: Math.min(options.limit, MOST_AT_ONCE),
    ...(options.state === undefined ? {} : { filter: `state="${options.state.replaceAll('"', '')}"` }),
  };
  const found = await asking(terminal, 'the executions', async () => {
    const all: ShownExecution[] = [];
    for (const name of names) all.push(...(await newest(terminal, settings, name, request)));
    return all;
  });
  const executions = found.toSorted((a, b) => (b.startTime ?? '').localeCompare(a.startTime ?? ''));
  terminal.out(
    options.output === 'text'
      ? lines(safeTable(executionRows(executions), terminal.columns))
      : await data(executions, options.output),
  );
  return 'yes';
}

/** Says what it waits for, and what to do about what Google Cloud answers. */
async function asking<T>(terminal: Terminal, what: string, ask: () => Promise<T>): Promise<T> {
  const { env } = terminal;
  const { advised, checkCredentials } = await import('../google-access.ts');
  try {
    return await withProgress(
      terminal,
      () => printable(`reading ${what}`),
      async () => {
        await checkCredentials(env, 'workflowexecutions');
        return ask();
      },
    );
  } catch (error) {
    const project = env['GOOGLE_CLOUD_PROJECT'] ?? '';
    throw advised(error, { project, role: 'roles/workflows.viewer', what: 'workflows' });
  }
}

async function newest(
  { env }: Terminal,
  { project, location }: Settings,
  workflow: string,
  request: ListRequest,
): Promise<ShownExecution[]> {
  const client = await googleClients(readEndpoints(env)).executions();
  const parent = `projects/${project}/locations/${location}/workflows/${workflow}`;
  const [executions] = await calling(`list the executions of ${parent}`, () =>
    client.listExecutions({ ...request, parent, view: FULL }, { timeout: TIMEOUT_MS, autoPaginate: false }),
  );
  return executions.map(shownExecution);
}

function executionRows(executions: readonly ShownExecution[]): string[][] {
  const rows = executions.map(execution => [
    execution.id,
    execution.workflow,
    execution.state,
    ageOf(execution),
    execution.rollout ?? '-',
    execution.error?.message ?? stepsOf(execution),
  ]);
  return [['EXECUTION', 'WORKFLOW', 'STATE', 'STARTED', 'ROLLOUT', 'STEP OR ERROR'], ...rows];
}

function ageOf({ startTime }: ShownExecution): string {
  return startTime === undefined ? '-' : `${age(Date.now() - Date.parse(startTime))} ago`;
}

/** `slipway workflows describe`: everything that the API tells about one execution. */
export async function describeExecution(
  text: string,
  { output }: { readonly output: Format },
  terminal: Terminal,
): Promise<Answer> {
  const settings = readSettings(terminal.env);
  const execution = await asking(terminal, text, () => read(text, settings, terminal));
  terminal.out(
    output === 'text' ? lines(described(execution, settings, terminal)) : await data(execution, output),
  );
  return 'yes';
}

/** An id alone may be of either workflow. */
async function read(text: string, settings: Settings, { env }: Terminal): Promise<ShownExecution> {
  const { project, location, rolloutWorkflow, rollbackWorkflow } = settings;
  const client = await googleClients(readEndpoints(env)).executions();
  const names = text.includes('/')
    ? [text]
    : [rolloutWorkflow, rollbackWorkflow].map(
        workflow => `projects/${project}/locations/${location}/workflows/${workflow}/executions/${text}`,
      );
  for (const name of names) {
    try {
      const [execution] = await calling(`read ${name}`, () =>
        client.getExecution({ name, view: FULL }, { timeout: TIMEOUT_MS }),
      );
      return shownExecution(execution);
    } catch (error) {
      if (!(error instanceof SlipwayError) || error.code !== 'NotFound') throw error;
    }
  }
  throw new SlipwayError(
    `There is no execution ${text} of ${rolloutWorkflow} or ${rollbackWorkflow} in ${project}, ${location}; \`slipway workflows executions\` lists them.`,
    { code: 'NotFound', operation: 'find the execution' },
  );
}

function described(execution: ShownExecution, { project }: Settings, { columns, env }: Terminal): string[] {
  const { id, workflow, location, state, startTime, endTime, duration, argument, result, error, steps } =
    execution;
  const place = [location, workflow, 'execution', id].map(encodeURIComponent).join('/');
  const rows = [
    ['execution', id],
    ['workflow', `${workflow} in ${location}, revision ${execution.revision ?? '-'}`],
    ['state', `${state}${duration === undefined ? '' : ` after ${duration}`}`],
    ['started', startTime ?? '-'],
    ...(endTime === undefined ? [] : [['ended', endTime]]),
    ['argument', argument ?? '-'],
    ...(steps.length > 0 ? [['steps', stepsOf(execution)]] : []),
    ...(result === undefined ? [] : [['result', result]]),
    ...(error === undefined ? [] : [['error', error.message], ...error.stack.map(place => ['  at', place])]),
    // What runs on this machine is not in Google's console.
    ...(env['SLIPWAY_LOCAL']
      ? []
      : [
          [
            'console',
            `https://console.cloud.google.com/workflows/workflow/${place}?project=${encodeURIComponent(project)}`,
          ],
        ]),
  ];
  return safeTable(rows, columns);
}

import { setTimeout } from 'node:timers/promises';
import { SlipwayError } from '../../functions/errors.ts';
import { realClock } from '../../local/clock.ts';
import { ApiError, serve } from '../../local/http.ts';
import { LOCATION } from '../../local/names.ts';
import { CompileError } from '../../local/workflows/compile.ts';
import { WorkflowsCore } from '../../local/workflows/engine.ts';
import type { Execution, LogEntry } from '../../local/workflows/execution.ts';
import { executionsApi } from '../../local/workflows/executions-api.ts';
import { type OutgoingHttp, SendError } from '../../local/workflows/host.ts';
import type { StackEntry } from '../../local/workflows/machine.ts';
import { sendByFetch } from '../../local/workflows/send.ts';
import { type Answer, lines, printable, type Terminal } from '../output.ts';
import { readText } from '../policy-file.ts';
import { interruption } from '../records.ts';
import { shownError } from '../workflows.ts';

export interface RunOptions {
  /** The argument, as JSON text. */
  readonly data?: string | undefined;
  /** NAME=VALUE each. */
  readonly env?: readonly string[] | undefined;
  readonly steps?: boolean | undefined;
}

const PROJECT = 'local';
const LOOK_MS = 20;

/** `slipway workflows run`: a definition in the local engine; its result on `out`, what it logs on `err`. */
export async function runWorkflow(file: string, options: RunOptions, terminal: Terminal): Promise<Answer> {
  const source = await readText(file);
  const core = new WorkflowsCore({
    clock: realClock,
    project: PROJECT,
    send: sendToLoopback,
    baseUrl: () => server.url,
    onLog: entry => terminal.err(`${logLine(entry)}\n`),
    onStep: (_, stack) => {
      if (options.steps) terminal.err(`${stepLine(stack)}\n`);
    },
  });
  const server = await serve(executionsApi(core));
  const { signal, end } = interruption(terminal);
  try {
    const { name } = start(core, source, file, options);
    const execution = await ended(core, name, signal);
    if (execution.state === 'SUCCEEDED') {
      terminal.out(`${JSON.stringify(JSON.parse(execution.result ?? 'null'), undefined, 2)}\n`);
      return 'yes';
    }
    if (signal.aborted) return 'interrupted';
    terminal.err(lines(failure(execution, file).map(printable)));
    return 'no';
  } finally {
    end();
    core.stop();
    await server.close();
  }
}

function start(core: WorkflowsCore, source: string, file: string, { data, env = [] }: RunOptions): Execution {
  const parent = `projects/${PROJECT}/locations/${LOCATION}`;
  try {
    core.deploy(parent, 'workflow', source, variables(env));
    return core.createExecution(`${parent}/workflows/workflow`, { argument: data });
  } catch (error) {
    const refused = (message: string) =>
      new SlipwayError(message, { code: 'InvalidArgument', operation: `run ${file}`, cause: error });
    if (error instanceof CompileError) {
      const told = error.problems.map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`);
      throw refused(told.join('\n'));
    }
    if (error instanceof ApiError) throw refused(`--data: ${error.message}`);
    throw error;
  }
}

function variables(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map(pair => {
      const equals = pair.indexOf('=');
      if (equals > 0) return [pair.slice(0, equals), pair.slice(equals + 1)];
      throw new SlipwayError(`--env ${pair}: expected NAME=VALUE.`, {
        code: 'InvalidArgument',
        operation: 'run the workflow',
      });
    }),
  );
}

async function ended(core: WorkflowsCore, name: string, signal: AbortSignal): Promise<Execution> {
  for (;;) {
    const execution = core.getExecution(name);
    if (execution.state !== 'ACTIVE') return execution;
    if (signal.aborted) return core.cancelExecution(name);
    await setTimeout(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

/** Nothing leaves this machine: what a definition asks of the world it gets only when it is deployed. */
async function sendToLoopback(request: OutgoingHttp) {
  const { hostname } = new URL(request.url);
  if (LOOPBACK.test(hostname)) return sendByFetch(request);
  throw new SendError(
    'ConnectionFailed',
    `${hostname}: requests of a workflow that runs here may go to this machine alone`,
  );
}

function logLine({ severity, textPayload, jsonPayload }: LogEntry): string {
  return printable(`${severity.padEnd(7)}  ${textPayload ?? JSON.stringify(jsonPayload)}`);
}

function stepLine(stack: readonly StackEntry[]): string {
  return printable(`STEP     ${stack.map(({ routine, step }) => `${routine}.${step}`).join(' > ')}`);
}

function failure({ state, error }: Execution, file: string): string[] {
  const shown = error && shownError(error);
  return [
    `${file}: ${state}: ${shown?.message ?? 'no error'}`,
    ...(shown?.stack ?? []).map(place => `  at ${place}`),
  ];
}

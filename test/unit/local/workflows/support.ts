import { VirtualClock } from '../../../../local/clock.ts';
import { CompileError } from '../../../../local/workflows/compile.ts';
import { WorkflowsCore } from '../../../../local/workflows/engine.ts';
import type { Execution, LogEntry } from '../../../../local/workflows/execution.ts';
import type { IncomingHttp, OutgoingHttp } from '../../../../local/workflows/host.ts';
import type { StackEntry } from '../../../../local/workflows/machine.ts';

export const PARENT = 'projects/acme/locations/us-central1';
export const WORKFLOW = `${PARENT}/workflows/tested`;

export interface World {
  readonly clock: VirtualClock;
  readonly core: WorkflowsCore;
  readonly requests: OutgoingHttp[];
  readonly logs: LogEntry[];
  /** What the world answers to requests; by default 200 with `{}`. */
  answer: (request: OutgoingHttp) => Promise<IncomingHttp>;
  onStep: (execution: string, stack: readonly StackEntry[]) => void;
}

export function createWorld(): World {
  const clock = new VirtualClock();
  const requests: OutgoingHttp[] = [];
  const logs: LogEntry[] = [];
  let seed = 1;
  const world: World = {
    clock,
    requests,
    logs,
    answer: async () => json(200, {}),
    onStep: () => {},
    core: new WorkflowsCore({
      clock,
      project: 'acme',
      baseUrl: () => 'http://workflows.test',
      send: request => {
        requests.push(request);
        return world.answer(request);
      },
      onLog: entry => logs.push(entry),
      onStep: (execution, stack) => world.onStep(execution, stack),
      random: () => {
        seed = (seed * 48_271) % 2_147_483_647;
        return seed / 2_147_483_647;
      },
    }),
  };
  return world;
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): IncomingHttp {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(JSON.stringify(body)),
  };
}

/** Deploys and starts a workflow, without letting time pass. */
export function start(
  world: World,
  source: string,
  argument?: unknown,
  env: Readonly<Record<string, string>> = {},
): Execution {
  world.core.deploy(PARENT, 'tested', source, env);
  const text = argument === undefined ? undefined : JSON.stringify(argument);
  return world.core.createExecution(WORKFLOW, { argument: text });
}

/** Runs a workflow to its end: an hour passes, which costs nothing. */
export async function execute(source: string, argument?: unknown, world = createWorld()): Promise<Execution> {
  const { name } = start(world, source, argument);
  await world.clock.advance(3_600_000);
  return world.core.getExecution(name);
}

/** What a workflow returns; its error when it fails. */
export async function resultOf(source: string, argument?: unknown, world = createWorld()): Promise<unknown> {
  const { state, result, error } = await execute(source, argument, world);
  if (state !== 'SUCCEEDED') throw new Error(`${state}: ${error?.context ?? 'no error'}`);
  return JSON.parse(result ?? '');
}

/** What one expression evaluates to, with `args` as its only variable. */
export function evaluated(expression: string, args?: unknown): Promise<unknown> {
  return resultOf(returning(expression), args);
}

/** The error that one expression raises. */
export async function raisedBy(
  expression: string,
  args?: unknown,
): Promise<{ message: string; tags: string[] }> {
  const { state, result, error } = await execute(returning(expression), args);
  if (state !== 'FAILED') throw new Error(`${state}: ${result}`);
  return JSON.parse(error?.payload ?? '');
}

function returning(expression: string): string {
  const scalar = `\${${expression}}`.replaceAll("'", "''");
  return `main:\n  params: [args]\n  steps:\n    - answer:\n        return: '${scalar}'\n`;
}

/** Everything that is wrong with a source, one problem per line. */
export function problemsOf(source: string): readonly string[] {
  try {
    createWorld().core.deploy(PARENT, 'tested', source, {});
    return [];
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return error.problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
  }
}

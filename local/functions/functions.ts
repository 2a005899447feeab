import { fileURLToPath } from 'node:url';
import { type NodeProcess, startNode } from '../dataplane/processes.ts';
import { programUrl } from '../files.ts';

export const FUNCTION_NAMES = [
  'imagePush',
  'command',
  'sloAlert',
  'activity',
  'sweep',
  'deadLetter',
  'console',
  'notify',
] as const;
export type FunctionName = (typeof FUNCTION_NAMES)[number];

export interface Functions {
  /** Where each function listens, no trailing slash. */
  readonly urls: Readonly<Record<FunctionName, string>>;
  /** What they logged last, oldest first. */
  lastLines(): readonly string[];
  /** Kills them in the middle of whatever they do. Nobody listens until {@link Functions.restart}. */
  crash(): Promise<void>;
  /** Starts them again after a crash, where they listened before. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

interface Host {
  readonly process: NodeProcess;
  readonly ports: readonly number[];
}

const HOST = fileURLToPath(programUrl('functions/host'));

/**
 * Runs the functions in a process of their own, which sees nothing but the given environment.
 *
 * @param wanted ports of some of them; the others get free ones
 * @param folder what `npm run build` wrote; without it they run from their sources
 */
export async function startFunctions(
  env: Readonly<Record<string, string>>,
  wanted: Partial<Record<FunctionName, number>> = {},
  folder?: string,
): Promise<Functions> {
  const start = (ports: readonly number[]) => startHost(env, ports, folder);
  let host = await start(FUNCTION_NAMES.map(name => wanted[name] ?? 0));
  const { ports } = host;
  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    host.process.kill(signal);
    await host.process.ended;
  }
  return {
    urls: urlsOf(ports),
    lastLines: () => host.process.lastLines(),
    crash: () => end('SIGKILL'),
    async restart() {
      host = await start(ports);
    },
    stop: () => end('SIGTERM'),
  };
}

/** @param wanted ports in the order of the functions; 0 for any free one */
function startHost(
  env: Readonly<Record<string, string>>,
  wanted: readonly number[],
  folder: string | undefined,
): Promise<Host> {
  const from = folder === undefined ? [] : ['--folder', folder];
  const places = FUNCTION_NAMES.map((name, index) => `${name}:${wanted[index] ?? 0}`);
  return new Promise((resolve, reject) => {
    const ports: number[] = [];
    const host = startNode({ args: [HOST, ...from, ...places], cwd: process.cwd(), env }, port => {
      ports.push(port);
      if (ports.length === FUNCTION_NAMES.length) resolve({ process: host, ports });
    });
    host.ended.then(({ code }) => {
      reject(new Error(`the functions ended with exit code ${code}:\n${host.lastLines().join('\n')}`));
    });
  });
}

function urlsOf(ports: readonly number[]): Record<FunctionName, string> {
  const url = (index: number) => `http://127.0.0.1:${ports[index]}`;
  return {
    imagePush: url(0),
    command: url(1),
    sloAlert: url(2),
    activity: url(3),
    sweep: url(4),
    deadLetter: url(5),
    console: url(6),
    notify: url(7),
  };
}

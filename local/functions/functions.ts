import { fileURLToPath } from 'node:url';
import { type NodeProcess, startNode } from '../dataplane/processes.ts';

export const FUNCTION_NAMES = ['imagePush', 'command', 'sloAlert', 'activity', 'sweep'] as const;
export type FunctionName = (typeof FUNCTION_NAMES)[number];

export interface Functions {
  /** Where each function listens, no trailing slash. */
  readonly urls: Readonly<Record<FunctionName, string>>;
  /** What they logged last, oldest first. */
  lastLines(): readonly string[];
  stop(): Promise<void>;
}

const HOST = fileURLToPath(new URL('./host.ts', import.meta.url));

/** Runs the functions in a process of their own, which sees nothing but the given environment. */
export function startFunctions(env: Readonly<Record<string, string>>): Promise<Functions> {
  return new Promise((resolve, reject) => {
    const ports: number[] = [];
    const host: NodeProcess = startNode({ args: [HOST, ...FUNCTION_NAMES], cwd: process.cwd(), env }, port => {
      ports.push(port);
      if (ports.length < FUNCTION_NAMES.length) return;
      resolve({ urls: urlsOf(ports), lastLines: host.lastLines, stop: () => stop(host) });
    });
    host.ended.then(({ code }) => {
      reject(new Error(`the functions ended with exit code ${code}:\n${host.lastLines().join('\n')}`));
    });
  });
}

function urlsOf(ports: readonly number[]): Record<FunctionName, string> {
  const url = (index: number) => `http://127.0.0.1:${ports[index]}`;
  return { imagePush: url(0), command: url(1), sloAlert: url(2), activity: url(3), sweep: url(4) };
}

async function stop(host: NodeProcess): Promise<void> {
  host.kill('SIGTERM');
  await host.ended;
}

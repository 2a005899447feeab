import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Startup } from './startup-child.ts';

export interface Call {
  /** Name of the function. */
  readonly name: string;
  readonly path: string;
  readonly body: object;
}

const CHILD = fileURLToPath(new URL('./startup-child.ts', import.meta.url));

/** Starts the functions in a fresh process with this environment alone, makes one call, and ends the process. */
export function startFunction(env: Readonly<Record<string, string>>, call?: Call): Promise<Startup> {
  const args = call ? [call.name, call.path, JSON.stringify(call.body)] : [];
  const child = fork(CHILD, args, {
    env: { ...env },
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', chunk => (said += chunk));
  let report: Startup | undefined;
  child.on('message', message => {
    report = message as Startup;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', code => {
      if (report) resolve(report);
      else reject(new Error(`the functions ended with ${code}:\n${said}`));
    });
  });
}

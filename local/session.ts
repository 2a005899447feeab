import { mkdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SlipwayError } from '../functions/errors.ts';

/** What a running local cloud leaves behind for the command line: {@link SESSION_FILE}. */
export interface Session {
  /** The process that runs it. */
  readonly pid: number;
  readonly env: Readonly<Record<string, string>>;
  readonly urls: Readonly<Record<string, string>>;
  readonly kubeconfig: string;
  readonly policy: string;
}

/** Below the folder in which the local cloud was started. */
export const SESSION_FILE = join('.slipway', 'local.json');

const ANSWER_MS = 2000;

/** @throws SlipwayError when a local cloud that runs has left this file; one that is gone does not matter */
export async function checkNoneRuns(file: string): Promise<void> {
  const session = await readSession(file);
  if (!session || !(await isUp(session))) return;
  const console = session.urls['console'];
  throw new SlipwayError(
    `A local cloud runs here already: process ${session.pid}, by ${file}${console ? `, with its console at ${console}` : ''}. ` +
      'End it with Ctrl-C, start this one in another folder, or give it a file of its own with --session FILE.',
    { code: 'AlreadyExists', operation: 'start the local cloud' },
  );
}

/** Only this user may read it: what it names may change the local cloud. @returns takes it away again */
export async function writeSession(file: string, known: Omit<Session, 'pid'>): Promise<() => Promise<void>> {
  const session: Session = { pid: process.pid, ...known };
  const folder = dirname(file);
  const made = await mkdir(folder, { recursive: true });
  // Whoever reads it meanwhile finds all of it or none.
  const whole = `${file}.${process.pid}`;
  try {
    await writeFile(whole, `${JSON.stringify(session, undefined, 2)}\n`, { mode: 0o600 });
    await checkNoneRuns(file);
    await rename(whole, file);
  } finally {
    await rm(whole, { force: true });
  }
  return async () => {
    const found = await readSession(file);
    if (found?.pid === process.pid) await rm(file, { force: true });
    if (made !== undefined) await rmdir(folder).catch(() => undefined);
  };
}

/** undefined where there is none that could be used. */
export async function readSession(file: string): Promise<Session | undefined> {
  try {
    const session: Session = JSON.parse(await readFile(file, 'utf8'));
    const { pid, env, urls } = session;
    return Number.isInteger(pid) && isObject(env) && isObject(urls) ? session : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

/** A number of a process is given again, so its cloud has to answer as well. */
export async function isUp({ pid, urls }: Session): Promise<boolean> {
  return isAlive(pid) && (await answers(urls['registry']));
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function answers(url: string | undefined): Promise<boolean> {
  if (!url) return false;
  try {
    const response = await fetch(`${url}/v2/`, { signal: AbortSignal.timeout(ANSWER_MS) });
    await response.body?.cancel();
    return true;
  } catch {
    return false;
  }
}

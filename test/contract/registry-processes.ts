import { execFile, type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

/** Whether a program is on PATH. */
export function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '').split(path.delimiter).some(directory => {
    try {
      accessSync(path.join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export interface RunningRegistry {
  readonly url: string;
  close(): Promise<void>;
}

/** Debian's `docker-registry` (the distribution project's) on a free port, its data in a temporary folder. */
export async function startDockerRegistry(): Promise<RunningRegistry> {
  const folder = await mkdtemp(path.join(tmpdir(), 'slipway-docker-registry-'));
  const config = path.join(folder, 'config.yml');
  const storage = { filesystem: { rootdirectory: path.join(folder, 'data') }, delete: { enabled: true } };
  await writeFile(
    config,
    JSON.stringify({ version: 0.1, storage, http: { addr: '127.0.0.1:0', secret: 'x' } }),
  );
  const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  const close = async () => {
    await stop(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    return { url: `http://127.0.0.1:${await portOf(child)}`, close };
  } catch (error) {
    await close();
    throw error;
  }
}

export async function skopeo(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('skopeo', args);
  return stdout;
}

async function portOf(child: ChildProcess): Promise<number> {
  if (!child.stderr) throw new Error('docker-registry has no standard error');
  const lines = createInterface({ input: child.stderr });
  for await (const line of lines) {
    const port = /listening on 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
    if (port === undefined) continue;
    child.stderr.resume();
    return Number(port);
  }
  throw new Error('docker-registry ended without listening');
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

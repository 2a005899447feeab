import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { buildCommandLine } from '../../cli/build.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Everything the process connected to: `127.0.0.1:5000`. */
  readonly hosts: readonly string[];
  /** Files it loaded from packages that are not in the bundle. */
  readonly packages: readonly string[];
}

export interface BuiltCommandLine {
  /** Runs it as a process of its own, with this environment and no other. */
  run(argv: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended>;
  readonly folder: string;
  remove(): Promise<void>;
}

/** Below the project, where the packages that are not bundled are found. */
export async function builtCommandLine(): Promise<BuiltCommandLine> {
  await mkdir(path.join(ROOT, 'dist'), { recursive: true });
  const folder = await mkdtemp(path.join(ROOT, 'dist', 'test-cli-'));
  const built = path.join(folder, 'cli');
  await buildCommandLine(built);
  let runs = 0;
  return {
    folder,
    async run(argv, env = {}) {
      const notes = path.join(folder, `notes-${runs++}`);
      const watching = ['--import', path.join(import.meta.dirname, 'cli-watch.ts')];
      const child = spawn(process.execPath, [...watching, path.join(built, 'slipway.js'), ...argv], {
        cwd: folder,
        env: { HOME: folder, NODE_COMPILE_CACHE: path.join(folder, 'cache'), WATCH_FILE: notes, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 60_000,
        killSignal: 'SIGKILL',
      });
      const [stdout, stderr, [code]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'close'),
      ]);
      const seen = (await readFile(notes, 'utf8').catch(() => '')).split('\n');
      const all = (kind: string) =>
        seen.flatMap(line => (line.startsWith(`${kind} `) ? [line.slice(kind.length + 1)] : []));
      return { code, stdout, stderr, hosts: [...new Set(all('host'))], packages: all('package') };
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const started: ChildProcess[] = [];
const folders: string[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

interface Run {
  readonly child: ChildProcess;
  readonly folder: string;
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

function run(...args: string[]): Run & { output: () => { out: string; err: string } } {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-shutdown-'));
  folders.push(folder);
  const child = spawn(process.execPath, args, { cwd: ROOT, env: { ...process.env, TMPDIR: folder } });
  started.push(child);
  const text = { out: '', err: '' };
  child.stdout.on('data', chunk => {
    text.out += chunk;
  });
  child.stderr.on('data', chunk => {
    text.err += chunk;
  });
  const ended = new Promise<number | NodeJS.Signals | null>(resolve => {
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  return { child, folder, ended, output: () => text };
}

/** All processes below one, by their parents. */
function descendants(pid: number): number[] {
  const lines = execFileSync('ps', ['-axo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map(line => line.trim().split(/\s+/).map(Number));
  const below: number[] = [];
  for (let front = [pid]; front.length > 0; ) {
    front = pairs.flatMap(([child = 0, parent = 0]) => (front.includes(parent) ? [child] : []));
    below.push(...front);
  }
  return below;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^Z/.test(execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).trim());
  } catch {
    return false;
  }
}

async function eventually(what: string, isSo: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 90_000;
  while (!isSo()) {
    if (Date.now() > deadlineMs) throw new Error(`waited 90 s for ${what}`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

/** Runs the demo until the functions and the first containers are there. */
async function untilBusy({ child, output }: ReturnType<typeof run>): Promise<number[]> {
  let busy: number[] = [];
  await eventually('the demo to run containers', () => {
    if (child.exitCode !== null) throw new Error(output().err);
    busy = descendants(child.pid ?? 0);
    return busy.length >= 4;
  });
  return busy;
}

test.each(['SIGINT', 'SIGTERM'] as const)(
  'after %s the demo ends with everything it started, files too',
  async signal => {
    const demo = run('local/demo/main.ts');
    const busy = await untilBusy(demo);
    demo.child.kill(signal);
    expect(await demo.ended).toBe(1);
    await eventually('its processes to be gone', () => !busy.some(isAlive));
    expect(readdirSync(demo.folder)).toEqual([]);
    expect(demo.output().err).toContain(`stopped by ${signal}`);
  },
);

test('when the demo is killed, the processes it started end by themselves', async () => {
  const demo = run('local/demo/main.ts');
  const busy = await untilBusy(demo);
  demo.child.kill('SIGKILL');
  expect(await demo.ended).toBe('SIGKILL');
  await eventually('its processes to be gone', () => !busy.some(isAlive));
});

test('the demo prints one JSON document on standard output, and nothing else there', async () => {
  const demo = run('local/demo/main.ts', '--json', '--only', '1');
  expect(await demo.ended).toBe(0);
  const document = JSON.parse(demo.output().out);
  expect(document.scenarios).toMatchObject([{ name: '1 first rollout', ok: true }]);
  expect(demo.output().err).toContain('Promotion completed!');
});

test('npm start says where everything is, and ends on Ctrl-C', async () => {
  const home = mkdtempSync(join(tmpdir(), 'slipway-shutdown-'));
  folders.push(home);
  const start = run('local/start.ts', '--session', join(home, 'local.json'));
  await eventually('the endpoints to be printed', () =>
    /Gateway +http:\/\/127\.0\.0\.1:\d+/.test(start.output().out),
  );
  const busy = descendants(start.child.pid ?? 0);
  start.child.kill('SIGINT');
  expect(await start.ended).toBe(0);
  await eventually('its processes to be gone', () => !busy.some(isAlive));
});

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Phase } from '../../functions/rollout/record.ts';
import { sqliteStore } from '../../functions/store/sqlite.ts';
import type { Store } from '../../functions/store/store.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');

/** What `npm install -g` makes of the tarball, without asking a registry: the packages it needs are those of the project. */
let prefix: string;
/** Where people are when they call it: nothing of the project is there. */
let folder: string;
let cloud: ChildProcess | undefined;

beforeAll(async () => {
  const made = await realpath(await mkdtemp(path.join(tmpdir(), 'slipway-package-')));
  [prefix, folder] = [path.join(made, 'prefix'), path.join(made, 'empty')];
  const installed = path.join(prefix, 'lib', 'node_modules', 'slipway');
  await mkdir(path.join(prefix, 'bin'), { recursive: true });
  await mkdir(installed, { recursive: true });
  await mkdir(folder);
  const { stdout } = await ended('npm', ['pack', '--json', '--pack-destination', prefix], ROOT);
  const [packed]: { filename: string }[] = JSON.parse(stdout.slice(stdout.indexOf('[')));
  await ended('tar', ['-xzf', path.join(prefix, packed?.filename ?? ''), '--strip-components=1'], installed);
  const { bin, dependencies } = JSON.parse(await readFile(path.join(installed, 'package.json'), 'utf8'));
  for (const name of Object.keys(dependencies)) {
    const link = path.join(installed, 'node_modules', name);
    await mkdir(path.dirname(link), { recursive: true });
    await symlink(path.join(ROOT, 'node_modules', name), link);
  }
  await symlink(path.join(installed, bin.slipway), path.join(prefix, 'bin', 'slipway'));
});
afterAll(async () => {
  cloud?.kill('SIGKILL');
  await rm(path.dirname(prefix), { recursive: true, force: true });
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function ended(program: string, args: readonly string[], cwd: string, env = process.env): Promise<Ended> {
  return new Promise(resolve => {
    execFile(program, args, { cwd, env, maxBuffer: 1e8, timeout: 100_000 }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr });
    });
  });
}

function environment(): NodeJS.ProcessEnv {
  return { PATH: path.dirname(process.execPath), HOME: folder, TMPDIR: path.dirname(prefix) };
}

function slipway(...argv: string[]): Promise<Ended> {
  return ended(path.join(prefix, 'bin', 'slipway'), argv, folder, environment());
}

test('the package holds what was built, and what the local cloud reads', async () => {
  const installed = path.join(prefix, 'lib', 'node_modules', 'slipway');
  const entries = await readdir(installed, { recursive: true });
  const files = entries.filter(
    name => !name.startsWith('node_modules') && statSync(path.join(installed, name)).isFile(),
  );
  expect(files).toEqual(
    expect.arrayContaining([
      ...['README.md', 'LICENSE', 'package.json', 'rollouts.yaml', 'dist/cli/slipway.js', 'app/server.ts'],
      ...['workflows/rollout.yaml', 'workflows/rollback.yaml', 'k8s/base/deployment.yaml'],
      ...['dist/cli/functions-host.js', 'dist/cli/dataplane-lifeline.js'],
    ]),
  );
  // Node takes no TypeScript from an installed package: what is in app/ runs inside images.
  expect(files.filter(name => name.endsWith('.ts') && !name.startsWith('app/'))).toEqual([]);
  expect(files.filter(name => /^(?:test|functions|cli|local|terraform)\//.test(name))).toEqual([]);
});

test('the command line works from anywhere', async () => {
  const help = await slipway('--help');
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toContain('Usage: slipway');
  const example = path.join(prefix, 'lib', 'node_modules', 'slipway', 'rollouts.yaml');
  const lint = await slipway('lint', example);
  expect(lint.stdout).toContain(`${example}: 0 errors, `);
  const none = await slipway('--local', 'get', 'rollout', 'hello');
  expect(none.code).toBe(2);
  expect(none.stderr).toContain('No local cloud runs here');
});

test('a whole rollout on the local cloud that it brings, from push to promote', async () => {
  await writeFile(path.join(folder, 'policy.yaml'), POLICY);
  const running = spawn(path.join(prefix, 'bin', 'slipway'), ['local', '--policy', 'policy.yaml'], {
    cwd: folder,
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  cloud = running;
  let said = '';
  for (const stream of [running.stdout, running.stderr]) stream.on('data', text => (said += text));
  const session = path.join(folder, '.slipway', 'local.json');
  await eventually(() => existsSync(session) || running.exitCode !== null);
  expect(said).toMatch(/\n {2}console +http:\/\/127\.0\.0\.1:\d+ /);
  expect(statSync(session).mode & 0o777).toBe(0o600);
  expect(await slipway('local')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('runs here already'),
  });

  const { urls, env } = JSON.parse(await readFile(session, 'utf8'));
  expect((await fetch(urls.console)).headers.get('content-type')).toContain('text/html');
  const store = sqliteStore(env.SLIPWAY_STORE.replace('sqlite:', ''));
  expect(await slipway('local', 'push', '--version', 'v1.0.0')).toMatchObject({ code: 0, stderr: '' });
  expect(await rolledOut(store, 'v1.0.0', 'Healthy', 'Degraded')).toBe('Healthy');
  await slipway('local', 'push', '--version', 'v1.1.0');
  expect(await rolledOut(store, 'v1.1.0', 'Paused', 'Degraded')).toBe('Paused');
  expect(await slipway('--local', 'promote', 'hello')).toMatchObject({ code: 0 });
  const watched = await slipway('--local', 'get', 'rollout', 'hello', '--watch');
  expect(watched).toMatchObject({ code: 0, stdout: expect.stringContaining('Promotion completed! v1.1.0') });
  await store.close();

  const load = await slipway('load', urls.loadBalancer, '--rps', '20', '--duration', '1s');
  expect(load.code).toBe(0);
  expect(load.stdout).toMatch(/^v1\.1\.0 +hello-[0-9a-f]{10}-1 +amd64 +us-east4 +20 +100\.0 % +0 /m);
  const executions = await slipway('--local', 'workflows', 'executions', '--state', 'SUCCEEDED');
  expect(executions.stdout.match(/ rollout +SUCCEEDED /g)).toHaveLength(2);

  running.kill('SIGINT');
  const [code] = await once(running, 'close');
  expect(code).toBe(0);
  expect(await readdir(folder)).not.toContain('.slipway');
});

/** The rollout of a tag, once it is in one of these phases. */
async function rolledOut(store: Store, tag: string, ...phases: Phase[]): Promise<Phase | undefined> {
  let phase: Phase | undefined;
  await eventually(async () => {
    const rollouts = await store.list('rollout', { service: 'hello' });
    phase = rollouts.find(rollout => rollout.tag === tag)?.phase;
    return phase !== undefined && phases.includes(phase);
  });
  return phase;
}

async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise(resolve => setTimeout(resolve, 100));
}

const POLICY = `
services:
  - name: hello
    image: us-central1-docker.pkg.dev/acme/apps/hello
    targets:
      - {name: us, cloudRun: {project: acme, region: us-east4, service: hello}}
    probe: {path: /health}
    judge: off
    strategy: {progressDeadline: 30s, steps: [{setWeight: 50}, {pause: {}}]}
`;

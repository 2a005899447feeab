import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { realClock } from '../../../../local/clock.ts';
import type { InstanceState, Workload } from '../../../../local/dataplane/dataplane.ts';
import { LocalDataPlane, type LocalDataPlaneOptions } from '../../../../local/dataplane/local-data-plane.ts';
import { eventually, isAlive, reached } from './fixtures/instances.ts';
import { MemoryRegistry, type NodeImage, putNodeImage } from './fixtures/memory-registry.ts';

let cacheDir: string;
let registry: MemoryRegistry;
let planes: LocalDataPlane[];

beforeEach(async () => {
  cacheDir = await mkdtemp(path.join(tmpdir(), 'slipway-plane-'));
  registry = new MemoryRegistry();
  planes = [];
});

afterEach(async () => {
  await Promise.all(planes.map(plane => plane.stopAll()));
  await rm(cacheDir, { recursive: true, force: true });
});

function plane(options: Partial<LocalDataPlaneOptions> = {}): LocalDataPlane {
  const made = new LocalDataPlane({
    registry,
    cacheDir,
    clock: realClock,
    project: 'acme',
    projectNumber: '42',
    drainMs: 0,
    ...options,
  });
  planes.push(made);
  return made;
}

/** Tells everything about itself. */
const TALKATIVE = `
const http = require('node:http');
http.createServer((request, response) => {
  response.end(JSON.stringify({ env: process.env, cwd: process.cwd(), pid: process.pid }));
}).listen(process.env.PORT);
`;

async function workload(
  code: string,
  more: Partial<Workload> & { image?: never } = {},
  image: Partial<NodeImage> = {},
) {
  const reference = await putNodeImage(registry, { files: { 'app/server.js': code }, ...image });
  const defaults = { name: 'test', architecture: 'amd64', location: 'us-east4', env: {} } as const;
  return { ...defaults, ...more, image: reference };
}

async function ask(url: string): Promise<{ env: Record<string, string>; cwd: string; pid: number }> {
  return JSON.parse(await (await fetch(url)).text());
}

describe('a run that goes well', () => {
  it('goes from pulling over starting to ready, and answers requests', async () => {
    const instance = plane().run(await workload(TALKATIVE, { env: { MODE: 'test' } }));
    const phases: string[] = [instance.state().phase];
    instance.onChange(state => phases.push(state.phase));
    const { url } = await reached(instance, 'ready');
    const { env, cwd } = await ask(url);
    expect(phases).toEqual(['pulling', 'starting', 'ready']);
    expect(cwd.endsWith('/rootfs/app')).toBe(true);
    expect(Object.keys(env).sort()).toEqual(['GCE_METADATA_HOST', 'MODE', 'PATH', 'PORT']);
    expect(url).toBe(`http://127.0.0.1:${env['PORT']}`);
  });

  it('runs an image for arm64 on whatever machine this is', async () => {
    const instance = plane().run(await workload(TALKATIVE, { architecture: 'arm64' }));
    await expect(reached(instance, 'ready')).resolves.toBeDefined();
  });

  it('gives each location its own metadata server', async () => {
    const local = plane();
    const askRegion = async (location: string) => {
      const { url } = await reached(local.run(await workload(TALKATIVE, { location })), 'ready');
      const { env } = await ask(url);
      const entry = `http://${env['GCE_METADATA_HOST']}/computeMetadata/v1/instance/region`;
      return (await fetch(entry, { headers: { 'metadata-flavor': 'Google' } })).text();
    };
    expect(await askRegion('us-east4')).toBe('projects/42/regions/us-east4');
    expect(await askRegion('europe-west1')).toBe('projects/42/regions/europe-west1');
  });

  it('stops with SIGTERM and lets requests in flight finish', async () => {
    const code = `
      const http = require('node:http');
      const server = http.createServer((request, response) => {
        process.once('SIGTERM', () => { server.close(); response.end('finished'); });
        response.writeHead(200);
        response.write('begun and ');
      }).listen(process.env.PORT);`;
    const instance = plane().run(await workload(code));
    const { url } = await reached(instance, 'ready');
    const response = await fetch(url, { headers: { connection: 'close' } });
    const [text] = await Promise.all([response.text(), instance.stop()]);
    expect(text).toBe('begun and finished');
    expect(instance.state()).toEqual({ phase: 'stopped' });
  });

  it('kills what ignores SIGTERM, with everything it started', async () => {
    const code = `
      const { spawn } = require('node:child_process');
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
      process.on('SIGTERM', () => {});
      require('node:http').createServer((request, response) => {
        response.end(JSON.stringify({ pid: child.pid }));
      }).listen(process.env.PORT);`;
    const instance = plane({ stopGraceMs: 50 }).run(await workload(code));
    const { url } = await reached(instance, 'ready');
    const { pid } = await ask(url);
    await instance.stop();
    await eventually(() => !isAlive(pid));
  });

  it('stopping twice is stopping once, and stopping what is still pulled starts nothing', async () => {
    const instance = plane().run(await workload(TALKATIVE));
    const phases: string[] = [];
    instance.onChange(state => phases.push(state.phase));
    await Promise.all([instance.stop(), instance.stop()]);
    expect(phases).toEqual(['stopped']);
  });

  it('stopAll leaves no process and no metadata server', async () => {
    const local = plane();
    const instances = await Promise.all([1, 2, 3].map(async () => local.run(await workload(TALKATIVE))));
    const told = await Promise.all(instances.map(async one => ask((await reached(one, 'ready')).url)));
    await local.stopAll();
    expect(told.map(({ pid }) => isAlive(pid))).toEqual([false, false, false]);
    await expect(fetch(`http://${told[0]?.env['GCE_METADATA_HOST']}/`)).rejects.toThrow();
  });
});

describe('a run that fails', () => {
  async function failed(
    code: string,
    image: Partial<NodeImage> = {},
    options: Partial<LocalDataPlaneOptions> = {},
  ) {
    return reached(plane(options).run(await workload(code, {}, image)), 'failed');
  }

  it('at the pull', async () => {
    const instance = plane().run(await workload('', { architecture: 'arm64' }, { architectures: ['amd64'] }));
    expect(await reached(instance, 'failed')).toMatchObject({
      reason: 'NoMatchForPlatform',
      message: expect.stringContaining('no match for platform in manifest: not found'),
    });
  });

  it('at exec, when node is for another machine', async () => {
    expect(await failed('', { machine: 183 })).toMatchObject({
      reason: 'ExecFormat',
      message: 'exec /usr/local/bin/node: exec format error',
      exitCode: 255,
    });
  });

  it('before it listens, with its exit code and last words', async () => {
    const state = await failed('console.log("no database"); process.exit(3)');
    expect(state).toEqual({
      phase: 'failed',
      reason: 'Exited',
      message: 'Container called exit(3).',
      exitCode: 3,
      lastLogLines: ['no database'],
    });
  });

  it('because its file is not there, in the words of node', async () => {
    const state = await failed('', { config: { Cmd: ['/app/missing.js'] } });
    expect(state.exitCode).toBe(1);
    expect(state.lastLogLines.join('\n')).toContain('Cannot find module');
  });

  it('after it was ready, with no more than the last 50 lines', async () => {
    const code = `
      for (let line = 1; line <= 80; line++) console.log('line ' + line);
      require('node:http').createServer(() => process.exit(7)).listen(process.env.PORT);`;
    const instance = plane().run(await workload(code));
    const { url } = await reached(instance, 'ready');
    await expect(fetch(url)).rejects.toThrow();
    const state = await reached(instance, 'failed').catch(() => instance.state());
    expect(state).toMatchObject({ reason: 'Exited', exitCode: 7 });
    const lines = state.phase === 'failed' ? state.lastLogLines : [];
    expect(lines).toHaveLength(50);
    expect(lines.at(-1)).toBe('line 80');
  });

  it('by a signal', async () => {
    const state = await failed('process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1000)');
    expect(state).toMatchObject({ message: 'Container terminated on signal SIGKILL.', exitCode: 137 });
  });

  it('by listening on another port than it was given, once the deadline is over', async () => {
    const code = `require('node:http').createServer().listen(0)`;
    const state = await failed(code, {}, { startDeadlineMs: 500 });
    expect(state.reason).toBe('Exited');
    expect(state.message).toMatch(/failed to start and listen on the port .*within the allocated timeout/);
    expect(state.message).toMatch(/it listens on port \d+ instead\.$/);
  });

  it('is stopped by stop() without a word about the failure', async () => {
    const instance = plane().run(await workload('process.exit(1)'));
    await reached(instance, 'failed');
    await instance.stop();
    expect(instance.state()).toEqual({ phase: 'stopped' });
  });
});

it('takes another port when the one it chose was taken meanwhile', async () => {
  const code = `
    const { existsSync, writeFileSync } = require('node:fs');
    const http = require('node:http');
    const listen = () => http.createServer((q, r) => r.end('{}')).listen(process.env.PORT);
    if (existsSync('seen')) listen();
    else {
      writeFileSync('seen', process.env.PORT);
      require('node:net').createServer().listen(process.env.OTHER, listen).on('error', error => {
        console.error(error.message);
        process.exit(1);
      });
    }`;
  const blocker = (await import('node:net')).createServer();
  await new Promise<void>(resolve => blocker.listen(0, resolve));
  const address = blocker.address();
  const other = address !== null && typeof address === 'object' ? String(address.port) : '';
  const states: InstanceState[] = [];
  const instance = plane().run(await workload(code, { env: { OTHER: other } }));
  instance.onChange(state => states.push(state));
  await reached(instance, 'ready');
  blocker.close();
  expect(states.map(({ phase }) => phase)).toEqual(['starting', 'ready']);
});

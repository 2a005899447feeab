import { execFile } from 'node:child_process';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../../local/clock.ts';
import { type HttpServer, serve } from '../../../../local/http.ts';
import { RegistryCore } from '../../../../local/registry/core.ts';
import { registryHandler } from '../../../../local/registry/http.ts';

const MAIN = path.join(import.meta.dirname, '..', '..', '..', '..', 'local', 'images', 'main.ts');

let core: RegistryCore;
let server: HttpServer;
let host: string;

beforeEach(async () => {
  core = new RegistryCore({ host: 'us-central1-docker.pkg.dev', clock: new VirtualClock() });
  server = await serve(registryHandler(core));
  host = new URL(server.url).host;
});
afterEach(() => server.close());

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(...args: string[]): Promise<Ended> {
  return new Promise(resolve => {
    execFile(process.execPath, [MAIN, ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

function manifestsOf(tag: string): { platform: { architecture: string } }[] {
  const json: unknown = JSON.parse(core.manifest('acme/apps/hello', tag).bytes.toString('utf8'));
  return (json as { manifests: { platform: { architecture: string } }[] }).manifests;
}

describe('node local/images/main.ts', () => {
  it('builds and pushes the sample service', async () => {
    const ended = await run('--to', `${host}/acme/apps/hello:v1`);
    const { digest } = core.manifest('acme/apps/hello', 'v1');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toContain(digest);
    expect(manifestsOf('v1').map(({ platform }) => platform.architecture)).toEqual([
      'amd64',
      'arm64',
      'unknown',
      'unknown',
    ]);
  });

  it('takes platforms, version and environment', async () => {
    await run(
      '--to',
      `${host}/acme/apps/hello:v2`,
      '--platform',
      'linux/amd64',
      '--env',
      'FAIL_RATIO=0.2',
      '--version',
      '7',
    );
    expect(manifestsOf('v2').map(({ platform }) => platform.architecture)).toEqual(['amd64', 'unknown']);
  });

  it.each([
    [[], '--to is missing'],
    [['--to', 'x.example/hello'], 'expected a tag'],
    [
      ['--to', 'x.example/hello:v1', '--platform', 'linux/mips'],
      '--platform linux/mips: expected linux/amd64 or linux/arm64',
    ],
    [['--to', 'x.example/hello:v1', '--env', 'NOVALUE'], '--env NOVALUE: expected NAME=VALUE'],
    [['--nonsense'], '--nonsense'],
  ])('refuses %j and shows how it is used', async (args, why) => {
    const ended = await run(...args);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(why);
    expect(ended.stderr).toContain('--to HOST[:PORT]/REPOSITORY:TAG');
  });

  it('says where no registry answers', async () => {
    await server.close();
    const ended = await run('--to', `${host}/acme/apps/hello:v1`);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain(`No registry answers at ${server.url}`);
  });
});

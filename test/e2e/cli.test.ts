import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from 'vitest';
import { parse } from 'yaml';
import { buildCommandLine } from '../../cli/build.ts';
import type { Verdict } from '../../functions/image/verdict.ts';
import { newServiceState } from '../../functions/rollout/record.ts';
import { sqliteStore } from '../../functions/store/sqlite.ts';
import { realClock } from '../../local/clock.ts';
import { type HttpHandler, type HttpServer, serve } from '../../local/http.ts';
import { type BuildOptions, buildImage } from '../../local/images/build.ts';
import { pushImage } from '../../local/images/push.ts';
import { RegistryCore } from '../../local/registry/core.ts';
import { registryHandler } from '../../local/registry/http.ts';
import { configFor, listed, OddRegistry } from '../unit/image/odd-registry.ts';
import { type BuiltCommandLine, builtCommandLine } from './cli-process.ts';

const APP = path.join(import.meta.dirname, '..', '..', 'app');
const BOTH = ['linux/amd64', 'linux/arm64'] as const;

let cli: BuiltCommandLine;
let server: HttpServer;
let handler: HttpHandler;
let registry: string;

beforeAll(async () => {
  cli = await builtCommandLine();
  server = await serve(request => handler(request));
  registry = new URL(server.url).host;
});
afterAll(async () => {
  await server?.close();
  await cli?.remove();
});
beforeEach(() => {
  handler = registryHandler(new RegistryCore({ host: registry, clock: realClock }));
});

/** Pushes the sample service, and returns the digest. */
async function push(tag: string, options: Partial<BuildOptions> = {}): Promise<string> {
  const built = await buildImage({ appDir: APP, version: tag, platforms: BOTH, ...options });
  await pushImage(built, { endpoint: server.url, repository: 'acme/hello', tag });
  return built.digest;
}

describe('slipway verify', () => {
  it('accepts a good image by its tag, asks nobody but the registry, and loads no client', async () => {
    const digest = await push('v1', { attestation: true });
    const ended = await cli.run(['verify', '--insecure', '--binaries', `${registry}/acme/hello:v1`]);
    expect(ended).toMatchObject({ code: 0, stderr: '', hosts: [registry], packages: [] });
    expect(ended.stdout).toContain(`${registry}/acme/hello:v1 is ${digest} (`);
    expect(ended.stdout).toMatch(/^linux\/amd64 .* ELF 64-bit x86-64$/m);
    expect(ended.stdout).toMatch(/^linux\/arm64 .* ELF 64-bit AArch64$/m);
    expect(ended.stdout).toMatch(/\naccepted\n$/);
  });

  it('rejects an image with a wrong binary in it, with what to do, and passes it where none is looked into', async () => {
    const digest = await push('v2', { lieAbout: { binaries: { 'linux/arm64': 'linux/amd64' } } });
    const image = `${registry}/acme/hello@${digest}`;
    const looked = await cli.run(['verify', '--insecure', '--binaries', '--json', image]);
    const verdict: Verdict = JSON.parse(looked.stdout);
    expect(looked.code).toBe(1);
    expect(verdict).toMatchObject({ status: 'rejected', digest, reasons: [{ code: 'BinaryMismatch' }] });
    expect(verdict.platforms.map(({ platform }) => platform)).toEqual([...BOTH]);

    const told = await cli.run(['verify', '--insecure', '--binaries', image]);
    expect(told.stdout).toContain('rejected for 1 reason\n  1. BinaryMismatch: ');
    expect(told.stdout).toMatch(/\n {5}fix: \S/);
    expect(await cli.run(['verify', '--insecure', image])).toMatchObject({ code: 0 });
  });

  it('requires the platforms that are asked for', async () => {
    await push('v3', { platforms: ['linux/amd64'] });
    const image = `${registry}/acme/hello:v3`;
    const both = await cli.run(['verify', '--insecure', image]);
    expect(both.code).toBe(1);
    expect(both.stdout).toMatch(/^linux\/arm64 {2}not found$/m);
    expect(both.stdout).toContain('PlatformMissing');
    expect(await cli.run(['verify', '--insecure', '--platform', 'linux/amd64', image])).toMatchObject({
      code: 0,
    });
    const more = ['--platform', 'linux/amd64,linux/s390x', '--platform', 'linux/ppc64le'];
    const none = await cli.run(['verify', '--insecure', '--json', ...more, image]);
    const verdict: Verdict = JSON.parse(none.stdout);
    expect(verdict.reasons.map(({ code }) => code)).toEqual(['PlatformMissing', 'PlatformMissing']);
  });

  it('takes the rules of a service, and a registry that stands for another', async () => {
    const policy = path.join(cli.folder, 'verify.yaml');
    await writeFile(policy, policyFor('registry.example/acme/hello'));
    await push('v4', {
      platforms: ['linux/arm64'],
      lieAbout: { binaries: { 'linux/arm64': 'linux/amd64' } },
    });
    const ended = await cli.run(['verify', '--json', '--policy', policy, 'registry.example/acme/hello:v4'], {
      SLIPWAY_REGISTRY_MIRRORS: `registry.example=${server.url}`,
    });
    const verdict: Verdict = JSON.parse(ended.stdout);
    expect(verdict.reasons.map(({ code }) => code)).toEqual(['BinaryMismatch']);
    const unknown = await cli.run(['verify', '--policy', policy, '--service', 'other', 'x']);
    expect(unknown).toMatchObject({ code: 2, hosts: [] });
    expect(unknown.stderr).toContain('has no service "other"; its services: hello');
  });

  it('cannot tell where there is no such tag, no registry, or no plain HTTP', async () => {
    await push('v5');
    const missing = await cli.run(['verify', '--insecure', `${registry}/acme/hello:nope`]);
    expect(missing).toMatchObject({ code: 2, stdout: '' });
    expect(missing.stderr).toMatch(/answered 404 .*\n$/);
    const secure = await cli.run(['verify', `${registry}/acme/hello:v5`]);
    expect(secure).toMatchObject({ code: 2, stdout: '' });
    expect(secure.stderr).toContain('say --insecure');
    const away = await cli.run(['verify', '--insecure', '127.0.0.1:1/acme/hello']);
    expect(away).toMatchObject({ code: 2, stdout: '' });
    expect(away.stderr).toContain('ECONNREFUSED');
  });

  it('gives up in time on a registry that does not answer', async () => {
    handler = () => new Promise(() => undefined);
    const ended = await cli.run(['verify', '--insecure', '--timeout', '200ms', `${registry}/acme/hello`]);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toMatch(/no answer in time|not done within 0\.2 s/);
  });

  it('logs in with what docker login left', async () => {
    await push('v6');
    const open = handler;
    const expected = `Basic ${Buffer.from('ann:secret').toString('base64')}`;
    handler = request =>
      request.headers['authorization'] === expected
        ? open(request)
        : { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
    const config = { auths: { [registry]: { auth: Buffer.from('ann:secret').toString('base64') } } };
    await writeFile(path.join(cli.folder, 'config.json'), JSON.stringify(config));
    const image = ['verify', '--insecure', `${registry}/acme/hello:v6`];
    expect(await cli.run(image, { DOCKER_CONFIG: cli.folder })).toMatchObject({ code: 0 });
    const refused = await cli.run(image);
    expect(refused).toMatchObject({ code: 2, hosts: [registry] });
    expect(refused.stderr).toContain('answered 401');
  });

  it('shows what an image says of itself without acting on it', async () => {
    const odd = new OddRegistry();
    handler = odd.handler;
    const config = { Entrypoint: ['/\u001b]0;owned\u0007\u001b[2J', '\u202eevil'] };
    const entries = BOTH.map(name => listed(odd.manifest(configFor(name, { config })), name));
    const { digest } = odd.index(entries);
    const ended = await cli.run(['verify', '--insecure', `${registry}/acme/hello@${digest}`]);
    expect(ended.code).toBe(0);
    expect(ended.stdout).toContain('owned');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(ended.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });
});

function policyFor(image: string): string {
  return JSON.stringify({
    services: [
      {
        name: 'hello',
        image,
        tags: ['v*'],
        verify: { platforms: ['linux/arm64'] },
        targets: [{ name: 'us', cloudRun: { project: 'acme', region: 'us-east4', service: 'hello' } }],
        strategy: { steps: [{ setWeight: 50 }, { pause: {} }] },
      },
    ],
  });
}

describe('slipway plan', () => {
  it('tells by the records what a push would do, and changes nothing', async () => {
    await push('v1', { platforms: ['linux/arm64'] });
    const policy = path.join(cli.folder, 'plan.yaml');
    const file = path.join(cli.folder, 'records.sqlite');
    await writeFile(policy, policyFor(`${registry}/acme/hello`));
    const store = sqliteStore(file);
    const service = { ...newServiceState('hello'), active: 'hello-before' };
    await store.transact(async transaction => transaction.write('service', 'hello', service));
    const before = await store.read('service', 'hello');
    const argv = ['plan', '--insecure', '--policy', policy, `${registry}/acme/hello:v1`];
    const ended = await cli.run(argv, { SLIPWAY_STORE: `sqlite:${file}` });
    expect(ended).toMatchObject({ code: 0, hosts: [registry] });
    expect(ended.stdout).toMatch(
      /\nhello: hello-[0-9a-f]{10} would wait for hello-before to end\n {2}verify: accepted\n/,
    );
    expect(await store.read('service', 'hello')).toEqual(before);
    expect(await store.list('rollout')).toEqual([]);
    await store.close();
  });

  it('ends with 1 when nothing would start, and with 2 when that cannot be told', async () => {
    await push('v2', { platforms: ['linux/amd64'] });
    const policy = path.join(cli.folder, 'plan.yaml');
    await writeFile(policy, policyFor(`${registry}/acme/hello`));
    const plan = (tag: string, ...more: string[]) =>
      cli.run([
        'plan',
        '--insecure',
        '--policy',
        policy,
        '-o',
        'json',
        ...more,
        `${registry}/acme/hello:${tag}`,
      ]);
    const rejected = await plan('v2');
    expect(rejected.code).toBe(1);
    expect(JSON.parse(rejected.stdout)).toMatchObject({
      plans: [{ outcome: { rollsOut: false }, verdict: { reasons: [{ code: 'PlatformMissing' }] } }],
    });
    expect(await plan('main')).toMatchObject({ code: 1, hosts: [] });
    const missing = await plan('v3');
    expect(missing.code).toBe(2);
    expect(JSON.parse(missing.stdout).notVerified).toContain('answered 404');
    expect(await plan('v3', '--no-verify')).toMatchObject({ code: 0, hosts: [] });
    const noStore = await cli.run(['plan', '--policy', policy], {
      SLIPWAY_STORE: 'sqlite:/nowhere/x.sqlite',
    });
    expect(noStore).toMatchObject({ code: 2, stdout: '' });
    expect(noStore.stderr).toContain('SLIPWAY_STORE names /nowhere/x.sqlite, which cannot be read');
  });
});

describe('slipway lint', () => {
  it('ends with 0, 1 or 2: clean, problems, cannot be read', async () => {
    const policy = path.join(cli.folder, 'lint.yaml');
    await writeFile(policy, policyFor('registry.example/acme/hello'));
    const clean = await cli.run(['lint', policy]);
    expect(clean).toMatchObject({ code: 0, stderr: '', hosts: [], packages: [] });
    expect(clean.stdout).toMatch(/STEP {2}WEIGHT .* JUDGE /);
    expect(clean.stdout).toContain(`${policy}: 0 errors, `);

    const strict = await cli.run(['lint', '--strict', '--rps', '0.01', '--output', 'json', policy]);
    expect(strict.stdout).not.toContain('"strict"');
    const yaml = await cli.run(['lint', '--strict', '--rps', '0.01', '--output', 'yaml', policy]);
    expect(yaml).toMatchObject({ code: 1, stderr: '' });
    expect(parse(yaml.stdout)).toEqual(JSON.parse(strict.stdout));
    expect(strict.code).toBe(1);
    expect(JSON.parse(strict.stdout)).toMatchObject([
      {
        file: policy,
        kind: 'policy',
        problems: expect.arrayContaining([expect.objectContaining({ severity: 'warning', line: 1 })]),
      },
    ]);

    await writeFile(policy, 'services:\n  - {name: hello}\n');
    const wrong = await cli.run(['lint'], { SLIPWAY_POLICY: policy });
    expect(wrong.code).toBe(1);
    expect(wrong.stdout).toMatch(
      /lint\.yaml:2:5: error: services\[0\]\.image: expected string, found nothing/,
    );
    expect(await cli.run(['lint', '/nowhere.yaml'])).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('the bundle', () => {
  it('is the same whenever it is built', async () => {
    const again = path.join(cli.folder, 'again');
    await buildCommandLine(again);
    expect(await contentsOf(again)).toEqual(await contentsOf(path.join(cli.folder, 'cli')));
  });

  it('begins with what a shell needs', async () => {
    const [first] = (await readFile(path.join(cli.folder, 'cli', 'slipway.js'), 'utf8')).split('\n');
    expect(first).toBe('#!/usr/bin/env node');
  });
});

async function contentsOf(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter(entry => entry.isFile()).map(entry => path.join(entry.parentPath, entry.name));
  const read = files.map(async file => [path.relative(folder, file), await readFile(file, 'utf8')] as const);
  return Object.fromEntries(await Promise.all(read));
}

test.each([
  ['the records', ['list']],
  ['the executions', ['workflows', 'list']],
  ['what a plan goes by', ['plan', '--policy', path.join(APP, '..', 'rollouts.yaml')]],
])('%s of a project without credentials: what to do, and no stack', async (_what, argv) => {
  const ended = await cli.run(['--project', 'acme', ...argv], {
    GOOGLE_APPLICATION_CREDENTIALS: '/nowhere.json',
  });
  expect(ended).toMatchObject({ code: 2, stdout: '' });
  expect(ended.stderr).toContain('gcloud auth application-default login');
  expect(ended.stderr).not.toContain('    at ');
});

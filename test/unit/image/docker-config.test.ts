import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SlipwayError } from '../../../functions/errors.ts';
import { dockerCredentials } from '../../../functions/image/docker-config.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'slipway-docker-config-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

async function withConfig(config: object | string, helperTimeoutMs?: number) {
  const text = typeof config === 'string' ? config : JSON.stringify(config);
  await writeFile(path.join(folder, 'config.json'), text);
  const PATH = `${folder}:${process.env['PATH']}`;
  return dockerCredentials({ DOCKER_CONFIG: folder, PATH }, helperTimeoutMs);
}

/** A program that docker would call; `$HOST` is what it was asked for. */
async function helper(name: string, script: string): Promise<void> {
  const file = path.join(folder, `docker-credential-${name}`);
  await writeFile(file, `#!/bin/sh\n[ "$1" = get ] || exit 2\nHOST=$(cat)\n${script}\n`);
  await chmod(file, 0o755);
}

async function refusal(work: Promise<unknown>): Promise<SlipwayError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof SlipwayError) return error;
  throw new Error(`expected a SlipwayError, got ${String(error)}`);
}

describe('docker credentials in the file', () => {
  it('are a user name and password, encoded or not, or an identity token', async () => {
    const read = await withConfig({
      auths: {
        'a.example': { auth: base64('me:with:colons') },
        'b.example:5000': { username: 'you', password: 'secret' },
        'c.example': { auth: base64('00000000-0000-0000-0000-000000000000:'), identitytoken: 'refresh' },
        'https://d.example/v2/': { auth: base64('me:d') },
        'e.example': {},
      },
    });
    expect(await read('a.example')).toEqual({ username: 'me', password: 'with:colons' });
    expect(await read('b.example:5000')).toEqual({ username: 'you', password: 'secret' });
    expect(await read('c.example')).toEqual({ identityToken: 'refresh' });
    expect(await read('d.example')).toEqual({ username: 'me', password: 'd' });
    expect(await read('e.example')).toBeUndefined();
    expect(await read('b.example')).toBeUndefined();
  });

  it('of Docker Hub are under the address of its first protocol', async () => {
    const read = await withConfig({ auths: { 'https://index.docker.io/v1/': { auth: base64('me:hub') } } });
    expect(await read('docker.io')).toEqual({ username: 'me', password: 'hub' });
  });

  it('are looked for at home, and none when there is no file', async () => {
    await mkdir(path.join(folder, '.docker'));
    const file = path.join(folder, '.docker', 'config.json');
    await writeFile(file, JSON.stringify({ auths: { 'a.example': { auth: base64('me:home') } } }));
    expect(await dockerCredentials({ HOME: folder })('a.example')).toEqual({
      username: 'me',
      password: 'home',
    });
    expect(await dockerCredentials({ HOME: path.join(folder, 'nobody') })('a.example')).toBeUndefined();
  });

  it.each(['{"auths":', '{"auths":{"a.example":{"auth":7,"password":"secret"}}}'])(
    'that cannot be read are an error without their text: %s',
    async text => {
      const error = await refusal((await withConfig(text))('a.example'));
      expect(error).toMatchObject({ code: 'Unauthenticated', canRetry: false });
      expect(error.message).toContain('config.json');
      expect(error.message).not.toContain('secret');
    },
  );
});

describe('docker credentials of a helper', () => {
  it('are asked for by host: its own helper before the one for all', async () => {
    await helper('own', 'echo "{\\"Username\\":\\"own\\",\\"Secret\\":\\"$HOST\\"}"');
    await helper('all', 'echo "{\\"Username\\":\\"<token>\\",\\"Secret\\":\\"$HOST\\"}"');
    const read = await withConfig({ credsStore: 'all', credHelpers: { 'a.example': 'own' } });
    expect(await read('a.example')).toEqual({ username: 'own', password: 'a.example' });
    expect(await read('docker.io')).toEqual({ identityToken: 'https://index.docker.io/v1/' });
  });

  it('that has none leave it to the file', async () => {
    await helper('all', 'echo "credentials not found in native keychain"; exit 1');
    const read = await withConfig({ credsStore: 'all', auths: { 'a.example': { auth: base64('me:file') } } });
    expect(await read('a.example')).toEqual({ username: 'me', password: 'file' });
    expect(await read('b.example')).toBeUndefined();
  });

  it.each([
    ['fails', 'printf "key ring\\033[31m is locked\\n"; exit 1', 'key ring [31m is locked'],
    ['talks nonsense', 'echo hello', 'gave no user name and secret'],
  ])('that %s are an error', async (_, script, why) => {
    await helper('all', script);
    const error = await refusal((await withConfig({ credsStore: 'all' }))('a.example'));
    expect(error).toMatchObject({ code: 'Unauthenticated' });
    expect(error.message).toContain(why);
  });

  it('that does not answer is ended', async () => {
    await helper('all', 'exec sleep 60');
    const error = await refusal((await withConfig({ credsStore: 'all' }, 50))('a.example'));
    expect(error.message).toContain('no answer within 0.05 s');
  });

  it.each(['../evil', 'absent'])('called %s is an error', async name => {
    const error = await refusal((await withConfig({ credsStore: name }))('a.example'));
    expect(error.code).toBe('Unauthenticated');
    expect(error.message).toContain(name);
  });
});

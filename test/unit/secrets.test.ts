import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dependenciesFrom } from '../../functions/dependencies.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-secrets-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function secret(name: string): Promise<string> {
  return dependenciesFrom({ GOOGLE_CLOUD_PROJECT: 'acme', SLIPWAY_SECRETS: folder }).secret(name);
}

describe('a secret', () => {
  test('is a file, as on a laptop', async () => {
    await writeFile(join(folder, 'slack'), 'https://hooks.slack.com/services/T0\n');
    expect(await secret('slack')).toBe('https://hooks.slack.com/services/T0');
  });

  test('is a folder of its own, as Cloud Run mounts it', async () => {
    await mkdir(join(folder, 'chat'));
    await writeFile(join(folder, 'chat', 'value'), 'https://chat.googleapis.com/v1');
    expect(await secret('chat')).toBe('https://chat.googleapis.com/v1');
  });

  test('is read anew every time, for there may be a new version', async () => {
    await writeFile(join(folder, 'key'), 'one');
    await secret('key');
    await writeFile(join(folder, 'key'), 'two');
    expect(await secret('key')).toBe('two');
  });

  test('that is missing is named, with where it was looked for', async () => {
    await expect(secret('nowhere')).rejects.toThrow(
      /^read the secret nowhere: .*; SLIPWAY_SECRETS says which folder it is in$/,
    );
    await expect(secret('nowhere')).rejects.toMatchObject({ code: 'NotFound', canRetry: false });
  });

  test('that cannot be read just now may be later, and the policy as well', async () => {
    await mkdir(join(folder, 'odd', 'value'), { recursive: true });
    await expect(secret('odd')).rejects.toMatchObject({ code: 'Unavailable', canRetry: true });
    const { policy } = dependenciesFrom({ GOOGLE_CLOUD_PROJECT: 'acme', SLIPWAY_POLICY: folder });
    await expect(policy()).rejects.toMatchObject({ code: 'Unavailable' });
  });
});

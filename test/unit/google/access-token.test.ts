import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { googleClients } from '../../../functions/google/clients.ts';

/** The metadata server of Cloud Run gives the scopes that it is asked for. */
const asked: URL[] = [];
const metadata = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://metadata');
  asked.push(url);
  response.setHeader('metadata-flavor', 'Google');
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ access_token: 'token-of-the-account', expires_in: 3600 }));
});
const folder = mkdtempSync(join(tmpdir(), 'slipway-no-credentials-'));

beforeAll(async () => {
  await new Promise<void>(resolve => metadata.listen(0, '127.0.0.1', resolve));
  const address = metadata.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  vi.stubEnv('GCE_METADATA_HOST', `127.0.0.1:${port}`);
  vi.stubEnv('METADATA_SERVER_DETECTION', 'assume-present');
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', undefined);
  vi.stubEnv('CLOUDSDK_CONFIG', folder);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await new Promise(resolve => metadata.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

describe('the access token', () => {
  test('names its account to a GKE cluster, which knows users by their address', async () => {
    expect(await googleClients({}).accessToken('container')).toBe('token-of-the-account');

    const [token] = asked.filter(({ pathname }) => pathname.endsWith('/token'));
    expect(token?.searchParams.get('scopes')?.split(',')).toEqual([
      'https://www.googleapis.com/auth/cloud-platform',
      'https://www.googleapis.com/auth/userinfo.email',
    ]);
  });

  test('is not looked for where the endpoint asks for none', async () => {
    expect(await googleClients({ container: 'http://127.0.0.1:1' }).accessToken('container')).toBe(undefined);
  });
});

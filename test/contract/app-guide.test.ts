import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { type HttpHandler, type HttpServer, serve } from '../../local/http.ts';

/** The sample with Google's SDK, against a metadata server and a Vertex AI that are played here. */

const APP = fileURLToPath(new URL('../../app/', import.meta.url));
const isInstalled = existsSync(`${APP}node_modules/@google/genai`);

const children: ChildProcess[] = [];
const servers: HttpServer[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  for (const server of servers.splice(0)) await server.close();
});

async function play(handler: HttpHandler): Promise<HttpServer> {
  const server = await serve(handler);
  servers.push(server);
  return server;
}

/** What Cloud Run and GKE give a workload that has a service account. */
const withToken: HttpHandler = ({ path }) => {
  const headers = { 'metadata-flavor': 'Google' };
  if (!path.endsWith('/token')) return { status: 200, headers, body: 'acme' };
  return { status: 200, headers, body: { access_token: 'a-token', expires_in: 3600, token_type: 'Bearer' } };
};

const withoutToken: HttpHandler = () => ({ status: 404, headers: { 'metadata-flavor': 'Google' } });

/** Answers like Vertex AI, and keeps what it was asked. */
function vertexAi(status: number) {
  const asked: { path: string; authorization: string | undefined; body: string }[] = [];
  const handler: HttpHandler = ({ path, headers, body }) => {
    asked.push({ path, authorization: headers['authorization'], body: body.toString('utf8') });
    if (status !== 200) return { status, body: { error: { code: status, message: 'detail' } } };
    const content = { role: 'model', parts: [{ text: 'Try the tea house on Pell Street.\n' }] };
    return { status, body: { candidates: [{ content, finishReason: 'STOP' }] } };
  };
  return { asked, handler };
}

async function startSample(metadata: HttpServer, vertex: HttpServer): Promise<string> {
  const spare = await serve(() => ({ status: 200 }));
  await spare.close();
  const child = spawn(process.execPath, [`${APP}server.ts`], {
    env: {
      PORT: String(spare.port),
      HOME: '/nonexistent',
      REGION: 'us-east4',
      GOOGLE_CLOUD_PROJECT: 'acme',
      GUIDE_MODEL: 'gemini-small',
      GUIDE_LOCATION: 'global',
      GCE_METADATA_HOST: `127.0.0.1:${metadata.port}`,
      METADATA_SERVER_DETECTION: 'assume-present',
      GOOGLE_VERTEX_BASE_URL: vertex.url,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(createInterface({ input: child.stdout }), 'line');
  return `http://127.0.0.1:${spare.port}`;
}

async function ask(url: string): Promise<{ status: number; body: unknown }> {
  const headers = { 'x-client-geo-location': 'USNY,New York' };
  const response = await fetch(`${url}/guide?topic=tea`, { headers });
  return { status: response.status, body: await response.json() };
}

describe.skipIf(!isInstalled)('/guide with @google/genai (needs npm ci in app/)', () => {
  test('asks the model on Vertex AI, in the name of its service account, about where the caller is', async () => {
    const { asked, handler } = vertexAi(200);
    const url = await startSample(await play(withToken), await play(handler));

    const { status, body } = await ask(url);

    expect([status, body]).toMatchObject([
      200,
      { region: 'us-east4', clientLocation: 'USNY,New York', guide: 'Try the tea house on Pell Street.' },
    ]);
    expect(asked).toMatchObject([
      {
        path: '/v1beta1/projects/acme/locations/global/publishers/google/models/gemini-small:generateContent',
        authorization: 'Bearer a-token',
      },
    ]);
    expect(asked[0]?.body).toContain('New York');
  });

  test.each([
    [403, 'the guide may not ask Vertex AI: its service account needs roles/aiplatform.user'],
    [429, 'the guide has used up its quota for now'],
  ])('answers 503 to a %i of Vertex AI, with what to do', async (status, error) => {
    const url = await startSample(await play(withToken), await play(vertexAi(status).handler));

    expect(await ask(url)).toEqual({ status: 503, body: { error } });
  });

  test('answers 503 without credentials', async () => {
    const { asked, handler } = vertexAi(200);
    const url = await startSample(await play(withoutToken), await play(handler));

    const { status, body } = await ask(url);

    expect(status).toBe(503);
    expect(JSON.stringify(body)).toContain('the guide has no credentials for Vertex AI');
    expect(asked).toEqual([]);
  });
});

describe.skipIf(isInstalled)('/guide without @google/genai, as the local data plane runs it', () => {
  test('answers 503', async () => {
    const url = await startSample(await play(withToken), await play(vertexAi(200).handler));

    const { status, body } = await ask(url);

    expect([status, body]).toEqual([
      503,
      { error: 'the guide was left out of this image: it has no @google/genai' },
    ]);
    expect((await fetch(url)).status).toBe(200);
  });
});

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { createServer } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';

const SERVER = new URL('../../../app/server.ts', import.meta.url).pathname;
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});

interface Started {
  readonly child: ChildProcess;
  readonly lines: Interface;
  readonly exited: Promise<number | null>;
}

function start(env: Record<string, string>): Started {
  const child = spawn(process.execPath, [SERVER], {
    env: { PORT: '0', REGION: 'us-east4', GOOGLE_CLOUD_PROJECT: 'acme', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const exited = new Promise<number | null>(resolve => child.once('exit', resolve));
  return { child, lines: createInterface({ input: child.stdout }), exited };
}

interface Entry {
  readonly severity: string;
  readonly message: string;
}

async function nextEntry(lines: Interface): Promise<Entry> {
  const [line] = await once(lines, 'line');
  return JSON.parse(String(line));
}

function freePort(): Promise<string> {
  return new Promise(resolve => {
    const server = createServer().listen(0, () => {
      const address = server.address();
      server.close(() =>
        resolve(address !== null && typeof address === 'object' ? String(address.port) : ''),
      );
    });
  });
}

async function startListening(env: Record<string, string> = {}) {
  const port = await freePort();
  const started = start({ PORT: port, ...env });
  const first = await nextEntry(started.lines);
  return { ...started, url: `http://127.0.0.1:${port}`, first };
}

describe('a running server', () => {
  it('says that it listens, answers, and logs the request', async () => {
    const { url, lines, first } = await startListening({
      VERSION: 'v1.0.0',
      K_REVISION: 'hello-1',
      TARGETARCH: 'arm64',
    });
    expect(first.message).toMatch(/^hello v1\.0\.0 listens on port \d+$/);
    const logged = nextEntry(lines);
    const response = await fetch(url, {
      headers: { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
    });
    expect(await response.json()).toEqual({
      service: 'hello',
      version: 'v1.0.0',
      revision: 'hello-1',
      architecture: 'arm64',
      region: 'us-east4',
      clientLocation: null,
    });
    expect(await logged).toMatchObject({
      severity: 'INFO',
      message: 'GET / 200',
      'logging.googleapis.com/trace': `projects/acme/traces/${'a'.repeat(32)}`,
    });
  });

  it('redirects to HTTPS where it is told to, health checks apart', async () => {
    const { url } = await startListening({ HTTPS_REDIRECT: '1' });
    const ask = (path: string, proto: string) =>
      fetch(`${url}${path}`, { redirect: 'manual', headers: { 'x-forwarded-proto': proto } });

    const plain = await ask('/?a=b', 'http');
    expect([plain.status, plain.headers.get('location')]).toEqual([301, 'https://127.0.0.1/?a=b']);
    const secure = await ask('/', 'https');
    expect([secure.status, secure.headers.get('strict-transport-security')]).toEqual([
      200,
      'max-age=31536000',
    ]);
    expect((await ask('/readyz', 'http')).status).toBe(200);
  });

  it.each([
    [{}, 'the guide is off: GUIDE_MODEL names the model that answers'],
    [
      { GUIDE_MODEL: 'gemini-small', GOOGLE_CLOUD_PROJECT: '', GCE_METADATA_HOST: '127.0.0.1:9' },
      'the guide has no project to ask in: set GOOGLE_CLOUD_PROJECT',
    ],
  ])('with %o has no guide and says why', async (env, error) => {
    const { url } = await startListening(env);
    const response = await fetch(`${url}/guide?topic=tea`);
    expect([response.status, await response.json()]).toEqual([503, { error }]);
  });

  it('finishes what is in flight on SIGTERM, takes nothing new and exits with 0', async () => {
    const { url, child, lines, exited } = await startListening({ LATENCY_MS: '300' });
    const agent = new http.Agent({ keepAlive: true });
    const arrived = new Promise<http.IncomingMessage>((resolve, reject) => {
      const request = http.get(url, { agent, headers: { expect: '100-continue' } }, resolve);
      request.once('error', reject);
      // Only a server that has the request says so.
      request.once('continue', () => child.kill('SIGTERM'));
    });
    expect((await nextEntry(lines)).message).toBe('SIGTERM: finishing what is in flight');
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
    const response = await arrived;
    expect([response.statusCode, response.headers.connection]).toEqual([200, 'close']);
    expect(JSON.parse(await text(response)).region).toBe('us-east4');
    expect(await exited).toBe(0);
    agent.destroy();
  });

  it('exits with idle connections open', async () => {
    const { url, child, exited } = await startListening();
    const agent = new http.Agent({ keepAlive: true });
    await new Promise(resolve => {
      http.get(url, { agent }, response => response.resume().once('end', resolve));
    });
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    agent.destroy();
  });
});

describe('a server that does not start', () => {
  it.each([
    [{ FAIL_START: '1' }, 'not starting: FAIL_START=1'],
    [{ FAIL_RATIO: 'often' }, 'FAIL_RATIO is "often", expected a share from 0 to 1'],
  ])('%o exits with 1 and says why', async (env, message) => {
    const { lines, exited } = start(env);
    expect(await nextEntry(lines)).toEqual({ severity: 'CRITICAL', message });
    expect(await exited).toBe(1);
  });

  it('exits with 1 when the port is taken', async () => {
    const blocker = createServer();
    await new Promise<void>(resolve => blocker.listen(0, resolve));
    const address = blocker.address();
    const port = address !== null && typeof address === 'object' ? String(address.port) : '';
    const { lines, exited } = start({ PORT: port });
    expect((await nextEntry(lines)).message).toContain('EADDRINUSE');
    expect(await exited).toBe(1);
    blocker.close();
  });
});

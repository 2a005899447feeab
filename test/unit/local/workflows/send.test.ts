// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are expressions of the workflow language
import net from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type HttpServer, serve } from '../../../../local/http.ts';
import type { OutgoingHttp } from '../../../../local/workflows/host.ts';
import { sendByFetch } from '../../../../local/workflows/send.ts';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function serving(handler: Parameters<typeof serve>[0]): Promise<HttpServer> {
  const server = await serve(handler);
  closers.push(() => server.close());
  return server;
}

function request(url: string, overrides: Partial<OutgoingHttp> = {}): OutgoingHttp {
  return {
    method: 'GET',
    url,
    headers: {},
    body: undefined,
    signal: new AbortController().signal,
    ...overrides,
  };
}

test('method, headers and body arrive, and any status is an answer', async () => {
  const server = await serving(({ method, headers, body }) => ({
    status: 418,
    body: { method, own: headers['x-own'], body: body.toString() },
  }));
  const answer = await sendByFetch(
    request(server.url, { method: 'DELETE', headers: { 'X-Own': 'yes' }, body: Buffer.from('text') }),
  );
  expect(answer.status).toBe(418);
  expect(answer.headers['content-type']).toContain('application/json');
  expect(JSON.parse(answer.body.toString())).toEqual({ method: 'DELETE', own: 'yes', body: 'text' });
});

test('nobody listening is ConnectionFailed', async () => {
  const server = await serve(() => ({ status: 200 }));
  await server.close();
  await expect(sendByFetch(request(server.url))).rejects.toMatchObject({
    name: 'SendError',
    kind: 'ConnectionFailed',
  });
});

test('a name that does not exist is ConnectionFailed', async () => {
  await expect(sendByFetch(request('http://nobody.invalid/'))).rejects.toMatchObject({
    kind: 'ConnectionFailed',
  });
});

test('a connection that breaks after the request is ConnectionBroken', async () => {
  const server = net.createServer(socket => socket.once('data', () => socket.destroy()));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise(resolve => server.close(() => resolve())));
  const { port } = server.address() as net.AddressInfo;
  await expect(sendByFetch(request(`http://127.0.0.1:${port}/`))).rejects.toMatchObject({
    kind: 'ConnectionBroken',
  });
});

test('an aborted request rejects', async () => {
  const abort = new AbortController();
  const server = await serving(() => {
    abort.abort();
    return new Promise(() => {});
  });
  await expect(sendByFetch(request(server.url, { signal: abort.signal }))).rejects.toMatchObject({
    name: 'SendError',
  });
});

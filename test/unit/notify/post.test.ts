import { createServer } from 'node:http';
import net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { postByFetch } from '../../../functions/notify/post.ts';
import type { HttpReply } from '../../../local/http.ts';
import { START_MS } from '../../worlds.ts';
import { aReceiver, type Receiver } from './world.ts';

const receivers: Receiver[] = [];
afterEach(async () => {
  await Promise.all(receivers.splice(0).map(receiver => receiver.close()));
});

async function send(answer: HttpReply, timeoutMs = 10_000) {
  const receiver = await aReceiver(answer);
  receivers.push(receiver);
  const url = new URL(`${receiver.url}/services/T0/B0/s3cr3t`);
  const outcome = await postByFetch({ url, headers: { 'x-a': 'b' }, body: '{"a":1}' }, timeoutMs, START_MS);
  return { receiver, outcome };
}

describe('a POST', () => {
  test('has the headers and the body', async () => {
    const { receiver, outcome } = await send({ status: 200, body: 'ok' });
    expect(outcome).toEqual({ kind: 'delivered' });
    expect(receiver.requests).toMatchObject([{ method: 'POST', path: '/services/T0/B0/s3cr3t' }]);
    expect(receiver.requests[0]?.headers['x-a']).toBe('b');
    expect(receiver.requests[0]?.body.toString()).toBe('{"a":1}');
  });

  test.each([
    [{ status: 404, body: 'no_service' }, 'it answered 404 no_service'],
    [
      { status: 400, body: { error: { code: 400, status: 'INVALID_ARGUMENT' } } },
      'it answered 400 INVALID_ARGUMENT',
    ],
    [{ status: 404, body: '<pre>Cannot POST /services/T0/B0/s3cr3t</pre>' }, 'it answered 404'],
    [
      { status: 302, headers: { location: 'http://127.0.0.1:9/' } },
      'it answered 302, a redirect; those are not followed',
    ],
  ])('that is answered with %j is refused, and the URL is not repeated', async (answer, why) => {
    const { receiver, outcome } = await send(answer);
    expect(outcome).toEqual({ kind: 'refused', why });
    expect(receiver.requests).toHaveLength(1);
  });

  test.each([
    [{ status: 500, body: 'rollup_error' }, { why: 'it answered 500 rollup_error' }],
    [{ status: 503 }, { why: 'it answered 503' }],
    [{ status: 408 }, { why: 'it answered 408' }],
    [
      { status: 429, headers: { 'retry-after': '30' } },
      { why: 'it answered 429', retryAfterMs: 30_000 },
    ],
    [
      { status: 429, headers: { 'retry-after': new Date(START_MS + 5000).toUTCString() } },
      { why: 'it answered 429', retryAfterMs: 5000 },
    ],
    [{ status: 429, headers: { 'retry-after': 'soon' } }, { why: 'it answered 429' }],
  ])('that is answered with %j may work later', async (answer, expected) => {
    const { outcome } = await send(answer);
    expect(outcome).toEqual({ kind: 'failed', retryAfterMs: undefined, ...expected });
  });

  test('to nobody fails without the URL in its error', async () => {
    const receiver = await aReceiver();
    await receiver.close();
    const url = new URL(`${receiver.url}/services/s3cr3t`);
    const outcome = await postByFetch({ url, headers: {}, body: '' }, 10_000, START_MS);
    expect(outcome).toEqual({ kind: 'failed', why: 'no connection: ECONNREFUSED' });
  });

  test.each([
    [200, { kind: 'delivered' }],
    [404, { kind: 'refused', why: 'it answered 404' }],
  ])('that is answered with %i and a body that never ends counts by its status', async (status, expected) => {
    const server = createServer((request, response) => {
      request.resume();
      response.writeHead(status).write('o');
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const url = new URL(`http://127.0.0.1:${port}/`);
    const outcome = await postByFetch({ url, headers: {}, body: '' }, 200, START_MS);
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
    expect(outcome).toEqual(expected);
  });

  test('to somebody who never answers ends at its time limit', async () => {
    const silent = net.createServer(() => undefined);
    const sockets: net.Socket[] = [];
    silent.on('connection', socket => sockets.push(socket));
    await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const url = new URL(`http://127.0.0.1:${port}/`);
    const outcome = await postByFetch({ url, headers: {}, body: '' }, 100, START_MS);
    for (const socket of sockets) socket.destroy();
    await new Promise(resolve => silent.close(resolve));
    expect(outcome).toEqual({ kind: 'failed', why: 'no answer within 100 ms' });
  });
});

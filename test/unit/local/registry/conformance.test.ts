import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../../local/clock.ts';
import type { HttpReply, HttpRequest } from '../../../../local/http.ts';
import { CONFIG_TYPE, INDEX_TYPE, MANIFEST_TYPE } from '../../../../local/images/parts.ts';
import { RegistryCore } from '../../../../local/registry/core.ts';
import { isUpload, registryHandler } from '../../../../local/registry/http.ts';

/** What the distribution specification asks for beyond the everyday push and pull, without a transport. */

const NAME = 'acme/apps/hello';
const folder = await mkdtemp(path.join(tmpdir(), 'slipway-registry-conformance-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

let call: ReturnType<typeof callerOf>;
beforeEach(() => {
  call = callerOf();
});

interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly stream?: AsyncIterable<Uint8Array>;
}

function callerOf(directory?: string) {
  const options = { host: 'registry.example', clock: new VirtualClock() };
  const handler = registryHandler(new RegistryCore({ ...options, ...(directory ? { directory } : {}) }));
  return async (method: string, where: string, { headers = {}, body = '', stream }: Sent = {}) => {
    const url = new URL(where, 'http://registry.example');
    const request: HttpRequest = {
      method,
      path: url.pathname,
      query: url.searchParams,
      headers,
      body: Buffer.from(body),
      ...(stream ? { stream } : {}),
    };
    return handler(request);
  };
}

function digestOf(bytes: string, algorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

async function textOf(reply: HttpReply): Promise<string> {
  const { body } = reply;
  if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) return String(body ?? '');
  if (!(Symbol.asyncIterator in body)) return JSON.stringify(body);
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

/** Status and code of a refusal whose body has the form that the specification gives it. */
async function refusalOf(reply: HttpReply): Promise<[status: number, code: unknown]> {
  const body: unknown = JSON.parse(await textOf(reply));
  expect(body).toEqual({
    errors: [{ code: expect.stringMatching(/^[A-Z_]+$/), message: expect.stringMatching(/./), detail: null }],
  });
  return [reply.status, (body as { errors: [{ code: unknown }] }).errors[0].code];
}

async function startUpload(send = call): Promise<string> {
  const reply = await send('POST', `/v2/${NAME}/blobs/uploads/`);
  expect(reply.status).toBe(202);
  return reply.headers?.['location'] ?? '';
}

async function putBlob(bytes: string, name = NAME, algorithm = 'sha256'): Promise<string> {
  const digest = digestOf(bytes, algorithm);
  const reply = await call('POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, { body: bytes });
  expect([reply.status, reply.headers?.['location']]).toEqual([201, `/v2/${name}/blobs/${digest}`]);
  return digest;
}

async function putManifest(reference: string, note: string): Promise<HttpReply> {
  const config = { mediaType: CONFIG_TYPE, digest: await putBlob('{}'), size: 2 };
  const annotations = { note };
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config,
    layers: [],
    annotations,
  });
  return call('PUT', `/v2/${NAME}/manifests/${reference}`, {
    headers: { 'content-type': MANIFEST_TYPE },
    body,
  });
}

async function* brokenOff(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('only the beg');
  throw new Error('aborted');
}

describe('a chunk', () => {
  it.each([
    ['beyond what is there', '5-7', [416, 'BLOB_UPLOAD_INVALID']],
    ['over what is there', '0-2', [416, 'BLOB_UPLOAD_INVALID']],
    ['of another length than it says', '3-9', [400, 'SIZE_INVALID']],
    ['with a range that is none', '3', [400, 'BLOB_UPLOAD_INVALID']],
    ['with a range of a response', 'bytes 3-5/6', [400, 'BLOB_UPLOAD_INVALID']],
  ])('%s is refused, and the upload goes on', async (_, range, refusal) => {
    const location = await startUpload();
    await call('PATCH', location, { headers: { 'content-range': '0-2' }, body: 'abc' });
    for (const method of ['PATCH', 'PUT']) {
      const where = `${location}?digest=${digestOf('abcdef')}`;
      const refused = await call(method, where, { headers: { 'content-range': range }, body: 'def' });
      expect(await refusalOf(refused)).toEqual(refusal);
    }
    const status = await call('GET', location);
    expect([status.status, status.headers?.['range'], status.headers?.['location']]).toEqual([
      204,
      '0-2',
      location,
    ]);

    const last = { headers: { 'content-range': '3-5' }, body: 'def' };
    expect((await call('PUT', `${location}?digest=${digestOf('abcdef')}`, last)).status).toBe(201);
  });

  it('is not added when the digest at the end is none', async () => {
    const location = await startUpload();
    const refused = await call('PUT', `${location}?digest=md5:abc`, { body: 'abc' });
    expect(await refusalOf(refused)).toEqual([400, 'DIGEST_INVALID']);
    expect((await call('PUT', `${location}?digest=${digestOf('abc')}`, { body: 'abc' })).status).toBe(201);
  });
});

describe.each([
  ['memory', undefined],
  ['files', folder],
])('an upload that is streamed into %s', (_, directory) => {
  async function* letters(): AsyncGenerator<Uint8Array> {
    for (const letter of 'abc') yield Buffer.from(letter);
  }

  it('is kept', async () => {
    const send = callerOf(directory);
    const location = await startUpload(send);
    const headers = { 'content-range': '0-2', 'content-length': '3' };
    expect((await send('PATCH', location, { headers, stream: letters() })).status).toBe(202);
    expect(
      (await send('PUT', `${location}?digest=${digestOf('abcabc')}`, { stream: letters() })).status,
    ).toBe(201);
    expect(await textOf(await send('GET', `/v2/${NAME}/blobs/${digestOf('abcabc')}`))).toBe('abcabc');
  });

  it('keeps nothing of a chunk that breaks off', async () => {
    const send = callerOf(directory);
    const location = await startUpload(send);
    await send('PATCH', location, { body: 'abc' });
    await expect(send('PATCH', location, { stream: brokenOff() })).rejects.toThrow('aborted');

    expect((await send('GET', location)).headers?.['range']).toBe('0-2');
    const done = await send('PUT', `${location}?digest=${digestOf('abcdef')}`, { body: 'def' });
    expect(done.status).toBe(201);
  });

  it('takes from one request at a time', async () => {
    const send = callerOf(directory);
    const location = await startUpload(send);
    const rest = Promise.withResolvers<void>();
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('abc');
      await rest.promise;
      yield Buffer.from('def');
    }
    const first = send('PATCH', location, { stream: slow() });
    for (const method of ['PATCH', 'PUT', 'DELETE']) {
      const second = await send(method, `${location}?digest=${digestOf('abc')}`, { body: 'xyz' });
      expect(await refusalOf(second)).toEqual([409, 'BLOB_UPLOAD_INVALID']);
    }
    rest.resolve();
    expect((await first).headers?.['range']).toBe('0-5');
  });
});

describe('an upload', () => {
  it('leaves no file behind when it is cancelled or has another digest', async () => {
    const directory = path.join(folder, 'leftovers');
    const send = callerOf(directory);
    const cancelled = await startUpload(send);
    await send('PATCH', cancelled, { body: 'abc' });
    await send('DELETE', cancelled);
    const wrong = await startUpload(send);
    const refused = await send('PUT', `${wrong}?digest=${digestOf('xyz')}`, { body: 'abc' });

    expect(await refusalOf(refused)).toEqual([400, 'DIGEST_INVALID']);
    expect(await readdir(directory)).toEqual([]);
  });

  it('for another algorithm than sha256 and sha512 is refused at its start', async () => {
    const start = (algorithm: string) =>
      call('POST', `/v2/${NAME}/blobs/uploads/?digest-algorithm=${algorithm}`);
    expect((await start('sha512')).status).toBe(202);
    expect(await refusalOf(await start('md5'))).toEqual([400, 'DIGEST_INVALID']);
  });

  it('belongs to its repository', async () => {
    const location = await startUpload();
    const elsewhere = location.replace(NAME, 'acme/apps/other');
    expect(await refusalOf(await call('GET', elsewhere))).toEqual([404, 'BLOB_UPLOAD_UNKNOWN']);
  });

  it.each([
    ['/v2/a/blobs/uploads/', true],
    ['/v2/a/blobs/uploads/5e1c', true],
    ['/v2/blobs/uploads/manifests/v1', false],
    ['/v2/a/manifests/v1', false],
    ['/v2/a/blobs/sha256:00', false],
  ])('is told from other requests by its path: %s', (where, expected) => {
    expect(isUpload({ path: where })).toBe(expected);
  });
});

describe('a blob', () => {
  it('is whole for HEAD, whatever the range', async () => {
    const digest = await putBlob('0123456789');
    const reply = await call('HEAD', `/v2/${NAME}/blobs/${digest}`, { headers: { range: 'bytes=2-4' } });
    expect(reply).toMatchObject({
      status: 200,
      headers: { 'content-length': '10', 'docker-content-digest': digest, 'accept-ranges': 'bytes' },
    });
  });

  it('may have a sha512 digest', async () => {
    const digest = await putBlob('long', NAME, 'sha512');
    const reply = await call('GET', `/v2/${NAME}/blobs/${digest}`);
    expect([reply.headers?.['docker-content-digest'], await textOf(reply)]).toEqual([digest, 'long']);
  });

  it('is mounted without a source when any repository has it', async () => {
    const digest = await putBlob('shared', 'acme/base');
    const reply = await call('POST', `/v2/${NAME}/blobs/uploads/?mount=${digest}`);
    expect([reply.status, reply.headers?.['location']]).toEqual([201, `/v2/${NAME}/blobs/${digest}`]);
  });

  it('is deleted once', async () => {
    const where = `/v2/${NAME}/blobs/${await putBlob('gone')}`;
    expect((await call('DELETE', where)).status).toBe(202);
    for (const method of ['DELETE', 'GET', 'HEAD']) {
      expect(await refusalOf(await call(method, where))).toEqual([404, 'BLOB_UNKNOWN']);
    }
  });
});

describe('a manifest', () => {
  it('of 4 MiB is accepted', async () => {
    const empty = { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [], annotations: { fill: '' } };
    const fill = 'x'.repeat(4 * 1024 * 1024 - JSON.stringify(empty).length);
    const body = JSON.stringify({ ...empty, annotations: { fill } });
    const reply = await call('PUT', `/v2/${NAME}/manifests/large`, {
      headers: { 'content-type': INDEX_TYPE },
      body,
    });
    expect(reply.status).toBe(201);
  });

  it('that is deleted takes its tags along; a tag that is deleted leaves it', async () => {
    const digest = (await putManifest('v1', 'x')).headers?.['docker-content-digest'] ?? '';
    await putManifest('v2', 'x');
    const manifests = `/v2/${NAME}/manifests`;
    expect((await call('DELETE', `${manifests}/v1`)).status).toBe(202);
    expect((await call('HEAD', `${manifests}/${digest}`)).status).toBe(200);
    expect((await call('DELETE', `${manifests}/${digest}`)).status).toBe(202);
    for (const reference of ['v1', 'v2', digest]) {
      expect(await refusalOf(await call('GET', `${manifests}/${reference}`))).toEqual([
        404,
        'MANIFEST_UNKNOWN',
      ]);
    }
    expect(await refusalOf(await call('DELETE', '/v2/acme/none/manifests/v1'))).toEqual([
      404,
      'MANIFEST_UNKNOWN',
    ]);
  });
});

describe('tags', () => {
  it.each([
    ['', ['a', 'b', 'c']],
    ['?last=a', ['b', 'c']],
    ['?last=aa&n=1', ['b']],
    ['?last=c&n=5', []],
    ['?n=99', ['a', 'b', 'c']],
  ])('are listed from where %j says', async (query, expected) => {
    for (const tag of ['c', 'a', 'b']) await putManifest(tag, 'tagged');
    const reply = await call('GET', `/v2/${NAME}/tags/list${query}`);
    expect(JSON.parse(await textOf(reply))).toEqual({ name: NAME, tags: expected });
  });

  it.each(['abc', '-1', '1.5', ''])('are not listed %j at a time', async limit => {
    await putManifest('v1', 'tagged');
    expect(await refusalOf(await call('GET', `/v2/${NAME}/tags/list?n=${limit}`))).toEqual([
      400,
      'UNSUPPORTED',
    ]);
  });
});

describe('a name', () => {
  it.each(['a', 'a/b/c', 'a.b', 'a_b', 'a__b', 'a---b', '0/1', 'blobs/uploads', 'tags/list/manifests'])(
    '%s is one',
    async name => {
      expect((await call('POST', `/v2/${name}/blobs/uploads/`)).status).toBe(202);
    },
  );

  it.each(['A', 'a..b', 'a___b', '-a', 'a_', 'a/_b', 'a%2Fb'])('%s is none', async name => {
    expect(await refusalOf(await call('POST', `/v2/${name}/blobs/uploads/`))).toEqual([400, 'NAME_INVALID']);
  });

  it('has at most 255 characters', async () => {
    const start = (length: number) => call('POST', `/v2/${'a'.repeat(length)}/blobs/uploads/`);
    expect((await start(255)).status).toBe(202);
    expect(await refusalOf(await start(256))).toEqual([400, 'NAME_INVALID']);
  });
});

describe('a request', () => {
  it.each([
    ['GET', `/v2/${NAME}/manifests/%zz`, [400, 'UNSUPPORTED']],
    ['GET', `/v2/${NAME}/blobs/sha256:abc`, [400, 'DIGEST_INVALID']],
    ['GET', `/v2/${NAME}/referrers/sha256:abc`, [400, 'DIGEST_INVALID']],
    ['PUT', `/v2/${NAME}/blobs/${digestOf('x')}`, [405, 'UNSUPPORTED']],
    ['DELETE', `/v2/${NAME}/tags/list`, [405, 'UNSUPPORTED']],
    ['POST', '/v2/_catalog', [405, 'UNSUPPORTED']],
    ['PUT', '/v2/', [405, 'UNSUPPORTED']],
  ])('%s %s is refused in the words of the specification', async (method, where, refusal) => {
    const reply = await call(method, where);
    expect(await refusalOf(reply)).toEqual(refusal);
    expect(reply.headers?.['docker-distribution-api-version']).toBe('registry/2.0');
  });
});

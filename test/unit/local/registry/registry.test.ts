import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../../../functions/image/digest.ts';
import { VirtualClock } from '../../../../local/clock.ts';
import { Faults } from '../../../../local/faults.ts';
import { type HttpServer, serve } from '../../../../local/http.ts';
import { CONFIG_TYPE, INDEX_TYPE, MANIFEST_TYPE } from '../../../../local/images/parts.ts';
import { type Notification, RegistryCore } from '../../../../local/registry/core.ts';
import { isUpload, registryHandler } from '../../../../local/registry/http.ts';

const HOST = 'us-central1-docker.pkg.dev';
const NAME = 'acme/apps/hello';

let clock: VirtualClock;
let notifications: Notification[];
let faults: Faults;
let server: HttpServer;

beforeEach(async () => {
  clock = new VirtualClock();
  notifications = [];
  faults = new Faults(clock);
  const core = new RegistryCore({ host: HOST, clock, onPush: one => notifications.push(one) });
  server = await serve(registryHandler(core, { faults }), 0, isUpload);
});
afterEach(async () => {
  faults.clear();
  await server.close();
});

function call(method: string, where: string, init: RequestInit = {}): Promise<Response> {
  return fetch(new URL(where, server.url), { ...init, method });
}

async function putBlob(bytes: string, name = NAME): Promise<string> {
  const digest = digestOf(Buffer.from(bytes));
  const reply = await call('POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, { body: bytes });
  expect(reply.status).toBe(201);
  return digest;
}

async function put(reference: string | undefined, json: object, mediaType = MANIFEST_TYPE): Promise<string> {
  const body = JSON.stringify(json);
  const digest = digestOf(Buffer.from(body));
  const reply = await call('PUT', `/v2/${NAME}/manifests/${reference ?? digest}`, {
    headers: { 'content-type': mediaType },
    body,
  });
  expect(reply.status).toBe(201);
  expect(reply.headers.get('docker-content-digest')).toBe(digest);
  return digest;
}

async function manifestOf(note: string, over: object = {}): Promise<object> {
  const digest = await putBlob(note);
  const config = { mediaType: CONFIG_TYPE, digest, size: note.length };
  return { schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers: [], ...over };
}

async function errorOf(reply: Response): Promise<{ status: number; code: unknown; message: unknown }> {
  const body: unknown = await reply.json();
  const first = (body as { errors: { code: unknown; message: unknown }[] }).errors[0];
  return { status: reply.status, code: first?.code, message: first?.message };
}

describe('notifications', () => {
  it('tell a multi-architecture push as Artifact Registry does: children by digest, then the index with its tag', async () => {
    const children = [
      await put(undefined, await manifestOf('amd64')),
      await put(undefined, await manifestOf('arm64')),
    ];
    const manifests = children.map(digest => ({ mediaType: MANIFEST_TYPE, digest, size: 1 }));
    const index = await put('v1', { schemaVersion: 2, mediaType: INDEX_TYPE, manifests }, INDEX_TYPE);

    expect(notifications).toEqual([
      { action: 'INSERT', digest: `${HOST}/${NAME}@${children[0]}` },
      { action: 'INSERT', digest: `${HOST}/${NAME}@${children[1]}` },
      { action: 'INSERT', digest: `${HOST}/${NAME}@${index}`, tag: `${HOST}/${NAME}:v1` },
    ]);
  });

  it('come again for the same manifest under the same or another tag', async () => {
    const json = await manifestOf('again');
    for (const tag of ['v1', 'v1', 'v2']) await put(tag, json);
    expect(notifications.map(({ tag }) => tag)).toEqual([
      `${HOST}/${NAME}:v1`,
      `${HOST}/${NAME}:v1`,
      `${HOST}/${NAME}:v2`,
    ]);
  });

  it('tell deletes: a tag alone, or a manifest with its tags', async () => {
    const json = await manifestOf('to go');
    for (const tag of ['v1', 'v2', 'v3']) await put(tag, json);
    const digest = digestOf(Buffer.from(JSON.stringify(json)));
    notifications.length = 0;

    await call('DELETE', `/v2/${NAME}/manifests/v2`);
    expect((await call('GET', `/v2/${NAME}/manifests/${digest}`)).status).toBe(200);
    await call('DELETE', `/v2/${NAME}/manifests/${digest}`);

    expect(notifications).toEqual([
      { action: 'DELETE', tag: `${HOST}/${NAME}:v2` },
      { action: 'DELETE', tag: `${HOST}/${NAME}:v1` },
      { action: 'DELETE', tag: `${HOST}/${NAME}:v3` },
      { action: 'DELETE', digest: `${HOST}/${NAME}@${digest}` },
    ]);
  });

  it('do not come for what was refused', async () => {
    await call('PUT', `/v2/${NAME}/manifests/v1`, { body: 'not JSON' });
    expect(notifications).toEqual([]);
  });
});

describe('manifests', () => {
  const putRaw = async (body: string, reference = 'v1', type = MANIFEST_TYPE) =>
    errorOf(
      await call('PUT', `/v2/${NAME}/manifests/${reference}`, { headers: { 'content-type': type }, body }),
    );

  it.each([
    ['not JSON', 'not JSON'],
    ['[]', 'not a JSON object'],
    ['{"schemaVersion":1}', 'schemaVersion must be 2'],
    ['{"schemaVersion":2,"layers":{}}', 'layers is not a list'],
    ['{"schemaVersion":2,"manifests":[{}]}', 'manifests[0] is not a descriptor'],
    [`{"schemaVersion":2,"mediaType":"${INDEX_TYPE}"}`, "manifest's mediaType is"],
  ])('%s is refused with the reason', async (body, why) => {
    const error = await putRaw(body);
    expect(error).toMatchObject({ status: 400, code: 'MANIFEST_INVALID' });
    expect(error.message).toContain(why);
  });

  it('of more than 4 MiB are too large', async () => {
    expect(await putRaw(' '.repeat(4 * 1024 * 1024 + 1))).toMatchObject({
      status: 413,
      code: 'SIZE_INVALID',
    });
  });

  it('under something that is no reference are refused', async () => {
    expect((await putRaw('{}', '-bad-')).status).toBe(400);
    expect((await putRaw('{}', 'sha256:abc')).code).toBe('DIGEST_INVALID');
    expect((await errorOf(await call('GET', '/v2/Not/A/Name/manifests/v1'))).code).toBe('NAME_INVALID');
  });

  it('that list children which are not there are refused', async () => {
    const child = { mediaType: MANIFEST_TYPE, digest: digestOf(Buffer.from('gone')), size: 4 };
    const index = { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [child] };
    expect(await putRaw(JSON.stringify(index), 'v1', INDEX_TYPE)).toMatchObject({
      code: 'MANIFEST_BLOB_UNKNOWN',
    });
  });

  it('may be pushed and pulled by a sha512 digest', async () => {
    const body = JSON.stringify(await manifestOf('sha512'));
    const hash = await crypto.subtle.digest('SHA-512', Buffer.from(body));
    const digest = `sha512:${Buffer.from(hash).toString('hex')}`;
    const pushed = await call('PUT', `/v2/${NAME}/manifests/${digest}`, {
      headers: { 'content-type': MANIFEST_TYPE },
      body,
    });
    expect(pushed.status).toBe(201);
    expect(await (await call('GET', `/v2/${NAME}/manifests/${digest}`)).text()).toBe(body);
  });
});

describe('referrers', () => {
  it('are the manifests about a digest, by type if asked', async () => {
    const subject = {
      mediaType: MANIFEST_TYPE,
      digest: await put('v1', await manifestOf('subject')),
      size: 1,
    };
    const about = async (artifactType: string) =>
      put(
        undefined,
        await manifestOf(artifactType, { artifactType, subject, annotations: { type: artifactType } }),
      );
    const signature = await about('application/x-signature');
    const sbom = await about('application/x-sbom');

    const all = await (await call('GET', `/v2/${NAME}/referrers/${subject.digest}`)).json();
    const some = await call('GET', `/v2/${NAME}/referrers/${subject.digest}?artifactType=application/x-sbom`);
    const none = await call('GET', `/v2/${NAME}/referrers/${sbom}`);

    expect(all).toMatchObject({
      mediaType: INDEX_TYPE,
      manifests: [{ digest: signature }, { digest: sbom }],
    });
    expect(some.headers.get('oci-filters-applied')).toBe('artifactType');
    expect(await some.json()).toMatchObject({
      manifests: [
        { digest: sbom, artifactType: 'application/x-sbom', annotations: { type: 'application/x-sbom' } },
      ],
    });
    expect(await none.json()).toMatchObject({ manifests: [] });
  });

  it('say at their push whom they are about', async () => {
    const subject = { mediaType: MANIFEST_TYPE, digest: digestOf(Buffer.from('not here yet')), size: 1 };
    const body = JSON.stringify(await manifestOf('early', { subject }));
    const reply = await call('PUT', `/v2/${NAME}/manifests/early`, {
      headers: { 'content-type': MANIFEST_TYPE },
      body,
    });
    expect(reply.headers.get('oci-subject')).toBe(subject.digest);
  });
});

describe('uploads', () => {
  it('whose chunks do not follow each other are refused', async () => {
    const started = await call('POST', `/v2/${NAME}/blobs/uploads/`);
    const location = started.headers.get('location') ?? '';
    await call('PATCH', location, { headers: { 'content-range': '0-2' }, body: 'abc' });
    const gap = await call('PATCH', location, { headers: { 'content-range': '5-7' }, body: 'fgh' });
    const status = await call('GET', location);

    expect(gap.status).toBe(416);
    expect([status.status, status.headers.get('range')]).toEqual([204, '0-2']);
  });

  it('can be cancelled', async () => {
    const location = (await call('POST', `/v2/${NAME}/blobs/uploads/`)).headers.get('location') ?? '';
    expect((await call('DELETE', location)).status).toBe(204);
    expect(await errorOf(await call('GET', location))).toMatchObject({
      status: 404,
      code: 'BLOB_UPLOAD_UNKNOWN',
    });
  });

  it('keep nothing of a chunk whose client leaves', async () => {
    const location = (await call('POST', `/v2/${NAME}/blobs/uploads/`)).headers.get('location') ?? '';
    const leaving = new AbortController();
    const body = new ReadableStream({
      async pull(controller) {
        controller.enqueue(Buffer.from('only the beg'));
        await call('GET', location);
        leaving.abort();
      },
    });
    const sent = call('PATCH', location, { body, duplex: 'half', signal: leaving.signal });
    await expect(sent).rejects.toThrow();
    const whole = digestOf(Buffer.from('whole'));
    await expect
      .poll(async () => (await call('PUT', `${location}?digest=${whole}`, { body: 'whole' })).status)
      .toBe(201);
  });

  it('are forgotten when nobody finishes them for an hour', async () => {
    const location = (await call('POST', `/v2/${NAME}/blobs/uploads/`)).headers.get('location') ?? '';
    await clock.advance(3_600_000);
    await call('POST', `/v2/${NAME}/blobs/uploads/`);
    expect((await call('GET', location)).status).toBe(404);
  });

  it('become ordinary ones when there is nothing to mount', async () => {
    const absent = digestOf(Buffer.from('absent'));
    const reply = await call('POST', `/v2/${NAME}/blobs/uploads/?mount=${absent}&from=acme/other`);
    expect(reply.status).toBe(202);
    expect(reply.headers.get('location')).toContain('/blobs/uploads/');
  });
});

describe('blobs', () => {
  it('are given in ranges: from the front, from the end, and not beyond', async () => {
    const digest = await putBlob('0123456789');
    const get = (range: string) => call('GET', `/v2/${NAME}/blobs/${digest}`, { headers: { range } });

    expect(await (await get('bytes=7-')).text()).toBe('789');
    expect(await (await get('bytes=-2')).text()).toBe('89');
    expect(await (await get('bytes=8-100')).text()).toBe('89');
    const beyond = await get('bytes=10-');
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */10']);
    expect((await get('lines=1-2')).status).toBe(200);
  });

  it('may be empty', async () => {
    const digest = await putBlob('');
    const got = await call('GET', `/v2/${NAME}/blobs/${digest}`);
    expect([got.status, await got.text()]).toEqual([200, '']);
  });

  it('belong to a repository: others have to mount or push them', async () => {
    const digest = await putBlob('mine');
    expect((await call('HEAD', `/v2/acme/apps/other/blobs/${digest}`)).status).toBe(404);
    await call('POST', `/v2/acme/apps/other/blobs/uploads/?mount=${digest}&from=${NAME}`);
    await call('DELETE', `/v2/${NAME}/blobs/${digest}`);
    expect((await call('HEAD', `/v2/${NAME}/blobs/${digest}`)).status).toBe(404);
    expect((await call('HEAD', `/v2/acme/apps/other/blobs/${digest}`)).status).toBe(200);
  });
});

describe('tags', () => {
  it('are listed in order, in pages that lead to the next', async () => {
    const json = await manifestOf('tagged');
    for (const tag of ['c', 'a', 'b']) await put(tag, json);
    const first = await call('GET', `/v2/${NAME}/tags/list?n=2`);
    const next = /^<([^>]+)>; rel="next"$/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
    const second = await call('GET', next);

    expect(await first.json()).toEqual({ name: NAME, tags: ['a', 'b'] });
    expect(await second.json()).toEqual({ name: NAME, tags: ['c'] });
    expect(second.headers.get('link')).toBeNull();
    expect(await (await call('GET', `/v2/${NAME}/tags/list?n=0`)).json()).toEqual({ name: NAME, tags: [] });
  });

  it('of an unknown repository are an error', async () => {
    expect(await errorOf(await call('GET', '/v2/acme/none/tags/list'))).toMatchObject({
      status: 404,
      code: 'NAME_UNKNOWN',
    });
  });
});

describe('requests that make no sense', () => {
  it.each([
    ['POST', `/v2/${NAME}/manifests/v1`, 405],
    ['PATCH', `/v2/${NAME}/tags/list`, 405],
    ['GET', '/v2/hello', 404],
    ['GET', '/', 404],
    ['PUT', `/v2/${NAME}/blobs/uploads/none?digest=x`, 404],
  ])('%s %s is answered with %i in the words of the specification', async (method, where, status) => {
    const error = await errorOf(await call(method, where));
    expect(error.status).toBe(status);
    expect(error.code).toMatch(/^[A-Z_]+$/);
  });
});

describe('faults', () => {
  it('hit the requests they are meant for', async () => {
    await put('v1', await manifestOf('x'));
    faults.inject({ path: /\/manifests\//, times: 1, fault: { kind: 'status', status: 500 } });
    const statuses: number[] = [];
    for (const where of ['/v2/', `/v2/${NAME}/manifests/v1`, `/v2/${NAME}/manifests/v1`]) {
      statuses.push((await call('GET', where)).status);
    }
    expect(statuses).toEqual([200, 500, 200]);
  });
});

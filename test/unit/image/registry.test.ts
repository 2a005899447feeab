import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { SlipwayError } from '../../../functions/errors.ts';
import { digestOf } from '../../../functions/image/digest.ts';
import { type RegistryOptions, registryClient } from '../../../functions/image/registry.ts';
import { type HttpHandler, type HttpRequest, type HttpServer, serve } from '../../../local/http.ts';
import { CONFIG_TYPE, INDEX_TYPE } from '../../../local/images/parts.ts';

const BYTES = Buffer.from('{"schemaVersion":2,"manifests":[]}');
const DIGEST = digestOf(BYTES);
const GOOGLE = 'us-docker.pkg.dev';

const servers: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map(server => server.close()));
});

async function start(handler: HttpHandler): Promise<HttpServer> {
  const server = await serve(handler);
  servers.push(server);
  return server;
}

/** Any host name, served by `handler`, which sees the name in `x-host`: hosts cannot be told apart on loopback. */
async function internet(handler: HttpHandler): Promise<typeof fetch> {
  const server = await start(handler);
  return (input, init) => {
    const url = new URL(String(input));
    const headers = new Headers(init?.headers);
    headers.set('x-host', url.host);
    return fetch(`${server.url}${url.pathname}${url.search}`, { ...init, headers });
  };
}

interface Seen {
  readonly host: string;
  readonly path: string;
  readonly authorization: string | undefined;
}

function seen(request: HttpRequest): Seen {
  const { 'x-host': host = '', authorization } = request.headers;
  return { host, path: request.path, authorization };
}

function client(options: Partial<RegistryOptions>) {
  return registryClient({
    mirrors: {},
    accessToken: async () => undefined,
    addressesOf: async () => ['203.0.113.7'],
    ...options,
  });
}

async function failure(work: Promise<unknown>): Promise<SlipwayError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof SlipwayError) return error;
  throw new Error(`expected a SlipwayError, got ${String(error)}`);
}

/** The connection is cut after the text. */
function breaking(text: string): Readable {
  let sent = false;
  return new Readable({
    read() {
      if (sent) this.destroy(new Error('cut'));
      else this.push(text);
      sent = true;
    },
  });
}

const manifestReply = {
  status: 200,
  headers: { 'content-type': `${INDEX_TYPE}; charset=utf-8` },
  body: BYTES,
};

describe('manifest', () => {
  it('asks the host itself, by the names of the specification, for all types of image', async () => {
    const requests: HttpRequest[] = [];
    const fetching = await internet(request => {
      requests.push(request);
      return manifestReply;
    });
    const got = await client({ fetch: fetching }).manifest('registry.example:8443/acme/hello', DIGEST);

    expect(got).toEqual({ bytes: BYTES, mediaType: INDEX_TYPE, digest: DIGEST });
    expect(requests[0]?.headers['x-host']).toBe('registry.example:8443');
    expect(requests[0]?.path).toBe(`/v2/acme/hello/manifests/${DIGEST}`);
    expect(requests[0]?.headers['accept']?.split(', ')).toContain(
      'application/vnd.docker.distribution.manifest.list.v2+json',
    );
    expect(requests[0]?.headers['accept-encoding']).toBe('identity');
  });

  it('is found at Docker Hub where its API is', async () => {
    const hosts: Seen[] = [];
    const fetching = await internet(request => {
      hosts.push(seen(request));
      return manifestReply;
    });
    await client({ fetch: fetching }).manifest('docker.io/library/nginx', 'latest');
    expect(hosts[0]).toMatchObject({
      host: 'registry-1.docker.io',
      path: '/v2/library/nginx/manifests/latest',
    });
  });

  it('gets its digest computed when it was asked for by tag', async () => {
    const server = await start(() => manifestReply);
    const registry = client({ mirrors: { 'registry.example': server.url } });
    expect((await registry.manifest('registry.example/hello', 'v1')).digest).toBe(DIGEST);
  });

  it('is refused when its bytes do not have the digest that was asked for or announced', async () => {
    const server = await start(() => ({
      ...manifestReply,
      headers: { 'docker-content-digest': digestOf(Buffer.from('other')) },
    }));
    const registry = client({ mirrors: { 'registry.example': server.url } });
    const other = digestOf(Buffer.from('asked for'));

    expect((await failure(registry.manifest('registry.example/hello', other))).code).toBe('InvalidArgument');
    expect((await failure(registry.manifest('registry.example/hello', 'v1'))).message).toContain(
      'instead of',
    );
  });

  it.each([
    [404, 'NotFound', false],
    [401, 'Unauthenticated', false],
    [403, 'PermissionDenied', false],
    [400, 'Internal', false],
    [429, 'ResourceExhausted', true],
    [500, 'Unavailable', true],
    [504, 'DeadlineExceeded', true],
  ])('that is answered with %i fails as %s', async (status, code, canRetry) => {
    const server = await start(() => ({
      status,
      headers: { 'retry-after': '7' },
      body: { errors: [{ code: 'SOME_CODE', message: 'in words\u001b[31m' }] },
    }));
    const registry = client({ mirrors: { 'registry.example': server.url } });
    const error = await failure(registry.manifest('registry.example/hello', 'v1'));

    expect(error).toMatchObject({ code, canRetry, retryAfterSeconds: 7 });
    expect(error.message).toContain(`answered ${status} (SOME_CODE: in words\ufffd[31m)`);
    expect(error.operation).toBe('read manifest registry.example/hello:v1');
  });

  it('that fails has nothing in its error that a terminal would obey, nor a password', async () => {
    const message = 'see\nhttps://me:secret@docs.example/ \u009b31m\u202e\u2066\u061c\u200f';
    const server = await start(() => ({ status: 500, body: { errors: [{ code: 'X', message }] } }));
    const registry = client({ mirrors: { 'registry.example': server.url } });
    const error = await failure(registry.manifest('registry.example/hello', 'v1'));
    expect(error.message).toContain('(X: see https://docs.example/ \ufffd31m\ufffd\ufffd\ufffd\ufffd)');
  });

  it.each([
    'Registry.example/Hello',
    'registry.example/hello:v1',
    `registry.example/hello@${DIGEST}`,
    'hello',
  ])('of %s is not asked for: that is no HOST/REPOSITORY', async image => {
    const error = await failure(
      client({ fetch: () => Promise.reject(new Error('not to be called')) }).manifest(image, 'v1'),
    );
    expect(error.code).toBe('InvalidArgument');
  });

  it.each(['../../token', 'sha256:abc', `blake3:${'a'.repeat(64)}`, ''])(
    '%j is not asked for: that is no reference',
    async reference => {
      const registry = client({ fetch: () => Promise.reject(new Error('not to be called')) });
      expect((await failure(registry.manifest('registry.example/hello', reference))).code).toBe(
        'InvalidArgument',
      );
    },
  );
});

describe('blob', () => {
  const blobOf = async (handler: HttpHandler, digest: string, timeoutMs = 5_000) => {
    const server = await start(handler);
    return client({ mirrors: { 'registry.example': server.url }, timeoutMs }).blob(
      'registry.example/hello',
      digest,
    );
  };

  it('streams', async () => {
    const stream = await blobOf(
      () => ({ status: 200, body: Readable.from(['con', 'tent']) }),
      digestOf(Buffer.from('content')),
    );
    expect(await text(stream)).toBe('content');
  });

  it('ends in an error when its bytes do not have the digest', async () => {
    const stream = await blobOf(() => ({ status: 200, body: 'forged!' }), digestOf(Buffer.from('content')));
    const error = await failure(text(stream));
    expect(error.code).toBe('InvalidArgument');
    expect(error.message).toContain('instead of');
  });

  it('that breaks off is worth a retry', async () => {
    const reply = () => ({ status: 200, headers: { 'content-length': '100' }, body: breaking('only this') });
    const stream = blobOf(reply, digestOf(Buffer.from('content')));
    expect(await failure(stream.then(text))).toMatchObject({ code: 'Unavailable', canRetry: true });
  });

  it('that is not there is not found', async () => {
    await expect(blobOf(() => ({ status: 404 }), DIGEST)).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('that stands still can be left at once', async () => {
    let closed: (() => void) | undefined;
    const gone = new Promise<void>(resolve => {
      closed = resolve;
    });
    const standing = new Readable({ read: () => undefined });
    standing.push('some');
    standing.on('close', () => closed?.());
    const stream = await blobOf(() => ({ status: 200, body: standing }), DIGEST, 60_000);
    stream.on('data', () => stream.destroy());
    await gone;
  });

  it('may be left half read', async () => {
    let closed: (() => void) | undefined;
    const gone = new Promise<void>(resolve => {
      closed = resolve;
    });
    const endless = new Readable({
      read() {
        this.push(Buffer.alloc(64 * 1024));
      },
    });
    endless.on('close', () => closed?.());
    const stream = await blobOf(() => ({ status: 200, body: endless }), DIGEST);
    for await (const _ of stream) break;
    await gone;
    expect(stream.destroyed).toBe(true);
  });
});

describe('a slow registry', () => {
  it('that never answers is given up', async () => {
    const server = await start(() => new Promise(() => undefined));
    const registry = client({ mirrors: { 'registry.example': server.url }, timeoutMs: 50 });
    const error = await failure(registry.manifest('registry.example/hello', 'v1'));
    expect(error).toMatchObject({ code: 'DeadlineExceeded', canRetry: true });
  });

  it('that sends a byte at a time is given up', async () => {
    const drip = () =>
      new Readable({
        read() {
          setTimeout(() => this.push('x'), 20);
        },
      });
    const server = await start(() => ({ status: 200, body: drip() }));
    const registry = client({ mirrors: { 'registry.example': server.url }, timeoutMs: 100 });

    expect((await failure(registry.manifest('registry.example/hello', 'v1'))).code).toBe('DeadlineExceeded');
    const stream = await registry.blob('registry.example/hello', DIGEST);
    expect((await failure(text(stream))).code).toBe('DeadlineExceeded');
  });

  it('that is not there at all is worth a retry', async () => {
    const server = await serve(() => manifestReply);
    await server.close();
    const registry = client({ mirrors: { 'registry.example': server.url } });
    expect(await failure(registry.manifest('registry.example/hello', 'v1'))).toMatchObject({
      code: 'Unavailable',
    });
  });
});

describe('authorization', () => {
  it('is the access token as it is at Google, and nowhere else', async () => {
    const requests: Seen[] = [];
    const fetching = await internet(request => {
      requests.push(seen(request));
      return manifestReply;
    });
    const registry = client({ fetch: fetching, accessToken: async () => 'ya29.secret' });
    for (const host of [GOOGLE, 'gcr.io', 'eu.gcr.io', 'evilpkg.dev', 'gcr.io.evil.example']) {
      await registry.manifest(`${host}/acme/hello`, 'v1');
    }
    expect(requests.map(({ authorization }) => authorization)).toEqual([
      'Bearer ya29.secret',
      'Bearer ya29.secret',
      'Bearer ya29.secret',
      undefined,
      undefined,
    ]);
  });

  it('does not send the access token in clear', async () => {
    const requests: Seen[] = [];
    const server = await start(request => {
      requests.push(seen(request));
      return manifestReply;
    });
    const registry = client({ mirrors: { [GOOGLE]: server.url }, accessToken: async () => 'ya29.secret' });
    await registry.manifest(`${GOOGLE}/acme/hello`, 'v1');
    expect(requests[0]?.authorization).toBeUndefined();
  });

  it('does not send the access token to a mirror of Google that is not Google', async () => {
    const requests: Seen[] = [];
    const fetching = await internet(request => {
      requests.push(seen(request));
      return manifestReply;
    });
    const ask = (mirror: string) =>
      client({
        fetch: fetching,
        mirrors: { [GOOGLE]: mirror },
        accessToken: async () => 'ya29.secret',
      }).manifest(`${GOOGLE}/acme/hello`, 'v1');
    await ask('https://mirror.corp.example');
    await ask('https://europe-docker.pkg.dev');
    expect(requests.map(({ host, authorization }) => [host, authorization])).toEqual([
      ['mirror.corp.example', undefined],
      ['europe-docker.pkg.dev', 'Bearer ya29.secret'],
    ]);
  });

  it('is not read from the URL of a mirror, which the error does not repeat', async () => {
    const registry = client({ mirrors: { 'registry.example': 'https://me:secret@mirror.example' } });
    const error = await failure(registry.manifest('registry.example/hello', 'v1'));
    expect(error).toMatchObject({ code: 'Internal', canRetry: false });
    expect(error.message).toContain('docker login registry.example');
    expect(error.message).not.toContain('secret');
  });

  it('asks a token service without what its URL says before the @', async () => {
    const requests: Seen[] = [];
    const fetching = await internet(request => {
      requests.push(seen(request));
      const challenge = 'Bearer realm="https://me:secret@auth.registry.example/token"';
      return request.path === '/token'
        ? { status: 503 }
        : { status: 401, headers: { 'www-authenticate': challenge } };
    });
    const error = await failure(client({ fetch: fetching }).manifest('registry.example/hello', 'v1'));
    expect(error.message).toContain('auth.registry.example answered 503');
    expect(requests[1]).toEqual({ host: 'auth.registry.example', path: '/token', authorization: undefined });
  });

  /** As Docker Hub: a token service of its own, and tokens that it may refuse later. */
  function challenging(requests: Seen[], state: { token: string }): HttpHandler {
    return request => {
      requests.push(seen(request));
      if (request.headers['x-host'] === 'auth.registry.example') {
        const scope = request.query.get('scope');
        return {
          status: 200,
          body: { token: `${state.token} for ${scope} at ${request.query.get('service')}` },
        };
      }
      const right = `Bearer ${state.token} for repository:acme/hello:pull at hub`;
      if (request.headers['authorization'] === right) return manifestReply;
      const challenge =
        'Bearer realm="https://auth.registry.example/token",service="hub",scope="repository:acme/hello:pull"';
      return { status: 401, headers: { 'www-authenticate': challenge } };
    };
  }

  it('answers a challenge, and keeps the token until it is refused', async () => {
    const requests: Seen[] = [];
    const state = { token: 'first' };
    const registry = client({ fetch: await internet(challenging(requests, state)) });
    const hostsOf = async (work: Promise<unknown>) => {
      requests.length = 0;
      await work;
      return requests.map(({ host }) => host);
    };
    const ask = () => registry.manifest('registry.example/acme/hello', 'v1');

    expect(await hostsOf(ask())).toEqual(['registry.example', 'auth.registry.example', 'registry.example']);
    expect(await hostsOf(ask())).toEqual(['registry.example']);
    state.token = 'second';
    expect(await hostsOf(ask())).toEqual(['registry.example', 'auth.registry.example', 'registry.example']);
  });

  it('asks for one token, however many requests meet the challenge', async () => {
    const requests: Seen[] = [];
    const registry = client({ fetch: await internet(challenging(requests, { token: 'one' })) });
    await Promise.all(['a', 'b', 'c'].map(tag => registry.manifest('registry.example/acme/hello', tag)));
    expect(requests.filter(({ host }) => host === 'auth.registry.example')).toHaveLength(1);
  });

  it('gives name and password to the token service only', async () => {
    const requests: Seen[] = [];
    const registry = client({
      fetch: await internet(challenging(requests, { token: 'mine' })),
      credentials: async () => ({ username: 'me', password: 'secret' }),
    });
    await registry.manifest('registry.example/acme/hello', 'v1');
    const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    expect(requests.filter(({ authorization }) => authorization === basic).map(({ host }) => host)).toEqual([
      'auth.registry.example',
    ]);
  });

  it('gives name and password to a registry that asks for them directly', async () => {
    const fetching = await internet(request =>
      request.headers['authorization']
        ? manifestReply
        : { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } },
    );
    const registry = client({
      fetch: fetching,
      credentials: async () => ({ username: 'me', password: 'secret' }),
    });
    expect((await registry.manifest('registry.example/acme/hello', 'v1')).digest).toBe(DIGEST);
  });

  it('ends with the refusal when the token does not help', async () => {
    const fetching = await internet(request =>
      request.headers['x-host'] === 'auth.registry.example'
        ? { status: 200, body: { access_token: 'useless' } }
        : {
            status: 401,
            headers: { 'www-authenticate': 'Bearer realm="https://auth.registry.example/token"' },
          },
    );
    const error = await failure(client({ fetch: fetching }).manifest('registry.example/acme/hello', 'v1'));
    expect(error.code).toBe('Unauthenticated');
  });

  it('exchanges an identity token for a pull token, by OAuth 2', async () => {
    const forms: string[] = [];
    const fetching = await internet(request => {
      if (request.headers['x-host'] === 'auth.registry.example') {
        forms.push(`${request.method} ${request.body.toString()} ${request.headers['authorization']}`);
        return { status: 200, body: { access_token: 'mine' } };
      }
      if (request.headers['authorization'] === 'Bearer mine') return manifestReply;
      const challenge = 'Bearer realm="https://auth.registry.example/token",service="hub"';
      return { status: 401, headers: { 'www-authenticate': challenge } };
    });
    const registry = client({ fetch: fetching, credentials: async () => ({ identityToken: 'refresh me' }) });
    expect((await registry.manifest('registry.example/acme/hello', 'v1')).digest).toBe(DIGEST);
    expect(forms).toEqual([
      'POST grant_type=refresh_token&client_id=slipway&service=hub&scope=repository%3Aacme%2Fhello%3Apull&refresh_token=refresh+me undefined',
    ]);
  });

  it.each([
    [400, 'Internal', false],
    [401, 'Unauthenticated', false],
    [403, 'PermissionDenied', false],
    [404, 'Internal', false],
    [429, 'ResourceExhausted', true],
    [503, 'Unavailable', true],
  ])(
    'that a token service answers with %i fails as %s: that says nothing about the image',
    async (status, code, canRetry) => {
      const fetching = await internet(request =>
        request.headers['x-host'] === 'auth.registry.example'
          ? { status, headers: { 'retry-after': '3' } }
          : {
              status: 401,
              headers: { 'www-authenticate': 'Bearer realm="https://auth.registry.example/t"' },
            },
      );
      const error = await failure(client({ fetch: fetching }).manifest('registry.example/acme/hello', 'v1'));
      expect(error).toMatchObject({ code, canRetry, retryAfterSeconds: 3 });
    },
  );

  it('that a token service answers without end is no fault of the image either', async () => {
    const fetching = await internet(request =>
      request.headers['x-host'] === 'auth.registry.example'
        ? { status: 200, body: Buffer.alloc(1024 * 1024, ' ') }
        : { status: 401, headers: { 'www-authenticate': 'Bearer realm="https://auth.registry.example/t"' } },
    );
    const error = await failure(client({ fetch: fetching }).manifest('registry.example/acme/hello', 'v1'));
    expect(error).toMatchObject({ code: 'Internal', canRetry: false });
  });

  it.each([
    'http://169.254.169.254/token',
    'http://127.0.0.1/token',
    'https://auth.elsewhere.example/token',
    'https://storage.googleapis.com/token',
    'http://auth.registry.example/token',
    'file:///etc/passwd',
    'nonsense',
  ])('does not fetch a token from %s', async realm => {
    const requests: Seen[] = [];
    const fetching = await internet(request => {
      requests.push(seen(request));
      return { status: 401, headers: { 'www-authenticate': `Bearer realm="${realm}"` } };
    });
    const error = await failure(client({ fetch: fetching }).manifest('registry.example/acme/hello', 'v1'));
    expect(error.canRetry).toBe(false);
    expect(requests).toHaveLength(1);
  });
});

describe('a redirect', () => {
  const CONTENT = Buffer.from('content');

  it('is followed to the storage behind the registry, without the Authorization', async () => {
    const requests: Seen[] = [];
    const fetching = await internet(request => {
      requests.push(seen(request));
      if (request.headers['x-host'] === 'storage.googleapis.com') return { status: 200, body: CONTENT };
      return { status: 307, headers: { location: 'https://storage.googleapis.com/blob?signature=x' } };
    });
    const registry = client({ fetch: fetching, accessToken: async () => 'ya29.secret' });
    expect(await text(await registry.blob(`${GOOGLE}/acme/hello`, digestOf(CONTENT)))).toBe('content');
    expect(requests).toEqual([
      {
        host: GOOGLE,
        path: `/v2/acme/hello/blobs/${digestOf(CONTENT)}`,
        authorization: 'Bearer ya29.secret',
      },
      { host: 'storage.googleapis.com', path: '/blob', authorization: undefined },
    ]);
  });

  it('within the registry keeps it', async () => {
    const requests: Seen[] = [];
    const fetching = await internet(request => {
      requests.push(seen(request));
      return request.path === '/moved'
        ? { status: 200, body: CONTENT }
        : { status: 302, headers: { location: '/moved' } };
    });
    const registry = client({ fetch: fetching, accessToken: async () => 'ya29.secret' });
    await text(await registry.blob(`${GOOGLE}/acme/hello`, digestOf(CONTENT)));
    expect(requests[1]?.authorization).toBe('Bearer ya29.secret');
  });

  it('with a user name and password is followed without them', async () => {
    const fetching = await internet(request =>
      request.path === '/moved'
        ? { status: 200, body: CONTENT }
        : { status: 302, headers: { location: 'https://me:secret@registry.example/moved' } },
    );
    const stream = await client({ fetch: fetching }).blob('registry.example/hello', digestOf(CONTENT));
    expect(await text(stream)).toBe('content');
  });

  it.each([
    ['http://me:secret@[\u009b31m?signature=mine', 'http://['],
    ['http://me:secret@storage.example/x?signature=mine', 'http://storage.example/x,'],
  ])('that is refused says where to, without secrets and control characters: %j', async (location, said) => {
    const refusing: RegistryOptions['fetch'] = async () => ({
      status: 307,
      headers: { get: name => (name === 'location' ? location : null) },
      body: null,
    });
    const error = await failure(client({ fetch: refusing }).blob('registry.example/hello', DIGEST));
    expect(error.message).toContain(said);
    for (const secret of ['secret', 'mine', '\u009b']) expect(error.message).not.toContain(secret);
  });

  it('without end is given up for good', async () => {
    let count = 0;
    const fetching = await internet(() => ({ status: 302, headers: { location: `/again/${++count}` } }));
    const error = await failure(client({ fetch: fetching }).blob('registry.example/hello', DIGEST));
    expect(error.canRetry).toBe(false);
    expect(error.message).toContain('redirects more than 5 times');
    expect(count).toBe(6);
  });

  it.each([
    'https://127.0.0.1/',
    'https://127.1:8080/',
    'https://localhost/',
    'https://x.localhost./',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[fe80::1]/',
    'https://169.254.169.254/computeMetadata/v1/',
    'https://0.0.0.0/',
    'https://2130706433/',
    'https://10.0.0.8/',
    'https://elsewhere.example/',
    'https://registry.example.elsewhere.example/',
    'http://storage.googleapis.com/',
    'ftp://storage.googleapis.com/',
    'http://[',
  ])('to %s is not followed', async location => {
    const requests: Seen[] = [];
    const fetching = await internet(request => {
      requests.push(seen(request));
      return { status: 307, headers: { location } };
    });
    const error = await failure(client({ fetch: fetching }).blob('registry.example/hello', DIGEST));
    expect(error).toMatchObject({ code: 'Internal', canRetry: false });
    expect(requests).toHaveLength(1);
  });

  it('to a name of the metadata server is not followed', async () => {
    const fetching = await internet(() => ({
      status: 307,
      headers: { location: 'https://innocent.registry.example/' },
    }));
    const registry = client({ fetch: fetching, addressesOf: async () => ['203.0.113.7', '169.254.169.254'] });
    expect((await failure(registry.blob('registry.example/hello', DIGEST))).message).toContain(
      'innocent.registry.example',
    );
  });

  it('to a host that was configured is followed, whoever sends there', async () => {
    const hosts: (string | undefined)[] = [];
    const fetching = await internet(request => {
      hosts.push(request.headers['x-host']);
      return request.headers['x-host'] === 'minio.corp.example'
        ? { status: 200, body: CONTENT }
        : { status: 307, headers: { location: 'https://minio.corp.example/blob' } };
    });
    const mirrors = { 'minio.corp.example': 'https://minio.corp.example' };
    const registry = client({ fetch: fetching, mirrors });
    expect(await text(await registry.blob('registry.example/hello', digestOf(CONTENT)))).toBe('content');
    expect(hosts).toEqual(['registry.example', 'minio.corp.example']);
  });

  it('to a foreign host is refused with the way to allow it', async () => {
    const fetching = await internet(() => ({
      status: 307,
      headers: { location: 'https://minio.corp.example/blob' },
    }));
    const error = await failure(client({ fetch: fetching }).blob('registry.example/hello', DIGEST));
    expect(error.message).toContain('SLIPWAY_REGISTRY_MIRRORS=minio.corp.example=https://minio.corp.example');
  });

  it('between configured mirrors on loopback is followed', async () => {
    const storage = await start(() => ({ status: 200, body: CONTENT }));
    const front = await start(() => ({ status: 307, headers: { location: `${storage.url}/x` } }));
    const registry = client({ mirrors: { 'registry.example': front.url, 'storage.example': storage.url } });
    expect(await text(await registry.blob('registry.example/hello', digestOf(CONTENT)))).toBe('content');
  });

  it('is not taken for a config, whatever its type', async () => {
    const fetching = await internet(() => ({ status: 304, headers: { 'content-type': CONFIG_TYPE } }));
    expect((await failure(client({ fetch: fetching }).blob('registry.example/hello', DIGEST))).canRetry).toBe(
      false,
    );
  });
});

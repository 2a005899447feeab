import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../functions/image/digest.ts';
import { registryClient } from '../../functions/image/registry.ts';
import { verifyImage } from '../../functions/image/verify.ts';
import { realClock } from '../../local/clock.ts';
import { serve } from '../../local/http.ts';
import { buildImage } from '../../local/images/build.ts';
import { pushImage, retag } from '../../local/images/push.ts';
import { RegistryCore } from '../../local/registry/core.ts';
import { registryHandler } from '../../local/registry/http.ts';
import { isInstalled, type RunningRegistry, skopeo, startDockerRegistry } from './registry-processes.ts';

const HOST = 'us-central1-docker.pkg.dev';
const APP = path.join(import.meta.dirname, '..', '..', 'app');
const PLATFORMS = ['linux/amd64', 'linux/arm64'] as const;
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

interface Implementation {
  readonly name: string;
  readonly isThere: boolean;
  start(): Promise<RunningRegistry>;
}

const IMPLEMENTATIONS: readonly Implementation[] = [
  { name: 'the local registry, in memory', isThere: true, start: () => startLocal() },
  {
    name: 'the local registry, in files',
    isThere: true,
    async start() {
      const directory = await mkdtemp(path.join(tmpdir(), 'slipway-registry-'));
      const server = await startLocal(directory);
      return {
        url: server.url,
        async close() {
          await server.close();
          await rm(directory, { recursive: true, force: true });
        },
      };
    },
  },
  { name: "Debian's docker-registry", isThere: isInstalled('docker-registry'), start: startDockerRegistry },
];

function startLocal(directory?: string): Promise<RunningRegistry> {
  const core = new RegistryCore({ host: HOST, clock: realClock, ...(directory ? { directory } : {}) });
  return serve(registryHandler(core));
}

const skipped = [
  ...IMPLEMENTATIONS.filter(one => !one.isThere).map(one => one.name),
  isInstalled('skopeo') ? [] : 'skopeo',
];
console.info(`Registry contract: not installed and so not tried: ${skipped.flat().join(', ') || 'nothing'}.`);

for (const { name, isThere, start } of IMPLEMENTATIONS) {
  describe.skipIf(!isThere)(`${name}, as an OCI registry`, () => {
    let registry: RunningRegistry;
    beforeAll(async () => {
      registry = await start();
    });
    afterAll(() => registry.close());

    const call = (method: string, where: string, init: RequestInit = {}) =>
      fetch(new URL(where, registry.url), { ...init, method });

    async function startUpload(repository: string): Promise<string> {
      const started = await call('POST', `/v2/${repository}/blobs/uploads/`);
      expect(started.status).toBe(202);
      return new URL(started.headers.get('location') ?? '', registry.url).href;
    }

    async function putBlob(repository: string, bytes: Buffer): Promise<string> {
      const location = new URL(await startUpload(repository));
      location.searchParams.set('digest', digestOf(bytes));
      const done = await call('PUT', location.href, { body: new Uint8Array(bytes) });
      expect(done.status).toBe(201);
      return digestOf(bytes);
    }

    async function putManifest(repository: string, reference: string, json: object) {
      const body = JSON.stringify(json);
      const reply = await call('PUT', `/v2/${repository}/manifests/${reference}`, {
        headers: { 'content-type': MANIFEST_TYPE },
        body,
      });
      return { reply, bytes: Buffer.from(body), digest: digestOf(Buffer.from(body)) };
    }

    async function minimalManifest(repository: string, note: string) {
      const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', note }));
      const digest = await putBlob(repository, config);
      return {
        schemaVersion: 2,
        mediaType: MANIFEST_TYPE,
        config: { mediaType: CONFIG_TYPE, digest, size: config.length },
        layers: [],
      };
    }

    async function errorCode(reply: Response): Promise<unknown> {
      const body: unknown = await reply.json();
      return (body as { errors: { code: string }[] }).errors[0]?.code;
    }

    it('answers the ping', async () => {
      expect((await call('GET', '/v2/')).status).toBe(200);
    });

    it('gives back a blob that was pushed in one piece', async () => {
      const bytes = Buffer.from('one piece');
      const digest = await putBlob('contract/blobs', bytes);

      const head = await call('HEAD', `/v2/contract/blobs/blobs/${digest}`);
      const got = await call('GET', `/v2/contract/blobs/blobs/${digest}`);

      expect(head.status).toBe(200);
      expect(head.headers.get('content-length')).toBe(String(bytes.length));
      expect(Buffer.from(await got.arrayBuffer())).toEqual(bytes);
    });

    it('puts chunks together', async () => {
      const bytes = Buffer.from('first half, second half');
      let location = await startUpload('contract/chunks');
      for (const [from, to] of [
        [0, 11],
        [11, bytes.length],
      ] as const) {
        const patched = await call('PATCH', location, {
          headers: { 'content-type': 'application/octet-stream', 'content-range': `${from}-${to - 1}` },
          body: new Uint8Array(bytes.subarray(from, to)),
        });
        expect(patched.status).toBe(202);
        expect(patched.headers.get('range')).toBe(`0-${to - 1}`);
        location = new URL(patched.headers.get('location') ?? '', registry.url).href;
      }
      const end = new URL(location);
      end.searchParams.set('digest', digestOf(bytes));
      const done = await call('PUT', end.href);

      const got = await call('GET', `/v2/contract/chunks/blobs/${digestOf(bytes)}`);
      expect(done.status).toBe(201);
      expect(Buffer.from(await got.arrayBuffer())).toEqual(bytes);
    });

    it('refuses a blob that does not have its digest', async () => {
      const location = new URL(await startUpload('contract/blobs'));
      location.searchParams.set('digest', digestOf(Buffer.from('something else')));
      const done = await call('PUT', location.href, { body: 'these bytes' });

      expect(done.status).toBe(400);
      expect(await errorCode(done)).toBe('DIGEST_INVALID');
    });

    it('gives a range of a blob', async () => {
      const digest = await putBlob('contract/ranges', Buffer.from('0123456789'));
      const got = await call('GET', `/v2/contract/ranges/blobs/${digest}`, {
        headers: { range: 'bytes=2-5' },
      });

      expect(got.status).toBe(206);
      expect(got.headers.get('content-range')).toBe('bytes 2-5/10');
      expect(await got.text()).toBe('2345');
    });

    it('mounts a blob from another repository', async () => {
      const digest = await putBlob('contract/origin', Buffer.from('shared'));
      const mounted = await call(
        'POST',
        `/v2/contract/mounted/blobs/uploads/?mount=${digest}&from=contract/origin`,
      );
      const got = await call('GET', `/v2/contract/mounted/blobs/${digest}`);

      expect(mounted.status).toBe(201);
      expect(await got.text()).toBe('shared');
    });

    it('gives back a manifest by tag and by digest, byte for byte', async () => {
      const json = await minimalManifest('contract/manifests', 'by tag');
      const { reply, bytes, digest } = await putManifest('contract/manifests', 'v1', json);

      expect(reply.status).toBe(201);
      for (const reference of ['v1', digest]) {
        const got = await call('GET', `/v2/contract/manifests/manifests/${reference}`, {
          headers: { accept: MANIFEST_TYPE },
        });
        expect(got.headers.get('content-type')).toBe(MANIFEST_TYPE);
        expect(got.headers.get('docker-content-digest')).toBe(digest);
        expect(Buffer.from(await got.arrayBuffer())).toEqual(bytes);
      }
      const head = await call('HEAD', '/v2/contract/manifests/manifests/v1', {
        headers: { accept: MANIFEST_TYPE },
      });
      expect(head.headers.get('content-length')).toBe(String(bytes.length));
    });

    it('refuses a manifest under a digest that it does not have', async () => {
      const json = await minimalManifest('contract/manifests', 'wrong digest');
      const { reply } = await putManifest('contract/manifests', digestOf(Buffer.from('other')), json);

      expect(reply.status).toBe(400);
      expect(await errorCode(reply)).toBe('DIGEST_INVALID');
    });

    it('refuses a manifest whose blobs were not pushed', async () => {
      const json = await minimalManifest('contract/origin', 'config is elsewhere');
      const { reply } = await putManifest('contract/incomplete', 'v1', json);

      expect(reply.status).toBeGreaterThanOrEqual(400);
      expect(await errorCode(reply)).toBe('MANIFEST_BLOB_UNKNOWN');
    });

    it('says what it does not have', async () => {
      const absent = digestOf(Buffer.from('absent'));
      await putBlob('contract/blobs', Buffer.from('anything'));
      const blob = await call('GET', `/v2/contract/blobs/blobs/${absent}`);
      const manifest = await call('GET', '/v2/contract/blobs/manifests/absent');

      expect([blob.status, await errorCode(blob)]).toEqual([404, 'BLOB_UNKNOWN']);
      expect([manifest.status, await errorCode(manifest)]).toEqual([404, 'MANIFEST_UNKNOWN']);
    });

    it('deletes a manifest', async () => {
      const json = await minimalManifest('contract/deletes', 'delete me');
      const { digest } = await putManifest('contract/deletes', 'v1', json);
      const deleted = await call('DELETE', `/v2/contract/deletes/manifests/${digest}`);
      const got = await call('GET', '/v2/contract/deletes/manifests/v1');

      expect(deleted.status).toBe(202);
      expect(got.status).toBe(404);
    });

    it('takes the sample image, which then passes every check', async () => {
      const built = await buildImage({ appDir: APP, version: 'v1', platforms: PLATFORMS, attestation: true });
      const destination = { endpoint: registry.url, repository: 'acme/apps/hello', tag: 'v1' };
      const first = await pushImage(built, destination);
      const again = await pushImage(built, destination);
      const retagged = await retag({ ...destination, tag: 'v2' }, 'v1');

      const client = registryClient({
        mirrors: { [HOST]: registry.url },
        accessToken: async () => undefined,
      });
      const image = `${HOST}/acme/apps/hello`;
      const tagged = await client.manifest(image, 'v2');
      const verdict = await verifyImage(client, image, tagged.digest, {
        platforms: PLATFORMS,
        binaries: true,
      });

      expect(first.uploaded).toBeGreaterThan(0);
      expect(again.uploaded).toBe(0);
      expect([retagged, tagged.digest]).toEqual([built.digest, built.digest]);
      expect(verdict.reasons).toEqual([]);
      expect(verdict.platforms.map(({ platform }) => platform)).toEqual(PLATFORMS);
    });

    it.skipIf(!isInstalled('skopeo'))(
      'gives skopeo what it was given, and takes it back unchanged',
      async () => {
        const built = await buildImage({
          appDir: APP,
          version: 'v3',
          platforms: PLATFORMS,
          attestation: true,
        });
        await pushImage(built, { endpoint: registry.url, repository: 'acme/apps/skopeo', tag: 'v3' });
        const folder = await mkdtemp(path.join(tmpdir(), 'slipway-skopeo-'));
        try {
          const { host } = new URL(registry.url);
          const quiet = ['--insecure-policy', 'copy', '--quiet', '--all'];
          await skopeo(
            ...quiet,
            '--src-tls-verify=false',
            `docker://${host}/acme/apps/skopeo:v3`,
            `oci:${folder}:v3`,
          );
          await skopeo(
            ...quiet,
            '--dest-tls-verify=false',
            `oci:${folder}:v3`,
            `docker://${host}/acme/apps/copy:v4`,
          );
        } finally {
          await rm(folder, { recursive: true, force: true });
        }
        const copied = await call('GET', '/v2/acme/apps/copy/manifests/v4', {
          headers: { accept: 'application/vnd.oci.image.index.v1+json' },
        });
        expect(Buffer.from(await copied.arrayBuffer())).toEqual(built.index.bytes);
      },
    );
  });
}

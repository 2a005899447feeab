import http from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { placeFrom } from '../../../app/metadata.ts';
import { metadataHandler } from '../../../local/dataplane/metadata.ts';
import { type HttpServer, listen, serve } from '../../../local/http.ts';

const servers: HttpServer[] = [];

afterEach(() => Promise.all(servers.splice(0).map(server => server.close())));

async function metadataAt(location: string): Promise<string> {
  const server = await serve(metadataHandler({ project: 'acme', projectNumber: '42', location }));
  servers.push(server);
  return `127.0.0.1:${server.port}`;
}

it('is told the region on Cloud Run', async () => {
  expect(await placeFrom(await metadataAt('us-east4'))).toEqual({ region: 'us-east4', project: 'acme' });
});

it('takes the region from the zone on GKE', async () => {
  expect(await placeFrom(await metadataAt('us-central1-a'))).toEqual({
    region: 'us-central1',
    project: 'acme',
  });
});

it('knows nothing where nobody answers', async () => {
  const server = await serve(() => ({ status: 200 }));
  await server.close();
  expect(await placeFrom(`127.0.0.1:${server.port}`)).toEqual({ region: undefined, project: undefined });
});

it('does not wait for a metadata server that hangs', async () => {
  const server = await listen(http.createServer(() => {}));
  servers.push(server);
  expect(await placeFrom(`127.0.0.1:${server.port}`, 50)).toEqual({ region: undefined, project: undefined });
});

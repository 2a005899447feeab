import { expect, it } from 'vitest';
import { metadataHandler } from '../../../../local/dataplane/metadata.ts';

const FLAVOR = { 'metadata-flavor': 'Google' };

async function read(location: string, entry: string, headers: Record<string, string> = FLAVOR) {
  const handler = metadataHandler({ project: 'acme', projectNumber: '42', location });
  const path = `/computeMetadata/v1/${entry}`;
  const reply = await handler({
    method: 'GET',
    path,
    query: new URLSearchParams(),
    headers,
    body: Buffer.alloc(0),
  });
  return [reply.status, reply.body];
}

it('tells the region, a zone and the project of a Cloud Run instance', async () => {
  expect(await read('us-east4', 'instance/region')).toEqual([200, 'projects/42/regions/us-east4']);
  expect(await read('us-east4', 'instance/zone')).toEqual([200, 'projects/42/zones/us-east4-1']);
  expect(await read('us-east4', 'project/project-id')).toEqual([200, 'acme']);
  expect(await read('us-east4', 'project/numeric-project-id')).toEqual([200, '42']);
});

it('tells a Pod its zone, and knows no region there', async () => {
  expect(await read('us-central1-a', 'instance/zone')).toEqual([200, 'projects/42/zones/us-central1-a']);
  expect((await read('us-central1-a', 'instance/region'))[0]).toBe(404);
});

it('answers only those who ask as Google wants it', async () => {
  expect((await read('us-east4', 'instance/region', {}))[0]).toBe(403);
  expect((await read('us-east4', 'instance/region', { ...FLAVOR, 'x-forwarded-for': '10.0.0.1' }))[0]).toBe(
    403,
  );
});

it('says what it does not know', async () => {
  expect(await read('us-east4', 'instance/gpu')).toEqual([
    404,
    'no entry /computeMetadata/v1/instance/gpu\n',
  ]);
});

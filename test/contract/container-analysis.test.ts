import type { GrafeasClient } from '@google-cloud/grafeas';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { googleAuthorities } from '../../functions/google/authorities.ts';
import { type GoogleClients, googleClients } from '../../functions/google/clients.ts';
import type { Authorities } from '../../functions/image/authorities.ts';
import { BinaryAuthorization } from '../../local/binaryauthorization/core.ts';
import { binaryAuthorizationApi } from '../../local/binaryauthorization/http.ts';
import { realClock } from '../../local/clock.ts';
import { ContainerAnalysis } from '../../local/containeranalysis/core.ts';
import { containerAnalysisApi } from '../../local/containeranalysis/http.ts';
import { Faults } from '../../local/faults.ts';
import { type HttpServer, serve } from '../../local/http.ts';
import { ecSigner } from '../unit/local/binaryauthorization/signer.ts';

const IMAGE = 'us-docker.pkg.dev/acme/apps/hello';
const CI = 'projects/acme/attestors/ci';
const NOTE = 'projects/acme/notes/ci';
const signer = ecSigner('projects/acme/keys/ci');

const analysis = new ContainerAnalysis({ clock: realClock });
const attestors = new BinaryAuthorization({ clock: realClock });
const faults = new Faults(realClock, Math.random);
let servers: HttpServer[];
let clients: GoogleClients;
let client: GrafeasClient;
let authorities: Authorities;

beforeAll(async () => {
  const containeranalysis = await serve(faults.wrap(containerAnalysisApi(analysis)));
  const binaryauthorization = await serve(faults.wrap(binaryAuthorizationApi(attestors)));
  servers = [containeranalysis, binaryauthorization];
  clients = googleClients({
    containeranalysis: containeranalysis.url,
    binaryauthorization: binaryauthorization.url,
  });
  client = await clients.containerAnalysis();
  authorities = googleAuthorities(() => clients.containerAnalysis(), {
    url: binaryauthorization.url,
    accessToken: () => clients.accessToken('binaryauthorization'),
  });
  await client.createNote({
    parent: 'projects/scanner',
    noteId: 'scan',
    note: { discovery: { analysisKind: 'VULNERABILITY' } },
  });
  await client.createNote({
    parent: 'projects/scanner',
    noteId: 'CVE-2026-1',
    note: { vulnerability: { severity: 'CRITICAL' } },
  });
  await client.createNote({
    parent: 'projects/acme',
    noteId: 'ci',
    note: { attestation: { hint: { humanReadableName: 'ci' } } },
  });
  attestors.createAttestor('projects/acme', 'ci', {
    userOwnedGrafeasNote: { noteReference: NOTE, publicKeys: [signer.publicKey] },
  });
});

afterAll(async () => {
  await client.close();
  await Promise.all(servers.map(server => server.close()));
});

/** A digest of its own for each test. */
let digest = '';
let made = 0;
beforeEach(() => {
  faults.clear();
  digest = `sha256:${String(++made).padStart(64, '0')}`;
});

test('over real Google the client asks containeranalysis.googleapis.com', async () => {
  const real = await googleClients({}).containerAnalysis();
  expect(real.apiEndpoint).toBe('containeranalysis.googleapis.com');
});

describe('Container Analysis', () => {
  const on = (details: object) =>
    client.createOccurrence({
      parent: 'projects/acme',
      occurrence: { resourceUri: `https://${IMAGE}@${digest}`, ...details },
    });

  test.each([
    ['PENDING', 'unfinished'],
    ['SCANNING', 'unfinished'],
    ['FINISHED_SUCCESS', 'finished'],
    ['FINISHED_FAILED', 'failed'],
    ['FINISHED_UNSUPPORTED', 'unsupported'],
  ] as const)('a scan that is %s is %s', async (analysisStatus, state) => {
    await on({ noteName: 'projects/scanner/notes/scan', discovery: { analysisStatus } });
    expect(await authorities.scans(IMAGE, digest)).toEqual([{ state, problem: undefined }]);
  });

  test('what went wrong with a scan is told', async () => {
    const discovery = {
      analysisStatus: 'FINISHED_FAILED' as const,
      analysisStatusError: { message: 'no rpm' },
    };
    await on({ noteName: 'projects/scanner/notes/scan', discovery });
    expect(await authorities.scans(IMAGE, digest)).toEqual([{ state: 'failed', problem: 'no rpm' }]);
  });

  test('nothing is known of a digest that was never pushed', async () => {
    expect(await authorities.scans(IMAGE, digest)).toEqual([]);
    expect(await authorities.vulnerabilities(IMAGE, digest)).toEqual([]);
  });

  test("each package comes with its own severity, which is its distribution's before the vulnerability's", async () => {
    await on({
      noteName: 'projects/scanner/notes/CVE-2026-1',
      vulnerability: {
        severity: 'CRITICAL',
        effectiveSeverity: 'HIGH',
        packageIssue: [
          {
            affectedPackage: 'openssl',
            affectedVersion: { kind: 'NORMAL', epoch: 1, name: '3.0.1', revision: 'r0' },
            fixedVersion: { kind: 'NORMAL', fullName: '3.0.2-r1' },
            effectiveSeverity: 'LOW',
          },
          {
            affectedPackage: 'libssl',
            affectedVersion: { kind: 'NORMAL', name: '3.0.1' },
            fixedVersion: { kind: 'MAXIMUM' },
          },
        ],
      },
    });
    expect(await authorities.vulnerabilities(IMAGE, digest)).toEqual([
      {
        ...{ id: 'CVE-2026-1', severity: 'low', package: 'openssl' },
        ...{ version: '1:3.0.1-r0', fixedVersion: '3.0.2-r1' },
      },
      {
        ...{ id: 'CVE-2026-1', severity: 'high', package: 'libssl' },
        ...{ version: '3.0.1', fixedVersion: undefined },
      },
    ]);
  });

  test('an unrated vulnerability has no severity', async () => {
    const vulnerability = { packageIssue: [{ affectedPackage: 'zlib' }] };
    await on({ noteName: 'projects/scanner/notes/CVE-2026-1', vulnerability });
    const [found] = await authorities.vulnerabilities(IMAGE, digest);
    expect(found).toMatchObject({ package: 'zlib', severity: undefined, fixedVersion: undefined });
  });

  test('more than a page of vulnerabilities comes whole', async () => {
    for (let at = 0; at < 1001; at++) {
      analysis.createOccurrence('projects/acme', {
        resourceUri: `https://${IMAGE}@${digest}`,
        noteName: 'projects/scanner/notes/CVE-2026-1',
        vulnerability: { packageIssue: [{ affectedPackage: `package-${at}` }] },
      });
    }
    expect(await authorities.vulnerabilities(IMAGE, digest)).toHaveLength(1001);
  });

  test('the project of a domain is asked by its whole name', async () => {
    const image = 'us-docker.pkg.dev/example.com/shop/apps/hello';
    await client.createOccurrence({
      parent: 'projects/example.com:shop',
      occurrence: {
        resourceUri: `https://${image}@${digest}`,
        noteName: 'projects/scanner/notes/scan',
        discovery: { analysisStatus: 'FINISHED_SUCCESS' },
      },
    });
    expect(await authorities.scans(image, digest)).toHaveLength(1);
  });

  test('no permission names the role to grant; trouble that may pass can be retried', async () => {
    faults.inject({ fault: { kind: 'status', status: 403 }, times: 1 });
    await expect(authorities.scans(IMAGE, digest)).rejects.toMatchObject({
      code: 'PermissionDenied',
      canRetry: false,
      message: expect.stringContaining('grant roles/containeranalysis.occurrences.viewer on projects/acme'),
    });
    faults.inject({ fault: { kind: 'status', status: 503 }, times: 1 });
    await expect(authorities.scans(IMAGE, digest)).rejects.toMatchObject({ canRetry: true });
  });
});

describe('Binary Authorization', () => {
  function attest(by: typeof signer, resourceUri = `https://${IMAGE}@${digest}`): void {
    const attestation = by.attest(IMAGE, digest);
    analysis.createOccurrence('projects/acme', { resourceUri, noteName: NOTE, attestation });
  }

  test('a digest that nobody attested is missing', async () => {
    expect(await authorities.attestation(CI, IMAGE, digest)).toEqual({ status: 'missing' });
  });

  test.each(['https://', ''])(
    'an attestation of %sIMAGE@DIGEST by a key of the attestor is verified',
    async scheme => {
      attest(signer, `${scheme}${IMAGE}@${digest}`);
      expect(await authorities.attestation(CI, IMAGE, digest)).toEqual({ status: 'verified' });
    },
  );

  test('a forged one is invalid, with what the service says', async () => {
    attest(ecSigner('projects/acme/keys/ci'));
    expect(await authorities.attestation(CI, IMAGE, digest)).toEqual({
      status: 'invalid',
      problem: 'no signature is by a public key of the attestor',
    });
  });

  test('a forged one does not stand in the way of a good one', async () => {
    attest(ecSigner('projects/acme/keys/ci'));
    attest(signer);
    expect(await authorities.attestation(CI, IMAGE, digest)).toEqual({ status: 'verified' });
  });

  test('one of the same digest in another repository does not count', async () => {
    attest(signer, `https://us-docker.pkg.dev/acme/mirror/hello@${digest}`);
    expect(await authorities.attestation(CI, IMAGE, digest)).toEqual({ status: 'missing' });
  });

  test('an attestor that does not exist is an error, not a missing attestation', async () => {
    await expect(authorities.attestation('projects/acme/attestors/qa', IMAGE, digest)).rejects.toMatchObject({
      code: 'NotFound',
      message: expect.stringContaining('read the attestor projects/acme/attestors/qa'),
    });
  });

  test('no permission names the role to grant; trouble that may pass can be retried', async () => {
    faults.inject({ fault: { kind: 'status', status: 403 }, times: 1 });
    await expect(authorities.attestation(CI, IMAGE, digest)).rejects.toMatchObject({
      code: 'PermissionDenied',
      message: expect.stringContaining('grant roles/binaryauthorization.attestorsVerifier on the attestor'),
    });
    faults.inject({ fault: { kind: 'status', status: 503 }, times: 1 });
    await expect(authorities.attestation(CI, IMAGE, digest)).rejects.toMatchObject({ canRetry: true });
  });
});

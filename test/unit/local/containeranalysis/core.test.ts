import { beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../../../local/clock.ts';
import { ContainerAnalysis } from '../../../../local/containeranalysis/core.ts';
import { Scanner, type ScanResult } from '../../../../local/containeranalysis/scanner.ts';

const IMAGE = `us-docker.pkg.dev/acme/apps/hello@sha256:${'a'.repeat(64)}`;
const URL = `https://${IMAGE}`;
const NOTE = 'projects/vendor/notes/CVE-1';

let clock: VirtualClock;
let core: ContainerAnalysis;
beforeEach(() => {
  clock = new VirtualClock();
  core = new ContainerAnalysis({ clock });
  core.createNote('projects/vendor', 'CVE-1', { vulnerability: { severity: 'HIGH' } });
});

function found(resourceUri = URL) {
  return core.createOccurrence('projects/acme', {
    resourceUri,
    noteName: NOTE,
    vulnerability: { effectiveSeverity: 5, packageIssue: [{ affectedPackage: 'zlib' }] },
  });
}

describe('occurrences', () => {
  test('have the kind of their details, and enumerations by name', () => {
    expect(found()).toMatchObject({
      kind: 'VULNERABILITY',
      vulnerability: { effectiveSeverity: 'CRITICAL' },
    });
  });

  test('need a note, of the same kind', () => {
    const attestation = { serializedPayload: '', signatures: [] };
    const value = { resourceUri: URL, noteName: NOTE, attestation };
    expect(() => core.createOccurrence('projects/acme', value)).toThrow('is a note of kind VULNERABILITY');
    expect(() =>
      core.createOccurrence('projects/acme', { ...value, noteName: 'projects/vendor/notes/none' }),
    ).toThrow('not found');
  });

  test('take bytes in either alphabet of Base64 and give them in the standard one', () => {
    core.createNote('projects/acme', 'ci', { attestation: {} });
    const { attestation } = core.createOccurrence('projects/acme', {
      resourceUri: URL,
      noteName: 'projects/acme/notes/ci',
      attestation: { serializedPayload: '-_8', signatures: [{ signature: '+/8=', publicKeyId: 'key' }] },
    });
    expect(attestation?.serializedPayload).toBe('+/8=');
    expect(attestation?.signatures[0]?.signature).toBe('+/8=');
  });

  test('are listed by project and filter, and by note over all projects', () => {
    const { name } = found();
    found(`${URL.slice(0, -1)}b`);
    core.createOccurrence('projects/other', { resourceUri: URL, noteName: NOTE, vulnerability: {} });
    const list = (filter: string) => core.listOccurrences('projects/acme', filter).map(one => one.name);
    expect(list(`kind="VULNERABILITY" AND resourceUrl="${URL}"`)).toEqual([name]);
    expect(list(`(kind = "DISCOVERY") OR (resourceUrl = "${URL}")`)).toEqual([name]);
    expect(list(`has_suffix(resourceUrl, "${'a'.repeat(64)}")`)).toEqual([name]);
    expect(list('noteId="CVE-1" AND noteProjectId="vendor"')).toHaveLength(2);
    expect(list('kind="DISCOVERY"')).toEqual([]);
    expect(core.listNoteOccurrences(NOTE, '')).toHaveLength(3);
  });

  test('are not listed by a filter that is not understood', () => {
    expect(() => core.listOccurrences('projects/acme', 'severity>HIGH')).toThrow('expected one of kind');
  });

  test('keep resource, note and kind through an update', async () => {
    const { name, createTime } = found();
    await clock.advance(1000);
    const change = { resourceUri: 'elsewhere', vulnerability: { effectiveSeverity: 'LOW' } };
    const updated = core.updateOccurrence(name, change, 'resource_uri,vulnerability');
    expect(updated).toMatchObject({
      resourceUri: URL,
      vulnerability: { effectiveSeverity: 'LOW' },
      createTime,
    });
    expect(updated.updateTime).not.toBe(createTime);
    expect(() => core.updateOccurrence(name, { discovery: {} }, 'vulnerability,discovery')).toThrow(
      'of kind',
    );
  });
});

describe('the scanner', () => {
  const kinds = () => core.listOccurrences('projects/acme', '').map(({ kind }) => kind);
  const status = () =>
    core.listOccurrences('projects/acme', 'kind="DISCOVERY"').map(one => one.discovery?.analysisStatus);
  const finding = { id: 'CVE-2', severity: 'CRITICAL', package: 'openssl', version: '3.0.1' } as const;

  test('puts every pushed digest on record at once, once, and what it found when it is done', async () => {
    const { promise, resolve } = Promise.withResolvers<ScanResult>();
    const scanner = new Scanner(core, () => promise);
    scanner.imagePushed(IMAGE);
    scanner.imagePushed(IMAGE);
    expect(kinds()).toEqual(['DISCOVERY']);
    expect(status()).toEqual(['SCANNING']);
    resolve({ status: 'FINISHED_SUCCESS', findings: [finding, { ...finding, package: 'libssl' }] });
    await clock.advance(0);
    expect(status()).toEqual(['FINISHED_SUCCESS']);
    expect(kinds()).toEqual(['DISCOVERY', 'VULNERABILITY', 'VULNERABILITY']);
  });

  test('says so when a scan breaks', async () => {
    new Scanner(core, () => Promise.reject(new Error('out of memory'))).imagePushed(IMAGE);
    await clock.advance(0);
    const [discovery] = core.listOccurrences('projects/acme', 'kind="DISCOVERY"');
    expect(discovery?.discovery).toMatchObject({
      analysisStatus: 'FINISHED_FAILED',
      analysisStatusError: { message: 'Error: out of memory' },
    });
  });
});

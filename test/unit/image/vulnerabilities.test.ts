import { describe, expect, test } from 'vitest';
import type { Authorities, Scan, Vulnerability } from '../../../functions/image/authorities.ts';
import type { Subject } from '../../../functions/image/supply-chain.ts';
import type { VerifiedPlatform } from '../../../functions/image/verdict.ts';
import { checkVulnerabilities } from '../../../functions/image/vulnerabilities.ts';

const IMAGE = 'us-docker.pkg.dev/acme/apps/hello';
const INDEX = `sha256:${'0'.repeat(64)}`;
const AMD64 = platform('linux/amd64', 'a');
const ARM64 = platform('linux/arm64', 'b');
const BOTH = pushed([AMD64, ARM64]);
const FINISHED: Scan = { state: 'finished' };

function platform(name: string, digit: string): VerifiedPlatform {
  const digest = `sha256:${digit.repeat(64)}`;
  return { platform: name, digest, sizeBytes: 1, configDigest: digest, entrypoint: ['/app'] };
}

function pushed(platforms: readonly VerifiedPlatform[]): Subject {
  const index = {
    schemaVersion: 2 as const,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [],
  };
  return { digest: INDEX, index, platforms };
}

function finding(change: Partial<Vulnerability> = {}): Vulnerability {
  return {
    ...{
      id: 'CVE-2026-1',
      severity: 'critical',
      package: 'openssl',
      version: '3.0.1',
      fixedVersion: '3.0.2',
    },
    ...change,
  };
}

interface Known {
  readonly scans: readonly Scan[];
  readonly found?: readonly Vulnerability[];
}

function knowing(known: Readonly<Record<string, Known>>): Authorities {
  return {
    scans: async (_, digest) => known[digest]?.scans ?? [],
    vulnerabilities: async (_, digest) => known[digest]?.found ?? [],
    attestation: async () => ({ status: 'missing' }),
  };
}

const amd64Has = (...found: Vulnerability[]) =>
  knowing({ [AMD64.digest]: { scans: [FINISHED], found }, [ARM64.digest]: { scans: [FINISHED] } });

describe('what was found', () => {
  test('is accepted up to the severity that the policy allows', async () => {
    const authorities = amd64Has(
      finding({ severity: 'high' }),
      finding({ severity: 'minimal', id: 'CVE-2' }),
    );
    expect(await checkVulnerabilities(authorities, IMAGE, BOTH, 'high')).toEqual([]);
  });

  test('is refused when it is worse, with the vulnerability, the package and what fixes it', async () => {
    const authorities = amd64Has(finding(), finding({ severity: 'low', id: 'CVE-2026-2' }));
    expect(await checkVulnerabilities(authorities, IMAGE, BOTH, 'high')).toEqual([
      {
        code: 'VulnerabilityFound',
        message: `linux/amd64 (${AMD64.digest}) has a vulnerability that is worse than high: CVE-2026-1 (critical) in openssl 3.0.1 (fixed in 3.0.2).`,
        fix: 'Update the packages and build on a current base image: docker buildx build --pull --no-cache --platform linux/amd64',
      },
    ]);
  });

  test('is one reason per platform', async () => {
    const each = { scans: [FINISHED], found: [finding()] };
    const authorities = knowing({ [AMD64.digest]: each, [ARM64.digest]: each });
    const reasons = await checkVulnerabilities(authorities, IMAGE, BOTH, 'medium');
    expect(reasons.map(({ message }) => message.split(' ')[0])).toEqual(['linux/amd64', 'linux/arm64']);
  });

  test('is named up to ten times, the worst first, and the rest counted', async () => {
    const many = Array.from({ length: 12 }, (_, at) =>
      finding({ id: `CVE-${at + 10}`, severity: at === 11 ? 'critical' : 'high' }),
    );
    const [found] = await checkVulnerabilities(amd64Has(...many), IMAGE, BOTH, 'low');
    expect(found?.message).toContain('has 12 vulnerabilities that are worse than low: CVE-21 (critical)');
    expect(found?.message).toContain('CVE-18 ');
    expect(found?.message).not.toContain('CVE-19 ');
    expect(found?.message).toMatch(/, and 2 more\.$/);
  });

  test('counts once when two files of the image have the same package', async () => {
    const [found] = await checkVulnerabilities(amd64Has(finding(), finding()), IMAGE, BOTH, 'low');
    expect(found?.message).toContain('has a vulnerability that');
  });

  test('counts as too severe while nobody has rated it, unless everything is allowed', async () => {
    const authorities = amd64Has(finding({ severity: undefined }));
    const [found] = await checkVulnerabilities(authorities, IMAGE, BOTH, 'high');
    expect(found?.message).toContain('CVE-2026-1 (not rated)');
    expect(await checkVulnerabilities(authorities, IMAGE, BOTH, 'critical')).toEqual([]);
  });

  test.each([
    [[finding({ fixedVersion: undefined })], /^None has a fix yet: .*maxSeverity/],
    [
      [finding(), finding({ id: 'CVE-2', fixedVersion: undefined })],
      /^1 of 2 have a fix: update .*maxSeverity/,
    ],
  ])('comes with what to do when there is no fix: %#', async (found, fix) => {
    const [refused] = await checkVulnerabilities(amd64Has(...found), IMAGE, BOTH, 'low');
    expect(refused?.fix).toMatch(fix);
  });
});

describe('the scan', () => {
  test('of the index does for linux/amd64, and what it found counts', async () => {
    const authorities = knowing({
      [INDEX]: { scans: [FINISHED], found: [finding()] },
      [ARM64.digest]: { scans: [FINISHED] },
    });
    const reasons = await checkVulnerabilities(authorities, IMAGE, BOTH, 'high');
    expect(reasons.map(({ message }) => message.split(' ')[0])).toEqual(['linux/amd64']);
  });

  test('of the index is not waited for where each platform has its own', async () => {
    const own = { scans: [FINISHED] };
    const index = { scans: [{ state: 'unsupported' as const }] };
    const authorities = knowing({ [INDEX]: index, [AMD64.digest]: own, [ARM64.digest]: own });
    expect(await checkVulnerabilities(authorities, IMAGE, BOTH, 'high')).toEqual([]);
  });

  test('of the index does not do for linux/arm64', async () => {
    const authorities = knowing({ [INDEX]: { scans: [FINISHED] }, [AMD64.digest]: { scans: [FINISHED] } });
    const checked = checkVulnerabilities(authorities, IMAGE, BOTH, 'high');
    await expect(checked).rejects.toMatchObject({ code: 'Unavailable', canRetry: true });
    await expect(checked).rejects.toThrow(
      `the scan of linux/arm64 (${ARM64.digest}) in ${IMAGE} is not finished yet`,
    );
  });

  test('that is under way is no verdict, whatever was found so far', async () => {
    const authorities = knowing({
      [AMD64.digest]: { scans: [FINISHED, { state: 'unfinished' }], found: [finding()] },
      [ARM64.digest]: { scans: [FINISHED] },
    });
    await expect(checkVulnerabilities(authorities, IMAGE, BOTH, 'high')).rejects.toMatchObject({
      canRetry: true,
      message: `the scan of linux/amd64 (${AMD64.digest}) in ${IMAGE} is not finished yet`,
    });
  });

  test('that nobody began says which API to look at', async () => {
    await expect(checkVulnerabilities(knowing({}), IMAGE, BOTH, 'high')).rejects.toThrow(
      'containerscanning.googleapis.com',
    );
  });

  test.each([
    ['failed', 'Container Analysis could not scan linux/arm64'],
    ['unsupported', 'Container Analysis does not know how to scan linux/arm64'],
  ] as const)('that %s is refused at once: asking again changes nothing', async (state, message) => {
    const authorities = knowing({
      [ARM64.digest]: { scans: [FINISHED, { state, problem: 'no package database' }] },
    });
    const [refused, ...others] = await checkVulnerabilities(authorities, IMAGE, BOTH, 'critical');
    expect(others).toEqual([]);
    expect(refused).toMatchObject({ code: 'ScanFailed' });
    expect(refused?.message).toBe(
      `${message} (${ARM64.digest}): no package database; what may be in it is not known.`,
    );
  });

  test.each([
    'docker.io/library/nginx',
    'ghcr.io/acme/hello',
    'mirror.gcr.io/library/nginx',
    'pkg.dev.example.com/acme/hello',
  ])('of an image outside Artifact Registry never comes: %s', async image => {
    const [refused] = await checkVulnerabilities(amd64Has(), image, BOTH, 'critical');
    expect(refused).toMatchObject({ code: 'ScanFailed' });
    expect(refused?.message).toContain('in Artifact Registry only');
  });

  test.each(['gcr.io/acme/hello', 'eu.gcr.io/acme/hello', 'us-east4-docker.pkg.dev/acme/apps/hello'])(
    'of %s is asked for',
    async image => expect(await checkVulnerabilities(amd64Has(), image, BOTH, 'low')).toEqual([]),
  );

  test('of a single manifest is its own', async () => {
    const single = { digest: AMD64.digest, index: undefined, platforms: [AMD64] };
    const [found] = await checkVulnerabilities(amd64Has(finding()), IMAGE, single, 'low');
    expect(found).toMatchObject({ code: 'VulnerabilityFound' });
  });
});

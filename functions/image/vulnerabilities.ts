import { SlipwayError } from '../errors.ts';
import type { Authorities, Scan, ScanState, Vulnerability } from './authorities.ts';
import { reason } from './reasons.ts';
import type { Subject } from './supply-chain.ts';
import type { Reason, VerifiedPlatform } from './verdict.ts';
import type { Severity } from './verify.ts';

const MILDEST_FIRST: readonly Severity[] = ['minimal', 'low', 'medium', 'high', 'critical'];
const MAX_NAMED = 10;
/** Container Registry's names are served by Artifact Registry now. */
const ARTIFACT_REGISTRY = /^(?:[a-z0-9-]+-docker\.pkg\.dev|(?:(?:us|eu|asia)\.)?gcr\.io)\//;
/** The one platform that a scan of the index itself is about. */
const SCANNED_OF_AN_INDEX = 'linux/amd64';

/**
 * Refuses an image in which Container Analysis found something worse than `maxSeverity`. A vulnerability without a
 * rating counts as worse, unless everything may be there.
 *
 * Every required platform must have been scanned. Artifact Registry scans by digest, and of an index its first
 * linux/amd64 image (https://cloud.google.com/artifact-analysis/docs/scanning-types): so for that platform alone the
 * index's scan will do, and what was found in the index counts too.
 *
 * A scan that failed or does not support the image is a reason: asking again changes nothing. One that is not finished,
 * or of which nothing is known, is not a verdict.
 *
 * @throws SlipwayError `Unavailable` while a scan is not finished. The push is then delivered again: with 20 deliveries
 * and a backoff from 1 s to 60 s a scan has about a quarter of an hour, after which the push is put on record as lost.
 */
export async function checkVulnerabilities(
  authorities: Authorities,
  image: string,
  subject: Subject,
  maxSeverity: Severity,
): Promise<readonly Reason[]> {
  if (!ARTIFACT_REGISTRY.test(image)) return [notInArtifactRegistry(image)];
  const scanned = await Promise.all(
    subject.platforms.map(platform => readScan(authorities, image, subject, platform)),
  );
  const failures = scanned.flatMap(one => failureOf(image, one) ?? []);
  if (failures.length > 0) return failures;
  const waiting = scanned.filter(one => one.state !== 'finished');
  if (waiting.length > 0) throw notFinished(image, waiting);
  const findings = await Promise.all(
    scanned.map(async ({ platform, digests }) => {
      const found = await Promise.all(digests.map(digest => authorities.vulnerabilities(image, digest)));
      return tooSevere(platform, found.flat(), maxSeverity);
    }),
  );
  return findings.flatMap(found => found ?? []);
}

interface PlatformScan {
  readonly platform: VerifiedPlatform;
  /** Where findings of this platform are on record. */
  readonly digests: readonly string[];
  /** Of all analyses the one that keeps us from knowing; undefined while nothing is known. */
  readonly state: ScanState | undefined;
  readonly problem: string | undefined;
}

async function readScan(
  authorities: Authorities,
  image: string,
  { digest: pushed, index }: Subject,
  platform: VerifiedPlatform,
): Promise<PlatformScan> {
  const hasIndexScan = index !== undefined && platform.platform === SCANNED_OF_AN_INDEX;
  const digests = hasIndexScan ? [platform.digest, pushed] : [platform.digest];
  const [own = [], ofIndex = []] = await Promise.all(digests.map(digest => authorities.scans(image, digest)));
  return { platform, digests, ...worstOf(own.length > 0 ? own : ofIndex) };
}

function worstOf(scans: readonly Scan[]): Pick<PlatformScan, 'state' | 'problem'> {
  const order = ['failed', 'unsupported', 'unfinished', 'finished'] as const;
  const worst = order.flatMap(state => scans.find(scan => scan.state === state) ?? [])[0];
  return { state: worst?.state, problem: worst?.problem };
}

function failureOf(image: string, { platform, state, problem }: PlatformScan): Reason | undefined {
  if (state !== 'failed' && state !== 'unsupported') return undefined;
  const what = state === 'failed' ? 'could not scan' : 'does not know how to scan';
  const why = problem ? `: ${problem}` : '';
  return reason(
    'ScanFailed',
    `Container Analysis ${what} ${named(platform)}${why}; what may be in it is not known.`,
    state === 'failed'
      ? `Push the image again under a new digest, so that it is scanned again, and see gcloud artifacts docker images describe ${image}@${platform.digest} --show-package-vulnerability`
      : 'Build on a base image that is scanned (https://cloud.google.com/artifact-analysis/docs/container-scanning-overview), or take verify.vulnerabilities out of the policy.',
  );
}

function notInArtifactRegistry(image: string): Reason {
  return reason(
    'ScanFailed',
    `The policy asks for the vulnerabilities of ${image}, but Container Analysis scans images in Artifact Registry only.`,
    'Push the image to Artifact Registry (LOCATION-docker.pkg.dev), or take verify.vulnerabilities out of the policy.',
  );
}

function notFinished(image: string, waiting: readonly PlatformScan[]): SlipwayError {
  const subjects = waiting.map(({ platform }) => named(platform)).join(' and ');
  const isUnknown = waiting.some(({ state }) => state === undefined);
  const hint = isUnknown
    ? '; nothing is known of it yet: is containerscanning.googleapis.com enabled in the project of the repository?'
    : '';
  return new SlipwayError(`the scan of ${subjects} in ${image} is not finished yet${hint}`, {
    code: 'Unavailable',
    operation: `read the vulnerabilities of ${image}`,
  });
}

function tooSevere(
  platform: VerifiedPlatform,
  found: readonly Vulnerability[],
  maxSeverity: Severity,
): Reason | undefined {
  const worse = distinct(found)
    .filter(({ severity }) => rankOf(severity) > rankOf(maxSeverity))
    .sort((one, other) => rankOf(other.severity) - rankOf(one.severity) || one.id.localeCompare(other.id));
  if (worse.length === 0) return undefined;
  const count = worse.length === 1 ? 'a vulnerability that is' : `${worse.length} vulnerabilities that are`;
  const list = worse.slice(0, MAX_NAMED).map(describe).join(', ');
  const rest = worse.length > MAX_NAMED ? `, and ${worse.length - MAX_NAMED} more` : '';
  return reason(
    'VulnerabilityFound',
    `${named(platform)} has ${count} worse than ${maxSeverity}: ${list}${rest}.`,
    fixFor(platform, worse),
  );
}

/** Unrated ones come between: after those known to be critical, and worse than any limit below. */
function rankOf(severity: Severity | undefined): number {
  return severity === undefined ? MILDEST_FIRST.indexOf('critical') - 0.5 : MILDEST_FIRST.indexOf(severity);
}

/** The same package may lie in several files, and platform and index may tell the same. */
function distinct(found: readonly Vulnerability[]): Vulnerability[] {
  return [...new Map(found.map(one => [`${one.id} ${one.package} ${one.version}`, one])).values()];
}

function describe({ id, severity, package: name, version, fixedVersion }: Vulnerability): string {
  const where = name ? ` in ${name} ${version}`.trimEnd() : '';
  const fixed = fixedVersion === undefined ? 'no fix yet' : `fixed in ${fixedVersion}`;
  return `${id} (${severity ?? 'not rated'})${where} (${fixed})`;
}

function fixFor({ platform }: VerifiedPlatform, worse: readonly Vulnerability[]): string {
  const rebuild = `update the packages and build on a current base image: docker buildx build --pull --no-cache --platform ${platform}`;
  const accept = 'raise verify.vulnerabilities.maxSeverity in the policy for as long as you accept them';
  const fixable = worse.filter(({ fixedVersion }) => fixedVersion !== undefined).length;
  if (fixable === worse.length) return `${rebuild.charAt(0).toUpperCase()}${rebuild.slice(1)}`;
  if (fixable === 0) return `None has a fix yet: remove the packages, or ${accept}.`;
  return `${fixable} of ${worse.length} have a fix: ${rebuild}; for the others remove the packages, or ${accept}.`;
}

function named({ platform, digest }: VerifiedPlatform): string {
  return `${platform} (${digest})`;
}

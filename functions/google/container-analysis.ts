import type { GrafeasClient, protos } from '@google-cloud/grafeas';
import { SlipwayError } from '../errors.ts';
import type { Scan, ScanState, Vulnerability } from '../image/authorities.ts';
import type { Severity } from '../image/verify.ts';
import { calling } from './errors.ts';

type Occurrence = protos.grafeas.v1.IOccurrence;
type Version = protos.grafeas.v1.IVersion;

/** Without the client's own retries, which go on for ten minutes: who called is delivered again instead. */
const CALL_OPTIONS = { timeout: 20_000, retry: null, autoPaginate: false };
/** The largest that the API gives. */
const PAGE_SIZE = 1000;
/** An attestor's older attestations of the same digest add nothing. */
const MAX_ATTESTATIONS = 20;

/**
 * The analyses of one digest, https://cloud.google.com/artifact-analysis/docs/investigate-vulnerabilities.
 *
 * @throws SlipwayError `PermissionDenied` that names the role to grant
 */
export async function listScans(
  client: GrafeasClient,
  image: string,
  digest: string,
): Promise<readonly Scan[]> {
  const discoveries = await listOccurrences(client, image, digest, 'DISCOVERY', ({ discovery }) =>
    discovery ? [discovery] : [],
  );
  return discoveries.map(({ analysisStatus, analysisStatusError, analysisError }) => ({
    state: scanState(analysisStatus),
    problem: analysisStatusError?.message || analysisError?.[0]?.message || undefined,
  }));
}

/**
 * All vulnerabilities of one digest, one entry per package.
 *
 * @throws SlipwayError `PermissionDenied` that names the role to grant
 */
export async function listVulnerabilities(
  client: GrafeasClient,
  image: string,
  digest: string,
): Promise<readonly Vulnerability[]> {
  return listOccurrences(client, image, digest, 'VULNERABILITY', readVulnerabilities);
}

/** An attestation as it is stored. */
export interface StoredAttestation {
  readonly resourceUri: string;
  readonly noteName: string;
  readonly attestation: protos.grafeas.v1.IAttestationOccurrence;
}

/**
 * The attestations of one digest that hang on a note, at most 20. gcloud stores their resource without `https://`, and
 * looks them up by digest alone; here the image must be the same too.
 *
 * @param note `projects/P/notes/N`
 * @throws SlipwayError `PermissionDenied` that names the role to grant
 */
export async function listAttestations(
  client: GrafeasClient,
  note: string,
  image: string,
  digest: string,
): Promise<readonly StoredAttestation[]> {
  const role = `roles/containeranalysis.notes.occurrences.viewer on ${note}`;
  return granted(`list the attestations of ${image}@${digest} on ${note}`, role, async () => {
    const request = { name: note, filter: `has_suffix(resourceUrl, "${digest}")`, pageSize: PAGE_SIZE };
    const found: StoredAttestation[] = [];
    for await (const occurrence of client.listNoteOccurrencesAsync(request, CALL_OPTIONS)) {
      const { resourceUri, noteName, attestation } = occurrence;
      if (!resourceUri || !attestation) continue;
      if (resourceUri.replace(/^https:\/\//, '') !== `${image}@${digest}`) continue;
      found.push({ resourceUri, noteName: noteName || note, attestation });
      if (found.length === MAX_ATTESTATIONS) break;
    }
    return found;
  });
}

/** Kept page by page as what `read` makes of them: whole, a thousand of them are several megabytes. */
async function listOccurrences<T>(
  client: GrafeasClient,
  image: string,
  digest: string,
  kind: 'DISCOVERY' | 'VULNERABILITY',
  read: (occurrence: Occurrence) => readonly T[],
): Promise<readonly T[]> {
  const parent = `projects/${projectOf(image)}`;
  const filter = `kind="${kind}" AND resourceUrl="https://${image}@${digest}"`;
  const role = `roles/containeranalysis.occurrences.viewer on ${parent}`;
  return granted(`list ${kind} occurrences of ${image}@${digest}`, role, async () => {
    const found: T[] = [];
    const request = { parent, filter, pageSize: PAGE_SIZE };
    for await (const occurrence of client.listOccurrencesAsync(request, CALL_OPTIONS)) {
      found.push(...read(occurrence));
    }
    return found;
  });
}

/** `HOST/PROJECT/…`, where the project of a domain is two components: `HOST/example.com/PROJECT/…`. */
function projectOf(image: string): string {
  const [, first = '', second = ''] = image.split('/');
  return first.includes('.') ? `${first}:${second}` : first;
}

async function granted<T>(operation: string, role: string, call: () => Promise<T>): Promise<T> {
  try {
    return await calling(operation, call);
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.code !== 'PermissionDenied') throw error;
    const { code, cause } = error;
    throw new SlipwayError(`${error.message}; grant ${role}`, { code, operation, cause });
  }
}

const SCAN_STATES: Readonly<Record<string, ScanState>> = {
  FINISHED_SUCCESS: 'finished',
  COMPLETE: 'finished',
  3: 'finished',
  FINISHED_FAILED: 'failed',
  4: 'failed',
  FINISHED_UNSUPPORTED: 'unsupported',
  5: 'unsupported',
};

/** Enumerations come by name or by number, as the transport has it; what is not known has not finished. */
function scanState(status: unknown): ScanState {
  return SCAN_STATES[String(status)] ?? 'unfinished';
}

const SEVERITIES: readonly (Severity | undefined)[] = [
  undefined,
  'minimal',
  'low',
  'medium',
  'high',
  'critical',
];

function severityOf(value: unknown): Severity | undefined {
  if (typeof value === 'number') return SEVERITIES[value];
  return SEVERITIES.find(severity => severity?.toUpperCase() === value);
}

/** The severity of the package's distribution, where there is one, before that of the vulnerability. */
function readVulnerabilities({ vulnerability, noteName }: Occurrence): Vulnerability[] {
  if (!vulnerability) return [];
  const id =
    noteName?.split('/').at(-1) || vulnerability.shortDescription || 'a vulnerability without a name';
  const severity = severityOf(vulnerability.effectiveSeverity) ?? severityOf(vulnerability.severity);
  const issues = vulnerability.packageIssue ?? [];
  if (issues.length === 0) return [{ id, severity, package: '', version: '', fixedVersion: undefined }];
  return issues.map(issue => ({
    id,
    severity: severityOf(issue.effectiveSeverity) ?? severity,
    package: issue.affectedPackage ?? '',
    version: formatVersion(issue.affectedVersion) ?? '',
    fixedVersion: formatVersion(issue.fixedVersion),
  }));
}

/** Undefined for MAXIMUM, which says that no such version is there yet. */
function formatVersion(version: Version | null | undefined): string | undefined {
  if (!version || version.kind === 'MAXIMUM' || version.kind === 3) return undefined;
  if (version.fullName) return version.fullName;
  if (!version.name) return undefined;
  const epoch = version.epoch ? `${version.epoch}:` : '';
  return `${epoch}${version.name}${version.revision ? `-${version.revision}` : ''}`;
}

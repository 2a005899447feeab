import type { ContainerAnalysis } from './core.ts';

/** What one scan comes to. */
export interface ScanResult {
  readonly status: 'FINISHED_SUCCESS' | 'FINISHED_FAILED' | 'FINISHED_UNSUPPORTED';
  readonly findings?: readonly Finding[];
  /** What the scanner says when it did not succeed. */
  readonly error?: string;
}

export interface Finding {
  /** `CVE-2026-1234` */
  readonly id: string;
  readonly severity: 'MINIMAL' | 'LOW' | 'MEDIUM' | 'HIGH' | 'CRITICAL';
  readonly package: string;
  readonly version: string;
  /** Undefined while there is no fix. */
  readonly fixedVersion?: string;
}

/** @param resourceUri `https://HOST/PROJECT/REPOSITORY/IMAGE@DIGEST` */
export type Scan = (resourceUri: string) => Promise<ScanResult> | ScanResult;

const DISCOVERY_NOTE = { project: 'projects/goog-analysis', id: 'PACKAGE_VULNERABILITY' } as const;
const VULNERABILITY_NOTES = 'projects/goog-vulnz';

/**
 * Scans each digest once, when it is pushed, as Artifact Registry does. It looks into nothing: the result is whatever
 * `scan` says.
 */
export class Scanner {
  readonly #core: ContainerAnalysis;
  readonly #scan: Scan;
  readonly #known = new Set<string>();

  constructor(core: ContainerAnalysis, scan: Scan) {
    this.#core = core;
    this.#scan = scan;
    const { project, id } = DISCOVERY_NOTE;
    core.createNote(project, id, { discovery: { analysisKind: 'VULNERABILITY' } });
  }

  /** @param image `HOST/PROJECT/REPOSITORY/IMAGE@DIGEST` */
  imagePushed(image: string): void {
    if (this.#known.has(image)) return;
    this.#known.add(image);
    const resourceUri = `https://${image}`;
    const project = `projects/${image.split('/')[1] ?? ''}`;
    const { name } = this.#core.createOccurrence(project, {
      resourceUri,
      noteName: `${DISCOVERY_NOTE.project}/notes/${DISCOVERY_NOTE.id}`,
      discovery: { analysisStatus: 'SCANNING', continuousAnalysis: 'ACTIVE' },
    });
    Promise.resolve(this.#scan(resourceUri))
      .catch((error: unknown): ScanResult => ({ status: 'FINISHED_FAILED', error: String(error) }))
      .then(result => this.#finish(name, project, resourceUri, result));
  }

  #finish(name: string, project: string, resourceUri: string, result: ScanResult): void {
    for (const finding of result.findings ?? []) {
      const noteName = this.#noteOf(finding);
      this.#core.createOccurrence(project, { resourceUri, noteName, vulnerability: vulnerability(finding) });
    }
    const discovery = {
      analysisStatus: result.status,
      continuousAnalysis: 'ACTIVE',
      ...(result.error ? { analysisStatusError: { code: 13, message: result.error } } : {}),
    };
    this.#core.updateOccurrence(name, { discovery }, 'discovery');
  }

  #noteOf({ id, severity }: Finding): string {
    const name = `${VULNERABILITY_NOTES}/notes/${id}`;
    if (!this.#core.hasNote(name)) {
      this.#core.createNote(VULNERABILITY_NOTES, id, { vulnerability: { severity } });
    }
    return name;
  }
}

function vulnerability({ id, severity, package: name, version, fixedVersion }: Finding): object {
  const fixed = fixedVersion === undefined ? { kind: 'MAXIMUM' } : versionOf(fixedVersion);
  return {
    shortDescription: id,
    severity,
    effectiveSeverity: severity,
    fixAvailable: fixedVersion !== undefined,
    packageIssue: [
      {
        affectedPackage: name,
        affectedVersion: versionOf(version),
        fixedPackage: name,
        fixedVersion: fixed,
        fixAvailable: fixedVersion !== undefined,
        effectiveSeverity: severity,
      },
    ],
  };
}

function versionOf(version: string): object {
  return { kind: 'NORMAL', name: version, fullName: version };
}

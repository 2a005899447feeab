import type { Severity } from './verify.ts';

/** What the check asks Google about an image, `HOST/REPOSITORY`, and one digest in it. Every method throws SlipwayError only. */
export interface Authorities {
  /** The analyses that Container Analysis has on record for this digest; none while it has not heard of it. */
  scans(image: string, digest: string): Promise<readonly Scan[]>;
  /** What was found in it. Complete only for what `scans` gave as finished before. */
  vulnerabilities(image: string, digest: string): Promise<readonly Vulnerability[]>;
  /** @param attestor `projects/P/attestors/A` of Binary Authorization */
  attestation(attestor: string, image: string, digest: string): Promise<Attestation>;
}

export interface Scan {
  readonly state: ScanState;
  /** What the scanner says about a scan that did not succeed. */
  readonly problem?: string | undefined;
}

export type ScanState = 'unfinished' | 'finished' | 'failed' | 'unsupported';

/** One vulnerability in one package. */
export interface Vulnerability {
  /** `CVE-2026-1234` */
  readonly id: string;
  /** Undefined for one that nobody has rated yet. */
  readonly severity: Severity | undefined;
  readonly package: string;
  readonly version: string;
  /** Undefined while there is no fix. */
  readonly fixedVersion: string | undefined;
}

/** Whether an attestor vouches for a digest. */
export type Attestation =
  | { readonly status: 'verified' }
  | { readonly status: 'missing' }
  /** There are attestations, and the service verifies none of them. */
  | { readonly status: 'invalid'; readonly problem: string };

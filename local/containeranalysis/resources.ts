import { z } from 'zod';
import { protoEnum } from '../proto-json.ts';

/** The three kinds of notes and occurrences that are kept here, each with the number that the protocol gives it. */
export const KINDS = { VULNERABILITY: 1, DISCOVERY: 6, ATTESTATION: 7 } as const;
export type Kind = keyof typeof KINDS;

const severity = protoEnum(['SEVERITY_UNSPECIFIED', 'MINIMAL', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL']);

const analysisStatus = protoEnum([
  'ANALYSIS_STATUS_UNSPECIFIED',
  'PENDING',
  'SCANNING',
  'FINISHED_SUCCESS',
  'FINISHED_FAILED',
  'FINISHED_UNSUPPORTED',
]);

const version = z.looseObject({
  kind: protoEnum(['VERSION_KIND_UNSPECIFIED', 'NORMAL', 'MINIMUM', 'MAXIMUM']).optional(),
});

const packageIssue = z.looseObject({
  affectedPackage: z.string().min(1, 'expected the package'),
  affectedVersion: version.optional(),
  fixedVersion: version.optional(),
  effectiveSeverity: severity.optional(),
});

/** Read in either alphabet of Base64 (gcloud sends the one for URLs) and written in the standard one. */
const base64 = z
  .string()
  .regex(/^[\w+/-]*={0,2}$/, 'expected bytes in Base64')
  .transform(text => Buffer.from(text, 'base64').toString('base64'));

export const attestationSchema = z.looseObject({
  serializedPayload: base64.default(''),
  signatures: z
    .array(z.looseObject({ signature: base64, publicKeyId: z.string().min(1, 'expected the key id') }))
    .default([]),
});

/** https://cloud.google.com/container-analysis/docs/reference/rest/v1/projects.occurrences */
export const occurrenceSchema = z.looseObject({
  resourceUri: z.string().min(1, 'expected the resource'),
  noteName: z.string().regex(/^projects\/[^/]+\/notes\/[^/]+$/, 'expected projects/P/notes/N'),
  vulnerability: z
    .looseObject({
      severity: severity.optional(),
      effectiveSeverity: severity.optional(),
      packageIssue: z.array(packageIssue).default([]),
    })
    .optional(),
  discovery: z.looseObject({ analysisStatus: analysisStatus.optional() }).optional(),
  attestation: attestationSchema.optional(),
});

/** https://cloud.google.com/container-analysis/docs/reference/rest/v1/projects.notes */
export const noteSchema = z.looseObject({
  vulnerability: z.looseObject({ severity: severity.optional() }).optional(),
  discovery: z.looseObject({}).optional(),
  attestation: z.looseObject({}).optional(),
});

interface Stored {
  readonly name: string;
  readonly kind: Kind;
  readonly createTime: string;
  readonly updateTime: string;
}

export type Occurrence = z.output<typeof occurrenceSchema> & Stored;
export type Note = z.output<typeof noteSchema> & Stored;

import { z } from 'zod';
import { SlipwayError } from '../errors.ts';
import type { StoredAttestation } from './container-analysis.ts';
import { calling, codeOfHttpStatus } from './errors.ts';

const TIMEOUT_MS = 20_000;
const ROLE = 'roles/binaryauthorization.attestorsVerifier';

/** How the API is reached; it has no client in npm. */
export interface BinaryAuthorizationAccess {
  /** `https://binaryauthorization.googleapis.com` */
  readonly url: string;
  readonly accessToken: () => Promise<string | undefined>;
}

const attestorSchema = z.object({ userOwnedGrafeasNote: z.object({ noteReference: z.string() }) });
const validationSchema = z.object({ result: z.string().default(''), denialReason: z.string().default('') });

/**
 * The note that an attestor's attestations hang on, `projects/P/notes/N`.
 * https://cloud.google.com/binary-authorization/docs/reference/rest/v1/projects.attestors
 *
 * @param attestor `projects/P/attestors/A`
 * @throws SlipwayError `NotFound` for an attestor that does not exist; `PermissionDenied` names the role to grant
 */
export async function noteOf(access: BinaryAuthorizationAccess, attestor: string): Promise<string> {
  const operation = `read the attestor ${attestor}`;
  const answer = await call(access, operation, pathOf(attestor), attestorSchema);
  return answer.userOwnedGrafeasNote.noteReference;
}

/**
 * Has the service verify an attestation with the attestor's public keys.
 *
 * @returns why it does not verify it, or undefined when it does
 * @throws SlipwayError as {@link noteOf} does
 */
export async function validateAttestation(
  access: BinaryAuthorizationAccess,
  attestor: string,
  { resourceUri, noteName, attestation }: StoredAttestation,
): Promise<string | undefined> {
  const operation = `validate an attestation of ${attestor}`;
  const body = {
    attestation: toJson(attestation),
    occurrenceNote: noteName,
    occurrenceResourceUri: resourceUri,
  };
  const path = `${pathOf(attestor)}:validateAttestationOccurrence`;
  const { result, denialReason } = await call(access, operation, path, validationSchema, body);
  return result === 'VERIFIED' ? undefined : denialReason || result || 'no reason given';
}

function pathOf(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/');
}

async function call<S extends z.ZodType>(
  access: BinaryAuthorizationAccess,
  operation: string,
  path: string,
  schema: S,
  body?: object,
): Promise<z.output<S>> {
  const token = await calling(operation, () => access.accessToken());
  const answer = await calling(operation, async () => {
    const response = await fetch(`${access.url}/v1/${path}`, {
      method: body ? 'POST' : 'GET',
      headers: {
        'content-type': 'application/json',
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return { status: response.status, text: await response.text() };
  });
  if (answer.status !== 200) throw refused(operation, answer);
  const parsed = schema.safeParse(parseJson(answer.text));
  if (parsed.success) return parsed.data;
  throw new SlipwayError(`${operation}: the answer is not what the API documents: ${parsed.error.message}`, {
    code: 'Internal',
    operation,
  });
}

const errorSchema = z.object({ error: z.object({ message: z.string() }) });

function refused(operation: string, { status, text }: { status: number; text: string }): SlipwayError {
  const code = codeOfHttpStatus(status);
  const said = errorSchema.safeParse(parseJson(text));
  const message = said.success ? said.data.error.message : `status ${status}`;
  const hint = code === 'PermissionDenied' ? `; grant ${ROLE} on the attestor` : '';
  return new SlipwayError(`${operation}: ${message}${hint}`, { code, operation });
}

/** Bytes are Base64 on the wire, https://protobuf.dev/programming-guides/json. */
function toJson({ serializedPayload, signatures, jwts }: StoredAttestation['attestation']): object {
  return {
    serializedPayload: base64(serializedPayload),
    signatures: (signatures ?? []).map(({ signature, publicKeyId }) => ({
      signature: base64(signature),
      publicKeyId,
    })),
    ...(jwts?.length ? { jwts } : {}),
  };
}

function base64(bytes: Uint8Array | string | null | undefined): string {
  return typeof bytes === 'string' ? bytes : Buffer.from(bytes ?? []).toString('base64');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

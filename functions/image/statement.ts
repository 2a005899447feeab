import { z } from 'zod';
import { type Parsed, parseDocument } from './documents.ts';
import { type Envelope, envelopeSchema } from './dsse.ts';
import { ENVELOPE_TYPE, isBundleType, STATEMENT_TYPE } from './referrers.ts';

const text = z.string().max(8192);

/** An in-toto statement, version 0.1 or 1. Source: in-toto/attestation, spec/. */
const statementSchema = z.looseObject({
  _type: z.enum(['https://in-toto.io/Statement/v0.1', 'https://in-toto.io/Statement/v1']),
  subject: z.array(z.looseObject({ digest: z.record(z.string(), z.string()) })),
  predicateType: text,
  /** Of a shape that `predicateType` decides. */
  predicate: z.unknown(),
});

export type Statement = z.infer<typeof statementSchema>;

const bundleSchema = z.looseObject({
  mediaType: z.string().refine(isBundleType, 'expected the media type of a sigstore bundle'),
  dsseEnvelope: envelopeSchema.optional(),
  messageSignature: z.looseObject({ signature: z.base64() }).optional(),
});

/** What an attached blob holds. */
export type Evidence =
  | {
      readonly kind: 'statement';
      readonly statement: Statement;
      /** That it came in; undefined when nobody signed it. */
      readonly envelope: Envelope | undefined;
    }
  /** A signature over the bytes of what it is attached to. */
  | { readonly kind: 'messageSignature'; readonly signature: Buffer }
  /** An envelope around something that is not an in-toto statement. */
  | { readonly kind: 'other' };

export function parseEvidence(mediaType: string, bytes: Buffer): Parsed<Evidence> {
  if (mediaType === STATEMENT_TYPE) return parseStatement(bytes, undefined);
  if (mediaType === ENVELOPE_TYPE) {
    const envelope = parseDocument(envelopeSchema, bytes);
    return envelope.ok ? openEnvelope(envelope.value) : envelope;
  }
  const bundle = parseDocument(bundleSchema, bytes);
  if (!bundle.ok) return bundle;
  const { dsseEnvelope, messageSignature } = bundle.value;
  if (dsseEnvelope) {
    // The bundle's verification material is for one signature.
    if (dsseEnvelope.signatures.length === 1) return openEnvelope(dsseEnvelope);
    return {
      ok: false,
      problem: `has ${dsseEnvelope.signatures.length} signatures in its envelope, not one`,
    };
  }
  if (!messageSignature) return { ok: false, problem: 'holds neither an envelope nor a signature' };
  const signature = Buffer.from(messageSignature.signature, 'base64');
  return { ok: true, value: { kind: 'messageSignature', signature } };
}

/** Whether the statement is about one of these digests (`sha256:…`). */
export function isAbout(statement: Statement, digests: readonly string[]): boolean {
  return subjectsOf(statement).some(subject => digests.includes(subject));
}

export function subjectsOf(statement: Statement): readonly string[] {
  return statement.subject.flatMap(({ digest }) =>
    Object.entries(digest).map(([algorithm, hex]) => `${algorithm}:${hex}`),
  );
}

function openEnvelope(envelope: Envelope): Parsed<Evidence> {
  if (envelope.payloadType === STATEMENT_TYPE) return parseStatement(envelope.payload, envelope);
  return { ok: true, value: { kind: 'other' } };
}

function parseStatement(bytes: Buffer, envelope: Envelope | undefined): Parsed<Evidence> {
  const statement = parseDocument(statementSchema, bytes);
  if (!statement.ok) return statement;
  return { ok: true, value: { kind: 'statement', statement: statement.value, envelope } };
}

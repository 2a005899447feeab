import { z } from 'zod';
import { isSignedByOne, type PublicKey } from './public-keys.ts';

/**
 * Dead Simple Signing Envelope: a payload with signatures over it and its type.
 * Source: secure-systems-lab/dsse, envelope.md and protocol.md.
 */
export interface Envelope {
  readonly payloadType: string;
  readonly payload: Buffer;
  readonly signatures: readonly Buffer[];
}

const MAX_SIGNATURES = 16;

/** Base64 of either alphabet. */
const base64 = z.string().transform(text => Buffer.from(text, 'base64'));

export const envelopeSchema = z
  .looseObject({
    payloadType: z.string().max(256),
    payload: base64,
    signatures: z.array(z.looseObject({ sig: base64 })).max(MAX_SIGNATURES),
  })
  .transform(
    ({ payloadType, payload, signatures }): Envelope => ({
      payloadType,
      payload,
      signatures: signatures.map(({ sig }) => sig),
    }),
  );

/** Whether one of the envelope's signatures is by one of the keys. */
export function isEnvelopeSigned(envelope: Envelope, keys: readonly PublicKey[]): boolean {
  const signed = preAuthenticationEncoding(envelope);
  return envelope.signatures.some(signature => isSignedByOne(keys, signed, signature));
}

/** The bytes that are signed: `DSSEv1 LENGTH TYPE LENGTH PAYLOAD`, lengths in bytes. */
export function preAuthenticationEncoding({
  payloadType,
  payload,
}: Pick<Envelope, 'payloadType' | 'payload'>): Buffer {
  const typeBytes = Buffer.byteLength(payloadType);
  return Buffer.concat([Buffer.from(`DSSEv1 ${typeBytes} ${payloadType} ${payload.length} `), payload]);
}

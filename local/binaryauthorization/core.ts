import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { attestationSchema } from '../containeranalysis/resources.ts';
import { ApiError } from '../http.ts';
import { check, protoEnum } from '../proto-json.ts';
import { defaultKeyId, isSigned, readPublicKey } from './keys.ts';

/** In the order of the protocol's numbers. */
const ALGORITHMS = [
  '',
  'RSA_PSS_2048_SHA256',
  'RSA_SIGN_PSS_2048_SHA256',
  'RSA_PSS_3072_SHA256',
  'RSA_SIGN_PSS_3072_SHA256',
  'RSA_PSS_4096_SHA256',
  'RSA_SIGN_PSS_4096_SHA256',
  'RSA_PSS_4096_SHA512',
  'RSA_SIGN_PSS_4096_SHA512',
  'RSA_SIGN_PKCS1_2048_SHA256',
  'RSA_SIGN_PKCS1_3072_SHA256',
  'RSA_SIGN_PKCS1_4096_SHA256',
  'RSA_SIGN_PKCS1_4096_SHA512',
  'ECDSA_P256_SHA256',
  'EC_SIGN_P256_SHA256',
  'ECDSA_P384_SHA384',
  'EC_SIGN_P384_SHA384',
  'ECDSA_P521_SHA512',
  'EC_SIGN_P521_SHA512',
] as const;

const publicKey = z
  .looseObject({
    id: z.string().optional(),
    pkixPublicKey: z.object(
      { publicKeyPem: z.string(), signatureAlgorithm: protoEnum(ALGORITHMS) },
      'PGP keys cannot be checked here; expected pkixPublicKey',
    ),
  })
  .transform(({ id, pkixPublicKey, ...rest }) => {
    const { publicKeyPem, signatureAlgorithm } = pkixPublicKey;
    const key = readPublicKey(publicKeyPem, signatureAlgorithm);
    return { ...rest, id: id || defaultKeyId(key), pkixPublicKey };
  });

const attestorSchema = z.looseObject({
  userOwnedGrafeasNote: z.looseObject({
    noteReference: z.string().regex(/^projects\/[^/]+\/notes\/[^/]+$/, 'expected projects/P/notes/N'),
    publicKeys: z.array(publicKey).default([]),
  }),
});

export type Attestor = z.output<typeof attestorSchema> & {
  readonly name: string;
  readonly updateTime: string;
};

const validationSchema = z.object({
  attestation: attestationSchema,
  occurrenceNote: z.string(),
  occurrenceResourceUri: z.string(),
});

export interface Validation {
  readonly result: 'VERIFIED' | 'ATTESTATION_NOT_VERIFIABLE';
  readonly denialReason?: string;
}

/** https://cloud.google.com/binary-authorization/docs/making-attestations: what is signed names the image by digest. */
const payloadSchema = z.object({
  critical: z.object({ image: z.object({ 'docker-manifest-digest': z.string() }) }),
});

/** Attestors, and whether what they are said to have attested bears their signature. */
export class BinaryAuthorization {
  readonly #clock: Clock;
  readonly #attestors = new Map<string, Attestor>();

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
  }

  /** @param project `projects/P` */
  createAttestor(project: string, id: string, value: object): Attestor {
    if (id === '') throw new ApiError('INVALID_ARGUMENT', 'attestorId: expected the id of the attestor');
    const name = `${project}/attestors/${id}`;
    if (this.#attestors.has(name)) throw new ApiError('ALREADY_EXISTS', `${name} already exists`);
    return this.#keep(name, value);
  }

  updateAttestor(name: string, value: object): Attestor {
    return this.#keep(this.getAttestor(name).name, value);
  }

  getAttestor(name: string): Attestor {
    const attestor = this.#attestors.get(name);
    if (!attestor) throw new ApiError('NOT_FOUND', `Requested entity was not found: ${name}.`);
    return attestor;
  }

  listAttestors(project: string): Attestor[] {
    return [...this.#attestors.values()].filter(({ name }) => name.startsWith(`${project}/attestors/`));
  }

  deleteAttestor(name: string): void {
    this.#attestors.delete(this.getAttestor(name).name);
  }

  validate(attestor: string, value: object): Validation {
    const { userOwnedGrafeasNote: own } = this.getAttestor(attestor);
    const { attestation, occurrenceNote, occurrenceResourceUri } = check(value, validationSchema);
    if (occurrenceNote !== own.noteReference) {
      return denied(`the attestation hangs on ${occurrenceNote}, not on ${own.noteReference}`);
    }
    const payload = Buffer.from(attestation.serializedPayload, 'base64');
    const isSignedByUs = attestation.signatures.some(({ signature, publicKeyId }) => {
      const key = own.publicKeys.find(({ id }) => id === publicKeyId)?.pkixPublicKey;
      if (!key) return false;
      const { publicKeyPem, signatureAlgorithm } = key;
      const publicKey = readPublicKey(publicKeyPem, signatureAlgorithm);
      return isSigned(publicKey, signatureAlgorithm, payload, Buffer.from(signature, 'base64'));
    });
    if (!isSignedByUs) return denied('no signature is by a public key of the attestor');
    const attested = readPayload(payload);
    const digest = occurrenceResourceUri.split('@')[1];
    if (attested !== digest) return denied(`the signed payload is about ${attested}, not about ${digest}`);
    return { result: 'VERIFIED' };
  }

  #keep(name: string, value: object): Attestor {
    const updateTime = new Date(this.#clock.nowMs()).toISOString();
    const attestor = { ...check(value, attestorSchema), name, updateTime };
    this.#attestors.set(name, attestor);
    return attestor;
  }
}

function denied(denialReason: string): Validation {
  return { result: 'ATTESTATION_NOT_VERIFIABLE', denialReason };
}

function readPayload(payload: Buffer): string {
  try {
    return payloadSchema.parse(JSON.parse(payload.toString('utf8'))).critical.image['docker-manifest-digest'];
  } catch {
    return 'no image at all';
  }
}

import { createHash, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { preAuthenticationEncoding } from '../../functions/image/dsse.ts';
import type { Statement } from './attestation.ts';
import { type BuiltManifest, type BuiltPart, CONFIG_TYPE, descriptor, MANIFEST_TYPE, part } from './parts.ts';

const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const ENVELOPE_TYPE = 'application/vnd.dsse.envelope.v1+json';
const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json';
const IN_TOTO_TYPE = 'application/vnd.in-toto+json';
const SIMPLE_SIGNING_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';

/** Something that is attached to an image. */
export interface Attached {
  readonly manifest: BuiltManifest;
  /** To push it under: the tag where cosign looks for it, or its digest where the registry lists it. */
  readonly reference: string;
}

/** A signature as cosign makes it up to version 2 and with `--new-bundle-format=false`. */
export function classicSignature(image: string, digest: string, privateKey: KeyObject): Attached {
  const payload = part(SIMPLE_SIGNING_TYPE, {
    critical: {
      identity: { 'docker-reference': image },
      image: { 'docker-manifest-digest': digest },
      type: 'cosign container image signature',
    },
    optional: null,
  });
  const signature = signatureOf(payload.bytes, privateKey).toString('base64');
  const annotations = { 'dev.cosignproject.cosign/signature': signature };
  return tagged(`${digest.replace(':', '-')}.sig`, payload, annotations);
}

/** A signature as cosign makes it from version 3 on. */
export function bundledSignature(subject: BuiltPart, privateKey: KeyObject): Attached {
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ digest: { sha256: subject.digest.replace('sha256:', '') } }],
    predicateType: 'https://sigstore.dev/cosign/sign/v1',
    predicate: {},
  };
  return bundledStatement(subject, statement, privateKey);
}

/** A statement as GitHub's attestations and `cosign attest` attach it: signed, in a sigstore bundle, as a referrer. */
export function bundledStatement(subject: BuiltPart, statement: Statement, privateKey: KeyObject): Attached {
  const { dsseEnvelope, hint } = envelopeOf(statement, privateKey);
  return bundled(
    subject,
    { verificationMaterial: { publicKey: { hint } }, dsseEnvelope },
    { 'dev.sigstore.bundle.predicateType': statement.predicateType },
  );
}

/** A bundle that signs the bytes of the image's own index or manifest. */
export function bundledMessage(subject: BuiltPart, privateKey: KeyObject): Attached {
  const digest = createHash('sha256').update(subject.bytes).digest('base64');
  const messageSignature = {
    messageDigest: { algorithm: 'SHA2_256', digest },
    signature: signatureOf(subject.bytes, privateKey).toString('base64'),
  };
  return bundled(subject, {
    verificationMaterial: { publicKey: { hint: hintOf(privateKey) } },
    messageSignature,
  });
}

/** A statement as `cosign attest` up to version 2 attaches it: signed, under cosign's tag. */
export function taggedStatement(digest: string, statement: Statement, privateKey: KeyObject): Attached {
  const layer = part(ENVELOPE_TYPE, envelopeOf(statement, privateKey).dsseEnvelope);
  const annotations = { predicateType: statement.predicateType, 'dev.cosignproject.cosign/signature': '' };
  return tagged(`${digest.replace(':', '-')}.att`, layer, annotations);
}

/** Any bundle, whatever is in it, as a referrer of `subject`. */
export function bundled(
  subject: BuiltPart,
  content: object,
  annotations: Readonly<Record<string, string>> = {},
): Attached {
  return referrer(
    subject,
    BUNDLE_TYPE,
    part(BUNDLE_TYPE, { mediaType: BUNDLE_TYPE, ...content }),
    annotations,
  );
}

/** A manifest that names `subject` as what it is about. */
export function referrer(
  subject: BuiltPart,
  artifactType: string,
  layer: BuiltPart,
  annotations: Readonly<Record<string, string>> = {},
): Attached {
  const config = part(EMPTY_TYPE, {});
  const manifest = part(MANIFEST_TYPE, {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    artifactType,
    config: descriptor(config),
    layers: [descriptor(layer)],
    annotations,
    subject: descriptor(subject),
  });
  return {
    manifest: { ...manifest, platform: 'unknown/unknown', config, layers: [layer] },
    reference: manifest.digest,
  };
}

function tagged(tag: string, layer: BuiltPart, annotations: Readonly<Record<string, string>>): Attached {
  const config = part(CONFIG_TYPE, {
    architecture: '',
    os: '',
    config: {},
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  });
  const manifest = part(MANIFEST_TYPE, {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: descriptor(config),
    layers: [{ ...descriptor(layer), annotations }],
  });
  return { manifest: { ...manifest, platform: 'unknown/unknown', config, layers: [layer] }, reference: tag };
}

function envelopeOf(statement: object, privateKey: KeyObject): { dsseEnvelope: object; hint: string } {
  const payload = Buffer.from(JSON.stringify(statement));
  const sig = signatureOf(preAuthenticationEncoding({ payloadType: IN_TOTO_TYPE, payload }), privateKey);
  return {
    hint: hintOf(privateKey),
    dsseEnvelope: {
      payload: payload.toString('base64'),
      payloadType: IN_TOTO_TYPE,
      signatures: [{ sig: sig.toString('base64') }],
    },
  };
}

/** Names the key, as cosign does: the digest of its DER form. */
function hintOf(privateKey: KeyObject): string {
  const der = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('base64');
}

function signatureOf(data: Buffer, privateKey: KeyObject): Buffer {
  return sign(privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256', data, privateKey);
}

import { digestOf } from '../../functions/image/digest.ts';
import { type BuiltManifest, CONFIG_TYPE, descriptor, MANIFEST_TYPE, part } from './parts.ts';

const IN_TOTO_TYPE = 'application/vnd.in-toto+json';
const PREDICATE_TYPE = 'https://slsa.dev/provenance/v1';

export interface Attestation {
  readonly manifest: BuiltManifest;
  /** Of its entry in the index. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** Provenance of one platform as BuildKit stores it: an image that cannot run, listed for `unknown/unknown`. */
export function attestationFor(subject: BuiltManifest): Attestation {
  const layer = part(IN_TOTO_TYPE, provenance(subject));
  const config = part(CONFIG_TYPE, {
    architecture: 'unknown',
    os: 'unknown',
    config: {},
    rootfs: { type: 'layers', diff_ids: [digestOf(layer.bytes)] },
  });
  const manifest = part(MANIFEST_TYPE, {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: descriptor(config),
    layers: [{ ...descriptor(layer), annotations: { 'in-toto.io/predicate-type': PREDICATE_TYPE } }],
  });
  return {
    manifest: { ...manifest, platform: 'unknown/unknown', config, layers: [layer] },
    annotations: {
      'vnd.docker.reference.digest': subject.digest,
      'vnd.docker.reference.type': 'attestation-manifest',
    },
  };
}

function provenance(subject: BuiltManifest): object {
  return {
    _type: 'https://in-toto.io/Statement/v0.1',
    predicateType: PREDICATE_TYPE,
    subject: [
      {
        name: `pkg:docker/hello?platform=${encodeURIComponent(subject.platform)}`,
        digest: { sha256: subject.digest.replace('sha256:', '') },
      },
    ],
    predicate: {
      buildDefinition: {
        buildType: 'https://slipway.dev/local-images/v1',
        externalParameters: {},
        resolvedDependencies: [],
      },
      runDetails: { builder: { id: 'https://slipway.dev/local-images' } },
    },
  };
}

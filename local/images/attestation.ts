import { digestOf } from '../../functions/image/digest.ts';
import { type BuiltManifest, CONFIG_TYPE, descriptor, MANIFEST_TYPE, part } from './parts.ts';

const IN_TOTO_TYPE = 'application/vnd.in-toto+json';

export interface Attestation {
  readonly manifest: BuiltManifest;
  /** Of its entry in the index. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** An in-toto statement. */
export interface Statement {
  readonly _type: string;
  readonly predicateType: string;
  readonly subject: readonly { readonly name?: string; readonly digest: Readonly<Record<string, string>> }[];
  readonly predicate: object;
}

export interface ProvenanceOptions {
  /** Of SLSA provenance; 1 without it. */
  readonly version?: 'v0.2' | 'v1';
  /** Empty as BuildKit leaves it unless it is told; `https://slipway.dev/local-images` without it. */
  readonly builderId?: string;
}

/** Provenance of one platform as BuildKit stores it: an image that cannot run, listed for `unknown/unknown`. */
export function attestationFor(
  subject: BuiltManifest,
  statement = provenanceOf(subject.digest, subject.platform),
): Attestation {
  const layer = part(IN_TOTO_TYPE, statement);
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
    layers: [{ ...descriptor(layer), annotations: { 'in-toto.io/predicate-type': statement.predicateType } }],
  });
  return {
    manifest: { ...manifest, platform: 'unknown/unknown', config, layers: [layer] },
    annotations: {
      'vnd.docker.reference.digest': subject.digest,
      'vnd.docker.reference.type': 'attestation-manifest',
    },
  };
}

/** An in-toto statement about the manifest or index with this digest. */
export function provenanceOf(digest: string, platform: string, options: ProvenanceOptions = {}): Statement {
  const { version = 'v1', builderId = 'https://slipway.dev/local-images' } = options;
  return {
    _type: 'https://in-toto.io/Statement/v0.1',
    predicateType: `https://slsa.dev/provenance/${version}`,
    subject: [
      {
        name: `pkg:docker/hello?platform=${encodeURIComponent(platform)}`,
        digest: { sha256: digest.replace('sha256:', '') },
      },
    ],
    predicate: version === 'v1' ? predicate1(builderId) : predicate02(builderId),
  };
}

const BUILD_TYPE = 'https://slipway.dev/local-images/v1';

function predicate1(id: string): object {
  return {
    buildDefinition: { buildType: BUILD_TYPE, externalParameters: {}, resolvedDependencies: [] },
    runDetails: { builder: { id } },
  };
}

function predicate02(id: string): object {
  return { builder: { id }, buildType: BUILD_TYPE, materials: [] };
}

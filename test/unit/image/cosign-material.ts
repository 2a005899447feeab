import { digestOf } from '../../../functions/image/digest.ts';
import { type BuiltPart, CONFIG_TYPE, INDEX_TYPE, MANIFEST_TYPE } from '../../../local/images/parts.ts';
import type { Attached } from '../../../local/images/signature.ts';

/**
 * What cosign 3.1.3 itself pushed, byte for byte, when it signed this index in a registry on loopback:
 *
 *     cosign generate-key-pair
 *     cosign sign --key cosign.key --tlog-upload=false --use-signing-config=false [--new-bundle-format=false] IMAGE@DIGEST
 */
export const SIGNED_INDEX = text(
  INDEX_TYPE,
  '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
);

export const COSIGN_PUB = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEk7Z4W5BfycRsFwMR3qLKVL3NT2Pt
tUhi+e7Zt+jrL5kahjUhVQF9pIKCyICNE+QNsMm0jAHBg4D0Wkzate7SiQ==
-----END PUBLIC KEY-----
`;

export const BUNDLED: Attached = attached(
  '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json"},"layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","size":659,"digest":"sha256:b6868b751b8ea131833f840390637c9969ea0095f6b8d8dbe14af97b33e9ef99"}],"annotations":{"dev.sigstore.bundle.content":"dsse-envelope","dev.sigstore.bundle.predicateType":"https://sigstore.dev/cosign/sign/v1","org.opencontainers.image.created":"2026-11-21T13:48:14Z"},"subject":{"mediaType":"application/vnd.oci.image.index.v1+json","size":88,"digest":"sha256:dff9de10919148711140d349bf03f1a99eb06f94b03e51715ccebfa7cdc518e2"},"artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json"}',
  text('application/vnd.oci.empty.v1+json', '{}'),
  text(
    'application/vnd.dev.sigstore.bundle.v0.3+json',
    '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"hqTyRShHVBNA+/VCwjsbTC/s1KO4503P6EICPkL4Mno="}},"dsseEnvelope":{"payload":"eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEiLCJzdWJqZWN0IjpbeyJkaWdlc3QiOnsic2hhMjU2IjoiZGZmOWRlMTA5MTkxNDg3MTExNDBkMzQ5YmYwM2YxYTk5ZWIwNmY5NGIwM2U1MTcxNWNjZWJmYTdjZGM1MThlMiJ9LCJhbm5vdGF0aW9ucyI6e319XSwicHJlZGljYXRlVHlwZSI6Imh0dHBzOi8vc2lnc3RvcmUuZGV2L2Nvc2lnbi9zaWduL3YxIiwicHJlZGljYXRlIjp7fX0=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"MEUCIQCF73MDRhy4+m6vxMVqRRsHs0D7Z/aL2Ng0FBXGfChbUgIgIWYt7p4oP6SyzLxvITAWbHk+Xy9qR0Ni077VLRl3U4M="}]}}',
  ),
);

export const CLASSIC: Attached = attached(
  '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":233,"digest":"sha256:4103ae6976a75e43ba559aacb2a7f5c2e342233f1e82f07fd9745474a06ebbf9"},"layers":[{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","size":242,"digest":"sha256:4afcce291f1e246fee448b3c2f7bf81ad14eeb07e9af1dc6d3bc3d836d068543","annotations":{"dev.cosignproject.cosign/signature":"MEUCIQDS3q+AXT7crHOoR1CMP0fwqYq1gyflK+SrjUkJztV7IgIgYG7vdfC0jIR5+sjWQsMYcdKdO1GrCTSM6J9Lzs1Ew+Y="}}]}',
  text(
    CONFIG_TYPE,
    '{"architecture":"","created":"0001-01-01T00:00:00Z","history":[{"created":"0001-01-01T00:00:00Z"}],"os":"","rootfs":{"type":"layers","diff_ids":["sha256:4afcce291f1e246fee448b3c2f7bf81ad14eeb07e9af1dc6d3bc3d836d068543"]},"config":{}}',
  ),
  text(
    'application/vnd.dev.cosign.simplesigning.v1+json',
    '{"critical":{"identity":{"docker-reference":"127.0.0.1:38553/acme/hello"},"image":{"docker-manifest-digest":"sha256:dff9de10919148711140d349bf03f1a99eb06f94b03e51715ccebfa7cdc518e2"},"type":"cosign container image signature"},"optional":null}',
  ),
  `${SIGNED_INDEX.digest.replace(':', '-')}.sig`,
);

function attached(json: string, config: BuiltPart, layer: BuiltPart, tag?: string): Attached {
  const manifest = text(MANIFEST_TYPE, json);
  return {
    manifest: { ...manifest, platform: 'unknown/unknown', config, layers: [layer] },
    reference: tag ?? manifest.digest,
  };
}

function text(mediaType: string, content: string): BuiltPart {
  const bytes = Buffer.from(content);
  return { mediaType, digest: digestOf(bytes), bytes };
}

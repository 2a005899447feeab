import { digestOf } from '../../functions/image/digest.ts';

export const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
export const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';

/** One blob or manifest, ready to be pushed. */
export interface BuiltPart {
  readonly mediaType: string;
  readonly digest: string;
  readonly bytes: Buffer;
}

export interface BuiltManifest extends BuiltPart {
  /** `unknown/unknown` for an attestation. */
  readonly platform: string;
  readonly config: BuiltPart;
  readonly layers: readonly BuiltPart[];
}

export function part(mediaType: string, json: object): BuiltPart {
  const bytes = Buffer.from(JSON.stringify(json));
  return { mediaType, digest: digestOf(bytes), bytes };
}

export function descriptor(built: BuiltPart): { mediaType: string; digest: string; size: number } {
  return { mediaType: built.mediaType, digest: built.digest, size: built.bytes.length };
}

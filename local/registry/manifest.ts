import { RegistryError } from './errors.ts';

/** What a registry has to know of a manifest that is pushed. */
export interface ManifestFacts {
  readonly mediaType: string;
  /** Blobs that must be there already. */
  readonly blobs: readonly string[];
  /** Manifests that must be there already. */
  readonly manifests: readonly string[];
  /** The manifest that this one is about; it need not be there. */
  readonly subject: string | undefined;
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

/** @throws RegistryError `MANIFEST_INVALID` */
export function readManifest(bytes: Buffer, contentType: string | undefined): ManifestFacts {
  const json = parse(bytes);
  const sentAs = contentType?.split(';')[0]?.trim();
  const says = text(json['mediaType']);
  if (sentAs && says && sentAs !== says) {
    throw invalid(`the Content-Type is ${sentAs}, but the manifest's mediaType is ${says}`);
  }
  const mediaType = says ?? sentAs;
  if (!mediaType) throw invalid('neither a Content-Type nor a mediaType says what it is');
  if (json['schemaVersion'] !== 2) throw invalid('schemaVersion must be 2');
  const config = json['config'] === undefined ? [] : [descriptor(json['config'], 'config')];
  const layers = descriptors(json['layers'], 'layers');
  const manifests = descriptors(json['manifests'], 'manifests');
  const subject = json['subject'] === undefined ? undefined : descriptor(json['subject'], 'subject');
  return {
    mediaType,
    blobs: [...config, ...layers].filter(one => !one.isElsewhere).map(one => one.digest),
    manifests: manifests.map(one => one.digest),
    subject: subject?.digest,
    artifactType: text(json['artifactType']) ?? config[0]?.mediaType,
    annotations: isTextRecord(json['annotations']) ? json['annotations'] : undefined,
  };
}

interface DescriptorFacts {
  readonly digest: string;
  readonly mediaType: string;
  /** A layer with `urls` is fetched from there and never pushed. */
  readonly isElsewhere: boolean;
}

function descriptors(value: unknown, field: string): DescriptorFacts[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalid(`${field} is not a list`);
  return value.map((one, index) => descriptor(one, `${field}[${index}]`));
}

function descriptor(value: unknown, field: string): DescriptorFacts {
  const digest = isRecord(value) ? text(value['digest']) : undefined;
  const mediaType = isRecord(value) ? text(value['mediaType']) : undefined;
  if (
    !isRecord(value) ||
    digest === undefined ||
    mediaType === undefined ||
    typeof value['size'] !== 'number'
  ) {
    throw invalid(`${field} is not a descriptor with mediaType, digest and size`);
  }
  return { digest, mediaType, isElsewhere: Array.isArray(value['urls']) && value['urls'].length > 0 };
}

function parse(bytes: Buffer): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw invalid('it is not JSON');
  }
  if (!isRecord(json)) throw invalid('it is not a JSON object');
  return json;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTextRecord(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every(one => typeof one === 'string');
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function invalid(why: string): RegistryError {
  return new RegistryError('MANIFEST_INVALID', `manifest invalid: ${why}`);
}

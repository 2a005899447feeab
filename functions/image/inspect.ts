import { type Document, no, type Outcome, readBlob, readDocument, type Source } from './contents.ts';
import { CONFIG_TYPES, configSchema, type Descriptor, type ImageConfig, parseDocument } from './documents.ts';
import { isLayerType } from './layer-types.ts';
import { formatPlatform, type Platform, rank } from './platforms.ts';
import {
  configMismatch,
  documentInvalid,
  harmless,
  layersMismatch,
  tooManyLayers,
  unsupportedMediaType,
} from './reasons.ts';
import type { Reason, VerifiedPlatform } from './verdict.ts';

const MAX_CONFIG_BYTES = 4 * 1024 * 1024;
/** As many as overlayfs mounts; Docker stops at 127. */
const MAX_LAYERS = 500;
/** What a report shows of a command, which is a few words. */
const [MAX_WORDS, MAX_WORD_LENGTH] = [64, 1024];

export type ManifestDocument = Extract<Document, { kind: 'manifest' }>;

/** A manifest and its config, read and found to belong together. */
export interface Image {
  readonly digest: string;
  readonly document: ManifestDocument;
  readonly config: ImageConfig;
  /** As the config says it; undefined when it does not. */
  readonly platform: Platform | undefined;
}

/** Reads the manifest and config behind an entry of an index. */
export async function readImage(
  source: Source,
  entry: Pick<Descriptor, 'digest' | 'size'>,
): Promise<Outcome<Image>> {
  const where = `the manifest ${entry.digest}`;
  const read = await readDocument(source, entry.digest, where, entry.size);
  if (!read.ok) return read;
  if (read.value.kind !== 'manifest') return no(unsupportedMediaType(where, read.value.mediaType));
  return withConfig(source, entry.digest, read.value);
}

export async function withConfig(
  source: Source,
  digest: string,
  document: ManifestDocument,
): Promise<Outcome<Image>> {
  const descriptor = document.manifest.config;
  const where = `the config ${descriptor.digest} of ${digest}`;
  if (!CONFIG_TYPES.has(descriptor.mediaType)) return no(unsupportedMediaType(where, descriptor.mediaType));
  const bytes = await readBlob(source, descriptor, where, MAX_CONFIG_BYTES);
  if (!bytes.ok) return bytes;
  const config = parseDocument(configSchema, bytes.value);
  if (!config.ok) return no(documentInvalid(where, config.problem));
  return { ok: true, value: { digest, document, config: config.value, platform: platformOf(config.value) } };
}

/** What is wrong with an image that is listed as `listed`, as far as its manifest and config tell. */
export function findFaults(image: Image, listed: Platform): Reason[] {
  const name = formatPlatform(listed);
  const { layers } = image.document.manifest;
  const reasons: Reason[] = [];
  if (!isBuiltFor(image.platform, listed)) {
    const says = image.platform ? formatPlatform(image.platform) : 'no os and architecture';
    reasons.push(configMismatch(name, says, image.digest));
  }
  if (layers.length > MAX_LAYERS) return [...reasons, tooManyLayers(name, layers.length, MAX_LAYERS)];
  const unsupported = Map.groupBy(
    layers.filter(layer => !isLayerType(layer.mediaType)),
    layer => layer.mediaType,
  );
  for (const [mediaType, [layer]] of unsupported) {
    reasons.push(unsupportedMediaType(`the layer ${layer?.digest} of ${name}`, mediaType));
  }
  const diffIds = image.config.rootfs?.diff_ids?.length ?? 0;
  if (diffIds !== layers.length) reasons.push(layersMismatch(name, layers.length, diffIds));
  return reasons;
}

/** The variant may be left to the index, and be lower than listed: what runs on less runs on more. */
function isBuiltFor(says: Platform | undefined, listed: Platform): boolean {
  return (
    says !== undefined && rank({ ...says, variant: says.variant || listed.variant }, listed) !== undefined
  );
}

export function describeImage(image: Image, platform: Platform): VerifiedPlatform {
  const { manifest, sizeBytes } = image.document;
  const revision = image.config.config?.Labels?.['org.opencontainers.image.revision'];
  return {
    platform: formatPlatform(platform),
    digest: image.digest,
    sizeBytes: manifest.layers.reduce((sum, layer) => sum + layer.size, sizeBytes + manifest.config.size),
    configDigest: manifest.config.digest,
    entrypoint: commandOf(image.config)
      .slice(0, MAX_WORDS)
      .map(word => harmless(word.slice(0, MAX_WORD_LENGTH))),
    ...(revision === undefined ? {} : { revision: harmless(revision.slice(0, MAX_WORD_LENGTH)) }),
  };
}

/** Entrypoint and Cmd as the runtime joins them. */
export function commandOf(config: ImageConfig): readonly string[] {
  return [...(config.config?.Entrypoint ?? []), ...(config.config?.Cmd ?? [])];
}

function platformOf(config: ImageConfig): Platform | undefined {
  const { os, architecture, variant } = config;
  return os && architecture ? { os, architecture, variant } : undefined;
}

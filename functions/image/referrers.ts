import { SlipwayError } from '../errors.ts';
import { type Document, no, type Outcome, readDocument, readTagged, type Source } from './contents.ts';
import { type Descriptor, type IndexEntry, indexSchema, MANIFEST_TYPES, parseDocument } from './documents.ts';
import { unsupportedMediaType } from './reasons.ts';
import { tooManyAttachments } from './supply-chain-reasons.ts';

/** Of one digest. What is beyond is not looked at, and said so. */
const MAX_REFERRERS = 64;
const MAX_PAGES = 16;
const MAX_LAYERS = 64;

/** A blob that somebody attached to an image. Nothing about it is proven but its digest. */
export interface Attachment {
  readonly descriptor: Descriptor;
  /** Names it in sentences. */
  readonly where: string;
}

/** What to look for. */
export interface Wanted {
  /** Cosign's tag for it: `sha256-….sig`, `sha256-….att`. */
  readonly tagSuffix: 'sig' | 'att';
  readonly predicateTypes: ReadonlySet<string>;
}

/** Everything attached to images of one repository, read as it is asked for. */
export interface Attachments {
  /**
   * Listed by the registry or by the digest's fallback tag, then by cosign's tag. One document is in memory at a time.
   *
   * @throws SlipwayError when the registry cannot be asked
   */
  of(digest: string, wanted: Wanted): AsyncGenerator<Outcome<Attachment>, void>;
  /** In these manifests. */
  in(entries: readonly IndexEntry[], wanted: Wanted): AsyncGenerator<Outcome<Attachment>, void>;
}

interface Referrers {
  readonly entries: readonly IndexEntry[];
  readonly isComplete: boolean;
}

export function attachmentsIn(source: Source): Attachments {
  const lists = new Map<string, Promise<Outcome<Referrers>>>();

  function referrersOf(digest: string): Promise<Outcome<Referrers>> {
    const known = lists.get(digest) ?? listReferrers(source, digest);
    lists.set(digest, known);
    return known;
  }

  async function* readAll(entries: readonly IndexEntry[], wanted: Wanted) {
    const chosen = entries.filter(entry => mayHold(entry, wanted));
    for (const entry of chosen.slice(0, MAX_REFERRERS)) {
      const where = `the attached manifest ${entry.digest}`;
      yield* layersOf(await readDocument(source, entry.digest, where, entry.size), where, wanted);
    }
    if (chosen.length > MAX_REFERRERS) yield no(tooManyAttachments(MAX_REFERRERS));
  }

  return {
    async *of(digest, wanted) {
      const referrers = await referrersOf(digest);
      if (referrers.ok) {
        yield* readAll(referrers.value.entries, wanted);
        if (!referrers.value.isComplete) yield no(tooManyAttachments(MAX_REFERRERS));
      } else {
        yield referrers;
      }
      const tag = `${tagFor(digest)}.${wanted.tagSuffix}`;
      const where = `the manifest tagged ${tag}`;
      yield* layersOf(await readTagged(source, tag, where), where, wanted);
    },
    in: readAll,
  };
}

async function listReferrers(source: Source, digest: string): Promise<Outcome<Referrers>> {
  const entries: IndexEntry[] = [];
  let query: string | undefined;
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const page = await source.registry.referrers(source.image, digest, query);
    if (!page) return listByTag(source, digest);
    const parsed = parseDocument(indexSchema, page.bytes);
    if (!parsed.ok) throw unreadable(`the list of ${digest}'s referrers ${parsed.problem}`);
    entries.push(...parsed.value.manifests.filter(isOfInterest));
    query = page.nextQuery;
    if (query === undefined) return { ok: true, value: { entries, isComplete: true } };
  }
  return { ok: true, value: { entries, isComplete: false } };
}

/** Where clients keep the list for registries that keep none. */
async function listByTag(source: Source, digest: string): Promise<Outcome<Referrers>> {
  const tag = tagFor(digest);
  const read = await readTagged(source, tag, `the list of referrers tagged ${tag}`);
  if (!read.ok) return read;
  if (read.value?.kind !== 'index') return { ok: true, value: NONE };
  return { ok: true, value: { entries: read.value.index.manifests.filter(isOfInterest), isComplete: true } };
}

const NONE: Referrers = { entries: [], isComplete: true };

function* layersOf(
  read: Outcome<Document | undefined>,
  where: string,
  wanted: Wanted,
): Generator<Outcome<Attachment>, void> {
  if (!read.ok) {
    yield read;
    return;
  }
  if (read.value === undefined) return;
  if (read.value.kind !== 'manifest') {
    yield no(unsupportedMediaType(where, read.value.mediaType));
    return;
  }
  const layers = read.value.manifest.layers.filter(layer => mayHold(layer, wanted) && isEvidence(layer));
  for (const layer of layers.slice(0, MAX_LAYERS)) {
    yield { ok: true, value: { descriptor: layer, where: `the layer ${layer.digest} of ${where}` } };
  }
  if (layers.length > MAX_LAYERS) yield no(tooManyAttachments(MAX_LAYERS));
}

/** The distribution specification's tag for the referrers of a digest, and the stem of cosign's tags. */
export function tagFor(digest: string): string {
  const colon = digest.indexOf(':');
  const safe = (text: string) => text.replace(/[^a-zA-Z0-9._-]/g, '-');
  return `${safe(digest.slice(0, colon)).slice(0, 32)}-${safe(digest.slice(colon + 1)).slice(0, 64)}`;
}

export const STATEMENT_TYPE = 'application/vnd.in-toto+json';
export const ENVELOPE_TYPE = 'application/vnd.dsse.envelope.v1+json';
export const SIMPLE_SIGNING_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const BUNDLE_TYPE = /^application\/vnd\.dev\.sigstore\.bundle(?:\.v\d+\.\d+)?\+json(?:;.*)?$/;

export function isBundleType(mediaType: string): boolean {
  return BUNDLE_TYPE.test(mediaType);
}

function isEvidence({ mediaType }: Descriptor): boolean {
  return [STATEMENT_TYPE, ENVELOPE_TYPE, SIMPLE_SIGNING_TYPE].includes(mediaType) || isBundleType(mediaType);
}

/** What registries give manifests of these kinds as artifact type; where they give none it has to be read. */
const ARTIFACT_TYPES: ReadonlySet<string> = new Set([
  STATEMENT_TYPE,
  ENVELOPE_TYPE,
  'application/vnd.dev.cosign.artifact.sig.v1+json',
  'application/vnd.dev.cosign.artifact.att.v1+json',
  'application/vnd.docker.attestation.manifest.v1+json',
  'application/vnd.oci.empty.v1+json',
  'application/vnd.oci.image.config.v1+json',
]);

function isOfInterest({ mediaType, artifactType }: IndexEntry): boolean {
  if (!MANIFEST_TYPES.has(mediaType)) return false;
  return !artifactType || ARTIFACT_TYPES.has(artifactType) || isBundleType(artifactType);
}

/** Annotations that name what an attestation says: of sigstore's manifests, of BuildKit's layers, of cosign's layers. */
const PREDICATE_ANNOTATIONS = [
  'dev.sigstore.bundle.predicateType',
  'in-toto.io/predicate-type',
  'predicateType',
];

/** Saves reading what says itself that it is something else. What it really is, its content tells. */
function mayHold({ annotations }: Pick<Descriptor, 'annotations'>, { predicateTypes }: Wanted): boolean {
  const said = PREDICATE_ANNOTATIONS.flatMap(name => annotations?.[name] ?? []);
  return said.every(predicateType => predicateTypes.has(predicateType));
}

function unreadable(why: string): SlipwayError {
  return new SlipwayError(`Cannot list what is attached to the image: ${why}.`, {
    code: 'Internal',
    operation: 'list referrers',
  });
}

import { SlipwayError } from '../errors.ts';
import {
  type Document,
  no,
  type Outcome,
  readBlob,
  readDocument,
  readTagged,
  type Source,
} from './contents.ts';
import { type Descriptor, type IndexEntry, indexSchema, MANIFEST_TYPES, parseDocument } from './documents.ts';
import { unsupportedMediaType } from './reasons.ts';
import { tooManyAttachments } from './supply-chain-reasons.ts';

/**
 * For what is attached to one digest, and for what is behind one tag: 128 attachments, each a manifest and a blob. Order
 * decides and not who asks first, so that the same image gets the same verdict. What is beyond is not read, and said so.
 */
const MAX_DOCUMENTS = 256;
const MAX_BYTES = 32 * 1024 * 1024;
const MAX_PAGES = 16;

/** Of one blob. Large builds fill megabytes with `mode=max`. */
const MAX_EVIDENCE_BYTES = 8 * 1024 * 1024;
const MAX_PAYLOAD_BYTES = 64 * 1024;

/** A blob that somebody attached to an image. Nothing about it is proven but its digest. */
export interface Attachment {
  readonly descriptor: Descriptor;
  /** Names it in sentences. */
  readonly where: string;
  /** Asks the registry once, however often it is called. */
  readonly read: () => Promise<Outcome<Buffer>>;
}

/** What to look for. */
export interface Wanted {
  /** Cosign's tag for it: `sha256-….sig`, `sha256-….att`. */
  readonly tagSuffix: 'sig' | 'att';
  readonly predicateTypes: ReadonlySet<string>;
}

/** Everything attached to images of one repository, read as it is asked for, and once for all who ask. */
export interface Attachments {
  /**
   * Listed by the registry or by the digest's fallback tag, then by cosign's tag.
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

/** An attachment, or why it cannot be looked at. */
interface Item {
  /** Types that it says of itself to have; none where it says nothing. */
  readonly says: readonly string[];
  readonly outcome: Outcome<Attachment>;
}

type Items = AsyncGenerator<Item, void>;

/** @param wanted everything that will be asked for: nothing else counts */
export function attachmentsIn(source: Source, wanted: readonly Wanted[]): Attachments {
  const predicateTypes = new Set(wanted.flatMap(one => [...one.predicateTypes]));
  const shared = new Map<string, () => Items>();

  function share(key: string, open: () => Items): Items {
    const replay = shared.get(key) ?? replayable(open());
    shared.set(key, replay);
    return replay();
  }

  return {
    async *of(digest, sought) {
      const referrers = share(digest, () => readReferrers(source, digest, predicateTypes));
      yield* only(referrers, sought);
      const tag = `${tagFor(digest)}.${sought.tagSuffix}`;
      const tagged = share(tag, () => readTag(source, tag, predicateTypes));
      yield* only(tagged, sought);
    },
    in: (entries, sought) => only(readAll(source, entries, predicateTypes), sought),
  };
}

/** Everybody gets it from the start; each item is made once, when the first one comes to it. */
function replayable(items: Items): () => Items {
  const made: Promise<IteratorResult<Item, void>>[] = [];
  return async function* () {
    for (let index = 0; ; index++) {
      const next = made[index] ?? items.next();
      made[index] = next;
      const { done, value } = await next;
      if (done) return;
      yield value;
    }
  };
}

async function* only(items: Items, { predicateTypes }: Wanted): AsyncGenerator<Outcome<Attachment>, void> {
  for await (const { says, outcome } of items) if (mayHold(says, predicateTypes)) yield outcome;
}

async function* readReferrers(source: Source, digest: string, wanted: ReadonlySet<string>): Items {
  const listed = await listReferrers(source, digest);
  if (!listed.ok) {
    yield { says: [], outcome: listed };
    return;
  }
  yield* readAll(source, listed.value.entries, wanted);
  if (!listed.value.isComplete) yield TOO_MANY;
}

async function* readTag(source: Source, tag: string, wanted: ReadonlySet<string>): Items {
  const where = `the manifest tagged ${tag}`;
  yield* layersOf(source, await readTagged(source, tag, where), { where, says: [] }, wanted, new Budget());
}

async function* readAll(source: Source, entries: readonly IndexEntry[], wanted: ReadonlySet<string>): Items {
  const budget = new Budget();
  for (const entry of entries) {
    const says = saysOf(entry);
    if (!mayHold(says, wanted)) continue;
    if (!budget.take(entry.size)) yield TOO_MANY;
    if (budget.isSpent) return;
    const where = `the attached manifest ${entry.digest}`;
    const read = await readDocument(source, entry.digest, where, entry.size);
    yield* layersOf(source, read, { where, says }, wanted, budget);
  }
}

class Budget {
  #documents = MAX_DOCUMENTS;
  #bytes = MAX_BYTES;

  get isSpent(): boolean {
    return this.#documents < 0 || this.#bytes < 0;
  }

  /** Whether there is enough for one more document. */
  take(sizeBytes: number): boolean {
    this.#documents--;
    this.#bytes -= sizeBytes;
    return !this.isSpent;
  }
}

const TOO_MANY: Item = { says: [], outcome: no(tooManyAttachments(MAX_DOCUMENTS / 2, MAX_BYTES)) };

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
  source: Source,
  read: Outcome<Document | undefined>,
  { where, says }: { readonly where: string; readonly says: readonly string[] },
  wanted: ReadonlySet<string>,
  budget: Budget,
): Generator<Item, void> {
  if (!read.ok) {
    yield { says, outcome: read };
    return;
  }
  if (read.value === undefined) return;
  if (read.value.kind !== 'manifest') {
    yield { says, outcome: no(unsupportedMediaType(where, read.value.mediaType)) };
    return;
  }
  for (const layer of read.value.manifest.layers) {
    const saysInAll = [...says, ...saysOf(layer)];
    if (!isEvidence(layer) || !mayHold(saysInAll, wanted)) continue;
    // What is too large by itself is refused unread.
    if (!budget.take(layer.size > maxBytesOf(layer) ? 0 : layer.size)) {
      yield TOO_MANY;
      return;
    }
    yield { says: saysInAll, outcome: { ok: true, value: attachment(source, layer, where) } };
  }
}

function attachment(source: Source, descriptor: Descriptor, manifest: string): Attachment {
  const where = `the layer ${descriptor.digest} of ${manifest}`;
  const read = once(() => readBlob(source, descriptor, where, maxBytesOf(descriptor)));
  return { descriptor, where, read };
}

/** Makes it with the first call, and gives the same with every other. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function maxBytesOf({ mediaType }: Descriptor): number {
  return mediaType === SIMPLE_SIGNING_TYPE ? MAX_PAYLOAD_BYTES : MAX_EVIDENCE_BYTES;
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

function saysOf({ annotations }: Pick<Descriptor, 'annotations'>): string[] {
  return PREDICATE_ANNOTATIONS.flatMap(name => annotations?.[name] ?? []);
}

/** Saves reading what says itself that it is something else. What it really is, its content tells. */
function mayHold(says: readonly string[], predicateTypes: ReadonlySet<string>): boolean {
  return says.every(predicateType => predicateTypes.has(predicateType));
}

function unreadable(why: string): SlipwayError {
  return new SlipwayError(`Cannot list what is attached to the image: ${why}.`, {
    code: 'Internal',
    operation: 'list referrers',
  });
}

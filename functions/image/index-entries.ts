import { no, type Outcome, readDocument, type Source } from './contents.ts';
import { INDEX_TYPES, type Index, type IndexEntry } from './documents.ts';
import { formatPlatform, isUnknownPlatform, type Platform, rank } from './platforms.ts';
import { duplicatePlatform, indexTooLarge, platformMissing } from './reasons.ts';
import type { Reason } from './verdict.ts';

const MAX_ENTRIES = 1000;
/** Of at most 4 MiB each, read at the same time. */
const MAX_NESTED_INDEXES = 8;
const MAX_DEPTH = 3;

export interface Flattened {
  readonly entries: readonly IndexEntry[];
  readonly reasons: readonly Reason[];
}

/** Runtimes try what the index lists for no platform last, whatever its config says, and so does `choose`. */
const IS_SILENT = 'isSilent';

/** All manifests of an index and of the indexes in it, without attestations. */
export async function flatten(source: Source, index: Index): Promise<Flattened> {
  const entries: IndexEntry[] = [];
  const reasons: Reason[] = [];
  const seen = new Set<string>();
  let level: readonly Index[] = [index];
  for (let depth = 1; level.length > 0; depth++) {
    const listed = level.flatMap(one => one.manifests);
    const nested = listed.filter(entry => INDEX_TYPES.has(entry.mediaType) && !seen.has(entry.digest));
    const manifests = listed.filter(entry => !INDEX_TYPES.has(entry.mediaType) && !isAttestation(entry));
    entries.push(...manifests.map(entry => ({ ...entry, [IS_SILENT]: !entry.platform })));
    for (const entry of nested) seen.add(entry.digest);

    const excess = findExcess(entries.length + nested.length, seen.size, depth + Number(nested.length > 0));
    if (excess) return { entries: [], reasons: [excess] };
    const read = await Promise.all(nested.map(entry => readNested(source, entry)));
    reasons.push(...read.flatMap(one => (one.ok ? [] : [one.reason])));
    level = read.flatMap(one => (one.ok ? [one.value] : []));
  }
  return { entries, reasons };
}

/**
 * The entry that a runtime takes for a platform: one that is listed for it before one that only its config says it of, and
 * of those the one of the best variant; with a reason when there is none or more than one.
 */
export function choose(
  entries: readonly IndexEntry[],
  wanted: Platform,
  required: readonly string[],
): { readonly entry: IndexEntry | undefined; readonly reason: Reason | undefined } {
  const fitting = entries.flatMap(entry => {
    const level = entry.platform ? rank(entry.platform, wanted) : undefined;
    return level === undefined ? [] : [{ entry, level }];
  });
  const listed = fitting.filter(({ entry }) => entry[IS_SILENT] !== true);
  const first = listed.length > 0 ? listed : fitting;
  const best = Math.max(...first.map(({ level }) => level));
  const matching = first.filter(({ level }) => level === best).map(one => one.entry);
  const digests = [...new Set(matching.map(entry => entry.digest))];
  const [entry] = matching;
  if (!entry) {
    const present = entries.flatMap(one => (one.platform ? [formatPlatform(one.platform)] : []));
    return { entry, reason: platformMissing(formatPlatform(wanted), [...new Set(present)], required) };
  }
  const reason = digests.length > 1 ? duplicatePlatform(formatPlatform(wanted), digests) : undefined;
  return { entry, reason };
}

/**
 * BuildKit lists what it has to say about an image as a manifest for unknown/unknown beside it. Runtimes look at the
 * platform alone: with a real one, an entry is run, whatever its annotations say.
 */
function isAttestation(entry: IndexEntry): boolean {
  if (entry.platform) return isUnknownPlatform(entry.platform);
  return entry.annotations?.['vnd.docker.reference.type'] !== undefined;
}

function findExcess(entries: number, nested: number, depth: number): Reason | undefined {
  if (entries > MAX_ENTRIES)
    return indexTooLarge(`lists ${entries} manifests, at most ${MAX_ENTRIES} are read`);
  if (nested > MAX_NESTED_INDEXES) {
    return indexTooLarge(`holds ${nested} other indexes, at most ${MAX_NESTED_INDEXES} are read`);
  }
  if (depth > MAX_DEPTH) return indexTooLarge(`holds indexes in indexes, more than ${MAX_DEPTH} deep`);
  return undefined;
}

async function readNested(source: Source, entry: IndexEntry): Promise<Outcome<Index>> {
  const where = `the index ${entry.digest} inside the index`;
  const read = await readDocument(source, entry.digest, where, entry.size);
  if (!read.ok) return read;
  if (read.value.kind === 'index') return { ok: true, value: read.value.index };
  return no(indexTooLarge(`lists ${entry.digest} as an index, which it is not`));
}

import { type DocumentData, Timestamp } from '@google-cloud/firestore';
import { expiresMs } from './expiry.ts';
import type { Documents, Kind } from './store.ts';

/** How a document of the store looks in Firestore: the fields of its JSON, and when it expires. */

const TTL_FIELD = 'expiresAt';

/**
 * No slashes, neither `.` nor `..`, nothing between double underscores: https://cloud.google.com/firestore/quotas.
 * Ids of ours stay as they are; ids of messages may be anything.
 */
export function documentId(id: string): string {
  const escaped = id.replaceAll(/[%/]/g, encodeURIComponent);
  return /^(\.\.?|__.*__)$/s.test(escaped) ? `%${escaped}` : escaped;
}

export function toFields(document: Documents[Kind]): DocumentData {
  const fields = Object.fromEntries(Object.entries(document).map(([name, value]) => [name, encode(value)]));
  const atMs = expiresMs(document);
  return atMs === undefined ? fields : { ...fields, [TTL_FIELD]: Timestamp.fromMillis(atMs) };
}

/** The store trusts what it wrote itself. */
export function fromFields<K extends Kind>({ [TTL_FIELD]: _, ...fields }: DocumentData): Documents[K] {
  return decode(fields) as Documents[K];
}

/** Firestore has no arrays directly in arrays (a policy's waves are): the inner ones are wrapped in a map of this field. */
const NESTED = '[]';

function encode(value: unknown, isInArray = false): unknown {
  // Half a surrogate pair, left where a text was cut, is refused.
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value !== 'object' || value === null) return value;
  if (!Array.isArray(value))
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, encode(field)]));
  const items = value.map(item => encode(item, true));
  return isInArray ? { [NESTED]: items } : items;
}

function decode(value: unknown, isInArray = false): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(item => decode(item, true));
  const nested: unknown = isInArray && NESTED in value ? value[NESTED] : undefined;
  if (nested !== undefined) return decode(nested);
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, decode(field)]));
}

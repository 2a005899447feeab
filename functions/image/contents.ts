import type { Readable } from 'node:stream';
import { z } from 'zod';
import { SlipwayError } from '../errors.ts';
import { isCheckable } from './digest.ts';
import {
  type Descriptor,
  INDEX_TYPES,
  type Index,
  indexSchema,
  MANIFEST_TYPES,
  type Manifest,
  manifestSchema,
  parseDocument,
  SCHEMA_1_TYPES,
} from './documents.ts';
import {
  contentInvalid,
  contentMissing,
  digestUnsupported,
  documentInvalid,
  mediaTypeMismatch,
  schema1,
  unsupportedMediaType,
} from './reasons.ts';
import type { Registry } from './registry.ts';
import type { Reason } from './verdict.ts';

/** One repository to read from. */
export interface Source {
  readonly registry: Registry;
  /** `HOST/REPOSITORY` */
  readonly image: string;
}

/** What was read, or why the image as pushed can never be read. Trouble that may pass is thrown instead. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: Reason };

export type Document =
  | { readonly kind: 'index'; readonly index: Index; readonly mediaType: string; readonly sizeBytes: number }
  | {
      readonly kind: 'manifest';
      readonly manifest: Manifest;
      readonly mediaType: string;
      readonly sizeBytes: number;
    };

/** Enough to tell what a document is. */
const headSchema = z.looseObject({ schemaVersion: z.unknown().optional(), mediaType: z.string().optional() });

/** The index or manifest with this digest. `where` names it in sentences: "the manifest of linux/arm64". */
export async function readDocument(
  source: Source,
  digest: string,
  where: string,
  sizeBytes?: number,
): Promise<Outcome<Document>> {
  if (!isCheckable(digest)) return no(digestUnsupported(where, digest));
  return readReference(source, digest, where, sizeBytes);
}

/** What is behind a tag, where what it says is proven by other means; undefined where there is no such tag. */
export async function readTagged(
  source: Source,
  tag: string,
  where: string,
): Promise<Outcome<Document | undefined>> {
  const read = await readReference(source, tag, where);
  return !read.ok && read.reason.code === 'ContentMissing' ? { ok: true, value: undefined } : read;
}

async function readReference(
  source: Source,
  reference: string,
  where: string,
  sizeBytes?: number,
): Promise<Outcome<Document>> {
  const fetched = await attempt(where, () => source.registry.manifest(source.image, reference));
  if (!fetched.ok) return fetched;
  const { bytes, mediaType: sentAs } = fetched.value;
  if (sizeBytes !== undefined && bytes.length !== sizeBytes) {
    return no(contentInvalid(where, `it has ${bytes.length} bytes where ${sizeBytes} are listed.`));
  }
  const head = parseDocument(headSchema, bytes);
  if (SCHEMA_1_TYPES.has(sentAs) || (head.ok && head.value.schemaVersion === 1)) return no(schema1(where));
  if (!head.ok) return no(documentInvalid(where, head.problem));
  const mediaType = head.value.mediaType ?? sentAs;
  if (isKnown(sentAs) && mediaType !== sentAs) return no(mediaTypeMismatch(where, sentAs, mediaType));
  return parse(bytes, mediaType, where);
}

/** A blob that is small by nature, whole. */
export async function readBlob(
  source: Source,
  descriptor: Descriptor,
  where: string,
  maxBytes: number,
): Promise<Outcome<Buffer>> {
  if (descriptor.size > maxBytes) {
    return no(
      contentInvalid(where, `it is listed with ${descriptor.size} bytes, at most ${maxBytes} are read.`),
    );
  }
  if (!isCheckable(descriptor.digest)) return no(digestUnsupported(where, descriptor.digest));
  const read = await attempt(where, async () =>
    collect(await source.registry.blob(source.image, descriptor.digest), descriptor.size),
  );
  if (read.ok && read.value.length !== descriptor.size) {
    return no(contentInvalid(where, `its size is not the ${descriptor.size} bytes that are listed.`));
  }
  return read;
}

/** Sorts errors: what the content itself is guilty of becomes a reason, all else is thrown on. */
export async function attempt<T>(where: string, read: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await read() };
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    if (error.code === 'NotFound') return no(contentMissing(where));
    if (error.code === 'InvalidArgument') return no(contentInvalid(where, error.message));
    throw error;
  }
}

/** Stops one byte after `sizeBytes`: what is longer is not looked at. */
async function collect(stream: Readable, sizeBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    parts.push(chunk);
    length += chunk.length;
    if (length > sizeBytes) break;
  }
  return Buffer.concat(parts);
}

function parse(bytes: Buffer, mediaType: string, where: string): Outcome<Document> {
  const sizeBytes = bytes.length;
  if (INDEX_TYPES.has(mediaType)) {
    const parsed = parseDocument(indexSchema, bytes);
    if (!parsed.ok) return no(documentInvalid(where, parsed.problem));
    return { ok: true, value: { kind: 'index', index: parsed.value, mediaType, sizeBytes } };
  }
  if (MANIFEST_TYPES.has(mediaType)) {
    const parsed = parseDocument(manifestSchema, bytes);
    if (!parsed.ok) return no(documentInvalid(where, parsed.problem));
    return { ok: true, value: { kind: 'manifest', manifest: parsed.value, mediaType, sizeBytes } };
  }
  return no(unsupportedMediaType(where, mediaType));
}

function isKnown(mediaType: string): boolean {
  return INDEX_TYPES.has(mediaType) || MANIFEST_TYPES.has(mediaType);
}

export function no(reason: Reason): { readonly ok: false; readonly reason: Reason } {
  return { ok: false, reason };
}

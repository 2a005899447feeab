import type {
  DocumentReference,
  DocumentSnapshot,
  Firestore,
  Transaction as FirestoreTransaction,
  Query,
} from '@google-cloud/firestore';
import { SlipwayError } from '../errors.ts';
import { calling, normalise } from '../google/errors.ts';
import { EXPIRY_FIELDS, isExpired } from './expiry.ts';
import { documentId, fromFields, toFields } from './firestore-documents.ts';
import {
  type Documents,
  type Fields,
  goneDocument,
  type Kind,
  pick,
  type Store,
  type Transaction,
  type Where,
} from './store.ts';

/**
 * One collection per kind; a document has the fields of its JSON, and `expiresAt` where it expires.
 *
 * `list` needs these composite indexes of collection `rollouts`:
 *   service ASC, createdMs DESC
 *   phase ASC, createdMs DESC
 *   service ASC, phase ASC, createdMs DESC
 * and the others need none. No query reads `history`, `spec`, `targets`, `verification`, `judgement`, `trend` and
 * `evidence` of `rollouts`, nor `text` of `deadMessages`: exempt from indexing, they make writes quicker and cheaper.
 * `expiresAt` is the TTL field of `rollouts` and `deadMessages`; it deletes a day late or so, hence the look at the clock.
 */
const COLLECTIONS = { rollout: 'rollouts', service: 'services', deadMessage: 'deadMessages' } as const;

/** services have no time, and come in the order of their ids. */
const NEWEST_BY: Readonly<Record<Kind, string | undefined>> = {
  rollout: 'createdMs',
  deadMessage: 'receivedMs',
  service: undefined,
};

/** The field that stands for a document's id in an order: `FieldPath.documentId()`, without loading the client. */
const DOCUMENT_ID = '__name__';

/** Records of half a megabyte each still fit into a function's memory. */
const PAGE_SIZE = 50;
/** And a few fields of each are little. */
const SUMMARY_PAGE_SIZE = 300;
/** A page that goes on behind a snapshot needs what it is ordered by. */
const ORDER_FIELDS = ['createdMs'] as const;

/** With the client's backoff, which begins at a second, there is time for this many. */
const MAX_ATTEMPTS = 6;

/** Below the 30 s that an activity has; the client itself would go on for minutes. */
const TIMEOUT_MS = 20_000;

export interface FirestoreStoreOptions {
  readonly nowMs?: () => number;
  readonly timeoutMs?: number;
}

/**
 * Records in Cloud Firestore. `firestore` must have been built with `ignoreUndefinedProperties`.
 * Throws SlipwayError only, besides what a transaction's own work throws.
 */
export function firestoreStore(
  firestore: Firestore,
  { nowMs = Date.now, timeoutMs = TIMEOUT_MS }: FirestoreStoreOptions = {},
): Store {
  const database = { firestore, nowMs };
  /**
   * Transactions of one process queue here, as do the activities of a wave, which write the same record at the same time:
   * in Firestore they would be in each other's way, and each collision costs a second and more.
   */
  let last: Promise<unknown> = Promise.resolve();
  return {
    read(kind, id) {
      const operation = `read ${kind} ${id}`;
      return inTime(timeoutMs, operation, () => calling(operation, () => readOne(database, kind, id)));
    },
    list(kind, where = {}, fields) {
      const operation = `list ${COLLECTIONS[kind]}`;
      return inTime(timeoutMs, operation, () =>
        calling(operation, () => listAll(database, kind, where, fields)),
      );
    },
    readEach(kind, ids, fields) {
      const operation = `read ${COLLECTIONS[kind]}`;
      return inTime(timeoutMs, operation, () =>
        calling(operation, () => readEach(database, kind, ids, fields)),
      );
    },
    transact(work) {
      const turn = last;
      const mine = inTime(timeoutMs, 'change records', async signal => {
        await turn;
        signal.throwIfAborted();
        return transact(database, work);
      });
      last = mine.catch(() => undefined);
      return mine;
    },
    close: () => firestore.terminate(),
  };
}

interface Database {
  readonly firestore: Firestore;
  readonly nowMs: () => number;
}

async function readOne<K extends Kind>(
  database: Database,
  kind: K,
  id: string,
): Promise<Documents[K] | undefined> {
  return alive(database, await reference(database, kind, id).get());
}

function reference({ firestore }: Database, kind: Kind, id: string): DocumentReference {
  return firestore.collection(COLLECTIONS[kind]).doc(documentId(id));
}

function alive<K extends Kind>({ nowMs }: Database, snapshot: DocumentSnapshot): Documents[K] | undefined {
  const fields = snapshot.data();
  if (!fields) return undefined;
  const document = fromFields<K>(fields);
  return isExpired(document, nowMs()) ? undefined : document;
}

async function listAll<K extends Kind, F extends Fields<K>>(
  database: Database,
  kind: K,
  where: Where,
  fields: readonly F[] | undefined,
): Promise<Pick<Documents[K], F>[]> {
  const { limit = Number.POSITIVE_INFINITY } = where;
  const pageSize = Math.min(limit, fields ? SUMMARY_PAGE_SIZE : PAGE_SIZE);
  const documents: Pick<Documents[K], F>[] = [];
  let page = await behind(database, kind, where, query(database, kind, where).limit(pageSize));
  if (fields) page = page.select(...fieldNames(fields));
  for (;;) {
    const { docs } = await page.get();
    for (const snapshot of docs) {
      const document = alive<K>(database, snapshot);
      if (document) documents.push(pick<K, F>(document, fields));
    }
    const last = docs.at(-1);
    if (!last || docs.length < pageSize || documents.length >= limit) return documents.slice(0, limit);
    page = page.startAfter(last);
  }
}

/** A snapshot, and not the values of its fields: what was created in the same millisecond goes by its id. */
async function behind(database: Database, kind: Kind, { after }: Where, found: Query): Promise<Query> {
  if (after === undefined) return found;
  if (NEWEST_BY[kind] === undefined) return found.orderBy(DOCUMENT_ID).startAfter(documentId(after));
  const last = await reference(database, kind, after).get();
  if (!last.exists) throw goneDocument(kind, after);
  return found.startAfter(last);
}

/** What was selected alone does not tell whether it has expired. */
function fieldNames(fields: readonly string[]): string[] {
  return [...new Set([...fields, ...EXPIRY_FIELDS, ...ORDER_FIELDS])];
}

/** In one call, however many they are. */
async function readEach<K extends Kind, F extends Fields<K>>(
  database: Database,
  kind: K,
  ids: readonly string[],
  fields: readonly F[] | undefined,
): Promise<Pick<Documents[K], F>[]> {
  if (ids.length === 0) return [];
  const references = ids.map(id => reference(database, kind, id));
  const mask = fields ? { fieldMask: fieldNames(fields) } : {};
  const snapshots = await database.firestore.getAll(...references, mask);
  return snapshots.flatMap(snapshot => {
    const document = alive<K>(database, snapshot);
    return document ? [pick<K, F>(document, fields)] : [];
  });
}

function query({ firestore }: Database, kind: Kind, { service, phases = [] }: Where): Query {
  let found: Query = firestore.collection(COLLECTIONS[kind]);
  if (service !== undefined) found = found.where('service', '==', service);
  if (phases.length > 0) found = found.where('phase', 'in', phases);
  const newestBy = NEWEST_BY[kind];
  return newestBy ? found.orderBy(newestBy, 'desc') : found;
}

type Work<T> = (transaction: Transaction) => Promise<T>;

async function transact<T>(database: Database, work: Work<T>): Promise<T> {
  const options = { maxAttempts: MAX_ATTEMPTS };
  for (let attempt = 1; ; attempt++) {
    try {
      return await database.firestore.runTransaction(
        transaction => runOnce(database, transaction, work),
        options,
      );
    } catch (error) {
      if (attempt < MAX_ATTEMPTS && isClosed(error)) continue;
      throw error instanceof WorkFailed ? error.cause : normalise(error, 'change records');
    }
  }
}

/**
 * A transaction that others waited for too long is closed, and what it asks next is answered with INVALID_ARGUMENT: a
 * collision like any other, which the client does not take for one. Nothing was written.
 */
function isClosed(error: unknown): boolean {
  return error instanceof Error && /transaction is invalid or closed/i.test(error.message);
}

/** Carries what a transaction's work threw past the client. */
class WorkFailed extends Error {
  constructor(cause: unknown) {
    super('the work of a transaction failed', { cause });
  }
}

async function runOnce<T>(database: Database, transaction: FirestoreTransaction, work: Work<T>): Promise<T> {
  const causes = new Map<unknown, unknown>();
  async function read<K extends Kind>(kind: K, id: string): Promise<Documents[K] | undefined> {
    try {
      return alive<K>(database, await transaction.get(reference(database, kind, id)));
    } catch (cause) {
      const error = normalise(cause, `read ${kind} ${id}`);
      causes.set(error, cause);
      throw error;
    }
  }
  const writes: (() => void)[] = [];
  function write(kind: Kind, id: string, document: Documents[Kind]): void {
    writes.push(() => transaction.set(reference(database, kind, id), toFields(document)));
  }
  const result = await work({ read, write }).catch(error => {
    // The client runs it again when the error is one of its own.
    throw causes.get(error) ?? new WorkFailed(error);
  });
  for (const apply of writes) apply();
  return result;
}

/** A transaction that is given up may still take effect, like every write whose answer was lost. */
async function inTime<T>(
  timeoutMs: number,
  operation: string,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const aborter = new AbortController();
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    aborter.abort();
    const message = `${operation}: no answer within ${timeoutMs / 1000} s`;
    late.reject(new SlipwayError(message, { code: 'DeadlineExceeded', operation }));
  }, timeoutMs);
  try {
    return await Promise.race([call(aborter.signal), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

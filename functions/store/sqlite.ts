import { DatabaseSync } from 'node:sqlite';
import { isExpired } from './expiry.ts';
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

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    service TEXT,
    phase TEXT,
    created_ms INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, id)
  ) STRICT;
  DROP INDEX IF EXISTS newest;
  CREATE INDEX IF NOT EXISTS newest_of_service ON documents (kind, service, created_ms DESC, id);
  CREATE INDEX IF NOT EXISTS phases ON documents (kind, phase, created_ms DESC);
  CREATE INDEX IF NOT EXISTS newest_of_all ON documents (kind, created_ms DESC, id);
`;

/** Of services, which so come in the order of their ids. */
const NO_TIME_MS = 0;

const BUSY_TIMEOUT_MS = 10_000;

/** Records in one SQLite file, which any number of processes on the machine may share. `:memory:` is private. */
export function sqliteStore(file: string, nowMs: () => number = Date.now): Store {
  const database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
  database.exec(SCHEMA);
  const select = database.prepare('SELECT body FROM documents WHERE kind = ? AND id = ?');
  const created = database.prepare('SELECT created_ms FROM documents WHERE kind = ? AND id = ?');
  const upsert = database.prepare(
    `INSERT INTO documents (kind, id, service, phase, created_ms, body) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (kind, id) DO UPDATE SET service = excluded.service, phase = excluded.phase, body = excluded.body`,
  );
  /** A connection has one transaction at a time: they queue here. */
  let last: Promise<unknown> = Promise.resolve();

  async function read<K extends Kind>(kind: K, id: string): Promise<Documents[K] | undefined> {
    const row = select.get(kind, id);
    const document = row && parse<K>(row['body']);
    return document && !isExpired(document, nowMs()) ? document : undefined;
  }

  async function list<K extends Kind, F extends Fields<K>>(
    kind: K,
    where: Where = {},
    fields?: readonly F[],
  ): Promise<Pick<Documents[K], F>[]> {
    const phases = where.phases ?? [];
    const conditions = [
      'kind = ?',
      ...(where.service === undefined ? [] : ['service = ?']),
      ...(phases.length === 0 ? [] : [`phase IN (${phases.map(() => '?').join(', ')})`]),
      // Rows that are as old go by their ids.
      ...(where.after === undefined ? [] : ['created_ms <= ?', '(created_ms < ? OR id > ?)']),
    ];
    const statement = `SELECT body FROM documents WHERE ${conditions.join(' AND ')} ORDER BY created_ms DESC, id`;
    const service = where.service === undefined ? [] : [where.service];
    const after = where.after === undefined ? [] : placeOf(kind, where.after);
    const documents: Pick<Documents[K], F>[] = [];
    for (const row of database.prepare(statement).iterate(kind, ...service, ...phases, ...after)) {
      if (documents.length === where.limit) break;
      const document = parse<K>(row['body']);
      if (!isExpired(document, nowMs())) documents.push(pick<K, F>(document, fields));
    }
    return documents;
  }

  /** As the values of the conditions above. */
  function placeOf(kind: Kind, id: string): (number | string)[] {
    const createdMs = kind === 'service' ? NO_TIME_MS : created.get(kind, id)?.['created_ms'];
    if (typeof createdMs !== 'number') throw goneDocument(kind, id);
    return [createdMs, createdMs, id];
  }

  async function readEach<K extends Kind, F extends Fields<K>>(
    kind: K,
    ids: readonly string[],
    fields?: readonly F[],
  ): Promise<Pick<Documents[K], F>[]> {
    const documents = await Promise.all(ids.map(id => read(kind, id)));
    return documents.flatMap(document => (document ? [pick<K, F>(document, fields)] : []));
  }

  function save(kind: Kind, id: string, document: Documents[Kind]): void {
    const service = 'service' in document ? document.service : null;
    const phase = 'phase' in document ? document.phase : null;
    const createdMs =
      'createdMs' in document
        ? document.createdMs
        : 'receivedMs' in document
          ? document.receivedMs
          : NO_TIME_MS;
    upsert.run(kind, id, service, phase, Math.round(createdMs), JSON.stringify(document));
  }

  async function runAlone<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    database.exec('BEGIN IMMEDIATE');
    try {
      const writes: (() => void)[] = [];
      const result = await work({
        read,
        write: (kind, id, document) => writes.push(() => save(kind, id, document)),
      });
      for (const write of writes) write();
      database.exec('COMMIT');
      return result;
    } catch (error) {
      database.exec('ROLLBACK');
      throw error;
    }
  }

  return {
    read,
    list,
    readEach,
    transact(work) {
      const mine = last.then(() => runAlone(work));
      last = mine.catch(() => undefined);
      return mine;
    },
    async close() {
      await last;
      database.close();
    },
  };
}

function parse<K extends Kind>(body: unknown): Documents[K] {
  return JSON.parse(String(body));
}

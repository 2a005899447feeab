import { access } from 'node:fs/promises';
import { SlipwayError } from '../functions/errors.ts';
import { rolloutId } from '../functions/rollout/admission.ts';
import { newServiceState } from '../functions/rollout/record.ts';
import type { Store } from '../functions/store/store.ts';
import { printable, type Terminal } from './output.ts';
import type { OnRecord } from './plan.ts';
import { withProgress } from './progress.ts';

/**
 * Runs work on the store of a command that cannot do without: SLIPWAY_STORE, or else the project's Firestore.
 *
 * @throws SlipwayError that says what to set, or what to do about what Google Cloud answers
 */
export async function withStore<T>(terminal: Terminal, work: (store: Store) => Promise<T>): Promise<T> {
  const { env } = terminal;
  const project = env['GOOGLE_CLOUD_PROJECT'];
  const setting = env['SLIPWAY_STORE'] || (project ? 'firestore' : undefined);
  if (setting !== undefined && !/^(?:firestore(?::.+)?|sqlite:.+)$/s.test(setting)) {
    const message = `SLIPWAY_STORE: expected firestore, firestore:DATABASE or sqlite:FILE, found "${setting}".`;
    throw new SlipwayError(message, { code: 'InvalidArgument', operation: 'open the store' });
  }
  if (setting === undefined || (!setting.startsWith('sqlite:') && !project)) {
    const message =
      'Which Slipway? --project ID (or GOOGLE_CLOUD_PROJECT) names its Google Cloud project, --local takes the local cloud that runs here.';
    throw new SlipwayError(message, { code: 'InvalidArgument', operation: 'open the store' });
  }
  if (setting.startsWith('sqlite:')) return working(await openSqlite(setting), work);
  try {
    const opening = () => openGoogle({ ...env, SLIPWAY_STORE: setting });
    const store = await withProgress(terminal, () => 'logging in to Google Cloud', opening);
    return await working(store, work);
  } catch (error) {
    const { advised } = await import('./google-access.ts');
    throw advised(error, { project: project ?? '', role: 'roles/datastore.viewer', what: setting });
  }
}

/** The same for what is read once, with progress. */
export function readStore<T>(
  terminal: Terminal,
  what: string,
  read: (store: Store) => Promise<T>,
): Promise<T> {
  return withStore(terminal, store =>
    withProgress(
      terminal,
      () => printable(`reading ${what}`),
      () => read(store),
    ),
  );
}

async function working<T>(store: Store, work: (store: Store) => Promise<T>): Promise<T> {
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Without any of Google's clients it opens in a third of the time. */
async function openSqlite(setting: string): Promise<Store> {
  const file = setting.slice('sqlite:'.length);
  await checkFile(file);
  checkNode();
  const { sqliteStore } = await import('../functions/store/sqlite.ts');
  const store = opened(file, sqliteStore);
  return {
    ...store,
    // Of a local cloud that has ended the file is gone, and what is read of it would never change.
    async read(kind, id) {
      await checkFile(file);
      return store.read(kind, id);
    },
  };
}

async function openGoogle(env: NodeJS.ProcessEnv): Promise<Store> {
  const { checkCredentials } = await import('./google-access.ts');
  await checkCredentials(env, 'firestore');
  const { dependenciesFrom } = await import('../functions/dependencies.ts');
  return dependenciesFrom(env).store();
}

/** What the store has about a service, and about a push to it. */
export async function onRecord(
  store: Store,
  service: string,
  push: { digest: string; tag: string } | undefined,
): Promise<OnRecord> {
  const state = (await store.read('service', service)) ?? newServiceState(service);
  return {
    service: state,
    known: push && (await store.read('rollout', rolloutId(service, push))),
    waiting: state.waiting === undefined ? undefined : await store.read('rollout', state.waiting),
  };
}

function opened(file: string, open: (file: string) => Store): Store {
  try {
    return open(file);
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

async function checkFile(file: string): Promise<void> {
  await access(file).catch(cause => {
    throw unreadable(file, cause);
  });
}

function unreadable(file: string, cause: unknown): SlipwayError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SlipwayError(`SLIPWAY_STORE names ${file}, which cannot be read: ${why}.`, {
    code: 'NotFound',
    operation: 'open the store',
    cause,
  });
}

function checkNode(): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 13)) return;
  throw new SlipwayError(
    `A store in SQLite needs Node.js 22.13 or newer; this is ${process.versions.node}.`,
    { code: 'InvalidArgument', operation: 'open the store' },
  );
}

import { access } from 'node:fs/promises';
import { SlipwayError } from '../functions/errors.ts';
import { rolloutId } from '../functions/rollout/admission.ts';
import { newServiceState } from '../functions/rollout/record.ts';
import type { Store } from '../functions/store/store.ts';
import type { OnRecord } from './plan.ts';

/**
 * The store that SLIPWAY_STORE names; undefined when it names none.
 *
 * @throws SlipwayError when there is none at that place: reading must not make one
 */
export async function configuredStore(env: NodeJS.ProcessEnv): Promise<Store | undefined> {
  const setting = env['SLIPWAY_STORE'];
  if (!setting) return undefined;
  if (setting.startsWith('sqlite:')) {
    await checkFile(setting.slice('sqlite:'.length));
    checkNode();
  }
  const { dependenciesFrom } = await import('../functions/dependencies.ts');
  const isSqlite = setting.startsWith('sqlite:');
  return dependenciesFrom(isSqlite ? { GOOGLE_CLOUD_PROJECT: '', ...env } : env).store();
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

async function checkFile(file: string): Promise<void> {
  const operation = 'open the store';
  await access(file).catch(cause => {
    throw new SlipwayError(`SLIPWAY_STORE names ${file}, which cannot be read: ${String(cause.message)}.`, {
      code: 'NotFound',
      operation,
      cause,
    });
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

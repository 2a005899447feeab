import { addAbortSignal } from 'node:stream';
import { SlipwayError } from '../errors.ts';
import type { Registry } from './registry.ts';

/**
 * @param work has to end by the signal itself: it is no longer waited for, but goes on
 * @throws SlipwayError `DeadlineExceeded` when the signal ends it
 */
export async function before<T>(signal: AbortSignal, operation: string, work: () => Promise<T>): Promise<T> {
  if (signal.aborted) throw tooLate(signal, operation);
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = () => reject(tooLate(signal, operation));
  signal.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([work(), ended]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}

/** A registry that is asked for nothing more once the signal has ended it, and whose streams end then. */
export function registryUntil(signal: AbortSignal, registry: Registry): Registry {
  return {
    manifest: (image, reference) =>
      before(signal, `read manifest ${image} ${reference}`, () => registry.manifest(image, reference)),
    referrers: (image, digest, query) =>
      before(signal, `list referrers of ${image}@${digest}`, () => registry.referrers(image, digest, query)),
    blob: (image, digest) =>
      before(signal, `read blob ${image}@${digest}`, async () =>
        addAbortSignal(signal, await registry.blob(image, digest)),
      ),
  };
}

function tooLate(signal: AbortSignal, operation: string): SlipwayError {
  return new SlipwayError(`${operation}: the check of the image took too long and was ended.`, {
    code: 'DeadlineExceeded',
    operation,
    cause: signal.reason,
  });
}

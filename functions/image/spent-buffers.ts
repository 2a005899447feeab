import v8 from 'node:v8';
import { runInNewContext } from 'node:vm';

/** A collection of the young generation takes about a millisecond; a layer passes so much in some ten. */
const BYTES_BETWEEN_COLLECTIONS = 4 * 1024 * 1024;

type Collect = (options: { type: 'minor' }) => void;
let collect: Collect | undefined;
let spentBytes = 0;

/**
 * To be called with the size of buffers that were read and are garbage now. They lie outside V8's heap, which lets 64 MiB
 * and more of them pile up before it looks: more than reading a layer is to take.
 */
export function spendBuffers(bytes: number): void {
  spentBytes += bytes;
  if (spentBytes < BYTES_BETWEEN_COLLECTIONS) return;
  spentBytes = 0;
  collect ??= collector();
  collect({ type: 'minor' });
}

/** Node.js has no other way to ask for a collection without a flag on its command line. */
function collector(): Collect {
  v8.setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('gc');
  v8.setFlagsFromString('--no-expose-gc');
  return typeof found === 'function'
    ? options => Reflect.apply(found, undefined, [options])
    : () => undefined;
}

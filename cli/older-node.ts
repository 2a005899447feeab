import { SlipwayError } from '../functions/errors.ts';

/**
 * What the code uses and Node.js 20 does not have, so that the command line runs there too. The project itself and the
 * functions run on 24.
 */

Map.groupBy ??= groupBy;
URL.parse ??= parse;
if (isBefore(22, 15)) {
  const zlib = process.getBuiltinModule('node:zlib');
  if (!zlib.createZstdDecompress) Object.assign(zlib, { createZstdDecompress: refuseZstd });
}

function isBefore(major: number, minor: number): boolean {
  const [thisMajor = 0, thisMinor = 0] = process.versions.node.split('.').map(Number);
  return thisMajor < major || (thisMajor === major && thisMinor < minor);
}

function groupBy<K, T>(items: Iterable<T>, keyOf: (item: T, index: number) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  let index = 0;
  for (const item of items) {
    const key = keyOf(item, index++);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

function parse(url: string, base?: string): URL | null {
  return URL.canParse(url, base) ? new URL(url, base) : null;
}

function refuseZstd(): never {
  throw new SlipwayError(
    `The image has a layer that is compressed with zstd, which Node.js reads from 22.15 on; this is ${process.versions.node}.`,
    { code: 'Internal', operation: 'read layer' },
  );
}

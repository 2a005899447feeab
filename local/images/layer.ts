import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { digestOf } from '../../functions/image/digest.ts';

export interface LayerFile {
  /** Without leading slash. */
  readonly path: string;
  readonly bytes: Buffer;
  readonly mode: number;
}

export interface BuiltLayer {
  readonly digest: string;
  /** gzip */
  readonly bytes: Buffer;
  /** Of the unpacked archive. */
  readonly diffId: string;
}

const EPOCH = new Date(0);

/** Same files, same bytes: order, times and owners are fixed. */
export async function buildLayer(files: readonly LayerFile[]): Promise<BuiltLayer> {
  const archive = pack();
  for (const directory of directoriesOf(files)) {
    archive.entry({ name: `${directory}/`, type: 'directory', mode: 0o755, mtime: EPOCH });
  }
  for (const file of [...files].sort((a, b) => compare(a.path, b.path))) {
    archive.entry({ name: file.path, mode: file.mode, mtime: EPOCH }, file.bytes);
  }
  archive.finalize();
  const tar = await buffer(archive);
  const bytes = gzipSync(tar, { level: 9 });
  // RFC 1952 has the operating system here, and zlib writes what it was built on.
  bytes[9] = 255;
  return { digest: digestOf(bytes), bytes, diffId: digestOf(tar) };
}

function directoriesOf(files: readonly LayerFile[]): string[] {
  const directories = new Set<string>();
  for (const { path } of files) {
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      directories.add(path.slice(0, slash));
    }
  }
  return [...directories].sort(compare);
}

/** Not the locale's order, which differs from machine to machine. */
function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

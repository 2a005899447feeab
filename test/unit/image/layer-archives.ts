import { buffer } from 'node:stream/consumers';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { digestOf } from '../../../functions/image/digest.ts';

export interface Archive {
  readonly mediaType: string;
  readonly bytes: Buffer;
  readonly diffId: string;
}

export type TarEntry = Partial<Header> & { readonly name: string; readonly content?: Buffer | string };

export async function tarOf(entries: readonly TarEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content, ...header } of entries) {
    const holdsData = header.type === undefined || header.type === 'file';
    if (holdsData) archive.entry({ mode: 0o755, ...header }, content ?? '');
    else archive.entry(header);
  }
  archive.finalize();
  return buffer(archive);
}

/** A layer with these entries; files are executable unless they say otherwise. */
export async function layerOf(
  entries: readonly TarEntry[],
  compression: 'gzip' | 'zstd' | 'none' = 'gzip',
): Promise<Archive> {
  const tar = await tarOf(entries);
  const suffix = compression === 'none' ? '' : `+${compression}`;
  const bytes = compression === 'gzip' ? gzipSync(tar) : compression === 'zstd' ? zstdCompressSync(tar) : tar;
  return { mediaType: `application/vnd.oci.image.layer.v1.tar${suffix}`, bytes, diffId: digestOf(tar) };
}

export function directory(name: string): TarEntry {
  return { name: `${name}/`, type: 'directory', mode: 0o755 };
}

export function symlink(name: string, linkname: string): TarEntry {
  return { name, type: 'symlink', linkname };
}

export function hardlink(name: string, linkname: string): TarEntry {
  return { name, type: 'link', linkname };
}

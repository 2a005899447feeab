import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { type Answer, type Asked, Refusal } from './http.ts';

/** The page's files: beside this module, and copied beside the bundle. */
const FOLDER = new URL('./page/', import.meta.url);

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

interface Asset {
  readonly bytes: Buffer;
  readonly type: string;
  readonly etag: string;
}

export type Assets = (name: string, asked: Asked) => Promise<Answer>;

/** Only what lies in the folder is ever given: names are looked up in its listing, never made into paths. */
export function assetsIn(folder: URL = FOLDER): Assets {
  let known: Promise<ReadonlyMap<string, Asset>> | undefined;
  return async (name, asked) => {
    known ??= readAll(folder).catch(error => {
      known = undefined;
      throw error;
    });
    const asset = (await known).get(name);
    if (!asset) throw new Refusal(404, `the console has no page ${name}`);
    const headers = { etag: asset.etag, 'cache-control': 'private, no-cache', 'content-type': asset.type };
    const isKnown = asked.header('if-none-match')?.includes(asset.etag);
    return isKnown ? { status: 304, headers, body: '' } : { status: 200, headers, body: asset.bytes };
  };
}

async function readAll(folder: URL): Promise<Map<string, Asset>> {
  const names = (await readdir(folder)).filter(name => TYPES[extname(name)]);
  const assets = await Promise.all(
    names.map(async name => {
      const bytes = await readFile(new URL(name, folder));
      const digest = createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
      return [name, { bytes, type: TYPES[extname(name)] ?? '', etag: `"${digest}"` }] as const;
    }),
  );
  return new Map(assets);
}

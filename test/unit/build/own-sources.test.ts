import { SourceMap } from 'node:module';
import { resolve } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { keepOwnSources } from '../../../build/own-sources.ts';

const ROOT = resolve(import.meta.dirname, '../../..');

test('own lines keep their places, and what is in a package has none', async () => {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    // Its own lines stand before, between and after those of a package.
    stdin: { contents: "import 'p-defer'; export * from './functions/image/digest.ts';", resolveDir: ROOT },
    outdir: ROOT,
    write: false,
    bundle: true,
    platform: 'node',
    format: 'esm',
    sourcemap: 'linked',
    sourcesContent: false,
  });
  const [map, code] = outputFiles;
  const all = new SourceMap(JSON.parse(map?.text ?? ''));
  const own = new SourceMap(JSON.parse(keepOwnSources(map?.text ?? '')));
  const places = (code?.text ?? '')
    .split('\n')
    .flatMap((line, row) => Array.from(line, (_, column) => [row, column] as const))
    .map(([row, column]) => [all.findEntry(row, column), own.findEntry(row, column)] as const);

  const ofPackages = places.filter(([entry]) => sourceOf(entry)?.includes('node_modules/'));
  expect(ofPackages.length).toBeGreaterThan(100);
  expect(ofPackages.filter(([, entry]) => sourceOf(entry) !== undefined)).toEqual([]);
  const ofOwn = places.filter(([entry]) => sourceOf(entry)?.startsWith('functions/'));
  expect(ofOwn.length).toBeGreaterThan(100);
  expect(ofOwn.map(([, entry]) => placeOf(entry))).toEqual(ofOwn.map(([entry]) => placeOf(entry)));
});

type Entry = ReturnType<SourceMap['findEntry']>;

function sourceOf(entry: Entry): string | undefined {
  return 'originalSource' in entry ? entry.originalSource : undefined;
}

function placeOf(entry: Entry): string {
  return 'originalSource' in entry
    ? `${entry.originalSource}:${entry.originalLine}:${entry.originalColumn}`
    : 'none';
}

import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Metafile } from 'esbuild';
import { z } from 'zod';
import type { LockedPackage } from './manifest.ts';

/** Licences that let anyone deploy what is under them, by their SPDX names. */
const ALLOWED: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'PSF-2.0',
  'Python-2.0',
  'Unlicense',
]);

/** A list of names that a package has as data, not as a program. */
const ALLOWED_OF: Readonly<Record<string, string>> = { 'spdx-exceptions': 'CC-BY-3.0' };

const TEXTS = /^(un)?(licen[cs]e|copying|notice)/i;

const manifest = z.object({ name: z.string(), version: z.string(), license: z.unknown() });

interface Package {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** Its licence and notices as they lie in the package, which not every package has. */
  readonly texts: readonly string[];
}

/** Says of every package in the bundle, and beside it, under which licence it is. Refuses those that nobody has looked at. */
export async function thirdPartyLicences(
  root: string,
  metafile: Metafile,
  installed: Readonly<Record<string, LockedPackage>>,
): Promise<string> {
  const bundled = await Promise.all(bundledPackages(metafile).map(place => readPackage(root, place)));
  const beside = Object.entries(installed).map(([place, one]) => ({
    name: nameOf(place),
    version: one.version ?? '',
    licence: one.license ?? 'none',
    texts: [],
  }));
  const refused = [...bundled, ...beside].filter(one => !isAllowed(one));
  if (refused.length > 0) {
    throw new Error(
      `licences that are not in the list of build/licences.ts; look at each, then allow it or do without the package:\n${refused.map(describe).join('\n')}`,
    );
  }
  return print(unique(bundled), unique(beside));
}

/** Places of the packages of which something is left in the bundle: `node_modules/yaml`. */
export function bundledPackages({ outputs }: Metafile): string[] {
  const files = Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs)
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .map(([file]) => file),
  );
  const places = files.flatMap(
    file => /^(?:\w+:)?(.*node_modules\/(?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? [],
  );
  return [...new Set(places)].sort();
}

async function readPackage(root: string, place: string): Promise<Package> {
  const folder = path.join(root, place);
  const { name, version, license } = manifest.parse(
    JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8')),
  );
  return {
    name,
    version,
    licence: typeof license === 'string' ? license : 'none',
    texts: await readTexts(folder),
  };
}

/** Some packages have the text in what they say of themselves alone. */
async function readTexts(folder: string): Promise<string[]> {
  const files = (await readdir(folder)).sort();
  const read = async (file: string) =>
    (await readFile(path.join(folder, file), 'utf8')).replaceAll('\r\n', '\n').trim();
  const texts = await Promise.all(files.filter(file => TEXTS.test(file)).map(read));
  const readme = files.find(file => /^readme\.md$/i.test(file));
  if (texts.length > 0 || readme === undefined) return texts;
  const [text] = /^(?:#+ *)?licen[cs]e\b[\s\S]*/im.exec(await read(readme)) ?? [];
  return text === undefined ? [] : [text];
}

/** @see https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/ of which packages use `A OR B` and `A AND B` */
export function isAllowed({ name, licence }: Pick<Package, 'name' | 'licence'>): boolean {
  const choices = licence.replaceAll(/[()]/g, '').split(' OR ');
  return choices.some(choice =>
    choice.split(' AND ').every(one => ALLOWED.has(one) || ALLOWED_OF[name] === one),
  );
}

function nameOf(place: string): string {
  return place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

function describe({ name, version, licence }: Package): string {
  return `${name} ${version}: ${licence}`;
}

function unique(packages: readonly Package[]): Package[] {
  const byName = new Map(packages.map(one => [describe(one), one]));
  return [...byName.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

const RULE = '='.repeat(100);

/** Each text once, under all the packages that have it word for word. */
function print(bundled: readonly Package[], beside: readonly Package[]): string {
  const byText = Map.groupBy(bundled, ({ texts }) => texts.join('\n\n'));
  const sections = [...byText].map(([text, packages]) =>
    [RULE, ...packages.map(describe), '', text || 'The package has no text of its licence in it.'].join('\n'),
  );
  return [
    'Packages in these files, and the texts of their licences.',
    ...sections,
    [RULE, 'Packages that npm installs beside them, each with the text of its licence:', ''].join('\n'),
    beside.map(describe).join('\n'),
    '',
  ].join('\n\n');
}

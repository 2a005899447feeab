import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Metafile } from 'esbuild';
import { bundleFunctions, ROOT } from './bundle.ts';
import { thirdPartyLicences } from './licences.ts';
import { functionsManifest } from './manifest.ts';
import { measureFunctions } from './measure.ts';
import { grantsOf, printSizes, sizesOf } from './sizes.ts';

/**
 * Builds the folder that Cloud Functions deploys for every function. The entry points are the names that
 * functions/index.ts registers. Same sources, same bytes.
 *
 * @param root the project's folder
 */
export async function buildFunctions(folder: string, root: string = ROOT): Promise<Metafile> {
  const { files, metafile } = await bundleFunctions(root);
  const { packageJson, packageLock, installed } = await functionsManifest(root);
  const licences = await thirdPartyLicences(root, metafile, installed);
  await rm(folder, { recursive: true, force: true });
  for (const { path: name, contents } of files) await write(folder, name, contents);
  for (const name of await assets(root)) await write(folder, name, await readFile(path.join(root, name)));
  await write(folder, 'package.json', json(packageJson));
  await write(folder, 'package-lock.json', json(packageLock));
  await write(folder, 'THIRD-PARTY-LICENCES.txt', licences);
  await write(folder, 'LICENSE', await readFile(path.join(root, 'LICENSE')));
  return metafile;
}

/** What the functions read at run time, the console's page for one: all that is neither their code nor about it. */
async function assets(root: string): Promise<string[]> {
  const entries = await readdir(path.join(root, 'functions'), { recursive: true, withFileTypes: true });
  return entries
    .filter(entry => entry.isFile())
    .filter(({ name }) => !name.endsWith('.ts') && name !== 'tsconfig.json')
    .map(entry => path.relative(root, path.join(entry.parentPath, entry.name)));
}

async function write(folder: string, name: string, contents: string | Uint8Array): Promise<void> {
  const file = path.join(folder, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, contents);
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      measure: { type: 'boolean', default: false },
      out: { type: 'string', default: path.join(ROOT, 'dist', 'functions') },
    },
  });
  const folder = path.resolve(values.out);
  const sizes = sizesOf(await buildFunctions(folder), await grantsOf(ROOT));
  console.log(printSizes(sizes, values.measure ? await measureFunctions(folder, sizes) : undefined));
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

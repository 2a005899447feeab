import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Node takes no TypeScript below node_modules: what is installed as a package runs what was built of the sources. */
const isBuilt = import.meta.url.endsWith('.js');

/** The project's folder, sources or installed package: what is no code is read from there. */
export const PROJECT_FOLDER = folderWith('package.json', dirname(fileURLToPath(import.meta.url)));

/** Programs that are started by themselves, by their place below local/. */
export type Program = 'functions/host' | 'dataplane/lifeline';

export function programUrl(name: Program): URL {
  // What is built is all in one folder.
  const file = isBuilt ? `${name.replace('/', '-')}.js` : `${name}.ts`;
  return new URL(`./${file}`, import.meta.url);
}

function folderWith(file: string, from: string): string {
  if (existsSync(join(from, file))) return from;
  const parent = dirname(from);
  if (parent === from) throw new Error(`no folder above ${import.meta.url} has a ${file}`);
  return folderWith(file, parent);
}

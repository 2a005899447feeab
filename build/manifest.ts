import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { FRAMEWORK } from './bundle.ts';

/**
 * What Cloud Functions installs and starts: its build runs `npm ci`, looks for the functions framework among the
 * dependencies, and has it load `main`. A script called `build` would be run there too, so there is none.
 */

const lockedPackage = z.looseObject({
  version: z.string().optional(),
  license: z.string().optional(),
  engines: z.record(z.string(), z.string()).optional(),
  dependencies: z.record(z.string(), z.string()).optional(),
  optionalDependencies: z.record(z.string(), z.string()).optional(),
  peerDependencies: z.record(z.string(), z.string()).optional(),
});
export type LockedPackage = z.output<typeof lockedPackage>;

const lock = z.looseObject({
  lockfileVersion: z.number(),
  packages: z.record(z.string(), lockedPackage),
});
type Lock = z.output<typeof lock>;

const project = z.object({
  version: z.string(),
  license: z.string(),
  dependencies: z.record(z.string(), z.string()),
});

/** The major version of Node.js that Terraform deploys the functions on: nodejs24. */
const NODE = '24';
const NAME = 'slipway-functions';

export interface Manifest {
  readonly packageJson: object;
  readonly packageLock: object;
  /** What is installed beside the bundle, by its place: `node_modules/express`. */
  readonly installed: Readonly<Record<string, LockedPackage>>;
}

/** The same versions as the project's own lockfile has, which are those that were tested. */
export async function functionsManifest(root: string): Promise<Manifest> {
  const { version, license, dependencies } = project.parse(await readJson(root, 'package.json'));
  const { lockfileVersion, packages } = lock.parse(await readJson(root, 'package-lock.json'));
  const own = {
    version,
    license,
    dependencies: { [FRAMEWORK]: dependencies[FRAMEWORK] },
    engines: { node: NODE },
  };
  const installed = closure(packages, FRAMEWORK);
  return {
    packageJson: { name: NAME, private: true, type: 'module', main: 'index.js', ...own },
    packageLock: {
      name: NAME,
      version,
      lockfileVersion,
      requires: true,
      packages: { '': { name: NAME, ...own }, ...installed },
    },
    installed,
  };
}

async function readJson(root: string, name: string): Promise<unknown> {
  return JSON.parse(await readFile(path.join(root, name), 'utf8'));
}

/** The packages that one package needs, each at its place in node_modules. */
function closure(packages: Lock['packages'], name: string): Record<string, LockedPackage> {
  const found: Record<string, LockedPackage> = {};
  const open = [{ from: '', name, isOptional: false }];
  for (let next = open.pop(); next; next = open.pop()) {
    const place = resolve(packages, next.from, next.name);
    if (place === undefined) {
      if (next.isOptional) continue;
      throw new Error(
        `package-lock.json has no ${next.name} for ${next.from || 'the project'}; run npm install`,
      );
    }
    const known = packages[place];
    if (!known || found[place]) continue;
    found[place] = known;
    const { dependencies, optionalDependencies, peerDependencies } = known;
    for (const one of Object.keys({ ...dependencies }))
      open.push({ from: place, name: one, isOptional: false });
    for (const one of Object.keys({ ...optionalDependencies, ...peerDependencies }))
      open.push({ from: place, name: one, isOptional: true });
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** As Node does: the nearest node_modules, from the inside out. */
function resolve(packages: Lock['packages'], from: string, name: string): string | undefined {
  const place = from ? `${from}/node_modules/${name}` : `node_modules/${name}`;
  if (packages[place]) return place;
  if (from === '') return undefined;
  const outer = from.lastIndexOf('/node_modules/');
  return resolve(packages, outer < 0 ? '' : from.slice(0, outer), name);
}

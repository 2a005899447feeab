import { chmod, cp, readFile, rm } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import path from 'node:path';
import { build, type Plugin } from 'esbuild';

const ROOT = path.join(import.meta.dirname, '..');

/** Large, seldom needed, and installed beside the command line. */
const NOT_BUNDLED = ['@google-cloud/*', '@kubernetes/*', '@opentelemetry/*', 'google-auth-library'];

/** What is started by itself: the command line, and what the local cloud starts, where local/files.ts expects it. */
const ENTRY_POINTS = {
  slipway: 'cli/start.ts',
  'functions-host': 'local/functions/host.ts',
  'dataplane-lifeline': 'local/dataplane/lifeline.ts',
};

/** What the functions read from beside themselves. */
const PAGE = path.join('functions', 'console', 'page');

/** Builds `slipway.js`, what it starts, and the chunks they load when they are needed. Same sources, same bytes. */
export async function buildCommandLine(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await build({
    absWorkingDir: ROOT,
    entryPoints: ENTRY_POINTS,
    outdir: folder,
    // All in one folder: where a file lies that the code reads does not depend on the chunk that reads it.
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    minify: true,
    legalComments: 'none',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: NOT_BUNDLED,
    plugins: [lazyBuiltins, ownSources],
  });
  await cp(path.join(ROOT, PAGE), path.join(folder, PAGE), { recursive: true });
  await chmod(path.join(folder, 'slipway.js'), 0o755);
}

/**
 * Importing a module of Node's loads it and reads every one of its exports: tens of milliseconds for node:https or
 * node:child_process, and more for node:http, of which some exports load all of fetch. So it is loaded when something of
 * it is used, and only that is read.
 */
const lazyBuiltins: Plugin = {
  name: 'lazy builtins',
  setup({ onResolve, onLoad }) {
    const names = builtinModules.map(name => name.replace(/^node:/, '').replaceAll('/', '\\/'));
    onResolve({ filter: new RegExp(`^(?:node:)?(?:${names.join('|')}|sqlite)$`) }, ({ path: name }) => ({
      path: name.replace(/^node:/, ''),
      namespace: 'builtin',
    }));
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path: name }) => ({ contents: lazily(name) }));
  },
};

function lazily(name: string): string {
  const load = `process.getBuiltinModule(${JSON.stringify(`node:${name}`)})`;
  const builtin: unknown = process.getBuiltinModule(`node:${name}`);
  // Some are a class as well, and the process knows itself by identity.
  if (typeof builtin !== 'object' || builtin === null || name === 'process')
    return `module.exports = ${load};`;
  return `
    let loaded;
    for (const name of ${JSON.stringify(Object.keys(builtin))}) {
      Object.defineProperty(exports, name, { enumerable: true, get: () => (loaded ??= ${load})[name] });
    }`;
}

/**
 * Of zod's object `z` every part is kept, all languages included; of the module only what is used. And a function that
 * reads a file beside itself finds it in the same place of the folder that is built.
 */
const ownSources: Plugin = {
  name: 'own sources',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
      const source = await readFile(file, 'utf8');
      const lean = source.replace("import { z } from 'zod'", "import * as z from 'zod'");
      return { contents: inItsPlace(lean, path.relative(ROOT, file).replaceAll('\\', '/')), loader: 'ts' };
    });
  },
};

function inItsPlace(source: string, place: string): string {
  if (!place.startsWith('functions/')) return source;
  return source.replaceAll('import.meta.url', `new URL(${JSON.stringify(place)}, import.meta.url).href`);
}

if (import.meta.main) await buildCommandLine(path.join(ROOT, 'dist', 'cli'));

import { readFile } from 'node:fs/promises';
import { createRequire, isBuiltin } from 'node:module';
import path from 'node:path';
import { types } from 'node:util';
import { build, type Metafile, type OutputFile, type Plugin } from 'esbuild';
import { leanProtos } from './lean-protos.ts';
import { keepOwnSources } from './own-sources.ts';

export const ROOT = path.join(import.meta.dirname, '..');

/** It runs the functions, so it is installed beside them: bundled, they would register themselves with a copy of it. */
export const FRAMEWORK = '@google-cloud/functions-framework';

export interface Bundle {
  /** Paths are relative to the folder that is deployed. */
  readonly files: readonly { readonly path: string; readonly contents: string }[];
  readonly metafile: Metafile;
}

/** `index.js` and the chunks that it loads when they are needed. Same sources, same bytes, wherever they lie. */
export async function bundleFunctions(root: string): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: { index: 'functions/index.ts' },
    // Written elsewhere: source maps name their sources from here.
    outdir: root,
    write: false,
    // All in one folder: see `ownPlaces`.
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    external: [FRAMEWORK],
    // Names and lines stay: without source maps too a stack trace is to be read.
    minifySyntax: true,
    legalComments: 'none',
    sourcemap: 'linked',
    sourcesContent: false,
    // A linked node_modules is where it is linked, not where it comes from.
    preserveSymlinks: true,
    metafile: true,
    logLevel: 'warning',
    define: { __dirname: 'import.meta.dirname' },
    // What is bundled of CommonJS requires Node's modules.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module';\nconst require = requireFrom(import.meta.url);",
    },
    plugins: [namedImports(root), leanProtos(root), ownPlaces(root)],
  });
  refuseNameless(metafile);
  return { files: outputFiles.map(file => finished(root, file)), metafile };
}

function finished(root: string, file: OutputFile): Bundle['files'][number] {
  const name = path.relative(root, file.path);
  return { path: name, contents: name.endsWith('.map') ? keepOwnSources(file.text) : file.text };
}

/** A module that reads a file beside itself finds it where it lies in the sources: the deployed folder has it there too. */
function ownPlaces(root: string): Plugin {
  return {
    name: 'own places',
    setup({ onLoad }) {
      onLoad({ filter: /[\\/]functions[\\/].*\.ts$/ }, async ({ path: file }) => {
        const place = JSON.stringify(path.relative(root, file).replaceAll('\\', '/'));
        const source = await readFile(file, 'utf8');
        if (/import\.meta\.(dir|file)name/.test(source)) {
          throw new Error(
            `${place}: in the bundle only import.meta.url says where a file of the functions lies`,
          );
        }
        const url = `new URL(${place}, import.meta.url).href`;
        return { contents: source.replaceAll('import.meta.url', url), loader: 'ts' };
      });
    },
  };
}

/**
 * Some packages import a CommonJS module when they need it (gaxios does for proxies). Bundled, such an import finds no
 * names: it gets a module in between that names what Node finds there.
 */
function namedImports(root: string): Plugin {
  const ASKED = 'resolving';
  return {
    name: 'named imports',
    setup(context) {
      context.onResolve(
        { filter: /^[^:]*$/ },
        async ({ kind, importer, path: name, resolveDir, pluginData }) => {
          const isOfPackage = /[\\/]node_modules[\\/]/.test(importer);
          if (kind !== 'dynamic-import' || !isOfPackage || isBuiltin(name) || pluginData === ASKED) return;
          const found = await context.resolve(name, { kind, importer, resolveDir, pluginData: ASKED });
          const isThere = found.errors.length === 0 && !found.external;
          const names = isThere ? commonJsNames(found.path) : undefined;
          return names && { path: path.relative(root, found.path), namespace: 'named', pluginData: names };
        },
      );
      context.onLoad({ filter: /.*/, namespace: 'named' }, ({ path: file, pluginData: names }) => ({
        contents: `const module = require(${JSON.stringify(`./${path.basename(file)}`)});
        export default module;
        export const { ${names.join(', ')} } = module;`,
        resolveDir: path.join(root, path.dirname(file)),
      }));
    },
  };
}

/** @returns undefined for an ECMAScript module */
function commonJsNames(file: string): string[] | undefined {
  const module: unknown = createRequire(import.meta.url)(file);
  if (typeof module !== 'object' || module === null || types.isModuleNamespaceObject(module))
    return undefined;
  return Object.keys(module).filter(name => name !== 'default');
}

/** The project's own modules name what they import themselves. */
function refuseNameless({ inputs }: Metafile): void {
  const nameless = Object.entries(inputs).flatMap(([importer, { imports }]) =>
    imports
      .filter(({ kind, path: file }) => kind === 'dynamic-import' && inputs[file]?.format === 'cjs')
      .map(({ path: file }) => `${importer} imports ${file}`),
  );
  if (nameless.length === 0) return;
  throw new Error(
    `import() of a CommonJS module finds no names once it is bundled; name them in a module of their own, as functions/google/packages does:\n${nameless.join('\n')}`,
  );
}

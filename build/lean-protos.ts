import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Plugin } from 'esbuild';
import { z } from 'zod';

const PACKAGE = 'google.cloud.compute';
const VERSION = 'v1';

/** What a package of definitions has in it, by name: other packages, messages, enums, services. */
interface Definition {
  readonly nested?: Readonly<Record<string, Definition>> | undefined;
  readonly [key: string]: unknown;
}

const definition: z.ZodType<Definition> = z.looseObject({
  nested: z
    .record(
      z.string(),
      z.lazy(() => definition),
    )
    .optional(),
});

/**
 * Compute Engine's client builds an object for every message of every one of its services, in two versions of the API: a
 * second, and 200 MB. It gets the services that are used, and the messages that these can reach.
 */
export function leanProtos(root: string): Plugin {
  return {
    name: 'lean protos',
    setup({ onLoad }) {
      onLoad(
        { filter: /[\\/]@google-cloud[\\/]compute[\\/]build[\\/]protos[\\/]protos\.json$/ },
        async file => ({
          contents: JSON.stringify(prune(await readProtos(file.path), await usedServices(root))),
          loader: 'json',
        }),
      );
    },
  };
}

async function readProtos(file: string): Promise<Definition> {
  return definition.parse(JSON.parse(await readFile(file, 'utf8')));
}

/** Each client is named for its service. */
async function usedServices(root: string): Promise<string[]> {
  const source = await readFile(path.join(root, 'functions/google/packages/compute.ts'), 'utf8');
  return [...source.matchAll(/export \{ (\w+)Client \}/g)].map(([, service = '']) => service);
}

export function prune(protos: Definition, services: readonly string[]): Definition {
  const all = [PACKAGE, VERSION].join('.').split('.').reduce(inside, protos).nested ?? {};
  const kept = reachable(all, services);
  const version = Object.fromEntries(Object.entries(all).filter(([name]) => kept.has(name)));
  return replace(protos, PACKAGE.split('.'), { nested: { [VERSION]: { nested: version } } });
}

function inside(outer: Definition, name: string): Definition {
  const inner = outer.nested?.[name];
  if (!inner) throw new Error(`Compute Engine's definitions have no ${name}; has the package changed?`);
  return inner;
}

function replace(outer: Definition, [name, ...rest]: readonly string[], by: Definition): Definition {
  if (name === undefined) return by;
  return { ...outer, nested: { ...outer.nested, [name]: replace(inside(outer, name), rest, by) } };
}

function reachable(all: Readonly<Record<string, Definition>>, services: readonly string[]): Set<string> {
  const kept = new Set<string>();
  const open = [...services];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (kept.has(name)) continue;
    kept.add(name);
    const found = all[name];
    if (!found)
      throw new Error(`Compute Engine's definitions have no service ${name}; has the package changed?`);
    open.push(...wordsOf(found).filter(word => word in all));
  }
  return kept;
}

/** Every text in a definition, a type's name among them: one too many does no harm. */
function wordsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(wordsOf);
}

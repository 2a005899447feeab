import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const LEFT_OUT: ReadonlySet<string> = new Set(['node_modules', 'dist', '.git', '.slipway', '.terraform']);

/** The files of the repository that `wanted` takes, by their path from `root`. */
export function filesBelow(root: string, wanted: (name: string) => boolean, folder = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !LEFT_OUT.has(name))
    .flatMap(entry => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesBelow(root, wanted, path);
      return wanted(entry.name) ? [path] : [];
    })
    .sort();
}

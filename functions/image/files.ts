import type { Elf } from './elf.ts';

/** One path in one layer, with what matters for executing it. */
export type FileNode =
  | { readonly kind: 'directory' }
  /** Absolute targets begin with `/`; a hard link into another layer is kept as such a link. */
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'file'; readonly executable: boolean; readonly content: FileContent };

export type FileContent =
  | { readonly is: 'elf'; readonly elf: Elf }
  /** `#!` line: interpreter and at most one argument, as the kernel splits it. */
  | { readonly is: 'script'; readonly interpreter: string; readonly argument: string | undefined }
  | { readonly is: 'other' };

/** Paths have no leading slash; `` is the root. */
export class LayerFiles {
  readonly digest: string;
  readonly nodes = new Map<string, FileNode>();
  /** Paths that this layer removes from the layers below. */
  readonly whiteouts = new Set<string>();
  /** Directories of which nothing below shines through. */
  readonly opaque = new Set<string>();

  constructor(digest: string) {
    this.digest = digest;
  }

  get size(): number {
    return this.nodes.size + this.whiteouts.size + this.opaque.size;
  }

  add(path: string, node: FileNode): void {
    for (let parent = parentOf(path); parent !== '' && !this.nodes.has(parent); parent = parentOf(parent)) {
      this.nodes.set(parent, DIRECTORY);
    }
    if (path !== '') this.nodes.set(path, node);
  }

  /** Whether this layer takes away what the layers below have at the path. */
  hides(path: string): boolean {
    if (this.whiteouts.has(path)) return true;
    for (let parent = path; parent !== ''; ) {
      parent = parentOf(parent);
      if (this.opaque.has(parent) || this.whiteouts.has(parent)) return true;
      const node = this.nodes.get(parent);
      if (node && node.kind !== 'directory') return true;
    }
    return false;
  }
}

export type Resolved =
  | { readonly status: 'found'; readonly path: string; readonly layer: string; readonly node: FileNode }
  | { readonly status: 'absent' }
  | { readonly status: 'loop' }
  /** A layer that was not read yet decides. */
  | { readonly status: 'unknown' };

/** As the Linux kernel: this many links, then ELOOP. */
const MAX_LINKS = 40;
export const DIRECTORY: FileNode = { kind: 'directory' };

/** The file system that the layers make, as far as they were read: from the top layer down. */
export class ImageFiles {
  readonly #layers: LayerFiles[] = [];
  /** True when no layer is left to read. */
  complete = false;

  addBelow(layer: LayerFiles): void {
    this.#layers.push(layer);
  }

  get size(): number {
    return this.#layers.reduce((sum, layer) => sum + layer.size, 0);
  }

  /** Follows links in every component, never leaving the root. */
  resolve(path: string): Resolved {
    let done: string[] = [];
    let todo = path.split('/');
    let last: Resolved = { status: 'found', path: '/', layer: '', node: DIRECTORY };
    for (let links = 0; todo.length > 0; ) {
      const [part = '', ...rest] = todo;
      todo = rest;
      if (part === '' || part === '.') continue;
      if (part === '..') {
        done.pop();
        last = { status: 'found', path: `/${done.join('/')}`, layer: '', node: DIRECTORY };
        continue;
      }
      if (last.status === 'found' && last.node.kind !== 'directory') return { status: 'absent' };
      const found = this.#find([...done, part].join('/'));
      if (found.status !== 'found') return found;
      if (found.node.kind !== 'link') {
        done.push(part);
        last = found;
        continue;
      }
      if (++links > MAX_LINKS) return { status: 'loop' };
      if (found.node.target.startsWith('/')) done = [];
      todo = [...found.node.target.split('/'), ...todo];
    }
    return last;
  }

  #find(path: string): Resolved {
    for (const layer of this.#layers) {
      const node = layer.nodes.get(path);
      if (node) return { status: 'found', path: `/${path}`, layer: layer.digest, node };
      if (layer.hides(path)) return { status: 'absent' };
    }
    return { status: this.complete ? 'absent' : 'unknown' };
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

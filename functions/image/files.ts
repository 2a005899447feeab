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

/** As the Linux kernel: this many links, then ELOOP. */
const MAX_LINKS = 40;
/** Links through links, within one layer, to the place that a layer above writes to. */
const MAX_CHAINED_LINKS = 8;
export const DIRECTORY: FileNode = { kind: 'directory' };
/** What remembering a path takes besides its characters. */
const ENTRY_BYTES = 160;
/** Of all paths of an image together. */
export const MAX_REMEMBERED_BYTES = 32 * 1024 * 1024;
/** No program lies deeper. It keeps the work for each path small. */
const MAX_DEPTH = 64;

/** Paths have no leading slash; `` is the root. */
export class LayerFiles {
  readonly digest: string;
  readonly #nodes = new Map<string, FileNode>();
  /** Directories that the layer does not list but has something in. Below they may be links to directories. */
  readonly #implied = new Set<string>();
  /** Paths that this layer removes from the layers below. */
  readonly #whiteouts = new Set<string>();
  /** Directories of which nothing below shines through. */
  readonly #opaque = new Set<string>();
  /** About what the memory of it takes. */
  bytes = 0;

  constructor(digest: string) {
    this.digest = digest;
  }

  node(path: string): FileNode | undefined {
    return this.#nodes.get(path) ?? (this.#implied.has(path) ? DIRECTORY : undefined);
  }

  links(): Map<string, string> {
    const links = new Map<string, string>();
    for (const [path, node] of this.#nodes) if (node.kind === 'link') links.set(path, node.target);
    return links;
  }

  /** The directories that the layer only has something in, and does not make or remake. */
  implied(): string[] {
    return [...this.#implied].filter(path => !this.#nodes.has(path) && !this.hides(path));
  }

  /** Paths that are too deep are passed over. */
  add(path: string, node: FileNode): void {
    const place = this.#inside(path);
    if (place === '' || depthOf(place) > MAX_DEPTH) return;
    this.#imply(place);
    this.#nodes.set(place, node);
    this.bytes += ENTRY_BYTES + place.length + (node.kind === 'link' ? node.target.length : 0);
  }

  whiteOut(path: string): void {
    const place = this.#inside(path);
    if (depthOf(place) > MAX_DEPTH) return;
    this.#imply(place);
    this.#count(this.#whiteouts, place);
  }

  makeOpaque(directory: string): void {
    if (depthOf(directory) > MAX_DEPTH) return;
    this.#count(this.#opaque, directory);
    this.#imply(`${directory}/x`);
  }

  /** Whether this layer takes away what the layers below have at the path. */
  hides(path: string): boolean {
    if (this.#whiteouts.has(path)) return true;
    for (let parent = path; parent !== ''; ) {
      parent = parentOf(parent);
      if (this.#opaque.has(parent) || this.#whiteouts.has(parent)) return true;
      const node = this.#nodes.get(parent);
      if (node && node.kind !== 'directory') return true;
    }
    return false;
  }

  /** What the layer has in a directory that it does not list goes where a link of a layer below leads. */
  redirect(from: string, to: string): void {
    const nodes = [...this.#nodes].filter(([path]) => isIn(path, from));
    const growth = nodes.length * Math.max(0, to.length - from.length);
    if (this.bytes + growth > MAX_REMEMBERED_BYTES || depthOf(to) > MAX_DEPTH) return;
    this.bytes += growth;
    for (const [path, node] of nodes) {
      this.#nodes.delete(path);
      this.#nodes.set(moved(path, from, to), node);
    }
    for (const paths of [this.#implied, this.#whiteouts, this.#opaque]) {
      for (const path of [...paths]) {
        if (path !== from && !isIn(path, from)) continue;
        paths.delete(path);
        paths.add(moved(path, from, to));
      }
    }
    this.#imply(`${to}/x`);
  }

  /** Where unpacking puts a path, for links that the layer itself made before lead elsewhere. */
  #inside(path: string): string {
    let place = path;
    for (let links = 0; links <= MAX_LINKS && depthOf(place) <= MAX_DEPTH; links++) {
      const link = ancestorsOf(place).find(parent => this.#nodes.get(parent)?.kind === 'link');
      const node = link === undefined ? undefined : this.#nodes.get(link);
      if (link === undefined || node?.kind !== 'link') break;
      place = moved(place, link, targetOf(link, node.target));
    }
    return place;
  }

  #imply(path: string): void {
    for (const parent of ancestorsOf(path)) {
      if (!this.#nodes.has(parent)) this.#count(this.#implied, parent);
    }
  }

  #count(paths: Set<string>, path: string): void {
    if (paths.has(path)) return;
    paths.add(path);
    this.bytes += ENTRY_BYTES + path.length;
  }
}

export type Resolved =
  | { readonly status: 'found'; readonly path: string; readonly layer: string; readonly node: FileNode }
  | { readonly status: 'absent' }
  | { readonly status: 'loop' }
  /** A layer that was not read yet decides. */
  | { readonly status: 'unknown' };

/** Look-ups in layers over the whole image: what takes more is made to keep us busy. */
const MAX_LOOKUPS = 20_000_000;

/** The file system that the layers make, as far as they were read: from the top layer down. */
export class ImageFiles {
  readonly #layers: LayerFiles[] = [];
  #lookups = 0;
  /** True when no layer is left to read. */
  complete = false;

  addBelow(layer: LayerFiles): void {
    this.#redirectThrough(layer.links());
    this.#layers.push(layer);
  }

  /** About what the memory of it takes. */
  get bytes(): number {
    return this.#layers.reduce((sum, layer) => sum + layer.bytes, 0);
  }

  /** Follows links in every component, never leaving the root. */
  resolve(path: string): Resolved {
    const todo = path.split('/').reverse();
    let done: string[] = [];
    let last: Resolved = { status: 'found', path: '/', layer: '', node: DIRECTORY };
    for (let links = 0; todo.length > 0; ) {
      const part = todo.pop() ?? '';
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
      todo.push(...found.node.target.split('/').reverse());
    }
    return last;
  }

  /** Unpacking goes from the bottom up: layers above write through the links of the one below, and those may chain. */
  #redirectThrough(links: ReadonlyMap<string, string>): void {
    let isMoving = links.size > 0;
    for (let round = 0; isMoving && round < MAX_CHAINED_LINKS; round++) {
      isMoving = false;
      for (const [index, above] of [...this.#layers.entries()].reverse()) {
        const between = this.#layers.slice(index + 1);
        for (const path of above.implied()) {
          const target = links.get(path);
          if (target === undefined || between.some(layer => layer.node(path) ?? layer.hides(path))) continue;
          above.redirect(path, targetOf(path, target));
          isMoving = true;
        }
      }
    }
  }

  #find(path: string): Resolved {
    const depth = depthOf(path);
    for (const layer of this.#layers) {
      this.#lookups += depth;
      if (this.#lookups > MAX_LOOKUPS) return { status: 'loop' };
      const node = layer.node(path);
      if (node) return { status: 'found', path: `/${path}`, layer: layer.digest, node };
      if (layer.hides(path)) return { status: 'absent' };
    }
    return { status: this.complete ? 'absent' : 'unknown' };
  }
}

/** Where a link leads, by its text alone. */
function targetOf(link: string, target: string): string {
  return cleanPath(target.startsWith('/') ? target : `${parentOf(link)}/${target}`);
}

/** The path in another directory than the one that it is in, or is. */
function moved(path: string, from: string, to: string): string {
  return cleanPath(`${to}${path.slice(from.length)}`);
}

/** Inside the root whatever it says: `./a`, `/a` and `../a` are all `a`. */
export function cleanPath(name: string): string {
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** Its directories, the nearest to the root first, without the root. */
function ancestorsOf(path: string): string[] {
  const ancestors: string[] = [];
  for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
    ancestors.push(path.slice(0, slash));
  }
  return ancestors;
}

function depthOf(path: string): number {
  return path.split('/').length;
}

function isIn(path: string, directory: string): boolean {
  return path.startsWith(`${directory}/`);
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

import type { Elf } from './elf.ts';

/** One path in one layer, with what matters for executing it. */
export type FileNode =
  | { readonly kind: 'directory' }
  /** Absolute targets begin with `/`. */
  | { readonly kind: 'link'; readonly target: string }
  /** The file that was at the target when this layer was unpacked, whatever layers above put there. */
  | { readonly kind: 'hardlink'; readonly target: string }
  | { readonly kind: 'file'; readonly executable: boolean; readonly content: FileContent };

export type FileContent =
  | { readonly is: 'elf'; readonly elf: Elf }
  /** `#!` line: interpreter and at most one argument, as the kernel splits it. */
  | { readonly is: 'script'; readonly interpreter: string; readonly argument: string | undefined }
  | { readonly is: 'other' };

/** As the Linux kernel: this many links, then ELOOP. */
const MAX_LINKS = 40;
export const DIRECTORY: FileNode = { kind: 'directory' };
/** What remembering a path takes besides its characters. */
const ENTRY_BYTES = 160;
/** Of all paths of an image together. */
export const MAX_REMEMBERED_BYTES = 32 * 1024 * 1024;
/** What looking whether a path has to move takes for each directory, in look-ups. */
const LOOKUPS_OF_MOVE = 16;
/** No program lies deeper. It keeps the work for each path small. */
const MAX_DEPTH = 64;

/** Paths have no leading slash; `` is the root. */
export class LayerFiles {
  readonly digest: string;
  /** In the order in which they were last written. */
  #nodes = new Map<string, FileNode>();
  /** Directories that the layer does not list but has something in. Below they may be links to directories. */
  #implied = new Set<string>();
  /** Paths that this layer removes from the layers below. */
  #whiteouts = new Set<string>();
  /** Directories of which nothing below shines through. */
  #opaque = new Set<string>();
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
    for (const [path, node] of this.#nodes) {
      if (node.kind === 'link') links.set(path, node.target);
      if (node.kind === 'hardlink') links.set(path, `/${node.target}`);
    }
    return links;
  }

  get impliedCount(): number {
    return this.#implied.size;
  }

  /** Paths among these that may be directories that the layer only has something in. */
  impliedAmong(paths: ReadonlyMap<string, string>): string[] {
    if (paths.size > this.#implied.size) return [...this.#implied].filter(path => paths.has(path));
    return [...paths.keys()].filter(path => this.#implied.has(path));
  }

  /** Whether the layer only has something in the directory, and does not make or remake it. */
  isOnlyImplied(path: string): boolean {
    return this.#implied.has(path) && !this.#nodes.has(path) && !this.hides(path);
  }

  /** What a hard link to a path stands for at this point of the archive. */
  linked(target: string): FileNode {
    const place = this.#inside(target);
    return this.#nodes.get(place) ?? { kind: 'hardlink', target: place };
  }

  /** Paths that are too deep are passed over. */
  add(path: string, node: FileNode): void {
    const place = this.#inside(path);
    if (place === '' || depthOf(place) > MAX_DEPTH) return;
    this.#imply(place);
    this.#nodes.delete(place);
    this.#nodes.set(place, node);
    this.bytes += ENTRY_BYTES + place.length + ('target' in node ? node.target.length : 0);
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

  /**
   * What the layer has in directories that it does not list goes where links of a layer below lead.
   *
   * @param moves directory → where its link leads
   * @returns the look-ups that it took; endless when there is no memory for the new places
   */
  redirect(moves: ReadonlyMap<string, string>): number {
    let lookups = 0;
    const tops = new Set([...moves.keys()].map(topOf));
    const place = (path: string, isPlace: boolean) => {
      lookups++;
      if (!tops.has(topOf(path))) return path;
      const directories = isPlace ? [...ancestorsOf(path), path] : ancestorsOf(path);
      lookups += directories.length * LOOKUPS_OF_MOVE;
      const from = directories.find(directory => moves.has(directory));
      const to = from === undefined ? path : moved(path, from, moves.get(from) ?? '');
      this.bytes += Math.max(0, to.length - path.length);
      return this.bytes > MAX_REMEMBERED_BYTES || depthOf(to) > MAX_DEPTH ? undefined : to;
    };
    const placeAll = (paths: ReadonlySet<string>, arePlaces: boolean) =>
      new Set([...paths].flatMap(path => place(path, arePlaces) ?? []));

    const nodes = new Map<string, FileNode>();
    for (const [path, node] of this.#nodes) {
      const to = place(path, false);
      if (to === undefined) continue;
      // What was written last is there in the end, under whatever name.
      nodes.delete(to);
      nodes.set(to, node);
    }
    this.#nodes = nodes;
    this.#implied = placeAll(this.#implied, true);
    this.#whiteouts = placeAll(this.#whiteouts, false);
    this.#opaque = placeAll(this.#opaque, true);
    for (const to of moves.values()) if (depthOf(to) < MAX_DEPTH) this.#imply(`${to}/x`);
    return this.bytes > MAX_REMEMBERED_BYTES ? Number.POSITIVE_INFINITY : lookups;
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
    const links = layer.links();
    this.#lookups += links.size;
    // Unpacking goes from the bottom up: layers above write through the links of the one below.
    for (let index = this.#layers.length - 1; index >= 0 && links.size > 0; index--) {
      this.#redirectThrough(links, index);
    }
    this.#layers.push(layer);
  }

  /** About what the memory of it takes. */
  get bytes(): number {
    return this.#layers.reduce((sum, layer) => sum + layer.bytes, 0);
  }

  /** Follows links in every component, never leaving the root. */
  resolve(path: string): Resolved {
    return this.#resolveFrom(0, path);
  }

  /** In the file system as it is without the layers above `top`. */
  #resolveFrom(top: number, path: string): Resolved {
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
      const found = this.#find(top, [...done, part].join('/'));
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

  /** The links of the layer below may lead through each other. */
  #redirectThrough(links: ReadonlyMap<string, string>, index: number): void {
    const above = this.#layers[index];
    for (let chained = 0; above && this.#lookups <= MAX_LOOKUPS; chained++) {
      const moves = this.#movesThrough(links, above, this.#layers.slice(index + 1));
      if (moves.size === 0) return;
      this.#lookups += chained < MAX_LINKS ? above.redirect(moves) : Number.POSITIVE_INFINITY;
    }
  }

  #movesThrough(
    links: ReadonlyMap<string, string>,
    above: LayerFiles,
    between: readonly LayerFiles[],
  ): ReadonlyMap<string, string> {
    const moves = new Map<string, string>();
    this.#lookups += Math.min(links.size, above.impliedCount);
    for (const path of above.impliedAmong(links)) {
      this.#lookups += depthOf(path) * (between.length + 1);
      if (this.#lookups > MAX_LOOKUPS) break;
      if (!above.isOnlyImplied(path)) continue;
      if (between.some(layer => layer.node(path) ?? layer.hides(path))) continue;
      moves.set(path, targetOf(path, links.get(path) ?? ''));
    }
    return moves;
  }

  #find(top: number, path: string): Resolved {
    const depth = depthOf(path);
    for (let index = top; index < this.#layers.length; index++) {
      const layer = this.#layers[index];
      this.#lookups += depth;
      if (!layer || this.#lookups > MAX_LOOKUPS) return { status: 'loop' };
      const node = layer.node(path);
      if (node?.kind === 'hardlink') return this.#findLinked(index, path, node.target);
      if (node) return { status: 'found', path: `/${path}`, layer: layer.digest, node };
      if (layer.hides(path)) return { status: 'absent' };
    }
    return { status: this.complete ? 'absent' : 'unknown' };
  }

  /** What a hard link took from the layers below its own. */
  #findLinked(index: number, path: string, target: string): Resolved {
    const directory = this.#resolveFrom(index + 1, parentOf(target));
    if (directory.status !== 'found') return directory;
    const place = cleanPath(`${directory.path}/${target.slice(target.lastIndexOf('/') + 1)}`);
    // Under another name the layer has the file itself, too: which one was linked depends on which came first.
    if (place !== target && this.#layers[index]?.node(place)) return { status: 'absent' };
    const found = this.#find(index + 1, place);
    return found.status === 'found' ? { ...found, path: `/${path}` } : found;
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

/** The first directory of a path. */
function topOf(path: string): string {
  const slash = path.indexOf('/');
  return slash < 0 ? path : path.slice(0, slash);
}

function depthOf(path: string): number {
  return path.split('/').length;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

import type { Extract, Header } from 'tar-stream';
import { ElfReader } from './elf.ts';
import {
  cleanPath,
  DIRECTORY,
  type FileContent,
  type FileNode,
  type LayerFiles,
  MAX_REMEMBERED_BYTES,
} from './files.ts';
import { LayerProblem } from './tar-headers.ts';

/** Beyond this, files that no container could start are no longer remembered. */
const MAX_PLAIN_BYTES = MAX_REMEMBERED_BYTES / 2;
const MAX_PATH_LENGTH = 4096;
/** Stands in a text for bytes that are no UTF-8. */
const UNREADABLE = '\ufffd';

type Entry = Extract extends AsyncIterable<infer Item> ? Item : never;

/**
 * Notes what could be executed in an archive, and what leads there.
 *
 * @param rememberedBytes what the layers above take already: all of an image together are bounded
 */
export async function readEntries(
  tar: AsyncIterable<Entry>,
  files: LayerFiles,
  rememberedBytes: number,
): Promise<void> {
  for await (const entry of tar) {
    const { header } = entry;
    const budget = MAX_REMEMBERED_BYTES - rememberedBytes - files.bytes;
    if (budget < 0) throw tooManyPaths();
    const name = nameOf(header);
    if (name.length > MAX_PATH_LENGTH) {
      throw new LayerProblem(`it has a path of more than ${MAX_PATH_LENGTH} characters`);
    }
    const withPlainFiles = budget > MAX_REMEMBERED_BYTES - MAX_PLAIN_BYTES;
    const path = cleanPath(name);
    // No config can name such a file, which is written in UTF-8; several of them would be taken for one.
    const isReadable = !path.includes(UNREADABLE);
    if (isReadable && isExecutable(header, path)) {
      const content = await readContent(entry, isSparse(header));
      if (content.is !== 'other' || withPlainFiles)
        files.add(path, { kind: 'file', executable: true, content });
    } else {
      // The tar reader goes on only when an entry was read to its end.
      entry.resume();
      if (isReadable) remember(files, header, path, withPlainFiles);
    }
  }
}

const PLAIN_FILE: FileNode = { kind: 'file', executable: false, content: { is: 'other' } };

function remember(files: LayerFiles, header: Header, path: string, withPlainFiles: boolean): void {
  const slash = path.lastIndexOf('/');
  const name = path.slice(slash + 1);
  const directory = path.slice(0, Math.max(0, slash));
  if (name === '.wh..wh..opq') {
    files.makeOpaque(directory);
    return;
  }
  if (name.startsWith('.wh.')) {
    files.whiteOut(directory === '' ? name.slice(4) : `${directory}/${name.slice(4)}`);
    return;
  }
  const node = nodeOf(files, header);
  if (node !== PLAIN_FILE || withPlainFiles) files.add(path, node);
}

function nodeOf(files: LayerFiles, header: Header): FileNode {
  const target = (header.linkname ?? '').slice(0, MAX_PATH_LENGTH);
  if (header.type === 'directory') return DIRECTORY;
  if (header.type === 'symlink') return { kind: 'link', target };
  if (header.type === 'link') return files.linked(cleanPath(target));
  return PLAIN_FILE;
}

/** A sparse file is stored without its gaps, so that what is stored is not what would be executed. */
async function readContent(entry: AsyncIterable<unknown>, sparse: boolean): Promise<FileContent> {
  const reader = new ElfReader();
  for await (const chunk of entry) if (chunk instanceof Uint8Array) reader.push(chunk);
  if (sparse) return { is: 'other' };
  const { head, elf } = reader.end();
  return elf ? { is: 'elf', elf } : scriptIn(head);
}

/** As the kernel reads a `#!` line: of the first 256 bytes. */
function scriptIn(head: Buffer): FileContent {
  if (head.toString('latin1', 0, 2) !== '#!') return { is: 'other' };
  const line = head.toString('utf8', 2, 256).split('\n', 1)[0] ?? '';
  const [, interpreter, argument] = /^[ \t]*([^ \t]+)[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
  return interpreter ? { is: 'script', interpreter, argument: argument || undefined } : { is: 'other' };
}

function isExecutable(header: Header, path: string): boolean {
  const isFile = header.type === 'file';
  return isFile && ((header.mode ?? 0) & 0o111) !== 0 && !path.split('/').at(-1)?.startsWith('.wh.');
}

/** A sparse file of GNU tar has a made-up name, and the real one beside it. */
function nameOf(header: Header): string {
  return (isSparse(header) && recordOf(header, 'name')) || header.name;
}

/** The versions 0.0, 0.1 and 1.0 that runtimes know; the first two may go without number. */
function isSparse(header: Header): boolean {
  const version = `${recordOf(header, 'major')}.${recordOf(header, 'minor')}`;
  if (version !== '.') return ['0.0', '0.1', '1.0'].includes(version);
  return recordOf(header, 'map') !== '' || recordOf(header, 'offset') !== '';
}

function recordOf({ pax }: Header, name: string): string {
  const value: unknown = pax ? Reflect.get(pax, `GNU.sparse.${name}`) : undefined;
  return typeof value === 'string' ? value : '';
}

function tooManyPaths(): LayerProblem {
  return new LayerProblem(
    'the image has more paths than can be looked at',
    'Leave out of the image what the service does not need (build tools, caches, development dependencies), pack many small files into one, or set verify.binaries to false for this service.',
  );
}

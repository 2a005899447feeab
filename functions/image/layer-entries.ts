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

/** Beyond this, files that cannot be executed are no longer remembered. */
const MAX_PLAIN_BYTES = MAX_REMEMBERED_BYTES / 2;
const MAX_PATH_LENGTH = 4096;

/** What our own checks throw into the streams. Of several errors it is the one that tells why. */
export class LayerProblem extends Error {}

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
    if (budget < 0) throw new LayerProblem('the image has more paths than can be looked at');
    if (header.name.length > MAX_PATH_LENGTH) {
      throw new LayerProblem(`it has a path of more than ${MAX_PATH_LENGTH} characters`);
    }
    if (isExecutable(header)) {
      files.add(cleanPath(header.name), {
        kind: 'file',
        executable: true,
        content: await readContent(entry),
      });
    } else {
      // The tar reader goes on only when an entry was read to its end.
      entry.resume();
      remember(files, header, budget > MAX_REMEMBERED_BYTES - MAX_PLAIN_BYTES);
    }
  }
}

const PLAIN_FILE: FileNode = { kind: 'file', executable: false, content: { is: 'other' } };

function remember(files: LayerFiles, header: Header, withPlainFiles: boolean): void {
  const path = cleanPath(header.name);
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
  if (header.type === 'link')
    return files.node(cleanPath(target)) ?? { kind: 'link', target: `/${cleanPath(target)}` };
  return PLAIN_FILE;
}

async function readContent(entry: AsyncIterable<unknown>): Promise<FileContent> {
  const reader = new ElfReader();
  for await (const chunk of entry) if (chunk instanceof Uint8Array) reader.push(chunk);
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

function isExecutable(header: Header): boolean {
  const isFile = header.type === 'file' || header.type === 'contiguous-file' || header.type == null;
  return isFile && ((header.mode ?? 0) & 0o111) !== 0 && !header.name.split('/').at(-1)?.startsWith('.wh.');
}

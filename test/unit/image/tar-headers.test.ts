import { describe, expect, it } from 'vitest';
import { LayerProblem, TarHeaders } from '../../../functions/image/tar-headers.ts';
import { directory, hardlink, symlink, tarOf } from './layer-archives.ts';

interface Fields {
  readonly name?: string;
  readonly type?: string;
  readonly size?: number | Buffer;
  readonly mode?: string;
  readonly magic?: string;
  readonly prefix?: string;
  readonly trailer?: string;
  readonly checksum?: number;
}

/** A header block with a checksum that holds. */
function header(fields: Fields = {}): Buffer {
  const { name = 'app', type = '0', size = 0, mode = '0000755\0', magic = 'ustar\x0000' } = fields;
  const block = Buffer.alloc(512);
  block.write(name, 0, 'latin1');
  block.write(mode, 100, 'latin1');
  if (typeof size === 'number') block.write(size.toString(8).padStart(11, '0'), 124);
  else size.copy(block, 124);
  block.write(' '.repeat(8), 148);
  block.write(type, 156);
  block.write(magic, 257, 'latin1');
  block.write(fields.prefix ?? '', 345, 'latin1');
  block.write(fields.trailer ?? '', 508, 'latin1');
  const sum = fields.checksum ?? block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function data(bytes: string | Buffer): Buffer {
  const content = Buffer.from(bytes);
  return Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

function extension(type: string, content: string): Buffer {
  return Buffer.concat([header({ name: 'x', type, size: Buffer.byteLength(content) }), data(content)]);
}

function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (`${length}${rest}`.length !== length) length = `${length}${rest}`.length;
  return `${length}${rest}`;
}

function pax(records: Readonly<Record<string, string>>, type = 'x'): Buffer {
  const text = Object.entries(records).map(([key, value]) => record(key, value));
  return extension(type, text.join(''));
}

const END = Buffer.alloc(1024);
const FILE = Buffer.concat([header({ size: 3 }), data('ELF')]);

function problemIn(blocks: readonly Buffer[], pieceBytes = 10_000): string | undefined {
  const archive = Buffer.concat(blocks);
  const headers = new TarHeaders();
  try {
    for (let at = 0; at < archive.length; at += pieceBytes)
      headers.push(archive.subarray(at, at + pieceBytes));
    return undefined;
  } catch (error) {
    if (error instanceof LayerProblem) return error.message;
    throw error;
  }
}

describe('an archive that all readers understand alike', () => {
  it('passes, in pieces of whatever size', async () => {
    const long = `${'directory/'.repeat(30)}app`;
    const archive = await tarOf([
      directory('bin'),
      { name: 'bin/app', content: 'x'.repeat(2000) },
      { name: long, content: 'y' },
      { name: 'é', content: 'y'.repeat(512) },
      symlink('link', long),
      hardlink('other', 'bin/app'),
    ]);
    for (const pieceBytes of [1, 7, 511, 512, 513, 5000, archive.length]) {
      expect(problemIn([archive], pieceBytes)).toBeUndefined();
    }
  });

  it.each([
    ['with an end of any length', [FILE, END, END, END]],
    ['without an end', [FILE]],
    ['with half an end', [FILE, Buffer.alloc(512)]],
    [
      'with GNU headers and long names',
      [extension('L', `${'x'.repeat(200)}\0`), extension('K', 'y\0'), FILE],
    ],
    ['with the times of GNU tar', [header({ magic: 'ustar  \0', prefix: '14217635134\0' }), END]],
    [
      'with a size in binary',
      [header({ size: Buffer.from('800000000000000000000003', 'hex') }), data('ELF'), END],
    ],
    ['with numbers between spaces', [header({ mode: '   755 \0' }), END]],
    [
      'with a size in an extended header',
      [pax({ size: '3', mtime: '1.5' }), header(), data('ELF'), FILE, END],
    ],
    ['with a comment for all entries', [pax({ comment: 'a commit' }, 'g'), FILE, END]],
    ['with a size for a directory', [header({ type: '5', size: 512 }), FILE, END]],
  ])('passes %s', (_, blocks) => {
    expect(problemIn(blocks)).toBeUndefined();
  });
});

describe('an archive that readers disagree about', () => {
  it.each([
    ['that goes on after its end', [FILE, END, FILE], 'after the end'],
    ['that goes on after half an end', [FILE, Buffer.alloc(512), FILE], 'after the end'],
    ...['1', '2', '3', '4', '6'].map(
      type =>
        [
          `with a size on the type ${type}`,
          [header({ type, size: 1024 }), FILE, FILE],
          '1024 bytes',
        ] as const,
    ),
    [
      'with a size for a link in an extended header',
      [pax({ size: '5' }), header({ type: '2' }), FILE],
      '5 bytes',
    ],
    [
      'with a directory marked as a file',
      [header({ name: 'app/', type: '\0', size: 512 }), FILE],
      'directory',
    ],
    ['with such a directory by a long name', [extension('L', 'app/\0'), header({ type: '\0' })], 'directory'],
    ['with a name for all entries', [pax({ path: 'app' }, 'g'), FILE], 'sets the path'],
    ['with a size for all entries', [pax({ size: '7' }, 'g'), FILE], 'sets the size'],
    [
      'with a global header after a long name',
      [extension('L', 'a\0'), pax({ comment: 'x' }, 'g')],
      'between',
    ],
    ['with two long names', [extension('L', 'a\0'), pax({ path: 'b' }), FILE], 'two long names'],
    ['with two long targets', [pax({ linkpath: 'b' }), extension('K', 'a\0'), FILE], 'two long names'],
    ['of the type 7', [header({ type: '7' })], 'type "7"'],
    ['with an old GNU long name', [extension('N', 'a\0')], 'type "N"'],
    ['with a sparse file of old GNU tar', [header({ type: 'S' })], 'type "S"'],
    ['with a number after a zero byte', [header({ mode: '\0 0755\0' })], 'invalid mode'],
    ['with a number in two parts', [header({ mode: '07 55 \0' })], 'invalid mode'],
    ['with a negative size', [header({ size: Buffer.alloc(12, 0xff) })], 'invalid size'],
    ['with an endless size', [header({ size: Buffer.from(`80${'ff'.repeat(11)}`, 'hex') })], 'invalid size'],
    ['with a wrong checksum', [header({ checksum: 1 })], 'checksum'],
    [
      'with a checksum and nothing else',
      [header({ name: '', mode: '', magic: '', type: '\0' })],
      'unknown format',
    ],
    ['of an unknown format', [header({ magic: '' })], 'unknown format'],
    ['of Schilling’s format', [header({ trailer: 'tar\0' })], 'unknown format'],
    ['with a name where GNU has times', [header({ magic: 'ustar  \0', prefix: 'evil' })], 'invalid time'],
    ['with a long extended header', [header({ type: 'x', size: 2 ** 21 })], 'more than 1048576 bytes'],
    ['with an empty extended header', [extension('x', ''), FILE, END], 'empty'],
    ['with records of a wrong length', [extension('x', '12 path=app\n3')], 'malformed'],
    ['with a record without end', [extension('x', '12 path=appx')], 'malformed'],
    ['with a record without value', [extension('x', '9 pathap\n')], 'malformed'],
    ['with a zero byte in a name', [pax({ path: 'a\0b' }), FILE], 'malformed'],
    ['with a size that is no number', [pax({ size: '5x' }), FILE], 'malformed'],
  ] as const)('is refused: one %s', (_, blocks, problem) => {
    expect(problemIn(blocks)).toContain(problem);
    expect(problemIn(blocks, 100)).toContain(problem);
  });
});

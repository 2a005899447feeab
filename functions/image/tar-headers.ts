/**
 * Runtimes unpack layers with Go's archive/tar. Where the tar reader that is used here would understand an archive
 * differently, the check would look at other files than those that run: this pass over the headers refuses such archives.
 */

const BLOCK_BYTES = 512;
/** As Go: what a header may take that describes the next one. */
const MAX_EXTENSION_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(BLOCK_BYTES);
const DIRECTORY = '5';
/** No bytes follow these, whatever size they say: links, devices, directories and pipes. */
const HEADER_ONLY = new Set(['1', '2', '3', '4', DIRECTORY, '6']);
/** `''` and `0` are files. */
const UNPACKED = new Set(['', '0', ...HEADER_ONLY]);
const EXTENSIONS = new Set(['x', 'g', 'L', 'K']);

/** Thrown with what is wrong with a layer, as the end of a sentence. Of several errors it is the one that tells why. */
export class LayerProblem extends Error {
  readonly fix: string | undefined;

  constructor(problem: string, fix?: string) {
    super(problem);
    this.fix = fix;
  }
}

/** What extension headers say about the entry that comes next. */
interface Pending {
  readonly pax?: ReadonlyMap<string, string>;
  readonly longName?: string;
  readonly longLink?: string;
}

/** Follows an archive in pieces of any size. */
export class TarHeaders {
  /** A part of a header, or of what an extension header says. */
  readonly #held: Buffer[] = [];
  #heldBytes = 0;
  /** Bytes still to come of an entry, with the padding. */
  #skip = 0;
  /** The extension header whose bytes come next, and how many. */
  #extension: { readonly type: string; readonly sizeBytes: number } | undefined;
  #pending: Pending = {};
  #isOver = false;

  /** @throws LayerProblem */
  push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, bytes.length - at);
        this.#skip -= skipped;
        at += skipped;
        continue;
      }
      const wanted = this.#extension ? this.#extension.sizeBytes : BLOCK_BYTES;
      const piece = bytes.subarray(at, at + wanted - this.#heldBytes);
      at += piece.length;
      const whole = this.#collect(piece, wanted);
      if (!whole) return;
      if (this.#extension) this.#readExtension(this.#extension, whole);
      else this.#readHeader(whole);
    }
  }

  #collect(piece: Buffer, wanted: number): Buffer | undefined {
    if (piece.length === wanted) return piece;
    // A copy: nothing of a piece that went by is to be kept for the sake of a few bytes.
    this.#held.push(Buffer.from(piece));
    this.#heldBytes += piece.length;
    if (this.#heldBytes < wanted) return undefined;
    this.#heldBytes = 0;
    return Buffer.concat(this.#held.splice(0));
  }

  #readHeader(block: Buffer): void {
    if (block.equals(ZEROS)) {
      this.#isOver = true;
      return;
    }
    if (this.#isOver) throw new LayerProblem('it goes on after the end of the archive');
    checkFormat(block);
    const type = textAt(block, 156, 1);
    const sizeBytes = numberAt(block, 124, 12, 'size');
    numberAt(block, 100, 8, 'mode');
    if (EXTENSIONS.has(type)) this.#beginExtension(type, sizeBytes);
    else if (UNPACKED.has(type)) this.#beginEntry(block, type, sizeBytes);
    else throw new LayerProblem(`it has an entry of the type "${type}", which runtimes do not unpack`);
  }

  #beginExtension(type: string, sizeBytes: number): void {
    if (sizeBytes > MAX_EXTENSION_BYTES) {
      throw new LayerProblem(`it has an extended header of more than ${MAX_EXTENSION_BYTES} bytes`);
    }
    // Runtimes forget what was said before a global header; other readers do not.
    if (type === 'g' && Object.keys(this.#pending).length > 0) {
      throw new LayerProblem('it has a global header between an extended header and its entry');
    }
    // The tar reader here takes the bytes of a later entry for it.
    if (sizeBytes === 0) throw new LayerProblem('it has an extended header that is empty');
    this.#extension = { type, sizeBytes };
  }

  #readExtension({ type, sizeBytes }: { type: string; sizeBytes: number }, bytes: Buffer): void {
    this.#extension = undefined;
    this.#skip = paddingOf(sizeBytes);
    if (type === 'L') this.#pending = { ...this.#pending, longName: textAt(bytes, 0, sizeBytes) };
    else if (type === 'K') this.#pending = { ...this.#pending, longLink: textAt(bytes, 0, sizeBytes) };
    else if (type === 'x') this.#pending = { ...this.#pending, pax: paxRecords(bytes) };
    else checkGlobal(paxRecords(bytes));
  }

  #beginEntry(block: Buffer, type: string, headerSize: number): void {
    const { pax, longName, longLink } = this.#pending;
    this.#pending = {};
    if ((longName && pax?.get('path')) || (longLink && pax?.get('linkpath'))) {
      throw new LayerProblem('it has an entry with two long names');
    }
    const name = pax?.get('path') || longName || nameIn(block);
    if (type === '' && name.endsWith('/')) {
      throw new LayerProblem(
        'it has a directory that is marked as a file, in the way of very old tar programs',
      );
    }
    const sizeBytes = pax?.get('size') ? decimal(pax.get('size') ?? '') : headerSize;
    if (!HEADER_ONLY.has(type)) this.#skip = sizeBytes + paddingOf(sizeBytes);
    else if (sizeBytes > 0 && type !== DIRECTORY) {
      throw new LayerProblem(`it has a link or device that is said to have ${sizeBytes} bytes`);
    }
  }
}

/** POSIX (ustar, pax) and GNU, the formats that are read alike everywhere. */
function checkFormat(block: Buffer): void {
  // As if the checksum itself were spaces.
  let sum = 8 * 0x20;
  for (const part of [block.subarray(0, 148), block.subarray(156)]) for (const byte of part) sum += byte;
  if (numberAt(block, 148, 8, 'checksum') !== sum) {
    throw new LayerProblem('it has an invalid tar header: the checksum is wrong');
  }
  const magic = block.toString('latin1', 257, 265);
  if (magic === 'ustar  \0') {
    // Here very old tar programs wrote the times, and some programs in Go a part of the name.
    for (const at of [345, 357]) if (block[at] !== 0) numberAt(block, at, 12, 'time');
    return;
  }
  const isStar = block.toString('latin1', 508, 512) === 'tar\0';
  if (!magic.startsWith('ustar\0') || isStar) {
    throw new LayerProblem('it has a tar header of an unknown format; expected POSIX or GNU');
  }
}

function nameIn(block: Buffer): string {
  const name = textAt(block, 0, 100);
  const hasPrefix = block.toString('latin1', 257, 263) === 'ustar\0' && block[345] !== 0;
  return hasPrefix ? `${textAt(block, 345, 155)}/${name}` : name;
}

/** Git and others leave a comment in one. What changes entries, only some readers apply to those that follow. */
function checkGlobal(records: ReadonlyMap<string, string>): void {
  const key = [...records.keys()].find(name => /^(?:path|linkpath|size|GNU\.sparse\..*)$/.test(name));
  if (key !== undefined) throw new LayerProblem(`it has a global header that sets the ${key} of all entries`);
}

/** `LENGTH KEY=VALUE\n`, one after another. */
function paxRecords(bytes: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 || space > at + 8 ? 0 : decimal(bytes.toString('latin1', at, space));
    const end = at + length;
    if (length < 5 || end > bytes.length || end <= space + 1 || bytes[end - 1] !== 0x0a) throw badPax();
    const record = bytes.toString('utf8', space + 1, end - 1);
    const equals = record.indexOf('=');
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)];
    const isText = ['path', 'linkpath', 'uname', 'gname'].includes(key);
    if (equals < 1 || (isText ? value : key).includes('\0')) throw badPax();
    records.set(key, value);
    at = end;
  }
  return records;
}

function badPax(): LayerProblem {
  return new LayerProblem('it has an extended header (pax) that is malformed');
}

function decimal(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw badPax();
  return value;
}

/** Octal digits, or with the highest bit a binary number: in the spellings that all readers take for the same. */
function numberAt(block: Buffer, at: number, length: number, what: string): number {
  const field = block.subarray(at, at + length);
  const isBinary = field[0] === 0x80;
  const [, octal] = /^ *([0-7]*)[ \0]*$/.exec(field.toString('latin1')) ?? [];
  const value = isBinary
    ? field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0)
    : octal === undefined
      ? Number.NaN
      : Number.parseInt(octal || '0', 8);
  if (Number.isSafeInteger(value)) return value;
  throw new LayerProblem(`it has a tar header with an invalid ${what}`);
}

function textAt(bytes: Buffer, at: number, length: number): string {
  const field = bytes.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? field.length : end);
}

function paddingOf(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
}

import type { Platform } from './platforms.ts';

/** What the header of an executable says, System V ABI, chapter "Object Files". */
export interface Elf {
  readonly bits: 32 | 64;
  readonly endianness: 'little' | 'big';
  /** e_machine */
  readonly machine: number;
  /** PT_INTERP: the dynamic loader that the kernel starts first. Undefined when static. */
  readonly interpreter?: string;
  /** The file names a loader, at a place where it could not be read. */
  readonly interpreterUnread?: true;
  /** Why Linux does not execute it on any machine, as the end of a sentence: `has no program headers`. */
  readonly damage?: string;
}

const MACHINE_NAMES: Readonly<Record<number, string>> = {
  3: 'Intel 80386',
  8: 'MIPS',
  20: 'PowerPC',
  21: 'PowerPC64',
  22: 'S390',
  40: 'ARM',
  62: 'x86-64',
  183: 'AArch64',
  243: 'RISC-V',
  258: 'LoongArch',
};

const EXPECTED: Readonly<Record<string, Elf>> = {
  amd64: { bits: 64, endianness: 'little', machine: 62 },
  arm64: { bits: 64, endianness: 'little', machine: 183 },
  arm: { bits: 32, endianness: 'little', machine: 40 },
  '386': { bits: 32, endianness: 'little', machine: 3 },
  ppc64le: { bits: 64, endianness: 'little', machine: 21 },
  mips64le: { bits: 64, endianness: 'little', machine: 8 },
  s390x: { bits: 64, endianness: 'big', machine: 22 },
  riscv64: { bits: 64, endianness: 'little', machine: 243 },
  loong64: { bits: 64, endianness: 'little', machine: 258 },
};

/** e_type of what can be executed: at a fixed address, and anywhere. */
const [ET_EXEC, ET_DYN] = [2, 3];
const PT_INTERP = 3;
/** Of a file: its header, its program headers and, as linkers place it, the name of the loader. */
export const HEAD_BYTES = 8 * 1024;
/** As the kernel: beyond these it refuses the file. */
const MAX_TABLE_BYTES = 64 * 1024;
const [MIN_PATH_BYTES, MAX_PATH_BYTES] = [2, 4096];

/** What an executable for the platform has in its header; undefined for a platform whose executables are not known. */
export function expectedElf(platform: Platform): Elf | undefined {
  if (platform.os !== 'linux' || !Object.hasOwn(EXPECTED, platform.architecture)) return undefined;
  return EXPECTED[platform.architecture];
}

export function sameMachine(one: Elf, other: Elf): boolean {
  return one.bits === other.bits && one.endianness === other.endianness && one.machine === other.machine;
}

/** `ELF 64-bit AArch64` */
export function describeElf(elf: Elf): string {
  const endianness = elf.endianness === 'big' ? ' big-endian' : '';
  return `ELF ${elf.bits}-bit${endianness} ${MACHINE_NAMES[elf.machine] ?? `machine ${elf.machine}`}`;
}

/** A part of a file, by its place. */
interface Range {
  readonly offset: number;
  readonly length: number;
}

interface Piece {
  readonly offset: number;
  readonly bytes: Buffer;
}

/**
 * Reads an executable that comes once, from its beginning, in chunks, and keeps no more of it than its head and the two
 * other pieces that matter: tools such as patchelf move the program headers and the loader's name to the end of the file.
 */
export class ElfReader {
  #position = 0;
  #pieces: readonly Piece[] = [];
  #wanted: Range | undefined = { offset: 0, length: HEAD_BYTES };
  #parts: Buffer[] = [];

  push(chunk: Uint8Array): void {
    const end = this.#position + chunk.length;
    while (this.#wanted && this.#wanted.offset < end) {
      const { offset, length } = this.#wanted;
      const from = Math.max(0, offset - this.#position);
      // Copied, for otherwise the chunk would stay as long as the piece.
      this.#parts.push(
        Buffer.from(chunk.subarray(from, Math.min(chunk.length, offset + length - this.#position))),
      );
      if (offset + length > end) break;
      this.#keep();
      // What comes next may be in what is gone already: then it is not to be had.
      const next = wantedNext(this.#pieces);
      this.#wanted = next && next.offset >= this.#position ? next : undefined;
    }
    this.#position = end;
  }

  /** After the last chunk. */
  end(): { readonly head: Buffer; readonly elf: Elf | undefined } {
    if (this.#wanted) this.#keep();
    return { head: this.#pieces[0]?.bytes ?? Buffer.alloc(0), elf: elfIn(this.#pieces, this.#position) };
  }

  #keep(): void {
    if (!this.#wanted) return;
    this.#pieces = [...this.#pieces, { offset: this.#wanted.offset, bytes: Buffer.concat(this.#parts) }];
    this.#parts = [];
    this.#wanted = undefined;
  }
}

/** @param head the first bytes of a file, or all of them; undefined when they do not begin an ELF executable. */
export function readElf(head: Buffer): Elf | undefined {
  return elfIn([{ offset: 0, bytes: head }], Number.POSITIVE_INFINITY);
}

/** A range that is needed and in none of the pieces. */
function wantedNext(pieces: readonly Piece[]): Range | undefined {
  const layout = layoutOf(pieces);
  if (!layout || layout.damage) return undefined;
  const missing = missingOf(pieces, layout.table);
  if (missing) return missing;
  const interpreter = interpreterRange(pieces, layout);
  return interpreter && interpreter.length <= MAX_PATH_BYTES ? missingOf(pieces, interpreter) : undefined;
}

function elfIn(pieces: readonly Piece[], sizeBytes: number): Elf | undefined {
  const layout = layoutOf(pieces);
  if (!layout) return undefined;
  const { bits, endianness, machine, table } = layout;
  const elf = { bits, endianness, machine };
  if (layout.damage) return { ...elf, damage: layout.damage };
  if (endOf(table) > sizeBytes) return { ...elf, damage: 'is cut off before the end of its program headers' };
  if (!find(pieces, table)) return { ...elf, interpreterUnread: true };
  const range = interpreterRange(pieces, layout);
  return range ? { ...elf, ...interpreterIn(pieces, range, sizeBytes) } : elf;
}

function interpreterIn(
  pieces: readonly Piece[],
  range: Range,
  sizeBytes: number,
): Pick<Elf, 'interpreter' | 'interpreterUnread' | 'damage'> {
  if (range.length > MAX_PATH_BYTES) return { damage: 'has too long a name for its dynamic loader' };
  if (range.length < MIN_PATH_BYTES) return { damage: 'has an empty name for its dynamic loader' };
  if (endOf(range) > sizeBytes) return { damage: 'is cut off before the name of its dynamic loader' };
  const name = find(pieces, range);
  if (!name) return { interpreterUnread: true };
  if (name.at(-1) !== 0) return { damage: 'has a name for its dynamic loader that no zero byte ends' };
  const interpreter = name.toString('utf8', 0, name.indexOf(0));
  return interpreter === '' ? { damage: 'has an empty name for its dynamic loader' } : { interpreter };
}

interface Layout extends Elf {
  /** The program headers. */
  readonly table: Range;
  readonly entryBytes: number;
}

function layoutOf(pieces: readonly Piece[]): Layout | undefined {
  const head = pieces[0]?.bytes;
  if (!head || head.length < 52 || head.readUInt32BE(0) !== 0x7f454c46) return undefined;
  const bits = head[4] === 2 ? 64 : head[4] === 1 ? 32 : undefined;
  const endianness = head[5] === 1 ? 'little' : head[5] === 2 ? 'big' : undefined;
  if (!bits || !endianness || (bits === 64 && head.length < 64)) return undefined;
  const numbers = new Numbers(head, endianness === 'little');
  const type = numbers.uint16(16);
  if (type !== ET_EXEC && type !== ET_DYN) return undefined;
  const wide = bits === 64;
  const offset = wide ? numbers.uint64(32) : numbers.uint32(28);
  const entryBytes = wide ? 56 : 32;
  const table = { offset, length: numbers.uint16(wide ? 56 : 44) * entryBytes };
  const damage = damageOf(table, numbers.uint16(wide ? 54 : 42) === entryBytes);
  return { bits, endianness, machine: numbers.uint16(18), table, entryBytes, ...(damage && { damage }) };
}

/** As the kernel checks the header: what does not pass could otherwise hide a dynamic loader. */
function damageOf(table: Range, isUsual: boolean): string | undefined {
  if (!isUsual) return 'has program headers of an unknown size';
  if (table.length === 0) return 'has no program headers';
  return table.length > MAX_TABLE_BYTES ? 'has more than 64 KiB of program headers' : undefined;
}

function interpreterRange(
  pieces: readonly Piece[],
  { bits, endianness, table, entryBytes }: Layout,
): Range | undefined {
  const headers = find(pieces, table);
  if (!headers) return undefined;
  const wide = bits === 64;
  const numbers = new Numbers(headers, endianness === 'little');
  for (let at = 0; at + entryBytes <= headers.length; at += entryBytes) {
    if (numbers.uint32(at) !== PT_INTERP) continue;
    const offset = wide ? numbers.uint64(at + 8) : numbers.uint32(at + 4);
    const length = wide ? numbers.uint64(at + 32) : numbers.uint32(at + 16);
    return { offset, length };
  }
  return undefined;
}

function endOf({ offset, length }: Range): number {
  return offset + length;
}

/** The bytes of a range, if the pieces have them all. */
function find(pieces: readonly Piece[], range: Range): Buffer | undefined {
  if (missingOf(pieces, range)) return undefined;
  const end = endOf(range);
  const parts = pieces.map(({ offset, bytes }) =>
    bytes.subarray(Math.max(0, range.offset - offset), Math.max(0, end - offset)),
  );
  return Buffer.concat(parts);
}

/** What of a range comes after all pieces; pieces do not overlap, and each begins after the one before. */
function missingOf(pieces: readonly Piece[], range: Range): Range | undefined {
  let { offset, length } = range;
  for (const piece of pieces) {
    const covered = piece.offset <= offset ? Math.min(length, piece.offset + piece.bytes.length - offset) : 0;
    if (covered > 0) [offset, length] = [offset + covered, length - covered];
  }
  return length > 0 ? { offset, length } : undefined;
}

class Numbers {
  readonly #bytes: Buffer;
  readonly #little: boolean;

  constructor(bytes: Buffer, little: boolean) {
    this.#bytes = bytes;
    this.#little = little;
  }

  uint16(offset: number): number {
    return this.#little ? this.#bytes.readUInt16LE(offset) : this.#bytes.readUInt16BE(offset);
  }

  uint32(offset: number): number {
    return this.#little ? this.#bytes.readUInt32LE(offset) : this.#bytes.readUInt32BE(offset);
  }

  /** Inexact beyond 2^53, which is beyond any file. */
  uint64(offset: number): number {
    return Number(this.#little ? this.#bytes.readBigUInt64LE(offset) : this.#bytes.readBigUInt64BE(offset));
  }
}

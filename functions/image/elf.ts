import type { Platform } from './platforms.ts';

/** What the header of an executable says, System V ABI, chapter "Object Files". */
export interface Elf {
  readonly bits: 32 | 64;
  readonly endianness: 'little' | 'big';
  /** e_machine */
  readonly machine: number;
  /** PT_INTERP: the dynamic loader that the kernel starts first. Undefined when static, or beyond what was read. */
  readonly interpreter?: string;
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
  s390x: { bits: 64, endianness: 'big', machine: 22 },
  riscv64: { bits: 64, endianness: 'little', machine: 243 },
  loong64: { bits: 64, endianness: 'little', machine: 258 },
};

const PT_INTERP = 3;
const MAX_PROGRAM_HEADERS = 256;
const MAX_PATH_BYTES = 4096;

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

/** @param head the first bytes of a file; undefined when they are not a whole ELF header. */
export function readElf(head: Buffer): Elf | undefined {
  if (head.length < 52 || head.readUInt32BE(0) !== 0x7f454c46) return undefined;
  const bits = head[4] === 2 ? 64 : head[4] === 1 ? 32 : undefined;
  const endianness = head[5] === 1 ? 'little' : head[5] === 2 ? 'big' : undefined;
  if (!bits || !endianness || (bits === 64 && head.length < 64)) return undefined;
  const reader = new HeaderReader(head, endianness === 'little');
  const interpreter = readInterpreter(reader, bits);
  return { bits, endianness, machine: reader.uint16(18), ...(interpreter ? { interpreter } : {}) };
}

function readInterpreter(reader: HeaderReader, bits: 32 | 64): string | undefined {
  const wide = bits === 64;
  const tableOffset = wide ? reader.uint64(32) : reader.uint32(28);
  const entrySize = reader.uint16(wide ? 54 : 42);
  const count = Math.min(reader.uint16(wide ? 56 : 44), MAX_PROGRAM_HEADERS);
  if (entrySize < (wide ? 56 : 32)) return undefined;
  for (let index = 0; index < count; index++) {
    const at = tableOffset + index * entrySize;
    if (!reader.has(at, entrySize)) return undefined;
    if (reader.uint32(at) !== PT_INTERP) continue;
    const offset = wide ? reader.uint64(at + 8) : reader.uint32(at + 4);
    const size = wide ? reader.uint64(at + 32) : reader.uint32(at + 16);
    return size <= MAX_PATH_BYTES && reader.has(offset, size) ? reader.text(offset, size) : undefined;
  }
  return undefined;
}

class HeaderReader {
  readonly #head: Buffer;
  readonly #little: boolean;

  constructor(head: Buffer, little: boolean) {
    this.#head = head;
    this.#little = little;
  }

  has(offset: number, length: number): boolean {
    return offset + length <= this.#head.length;
  }

  uint16(offset: number): number {
    return this.#little ? this.#head.readUInt16LE(offset) : this.#head.readUInt16BE(offset);
  }

  uint32(offset: number): number {
    return this.#little ? this.#head.readUInt32LE(offset) : this.#head.readUInt32BE(offset);
  }

  /** Inexact beyond 2^53, which is beyond any file. */
  uint64(offset: number): number {
    return Number(this.#little ? this.#head.readBigUInt64LE(offset) : this.#head.readBigUInt64BE(offset));
  }

  text(offset: number, length: number): string {
    const bytes = this.#head.subarray(offset, offset + length);
    const end = bytes.indexOf(0);
    return bytes.subarray(0, end < 0 ? length : end).toString('utf8');
  }
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  describeElf,
  ElfReader,
  expectedElf,
  HEAD_BYTES,
  readElf,
  sameMachine,
} from '../../../functions/image/elf.ts';
import { standInElf } from '../../../local/images/elf.ts';
import { dynamicElf, scatteredElf } from './executables.ts';

describe('readElf', () => {
  it('reads class, endianness and machine', () => {
    expect(readElf(standInElf('linux/arm64'))).toEqual({ bits: 64, endianness: 'little', machine: 183 });
    expect(readElf(standInElf('linux/amd64'))).toEqual({ bits: 64, endianness: 'little', machine: 62 });
  });

  it('reads the dynamic loader', () => {
    const file = dynamicElf(62, '/lib64/ld-linux-x86-64.so.2');
    expect(readElf(file)?.interpreter).toBe('/lib64/ld-linux-x86-64.so.2');
  });

  it('reads big-endian and 32-bit headers', () => {
    const big = Buffer.alloc(64 + 56);
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 2, 1]).copy(big);
    big.writeUInt16BE(2, 16);
    big.writeUInt16BE(22, 18);
    big.writeBigUInt64BE(64n, 32);
    big.writeUInt16BE(56, 54);
    big.writeUInt16BE(1, 56);
    const small = Buffer.alloc(52 + 32);
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]).copy(small);
    small.writeUInt16LE(3, 16);
    small.writeUInt16LE(40, 18);
    small.writeUInt32LE(52, 28);
    small.writeUInt16LE(32, 42);
    small.writeUInt16LE(1, 44);

    expect(readElf(big)).toEqual({ bits: 64, endianness: 'big', machine: 22 });
    expect(readElf(small)).toEqual({ bits: 32, endianness: 'little', machine: 40 });
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a script', Buffer.from(`#!/bin/sh\n${'x'.repeat(100)}`)],
    ['a header that is cut off', standInElf('linux/arm64').subarray(0, 60)],
    ['an unknown class', Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46, 9, 1]), Buffer.alloc(60)])],
  ])('sees none in %s', (_, bytes) => {
    expect(readElf(bytes)).toBeUndefined();
  });

  it('survives any bytes behind the magic number', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 300 }), noise => {
        const elf = readElf(Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]), noise]));
        expect(elf === undefined || elf.bits === 64).toBe(true);
      }),
    );
  });

  it.each<[string, string, (file: Buffer) => unknown]>([
    ['no program headers', 'has no program headers', file => file.writeUInt16LE(0, 56)],
    ['headers of another size', 'of an unknown size', file => file.writeUInt16LE(32, 54)],
    ['too many headers', 'more than 64 KiB', file => file.writeUInt16LE(2000, 56)],
    ['an empty name', 'an empty name', file => file.writeBigUInt64LE(0n, 96)],
    ['a name of one byte', 'an empty name', file => file.writeBigUInt64LE(1n, 96)],
    ['a name that begins with its end', 'an empty name', file => file.fill(0, 120, 121)],
    ['a name without end', 'no zero byte', file => file.fill('x', file.length - 1)],
    ['a name beyond any path', 'too long a name', file => file.writeBigUInt64LE(5000n, 96)],
  ])('knows what Linux refuses: %s', (_, damage, spoil) => {
    const file = dynamicElf(62, '/lib/ld.so');
    expect(readElf(file)?.damage).toBeUndefined();
    spoil(file);
    const elf = readElf(file);
    expect(elf?.damage).toContain(damage);
    expect(elf?.interpreter).toBeUndefined();
  });

  it('names what it found', () => {
    expect(describeElf({ bits: 64, endianness: 'little', machine: 183 })).toBe('ELF 64-bit AArch64');
    expect(describeElf({ bits: 64, endianness: 'big', machine: 22 })).toBe('ELF 64-bit big-endian S390');
    expect(describeElf({ bits: 32, endianness: 'little', machine: 999 })).toBe('ELF 32-bit machine 999');
  });
});

describe('expectedElf', () => {
  it('tells the machines of a platform apart', () => {
    const arm64 = expectedElf({ os: 'linux', architecture: 'arm64' });
    const amd64 = expectedElf({ os: 'linux', architecture: 'amd64' });
    expect(arm64 && amd64 && sameMachine(arm64, amd64)).toBe(false);
    expect(
      arm64 && sameMachine(arm64, { bits: 64, endianness: 'little', machine: 183, interpreter: '/x' }),
    ).toBe(true);
  });

  it('knows nothing of other operating systems', () => {
    expect(expectedElf({ os: 'windows', architecture: 'amd64' })).toBeUndefined();
    expect(expectedElf({ os: 'linux', architecture: 'toString' })).toBeUndefined();
  });
});

describe('ElfReader', () => {
  const LOADER = '/lib64/ld-linux-x86-64.so.2';

  function read(file: Buffer, chunkLength: number) {
    const reader = new ElfReader();
    for (let at = 0; at < file.length; at += chunkLength) reader.push(file.subarray(at, at + chunkLength));
    return reader.end();
  }

  it.each([1, 7, 100, 8192, 8200, 1_000_000])(
    'finds the headers and the name of the loader behind the head, in chunks of %i bytes',
    chunkLength => {
      for (const table of [8000, HEAD_BYTES - 20, HEAD_BYTES, 20_000]) {
        const { elf } = read(scatteredElf(62, LOADER, { table, name: 30_000 }), chunkLength);
        expect(elf).toEqual({ bits: 64, endianness: 'little', machine: 62, interpreter: LOADER });
      }
    },
  );

  it('says so when the name comes before the headers that tell its place', () => {
    const { elf } = read(scatteredElf(62, LOADER, { table: 40_000, name: 20_000 }), 4096);
    expect(elf).toEqual({ bits: 64, endianness: 'little', machine: 62, interpreterUnread: true });
  });

  it('says so when the file ends before', () => {
    const file = scatteredElf(62, LOADER, { table: 20_000, name: 30_000 });
    const damage = (length: number) => read(file.subarray(0, length), 4096).elf?.damage;
    expect(damage(25_000)).toBe('is cut off before the name of its dynamic loader');
    expect(damage(15_000)).toBe('is cut off before the end of its program headers');
    expect(damage(64)).toBe('is cut off before the end of its program headers');
    expect(damage(35_000)).toBeUndefined();
  });

  it('keeps the head alone of what is no executable', () => {
    const { head, elf } = read(Buffer.alloc(100_000, '#!/bin/sh\n'), 4096);
    expect(elf).toBeUndefined();
    expect(head).toHaveLength(HEAD_BYTES);
  });

  it('takes an object file for no executable', () => {
    const object = standInElf('linux/amd64');
    object.writeUInt16LE(1, 16);
    expect(readElf(object)).toBeUndefined();
  });

  it('survives any header in any chunks', () => {
    const bytes = fc.uint8Array({ minLength: 64, maxLength: 400 });
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 500 }), (tail, chunkLength) => {
        const file = Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]), Buffer.alloc(9), tail]);
        file.writeUInt16LE(2, 16);
        file.writeUInt16LE(56, 54);
        read(file, chunkLength);
      }),
    );
  });
});

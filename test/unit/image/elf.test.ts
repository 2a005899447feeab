import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeElf, expectedElf, readElf, sameMachine } from '../../../functions/image/elf.ts';
import { standInElf } from '../../../local/images/elf.ts';
import { dynamicElf } from './executables.ts';

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
    const big = Buffer.alloc(64);
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 2, 1]).copy(big);
    big.writeUInt16BE(2, 16);
    big.writeUInt16BE(22, 18);
    const small = Buffer.alloc(52);
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]).copy(small);
    small.writeUInt16LE(3, 16);
    small.writeUInt16LE(40, 18);

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

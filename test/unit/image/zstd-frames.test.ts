import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutAtFrameEnds } from '../../../functions/image/zstd-frames.ts';

function skippable(length: number): Buffer {
  const frame = Buffer.alloc(8 + length, 7);
  frame.writeUInt32LE(0x184d2a50, 0);
  frame.writeUInt32LE(length, 4);
  return frame;
}

async function* inChunks(bytes: Buffer, length: number): AsyncGenerator<Buffer, void> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

async function unpack(bytes: Buffer, chunkLength: number): Promise<Buffer> {
  const decompress = createZstdDecompress();
  const [unpacked] = await Promise.all([
    buffer(decompress),
    pipeline(cutAtFrameEnds(inChunks(bytes, chunkLength)), decompress),
  ]);
  return unpacked;
}

describe('zstd data cut at frame ends', () => {
  it('is unpacked whole, wherever its chunks end', async () => {
    const frame = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map(bytes => ({ packed: zstdCompressSync(bytes), bytes })),
      fc.nat(200_000).map(length => ({
        packed: zstdCompressSync(Buffer.alloc(length, 3)),
        bytes: Buffer.alloc(length, 3),
      })),
      fc.nat(50).map(length => ({ packed: skippable(length), bytes: Buffer.alloc(0) })),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(frame, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 400 }),
        async (frames, chunkLength) => {
          const unpacked = await unpack(Buffer.concat(frames.map(({ packed }) => packed)), chunkLength);
          expect(unpacked.equals(Buffer.concat(frames.map(({ bytes }) => bytes)))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is passed on unchanged when it is not zstd', async () => {
    const bytes = Buffer.from('this was never compressed, and the decompressor will say so');
    expect(await buffer(cutAtFrameEnds(inChunks(bytes, 10)))).toEqual(bytes);
  });

  it('may end anywhere', async () => {
    const bytes = Buffer.concat([zstdCompressSync(Buffer.from('one')), skippable(3)]);
    for (let length = 0; length < bytes.length; length++) {
      expect(await buffer(cutAtFrameEnds(inChunks(bytes.subarray(0, length), 7)))).toHaveLength(length);
    }
  });
});

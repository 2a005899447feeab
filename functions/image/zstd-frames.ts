const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;

/**
 * Cuts zstd data where its frames end, and wherever its chunks do. Node's decompressor drops what follows a frame in the
 * same chunk, and layers of many frames are common: that is how they can be read in part (zstd:chunked).
 */
export async function* cutAtFrameEnds(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const format = framesOf();
  let want = format.next().value;
  let header = Buffer.alloc(0);
  for await (const chunk of source) {
    let start = 0;
    let at = 0;
    while (at < chunk.length) {
      const length = Math.min(want.bytes - (want.isHeader ? header.length : 0), chunk.length - at);
      if (want.isHeader) header = Buffer.concat([header, chunk.subarray(at, at + length)]);
      at += length;
      if (want.isHeader ? header.length < want.bytes : length < want.bytes) {
        if (!want.isHeader) want = { ...want, bytes: want.bytes - length };
        continue;
      }
      want = format.next(header).value;
      header = Buffer.alloc(0);
      if (!want.isFirst) continue;
      yield chunk.subarray(start, at);
      start = at;
    }
    if (start < chunk.length) yield chunk.subarray(start);
  }
}

interface Want {
  /** At least one. */
  readonly bytes: number;
  /** Whether the format has to see them to go on. */
  readonly isHeader: boolean;
  /** Whether a frame begins here. */
  readonly isFirst: boolean;
}

/** Source: RFC 8878, section 3.1. */
function* framesOf(): Generator<Want, never, Buffer> {
  while (true) {
    const magic = (yield { bytes: 4, isHeader: true, isFirst: true }).readUInt32LE();
    if (magic === FRAME_MAGIC) yield* frame();
    else if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) yield* pass((yield header(4)).readUInt32LE());
    // Not zstd: let the decompressor say so.
    else yield* pass(Number.POSITIVE_INFINITY);
  }
}

function* frame(): Generator<Want, void, Buffer> {
  const descriptor = (yield header(1)).readUInt8();
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const windowBytes = isSingleSegment ? 0 : 1;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  yield* pass(windowBytes + dictionaryBytes + contentSizeBytes);
  for (let isLast = false; !isLast; ) {
    const block = (yield header(3)).readUIntLE(0, 3);
    isLast = (block & 1) === 1;
    const isRunLength = ((block >> 1) & 3) === 1;
    yield* pass(isRunLength ? 1 : block >> 3);
  }
  yield* pass((descriptor & 4) === 0 ? 0 : 4);
}

function header(bytes: number): Want {
  return { bytes, isHeader: true, isFirst: false };
}

function* pass(bytes: number): Generator<Want, void, Buffer> {
  if (bytes > 0) yield { bytes, isHeader: false, isFirst: false };
}

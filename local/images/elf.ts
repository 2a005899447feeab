/** Platforms that sample images can be built for, with the ELF machine of each. */
export const MACHINES = { 'linux/amd64': 62, 'linux/arm64': 183 } as const;

export type SamplePlatform = keyof typeof MACHINES;

const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const LOAD_ADDRESS = 0x40_0000;

/** Leave with status 0: `exit_group(0)` in the machine's own instructions. */
const EXIT: Readonly<Record<SamplePlatform, Buffer>> = {
  'linux/amd64': Buffer.from('b8e700000031ff0f05', 'hex'),
  'linux/arm64': Buffer.from('000080d2c80b80d2010000d4', 'hex'),
};

const NOTE = 'A stand-in for Node.js: the local data plane runs the Node.js of its own machine instead.\n';

/** A whole static ELF executable that does nothing: enough for anything that reads headers, and for a kernel. */
export function standInElf(platform: SamplePlatform): Buffer {
  const code = EXIT[platform];
  const codeOffset = HEADER_BYTES + PROGRAM_HEADER_BYTES;
  const body = Buffer.concat([code, Buffer.from(NOTE)]);
  const file = Buffer.alloc(codeOffset + body.length);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]).copy(file);
  file.writeUInt16LE(2, 16); // ET_EXEC
  file.writeUInt16LE(MACHINES[platform], 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(LOAD_ADDRESS + codeOffset), 24);
  file.writeBigUInt64LE(BigInt(HEADER_BYTES), 32);
  file.writeUInt16LE(HEADER_BYTES, 52);
  file.writeUInt16LE(PROGRAM_HEADER_BYTES, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64); // PT_LOAD
  file.writeUInt32LE(5, 68); // readable and executable
  file.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 80);
  file.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 88);
  file.writeBigUInt64LE(BigInt(file.length), 96);
  file.writeBigUInt64LE(BigInt(file.length), 104);
  file.writeBigUInt64LE(0x1_0000n, 112);
  body.copy(file, codeOffset);
  return file;
}

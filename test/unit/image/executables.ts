/** A 64-bit little-endian ELF file with one program header: PT_INTERP, naming a dynamic loader. */
export function dynamicElf(machine: number, loader: string): Buffer {
  const name = Buffer.from(`${loader}\0`);
  const file = Buffer.alloc(64 + 56 + name.length);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]).copy(file);
  file.writeUInt16LE(3, 16);
  file.writeUInt16LE(machine, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(3, 64);
  file.writeBigUInt64LE(120n, 72);
  file.writeBigUInt64LE(BigInt(name.length), 96);
  name.copy(file, 120);
  return file;
}

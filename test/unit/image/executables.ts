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

/** As tools leave it that rewrite executables: the program headers and the loader's name somewhere in a large file. */
export function scatteredElf(machine: number, loader: string, at: { table: number; name: number }): Buffer {
  const whole = dynamicElf(machine, loader);
  const name = Buffer.from(`${loader}\0`);
  const file = Buffer.alloc(Math.max(at.table + 56, at.name + name.length) + 5000);
  whole.copy(file, 0, 0, 64);
  file.writeBigUInt64LE(BigInt(at.table), 32);
  whole.copy(file, at.table, 64, 120);
  file.writeBigUInt64LE(BigInt(at.name), at.table + 8);
  name.copy(file, at.name);
  return file;
}

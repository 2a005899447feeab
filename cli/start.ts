#!/usr/bin/env node
/** Where the process begins: as little as possible, for what is compiled before the cache is on is compiled every time. */
process.exitCode = 2;
if (typeof process.getBuiltinModule === 'function') {
  process.getBuiltinModule('node:module').enableCompileCache?.();
  const { begin } = await import('./begin.ts');
  await begin(process);
} else {
  console.error(
    `slipway needs Node.js 20.16 or newer; this is ${process.versions.node} (${process.execPath}).`,
  );
}

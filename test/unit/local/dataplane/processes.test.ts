import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually, isAlive } from './fixtures/instances.ts';

const PARENT = new URL('./fixtures/parent.ts', import.meta.url).pathname;
let cacheDir: string;

beforeEach(async () => {
  cacheDir = await mkdtemp(path.join(tmpdir(), 'slipway-orphans-'));
});

const started: number[] = [];

afterEach(async () => {
  for (const pid of started.splice(0)) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  await rm(cacheDir, { recursive: true, force: true });
});

async function startParent(end = 'wait') {
  const parent = spawn(process.execPath, [PARENT, cacheDir, end], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = await once(createInterface({ input: parent.stdout }), 'line');
  const instance = Number(line);
  started.push(instance, ...(parent.pid === undefined ? [] : [parent.pid]));
  return { parent, instance };
}

it.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)(
  '%s to the data plane ends its instances',
  async signal => {
    const { parent, instance } = await startParent();
    expect(isAlive(instance)).toBe(true);
    parent.kill(signal);
    await eventually(() => !isAlive(instance));
  },
);

it.each(['exit', 'throw'])('a data plane that ends by %s takes its instances along', async end => {
  const { parent, instance } = await startParent(end);
  if (parent.exitCode === null) await once(parent, 'exit');
  await eventually(() => !isAlive(instance));
});

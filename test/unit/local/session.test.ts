import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HttpServer, serve } from '../../../local/http.ts';
import { checkNoneRuns, readSession, writeSession } from '../../../local/session.ts';

let folder: string;
let file: string;
let registry: HttpServer;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-session-'));
  file = join(folder, '.slipway', 'local.json');
  registry = await serve(() => ({ status: 200, body: {} }));
});
afterEach(async () => {
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});

function write() {
  return writeSession(file, {
    env: { GOOGLE_CLOUD_PROJECT: 'acme' },
    urls: { registry: registry.url, console: 'http://127.0.0.1:1' },
    kubeconfig: '/x/kubeconfig.json',
    policy: '/x/rollouts.yaml',
  });
}

describe('the session of a local cloud', () => {
  it('tells all that is needed to reach it, to this user alone, while it runs', async () => {
    const remove = await write();
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      pid: process.pid,
      env: { GOOGLE_CLOUD_PROJECT: 'acme' },
      urls: { registry: registry.url, console: 'http://127.0.0.1:1' },
      kubeconfig: '/x/kubeconfig.json',
      policy: '/x/rollouts.yaml',
    });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder, '.slipway'))).toEqual(['local.json']);
    await remove();
    expect(await readdir(folder)).toEqual([]);
  });

  it('keeps a second cloud from the same file as long as the first one answers', async () => {
    const remove = await write();
    await expect(checkNoneRuns(file)).rejects.toThrow(
      `A local cloud runs here already: process ${process.pid}, by ${file}, with its console at http://127.0.0.1:1. End it with Ctrl-C`,
    );
    await expect(write()).rejects.toThrow('runs here already');
    expect(await readSession(file)).toBeDefined();
    await remove();
    await expect(checkNoneRuns(file)).resolves.toBeUndefined();
  });

  it('is written over when its process is gone, when that number is another process now, or when it is no session', async () => {
    await write();
    const session = JSON.parse(await readFile(file, 'utf8'));
    // Above the largest number that a process gets.
    await writeFile(file, JSON.stringify({ ...session, pid: 4_194_305 }));
    await expect(checkNoneRuns(file)).resolves.toBeUndefined();
    await writeFile(file, JSON.stringify({ ...session, urls: { registry: 'http://127.0.0.1:1' } }));
    await expect(checkNoneRuns(file)).resolves.toBeUndefined();
    await writeFile(file, 'half of a fi');
    const remove = await write();
    expect((await readSession(file))?.pid).toBe(process.pid);
    await remove();
  });

  it('is not taken away by a cloud whose it is not', async () => {
    const remove = await write();
    const session = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...session, pid: 1 }));
    await remove();
    expect((await readSession(file))?.pid).toBe(1);
  });
});

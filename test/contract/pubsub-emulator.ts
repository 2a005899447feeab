import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Emulator {
  readonly url: string;
  close(): Promise<void>;
}

/** Google's own Pub/Sub emulator, where the gcloud SDK with it and Java are installed; otherwise undefined. */
export function findPubSubEmulator(): string | undefined {
  const gcloud = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map(directory => join(directory, 'gcloud'))
    .find(file => existsSync(file));
  if (!gcloud || spawnSync('java', ['-version']).status !== 0) return undefined;
  const root = dirname(dirname(realpathSync(gcloud)));
  return globSync(join(root, 'platform/pubsub-emulator/lib/cloud-pubsub-emulator-*.jar'))[0];
}

/** Started as Java itself, not by its shell script: one signal ends it, and no child of it stays. */
export async function startPubSubEmulator(jar: string): Promise<Emulator> {
  const port = await freePort();
  const args = ['-XX:TieredStopAtLevel=1', '-jar', jar, '--host=127.0.0.1', `--port=${port}`];
  const java = spawn('java', args, { stdio: 'ignore' });
  const kill = () => java.kill();
  process.once('exit', kill);
  const url = `http://127.0.0.1:${port}`;
  await answers(url, java);
  return {
    url,
    async close() {
      process.off('exit', kill);
      if (java.exitCode !== null) return;
      const gone = once(java, 'exit');
      java.kill();
      await gone;
    },
  };
}

async function answers(url: string, java: ChildProcess): Promise<void> {
  while (java.exitCode === null) {
    const isUp = await fetch(url).then(
      response => response.ok,
      () => false,
    );
    if (isUp) return;
    await sleep(50);
  }
  throw new Error(`the Pub/Sub emulator ended with exit code ${java.exitCode}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

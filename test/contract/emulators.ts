import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Google's own emulator of one API, as it is or is not installed on this machine. */
export type Found =
  | { readonly jar: string; readonly missing: undefined }
  | { readonly jar: undefined; readonly missing: string };

export interface Emulator {
  readonly url: string;
  close(): Promise<void>;
}

const READY_WITHIN_MS = 20_000;

export function findPubSubEmulator(): Found {
  return find('pubsub-emulator', 'lib/cloud-pubsub-emulator-*.jar');
}

export function findFirestoreEmulator(): Found {
  return find('cloud-firestore-emulator', 'cloud-firestore-emulator.jar');
}

function find(component: string, jars: string): Found {
  const gcloud = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map(directory => join(directory, 'gcloud'))
    .find(file => existsSync(file));
  if (!gcloud) return { jar: undefined, missing: 'there is no gcloud SDK on PATH' };
  const sdk = dirname(dirname(realpathSync(gcloud)));
  const [jar] = globSync(join(sdk, 'platform', component, jars));
  if (!jar) return { jar: undefined, missing: `the gcloud SDK has no component ${component}` };
  if (spawnSync('java', ['-version']).status !== 0) return { jar: undefined, missing: 'there is no Java' };
  return { jar, missing: undefined };
}

export function startPubSubEmulator(jar: string): Promise<Emulator> {
  return start(port => ['-jar', jar, '--host=127.0.0.1', `--port=${port}`]);
}

/** Its archive names no main class. It wants a second port for a console, and takes a free one. */
export function startFirestoreEmulator(jar: string): Promise<Emulator> {
  const main = 'com.google.cloud.datastore.emulator.firestore.CloudFirestore';
  const language = '-Duser.language=en';
  return start(port => [language, '-cp', jar, main, 'start', '--host=127.0.0.1', `--port=${port}`]);
}

/** Holds on to standard input, which closes however this process ends: so no emulator is ever left behind. */
const KEEPER = 'trap : INT TERM HUP; "$@" & read -r _; kill -KILL $!';

async function start(args: (port: number) => string[]): Promise<Emulator> {
  const port = await freePort();
  const java = ['java', '-XX:TieredStopAtLevel=1', ...args(port)];
  const keeper = spawn('sh', ['-c', KEEPER, 'sh', ...java], { stdio: ['pipe', 'ignore', 'ignore'] });
  const url = `http://127.0.0.1:${port}`;
  try {
    await answers(url);
  } catch (error) {
    await stop(keeper);
    throw error;
  }
  return { url, close: () => stop(keeper) };
}

async function stop(keeper: ChildProcess): Promise<void> {
  if (keeper.exitCode !== null || keeper.signalCode !== null) return;
  const gone = once(keeper, 'exit');
  keeper.stdin?.end();
  await gone;
}

async function answers(url: string): Promise<void> {
  const deadlineMs = Date.now() + READY_WITHIN_MS;
  while (Date.now() < deadlineMs) {
    const isUp = await fetch(url).then(
      response => response.ok,
      () => false,
    );
    if (isUp) return;
    await sleep(50);
  }
  throw new Error(`the emulator at ${url} did not answer within ${READY_WITHIN_MS / 1000} s`);
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

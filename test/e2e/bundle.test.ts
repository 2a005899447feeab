import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { googleClients } from '../../functions/google/clients.ts';
import type { Rollout } from '../../functions/rollout/record.ts';
import { firestoreStore } from '../../functions/store/firestore.ts';
import { startFunctions } from '../../local/functions/functions.ts';
import { PROJECT } from '../../local/names.ts';
import { topicName } from '../../local/wiring.ts';
import { HEAVY_PACKAGES } from '../bench/loaded-packages.ts';
import { findFirestoreEmulator, startFirestoreEmulator } from '../contract/emulators.ts';
import { Crowd, canaryOf, oneOfTheCrowd, REGION, SHARED_IMAGE, STABLE_IMAGE } from './crowd.ts';
import { gkeTargetSpec, gkeTraffic, serveOnGke } from './gke-service.ts';
import { startGrpcServer } from './grpc-server.ts';
import { GATED, rawPush } from './world.ts';

/** What `npm run build` writes, and what is deployed: built twice, started, and rolled out with. */

const ROOT = resolve(import.meta.dirname, '../..');
const FRAMEWORK = '@google-cloud/functions-framework';

const run = promisify(execFile);
const stack = new AsyncDisposableStack();
let here: string;
let elsewhere: string;

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'slipway-bundle-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const checkouts = [join(directory, 'checkout'), join(directory, 'another place', 'checkout')] as const;
  await copyCheckout(ROOT, checkouts[0]);
  // Not of the project again, which may be changed meanwhile.
  await copyCheckout(...checkouts);
  here = join(directory, 'functions');
  elsewhere = join(checkouts[1], 'dist', 'functions');
  await Promise.all([
    run(process.execPath, [join(checkouts[0], 'build/functions.ts'), '--out', here]),
    run(process.execPath, [join(checkouts[1], 'build/functions.ts')]),
  ]);
  await install(here);
});
afterAll(() => stack.disposeAsync());

async function copyCheckout(from: string, to: string): Promise<void> {
  for (const part of ['build', 'functions', 'terraform/modules/orchestrator/functions.tf.json']) {
    await cp(join(from, part), join(to, part), { recursive: true });
  }
  for (const file of ['package.json', 'package-lock.json', 'LICENSE']) {
    await cp(join(from, file), join(to, file));
  }
  await symlink(join(ROOT, 'node_modules'), join(to, 'node_modules'));
}

/** What `npm ci` puts beside it on Google Cloud: the framework, and nothing else that it could load by chance. */
async function install(folder: string): Promise<void> {
  const scope = join(folder, 'node_modules', '@google-cloud');
  await mkdir(scope, { recursive: true });
  await symlink(join(ROOT, 'node_modules', FRAMEWORK), join(folder, 'node_modules', FRAMEWORK));
}

/** Each file below a folder, what is installed there aside. */
async function filesIn(folder: string): Promise<Map<string, Buffer>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter(entry => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map(entry => join(entry.parentPath, entry.name));
  return new Map(
    await Promise.all(
      files.map(async file => [file.slice(folder.length + 1), await readFile(file)] as const),
    ),
  );
}

function digests(files: ReadonlyMap<string, Buffer>): Record<string, string> {
  const digest = (contents: Buffer) => createHash('sha256').update(contents).digest('hex');
  return Object.fromEntries([...files].map(([name, contents]) => [name, digest(contents)]));
}

describe('the folder', () => {
  test('is the same, byte for byte, when it is built of a copy at another place', async () => {
    const files = await filesIn(here);
    expect([...files.keys()]).toContain('index.js');
    expect(digests(await filesIn(elsewhere))).toEqual(digests(files));
  });

  test('says nothing of where it was built', async () => {
    const files = await filesIn(here);
    const telling = [...files].filter(
      ([, contents]) => contents.includes(ROOT) || contents.includes('/home/'),
    );
    expect(telling.map(([name]) => name)).toEqual([]);
  });

  test('is what npm installs the framework into, from a lockfile without addresses', async () => {
    const lock = await readFile(join(elsewhere, 'package-lock.json'), 'utf8');
    expect(lock).not.toMatch(/"resolved"/);
    const { stdout } = await run('npm', ['ci', '--dry-run', '--offline', '--ignore-scripts'], {
      cwd: elsewhere,
    });
    expect(stdout).toContain(FRAMEWORK);
  });

  test('starts without a client in it', async () => {
    const started = await staticClosure('index.js');
    expect(HEAVY_PACKAGES.filter(name => started.includes(`node_modules/${name}/`))).toEqual([]);
    expect(started).not.toContain('node_modules/google-gax/');
  });

  test('leads an error back to its line in the sources', async () => {
    const start = [join(here, 'index.js')];
    const said = await run(process.execPath, ['--enable-source-maps', ...start], { env: {} }).then(
      () => 'it started without a project',
      ({ stderr }) => String(stderr),
    );
    const [, line = ''] = /functions\/settings\.ts:(\d+):/.exec(said) ?? [];
    const source = (await readFile(join(ROOT, 'functions/settings.ts'), 'utf8')).split('\n');
    expect(source[Number(line) - 1], said).toContain('new SlipwayError');
  });
});

/** A file with all that it imports at once, as one text. */
async function staticClosure(start: string): Promise<string> {
  const texts = new Map<string, string>();
  const open = [start];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (texts.has(file)) continue;
    const text = await readFile(join(here, file), 'utf8');
    texts.set(file, text);
    open.push(...[...text.matchAll(/^(?:import|\} from) ?"\.\/(.+)";$/gm)].map(([, name = '']) => name));
  }
  return [...texts.values()].join('\n');
}

describe('the clients', () => {
  test('each finds the definitions of its API, and speaks with it as on Google Cloud', async () => {
    const server = await startGrpcServer({ name: 'there', generation: '9007199254740993' });
    try {
      const certificate = join(here, '..', 'authority.pem');
      await writeFile(certificate, server.caCertificate);
      const { stdout } = await run(process.execPath, [CHILD, here, server.url], {
        env: { NODE_EXTRA_CA_CERTS: certificate, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: certificate },
      });
      expect(JSON.parse(stdout)).toEqual(
        Object.fromEntries([
          ...[...(await clientNames())].map(name => [name, OVER_GRPC]),
          ...COMPUTE_CLIENTS.map(name => [name, expect.objectContaining({ name: 'there' })]),
          [
            'BackendServicesClient, changing',
            expect.objectContaining({ latestResponse: expect.objectContaining({ name: 'there' }) }),
          ],
          ['ServicesClient over REST', expect.objectContaining({ generation: '9007199254740993' })],
        ]),
      );
      expect(server.calls.toSorted()).toEqual([
        '/google.cloud.run.v2.Revisions/GetRevision',
        '/google.cloud.run.v2.Services/GetService',
        '/google.cloud.workflows.executions.v1.Executions/GetExecution',
        '/google.container.v1.ClusterManager/GetCluster',
        '/google.firestore.v1.Firestore/Commit',
        '/google.monitoring.v3.MetricService/ListTimeSeries',
        '/google.pubsub.v1.Publisher/Publish',
        '/grafeas.v1.Grafeas/GetNote',
      ]);
    } finally {
      await server.close();
    }
  });

  test('one that a package imports when it needs it is found by its name', async () => {
    const files = (await readdir(here)).filter(file => /^dist-.*\.js$/.test(file));
    const modules = await Promise.all(files.map(file => readFile(join(here, file), 'utf8')));
    expect(modules.some(text => /^ {2}HttpsProxyAgent\b/m.test(text))).toBe(true);
  });
});

const CHILD = join(import.meta.dirname, 'bundle-child.ts');
const OVER_GRPC = 'Error: 7 PERMISSION_DENIED: refused by the test';
const COMPUTE_CLIENTS = [
  'BackendServicesClient',
  'GlobalOperationsClient',
  'MachineTypesClient',
  'RegionNetworkEndpointGroupsClient',
];

/** All that functions/google/clients.ts makes. */
async function clientNames(): Promise<Set<string>> {
  const folder = join(ROOT, 'functions/google/packages');
  const sources = await Promise.all(
    (await readdir(folder)).map(file => readFile(join(folder, file), 'utf8')),
  );
  const exported = sources.join('\n').matchAll(/export \{ ([^}]+) \}/g);
  return new Set([...exported].flatMap(([, names = '']) => names.split(', ')));
}

describe('the functions', () => {
  let crowd: Crowd;
  beforeAll(async () => {
    const targets = [
      { name: 'us', cloudRun: { project: PROJECT, region: REGION, service: 'built' } },
      gkeTargetSpec('built'),
    ];
    crowd = await Crowd.open([oneOfTheCrowd('built', { ...GATED, targets })], { functionsFolder: elsewhere });
  });
  afterAll(() => crowd?.close());

  function until(tag: string, isSo?: (rollout: Rollout) => boolean): Promise<Rollout> {
    return crowd.world.until('built', `built-${tag}`, isSo);
  }
  function give(command: string): void {
    crowd.world.publish('rollout-commands', { service: 'built', command, actor: 'me' });
  }
  const atGate = ({ phase, message }: Rollout) =>
    phase === 'Paused' && message.includes('waiting for promote');

  test('promote one canary on Cloud Run and GKE, and take the next one back', async () => {
    await crowd.serve('built');
    await serveOnGke(crowd.world.cloud, 'built', STABLE_IMAGE);
    const [a, b] = [await crowd.build('a'), await crowd.build('b')];

    crowd.push('built-a', a);
    const first = await until('a', atGate);
    expect(first.verification?.status).toBe('accepted');
    give('promote');
    expect((await until('a')).phase).toBe('Healthy');

    crowd.push('built-b', b);
    const second = await until('b', atGate);
    expect(crowd.traffic('built').shares).toEqual({ [canaryOf(first)]: 50, [canaryOf(second)]: 50 });
    give('abort');
    expect((await until('b')).phase).toBe('Degraded');
    expect(crowd.traffic('built').shares).toEqual({ [canaryOf(first)]: 100 });
    expect(gkeTraffic(crowd.world.cloud, 'built').shares).toEqual({ [`${SHARED_IMAGE}@${a}`]: 100 });
  });

  test('serve the page of the console', async () => {
    const page = await fetch(crowd.world.cloud.functions.urls.console);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('<!doctype html>');
  });

  const found = findFirestoreEmulator();
  if (found.missing) test.skip(`Google’s Firestore emulator is not tested here: ${found.missing}`, () => {});
  test.skipIf(found.missing)('keep their records in Firestore', async () => {
    const emulator = await startFirestoreEmulator(found.jar ?? '');
    try {
      const env = { FIRESTORE_EMULATOR_HOST: new URL(emulator.url).host, SLIPWAY_STORE: 'firestore' };
      const functions = await startFunctions({ ...crowd.world.cloud.env, ...env }, {}, here);
      const command = { service: 'built', command: 'freeze', actor: 'me' };
      const given = await fetch(`${functions.urls.command}/${topicName('rollout-commands')}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(rawPush('rollout-commands', command, 'freeze-1')),
      }).finally(() => functions.stop());
      expect(given.status, functions.lastLines().join('\n')).toBe(204);
      const clients = googleClients({ firestore: emulator.url });
      const store = firestoreStore(await clients.firestore(PROJECT, '(default)'));
      expect(await store.read('service', 'built')).toHaveProperty('frozen');
      await store.close();
    } finally {
      await emulator.close();
    }
  });
});

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readPolicy } from '../cli/policy-file.ts';
import { sqliteStore } from '../functions/store/sqlite.ts';
import { realClock, sleep } from './clock.ts';
import { type LocalCloud, startLocalCloud } from './cloud.ts';
import { demoPolicy } from './demo/policy.ts';
import { openView } from './demo/view.ts';
import { setUpExample } from './example.ts';
import { PROJECT_FOLDER } from './files.ts';
import { EXAMPLE_SERVICE, PROJECT, REGISTRY_HOST } from './names.ts';
import { checkNoneRuns, SESSION_FILE, writeSession } from './session.ts';
import { isUsage } from './usage.ts';

const USAGE = `npm start -- [--policy FILE] [--directory DIR] [--session FILE]

Runs the local cloud and Slipway's functions until Ctrl-C.
  --policy FILE    the policy; by default a copy of rollouts.yaml with pauses of seconds, to be edited while it runs
  --directory DIR  keep records, images and the policy there; by default in a folder that goes away
  --session FILE   where the command line finds it; ${SESSION_FILE} by default
  --help           this text`;

export interface LocalOptions {
  readonly policy?: string | undefined;
  readonly directory?: string | undefined;
  readonly session?: string | undefined;
  /** How the command line is called here: `npx slipway` in a clone of the project. */
  readonly slipway: string;
  readonly say: (text: string) => void;
}

/**
 * Runs the local cloud with the example service until this process is asked to end, and says what happens in it.
 *
 * @throws SlipwayError when another one runs here, and for a policy with problems
 */
export async function runLocalCloud({ say, ...options }: LocalOptions): Promise<void> {
  const stopped = stopSignal();
  const sessionFile = resolve(options.session ?? SESSION_FILE);
  await checkNoneRuns(sessionFile);
  say('Starting the local cloud …');
  const directory = options.directory
    ? resolve(options.directory)
    : await mkdtemp(join(tmpdir(), 'slipway-'));
  await using stack = new AsyncDisposableStack();
  if (!options.directory) stack.defer(() => rm(directory, { recursive: true, force: true }));
  const policyFile = options.policy ? await checkedPolicy(options.policy) : await writePolicy(directory);
  const metrics = { sampleSeconds: 1, lagSeconds: 0.5, evaluateSeconds: 0.5 };
  const cloud = await startLocalCloud({ directory, policyFile, metrics, env: openTelemetryOf(process.env) });
  stack.defer(() => cloud.close());
  const latency = { thresholdMs: 500, target: 95 };
  await setUpExample(cloud, { availability: 99.5, latency, windowSeconds: 8 });
  const { env, kubeconfigFile: kubeconfig, functions } = cloud;
  const urls = { ...cloud.urls, console: functions.urls.console };
  stack.defer(await writeSession(sessionFile, { env, urls, kubeconfig, policy: policyFile }));
  const flag = options.session ? `--local=${relative('', sessionFile)}` : '--local';
  say(describe(cloud, policyFile, { slipway: options.slipway, flag }));
  await follow(cloud, stopped);
}

/** Where traces go is for whoever starts this to say. */
function openTelemetryOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value = '']) => (name.startsWith('OTEL_') ? [[name, value]] : [])),
  );
}

function stopSignal(): AbortSignal {
  const aborter = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => aborter.abort());
  return aborter.signal;
}

/** The functions would say what is wrong with it too, but only when something is pushed. */
async function checkedPolicy(file: string): Promise<string> {
  await readPolicy(file);
  return resolve(file);
}

async function writePolicy(directory: string): Promise<string> {
  const file = join(directory, 'rollouts.yaml');
  const source = await readFile(join(PROJECT_FOLDER, 'rollouts.yaml'), 'utf8');
  await writeFile(file, demoPolicy(source, { judge: true }));
  return file;
}

interface Calls {
  readonly slipway: string;
  /** How the command line is told of this cloud. */
  readonly flag: string;
}

function describe(
  { urls, env, kubeconfigFile, functions }: LocalCloud,
  policyFile: string,
  { slipway, flag }: Calls,
): string {
  const image = `${PROJECT}/apps/${EXAMPLE_SERVICE}`;
  const registry = new URL(urls.registry).host;
  const local = `${slipway} ${flag}`;
  const push = `${flag === '--local' ? slipway : local} local push`;
  return `
Slipway's local cloud is up. Ctrl-C ends it, and everything it started.

  console              ${functions.urls.console}   what is being rolled out, and the buttons that stop it
  load balancer        ${urls.loadBalancer}   where users go; header x-local-client-location: us, eu or asia
  Gateway              ${urls.gateway}   the same for the cluster

Roll something out     the service is "${EXAMPLE_SERVICE}", the policy ${policyFile}
  the sample service   ${push} --version v1.0.0
  a bad one            ${push} --version v1.1.0 --env FAIL_RATIO=0.2
  an image of yours    skopeo copy --all --dest-tls-verify=false docker://YOUR/IMAGE:TAG docker://${registry}/${image}:v2.0.0
                       Its command must be "node FILE"; the registry stands for ${REGISTRY_HOST}.

Watch and decide       in another terminal, in this folder
  users                ${slipway} load ${urls.loadBalancer} --duration 10m
  watch                ${local} get rollout ${EXAMPLE_SERVICE} -w
  open a gate          ${local} promote ${EXAMPLE_SERVICE}
  take it back         ${local} abort ${EXAMPLE_SERVICE}

Look inside
  ${local} workflows executions
  kubectl --kubeconfig ${kubeconfigFile} get pods
  the functions        ${Object.entries(functions.urls)
    .map(([name, url]) => `${name} ${url}`)
    .join('  ')}
  for gcloud:
${Object.entries(env)
  .map(([name, value]) => `    export ${name}=${value}`)
  .join('\n')}
`;
}

/** Prints what happens, rollout by rollout, until the signal. */
async function follow({ storeFile }: LocalCloud, stopped: AbortSignal): Promise<void> {
  const store = sqliteStore(storeFile);
  const view = openView(process.stdout, 'lines');
  while (!stopped.aborted) {
    const rollouts = await store.list('rollout', { limit: 20 });
    for (const rollout of rollouts.toReversed()) view.show(rollout);
    await sleep(realClock, 200);
  }
  await store.close();
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      policy: { type: 'string' },
      directory: { type: 'string' },
      session: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) console.log(USAGE);
  else await runLocalCloud({ ...values, slipway: 'npx slipway', say: console.log });
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    if (isUsage(error)) console.error(`\n${USAGE}`);
    process.exitCode = 1;
  }
}

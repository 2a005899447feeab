import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { sqliteStore } from '../functions/store/sqlite.ts';
import { realClock, sleep } from './clock.ts';
import { type LocalCloud, startLocalCloud } from './cloud.ts';
import { demoPolicy } from './demo/policy.ts';
import { openView } from './demo/view.ts';
import { setUpExample } from './example.ts';
import { EXAMPLE_SERVICE, PROJECT, REGISTRY_HOST } from './names.ts';

const USAGE = `npm start -- [--policy FILE] [--directory DIR]

Runs the local cloud and Slipway's functions until Ctrl-C.
  --policy FILE    the policy; by default a copy of rollouts.yaml with pauses of seconds, to be edited while it runs
  --directory DIR  keep records, images and the policy there; by default in a folder that goes away
  --help           this text`;

const ROOT = fileURLToPath(new URL('../', import.meta.url));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { policy: { type: 'string' }, directory: { type: 'string' }, help: { type: 'boolean' } },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const stopped = stopSignal();
  const directory = values.directory ? resolve(values.directory) : await mkdtemp(join(tmpdir(), 'slipway-'));
  const policyFile = values.policy ? resolve(values.policy) : await writePolicy(directory);
  const metrics = { sampleSeconds: 1, lagSeconds: 0.5, evaluateSeconds: 0.5 };
  const cloud = await startLocalCloud({ directory, policyFile, metrics });
  try {
    const latency = { thresholdMs: 500, target: 95 };
    await setUpExample(cloud, { availability: 99.5, latency, windowSeconds: 8 });
    console.log(describe(cloud, policyFile));
    await follow(cloud, stopped);
  } finally {
    await cloud.close();
    if (!values.directory) await rm(directory, { recursive: true, force: true });
  }
}

function stopSignal(): AbortSignal {
  const aborter = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => aborter.abort());
  return aborter.signal;
}

async function writePolicy(directory: string): Promise<string> {
  const file = join(directory, 'rollouts.yaml');
  await writeFile(file, demoPolicy(await readFile(join(ROOT, 'rollouts.yaml'), 'utf8'), { judge: true }));
  return file;
}

function describe({ urls, env, kubeconfigFile, functions }: LocalCloud, policyFile: string): string {
  const image = `${PROJECT}/apps/${EXAMPLE_SERVICE}`;
  const registry = new URL(urls.registry).host;
  return `
Slipway's local cloud is up. Ctrl-C ends it, and everything it started.

Where users go
  load balancer        ${urls.loadBalancer}   (header x-local-client-location: us, eu or asia)
  Gateway              ${urls.gateway}

Roll something out     the service is "${EXAMPLE_SERVICE}", the policy ${policyFile}
  the sample service   npm run push -- --to ${registry}/${image}:v1.0.0 --version v1.0.0
  a bad one            npm run push -- --to ${registry}/${image}:v1.1.0 --version v1.1.0 --env FAIL_RATIO=0.2
  an image of yours    skopeo copy --all --dest-tls-verify=false docker://YOUR/IMAGE:TAG docker://${registry}/${image}:v2.0.0
                       Its command must be "node FILE"; the registry stands for ${REGISTRY_HOST}.

Open a gate, or abort
  curl -X POST ${urls.pubsub}/v1/projects/${PROJECT}/topics/rollout-commands:publish -H content-type:application/json \\
    -d "{\\"messages\\":[{\\"data\\":\\"$(printf '%s' '{"command":"promote","service":"${EXAMPLE_SERVICE}","actor":"me"}' | base64 | tr -d '\\n')\\"}]}"

Look inside
  kubectl --kubeconfig ${kubeconfigFile} get pods
  the functions        ${Object.entries(functions.urls)
    .map(([name, url]) => `${name} ${url}`)
    .join('  ')}
  for gcloud and the functions:
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

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setTimeout as rest } from 'node:timers/promises';
import { z } from 'zod';
import { type Cluster, connect } from './cluster.ts';
import { findImages, NO_IMAGES } from './images.ts';
import { startLocalCluster } from './local-cluster.ts';
import { gateway } from './objects.ts';
import { bringNodes, playNodes } from './played-nodes.ts';
import { type Settings, toEnvironment } from './settings.ts';

const USAGE = `npm run test:kubernetes -- [--played-nodes | --local] [options of vitest run after --]

Runs the GKE half of the targets' contract against a cluster, in a namespace that it makes and removes again.
  SLIPWAY_TEST_KUBECONFIG      path of a kubeconfig that may make namespaces; needed unless --local
  SLIPWAY_TEST_CONTEXT         one of its contexts; the current one without it
  SLIPWAY_TEST_GATEWAY_CLASS   class of the Gateway in front; an accepted one is looked for without it, and "none" or a
                               cluster that has none splits the traffic by the number of pods
  SLIPWAY_TEST_ARCHITECTURE    arm64 or any: where canaries go; arm64 when the cluster has such nodes
  SLIPWAY_TEST_IMAGE           a mirror of registry.k8s.io/e2e-test-images/busybox
  --played-nodes               for an API server with controllers but without nodes: plays kubelets and Gateway
  --local                      against Slipway's own cluster, started for the purpose`;

const NAMESPACES = '/api/v1/namespaces';
const REMOVAL_MS = 180_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      local: { type: 'boolean', default: false },
      'played-nodes': { type: 'boolean', default: false },
      help: { type: 'boolean' },
    },
    allowPositionals: true,
  });
  const given = process.env['SLIPWAY_TEST_KUBECONFIG'];
  if (values.help || (!given && !values.local)) {
    console.error(
      values.help ? USAGE : `set SLIPWAY_TEST_KUBECONFIG to the path of a kubeconfig\n\n${USAGE}`,
    );
    return values.help ? 0 : 2;
  }
  // They end the suite, and what was made is removed then.
  for (const signal of SIGNALS) process.on(signal, () => {});
  await using stack = new AsyncDisposableStack();
  const kubeconfigFile = values.local ? await startLocalCluster(stack) : (given ?? '');
  const nodes = values.local ? 'local' : values['played-nodes'] ? 'played' : 'real';
  const settings = await prepare(kubeconfigFile, nodes, stack);
  return await runSuite(settings, positionals);
}

async function prepare(
  kubeconfigFile: string,
  nodes: 'real' | 'played' | 'local',
  stack: AsyncDisposableStack,
): Promise<Settings> {
  const context = process.env['SLIPWAY_TEST_CONTEXT'];
  const cluster = connect(kubeconfigFile, context);
  const images = nodes === 'real' ? await findImages(process.env['SLIPWAY_TEST_IMAGE']) : NO_IMAGES;
  if (nodes === 'played') stack.defer(await bringNodes(cluster));
  const namespace = `slipway-test-${randomBytes(4).toString('hex')}`;
  // Until the namespace is gone: without a kubelet its pods never end.
  if (nodes === 'played') stack.defer(playNodes(cluster, namespace));
  await cluster.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  stack.defer(() => removeNamespace(cluster, namespace));
  const gatewayClass = await gatewayClassOf(cluster, nodes === 'local' ? 'local' : undefined);
  if (gatewayClass) {
    const gateways = `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/gateways`;
    await cluster.create(gateways, gateway('slipway-test', gatewayClass));
  }
  const onArm = (process.env['SLIPWAY_TEST_ARCHITECTURE'] ?? (await architectureOf(cluster))) === 'arm64';
  console.log(
    `${cluster.name}, namespace ${namespace}: ${gatewayClass ? `a Gateway of class ${gatewayClass}` : 'no Gateway, split by pods'}, canaries on ${onArm ? 'arm64' : 'any'} nodes`,
  );
  return {
    ...{ kubeconfigFile, context, namespace, onArm, ...images },
    gateway: gatewayClass ? 'slipway-test' : undefined,
    secondMs: nodes === 'real' ? 1000 : 100,
  };
}

const classesSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      status: z
        .object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]) })
        .prefault({}),
    }),
  ),
});

async function gatewayClassOf(cluster: Cluster, otherwise: string | undefined): Promise<string | undefined> {
  const given = process.env['SLIPWAY_TEST_GATEWAY_CLASS'];
  if (given) return given === 'none' ? undefined : given;
  const found = await cluster.read('/apis/gateway.networking.k8s.io/v1/gatewayclasses');
  const classes = found === undefined ? [] : classesSchema.parse(found).items;
  const accepted = classes.find(({ status }) =>
    status.conditions.some(({ type, status: is }) => type === 'Accepted' && is === 'True'),
  );
  return accepted?.metadata.name ?? otherwise;
}

const nodesSchema = z.object({
  items: z.array(z.object({ metadata: z.object({ labels: z.record(z.string(), z.string()).default({}) }) })),
});

async function architectureOf(cluster: Cluster): Promise<'arm64' | 'any'> {
  const { items } = nodesSchema.parse(await cluster.read('/api/v1/nodes'));
  return items.some(node => node.metadata.labels['kubernetes.io/arch'] === 'arm64') ? 'arm64' : 'any';
}

/** Pods behind one Service get requests as soon as they are ready. */
const NEEDS_ROUTE = 'gets no request until its weight is set';

function runSuite(settings: Settings, options: readonly string[]): Promise<number> {
  if (!settings.gateway) console.log(`left out, since it needs a route: "${NEEDS_ROUTE}"`);
  const selection = settings.gateway ? [] : ['--testNamePattern', `^(?!.*${NEEDS_ROUTE})`];
  const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
  const args = [vitest, 'run', '--config', 'test/kubernetes/vitest.config.ts', ...selection, ...options];
  const child = spawn(process.execPath, args, {
    stdio: 'inherit',
    env: { ...process.env, ...toEnvironment(settings) },
  });
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', code => resolve(code ?? 1));
  });
}

async function removeNamespace(cluster: Cluster, namespace: string): Promise<void> {
  await cluster.remove(`${NAMESPACES}/${namespace}`);
  const deadlineMs = Date.now() + REMOVAL_MS;
  while ((await cluster.read(`${NAMESPACES}/${namespace}`)) !== undefined) {
    if (Date.now() > deadlineMs)
      throw new Error(`namespace ${namespace} is still being removed: look after it`);
    await rest(500);
  }
  console.log(`namespace ${namespace} is gone`);
}

process.exitCode = await main();

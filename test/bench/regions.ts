import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { endpointVariable } from '../../functions/google/clients.ts';
import { SERVICE_LABEL } from '../../functions/handlers/slo-alert.ts';
import { parsePolicy, type Service } from '../../functions/rollout/policy.ts';
import type { Phase, Rollout } from '../../functions/rollout/record.ts';
import { sqliteStore } from '../../functions/store/sqlite.ts';
import type { Store } from '../../functions/store/store.ts';
import { realClock, sleep } from '../../local/clock.ts';
import { InstantDataPlane } from '../../local/dataplane/instant.ts';
import { type Functions, startFunctions } from '../../local/functions/functions.ts';
import { serve } from '../../local/http.ts';
import { LOCATION, PROJECT } from '../../local/names.ts';
import { PubSubCore } from '../../local/pubsub/core.ts';
import { pubsubApi } from '../../local/pubsub/http.ts';
import { deliverByFetch } from '../../local/pubsub/push.ts';
import { CloudRun } from '../../local/run/core.ts';
import { cloudRunApi } from '../../local/run/http.ts';
import { createTopics, deployWorkflows, topicName } from '../../local/wiring.ts';
import { WorkflowsCore } from '../../local/workflows/engine.ts';
import { executionsApi } from '../../local/workflows/executions-api.ts';
import { aWorld } from '../worlds.ts';
import { Wire } from './wire.ts';

export const SERVICE = 'hello';
export const IMAGE = 'example.dev/acme/hello';
const STABLE = `sha256:${'5'.repeat(64)}`;

/** For each way: up to the gate, and back. */
const PATIENCE_MS = 120_000;

/** One service in many Cloud Run regions. */
export interface Regions {
  readonly wire: Wire;
  /** Environment of the functions. */
  readonly env: Readonly<Record<string, string>>;
  /** Rolls the canary out until it waits at a gate with half of the traffic in every region. */
  reachGate(): Promise<Rollout>;
  /** Publishes an SLO alert and waits until what served before has everything again. */
  takeBack(rollout: Rollout): Promise<TakenBack>;
  close(): Promise<void>;
}

export interface TakenBack {
  readonly rollout: Rollout;
  /** When the alert was published. */
  readonly alertedMs: number;
}

export interface RegionsOptions {
  readonly count: number;
  /** The workflow rests for a hundredth of it between two calls. */
  readonly progressDeadline: string;
}

/**
 * All that stands between a command and the regions is real: Pub/Sub, the functions in a process of their own, the
 * workflows, the clients, HTTP, SQLite. Only containers are missing: they are ready as soon as they are asked for.
 */
export async function openRegions(options: RegionsOptions): Promise<Regions> {
  const stack = new AsyncDisposableStack();
  try {
    return await build(options, stack);
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function build(options: RegionsOptions, stack: AsyncDisposableStack): Promise<Regions> {
  const wire = new Wire();
  const names = Array.from({ length: options.count }, (_, index) => `region-${index + 1}`);
  const directory = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const store = sqliteStore(join(directory, 'records.sqlite'));
  stack.defer(() => store.close());
  const policy = stringify({ services: [policyService(names, options)] });
  await writeFile(join(directory, 'rollouts.yaml'), policy);
  const { pubsub, functions, env } = await startCloud(names, directory, wire, stack);
  return {
    wire,
    env,
    reachGate: async () => {
      const rollout = await admitCanary(store, serviceOf(policy));
      await callSweep(functions);
      return until(store, functions, rollout.id, 'Paused');
    },
    takeBack: async ({ id }) => {
      const labels = { [SERVICE_LABEL]: SERVICE };
      const incident = { incident_id: '0.bench', state: 'open', policy_user_labels: labels };
      const alertedMs = Date.now();
      pubsub.publishJson(topicName('slo-alerts'), { version: '1.2', incident });
      return { rollout: await until(store, functions, id, 'Degraded'), alertedMs };
    },
    close: () => stack.disposeAsync(),
  };
}

function policyService(names: readonly string[], { progressDeadline }: RegionsOptions): object {
  return {
    name: SERVICE,
    image: IMAGE,
    targets: names.map(name => ({ name, cloudRun: { project: PROJECT, region: name, service: SERVICE } })),
    strategy: { steps: [{ setWeight: 50 }, { pause: {} }], progressDeadline, rollbackWindow: '1h' },
    judge: 'off',
  };
}

function serviceOf(policy: string): Service {
  const parsed = parsePolicy(policy, 'rollouts.yaml');
  const [service] = parsed.ok ? parsed.policy.services : [];
  if (!service) throw new Error('the policy of the bench does not parse');
  return service;
}

async function startCloud(
  names: readonly string[],
  directory: string,
  wire: Wire,
  stack: AsyncDisposableStack,
) {
  const front = await serve(() => ({ status: 200, body: 'ok' }));
  stack.defer(() => front.close());
  const nothing = await serve(() => ({ status: 404 }));
  stack.defer(() => nothing.close());
  const run = new CloudRun({
    clock: realClock,
    dataPlane: new InstantDataPlane(realClock),
    serviceUrl: () => front.url,
    tagUrl: () => front.url,
  });
  stack.defer(() => run.close());
  await serveStable(run, names);
  const pubsub = new PubSubCore({ clock: realClock, deliver: deliverByFetch });
  stack.defer(() => pubsub.stop());
  const workflows = new WorkflowsCore({
    clock: realClock,
    project: PROJECT,
    send: wire.send,
    baseUrl: () => apis.workflowexecutions.url,
  });
  stack.defer(() => workflows.stop());
  const apis = {
    run: await serve(wire.to('run', cloudRunApi(run))),
    pubsub: await serve(wire.to('pubsub', pubsubApi(pubsub))),
    workflowexecutions: await serve(wire.to('workflowexecutions', executionsApi(workflows))),
  };
  for (const server of Object.values(apis)) stack.defer(() => server.close());
  const env = {
    [endpointVariable('run')]: apis.run.url,
    [endpointVariable('pubsub')]: apis.pubsub.url,
    [endpointVariable('workflowexecutions')]: apis.workflowexecutions.url,
    GOOGLE_CLOUD_PROJECT: PROJECT,
    SLIPWAY_LOCATION: LOCATION,
    SLIPWAY_POLICY: join(directory, 'rollouts.yaml'),
    SLIPWAY_STORE: `sqlite:${join(directory, 'records.sqlite')}`,
    SLIPWAY_REGISTRY_MIRRORS: `${new URL(`https://${IMAGE}`).host}=${nothing.url}`,
    NODE_ENV: 'production',
  };
  const functions = await startFunctions(env);
  stack.defer(() => functions.stop());
  await deployWorkflows(workflows, functions);
  createTopics(pubsub, functions);
  return { pubsub, functions, env };
}

async function serveStable(run: CloudRun, names: readonly string[]): Promise<void> {
  const keys = names.map(region => ({ project: PROJECT, region, service: SERVICE }));
  const containers = [{ image: `${IMAGE}@${STABLE}` }];
  for (const key of keys)
    run.createService(key, { template: { revision: `${SERVICE}-stable-1`, containers } });
  const deadlineMs = Date.now() + PATIENCE_MS;
  while (keys.some(key => run.getService(key).reconciling)) {
    if (Date.now() > deadlineMs) throw new Error('the regions do not begin to serve');
    await sleep(realClock, 50);
  }
}

async function admitCanary(store: Store, spec: Service): Promise<Rollout> {
  const { rollout, service } = aWorld(spec);
  await store.transact(async transaction => {
    transaction.write('rollout', rollout.id, rollout);
    transaction.write('service', service.name, service);
  });
  return rollout;
}

/** It starts what is due. */
async function callSweep(functions: Functions): Promise<void> {
  const response = await fetch(functions.urls.sweep, { method: 'POST' });
  await response.body?.cancel();
}

async function until(store: Store, functions: Functions, id: string, phase: Phase): Promise<Rollout> {
  const deadlineMs = Date.now() + PATIENCE_MS;
  for (;;) {
    const rollout = await store.read('rollout', id);
    if (rollout?.phase === phase) return rollout;
    if (Date.now() > deadlineMs) {
      const said = functions.lastLines().slice(-10).join('\n');
      throw new Error(`${id} should be ${phase} and is ${rollout?.phase}: ${rollout?.message}\n${said}`);
    }
    await sleep(realClock, 100);
  }
}

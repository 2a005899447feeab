import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { SlipwayError } from './errors.ts';
import { type GoogleClients, googleClients, readEndpoints } from './google/clients.ts';
import { type CommandMessage, publishCommand } from './google/commands.ts';
import { publishEvent, type RolloutEventMessage } from './google/events.ts';
import { callCallback, createExecution, isExecutionActive } from './google/executions.ts';
import type { Authorities } from './image/authorities.ts';
import type { Registry } from './image/registry.ts';
import type { BlockOptions, Reading } from './metrics/blocks.ts';
import type { MetricTarget, Window } from './metrics/reading.ts';
import type { SignalReading } from './metrics/signals.ts';
import { type Policy, parsePolicy, type TargetSpec } from './rollout/policy.ts';
import { printProblem } from './rollout/policy-problems.ts';
import type { PreflightProblem } from './rollout/preflight.ts';
import type { WorkflowKind } from './rollout/record.ts';
import { readSettings, type Settings } from './settings.ts';
import type { Store } from './store/store.ts';
import type { ClusterAccess } from './targets/gke-cluster.ts';
import type { GkeSpec } from './targets/gke-state.ts';
import type { LoadBalancer, LoadBalancerSpec } from './targets/load-balancer.ts';
import type { Target } from './targets/target.ts';
import { jsonLog, type Log } from './telemetry/log.ts';
import { tracedStore } from './telemetry/traced-store.ts';

/** All that the handlers reach the world with. */
export interface Dependencies {
  readonly store: () => Promise<Store>;
  readonly policy: () => Promise<Policy>;
  readonly registry: () => Promise<Registry>;
  readonly authorities: () => Promise<Authorities>;
  /** @param image the repository that Slipway rolls out there; whatever else serves is a placeholder */
  readonly target: (spec: TargetSpec, image: string) => Promise<Target>;
  readonly loadBalancer: (spec: LoadBalancerSpec) => Promise<LoadBalancer>;
  /** What would keep a rollout from a cluster's nodes. */
  readonly preflightGke: (spec: GkeSpec) => Promise<readonly PreflightProblem[]>;
  readonly measure: (
    targets: readonly MetricTarget[],
    window: Window,
    options: BlockOptions,
  ) => Promise<Reading>;
  /** The golden signals of the last minutes. */
  readonly signals: (targets: readonly MetricTarget[], minutes: number) => Promise<SignalReading>;
  /** Starts an execution and returns its name; `traceparent` is of the rollout's trace. */
  readonly launch: (workflow: WorkflowKind, rollout: string, traceparent?: string) => Promise<string>;
  /** By the execution's full name, or by its id alone. */
  readonly isAlive: (workflow: WorkflowKind, execution: string) => Promise<boolean>;
  readonly poke: (callback: string) => Promise<void>;
  readonly publish: (message: RolloutEventMessage) => Promise<void>;
  /** Publishes a command on a topic and gives the message's id. */
  readonly sendCommand: (topic: string, command: CommandMessage) => Promise<string>;
  /** What the secret of this name holds, without white space around it. */
  readonly secret: (name: string) => Promise<string>;
  readonly settings: Settings;
  readonly nowMs: () => number;
  readonly log: Log;
}

/** Builds everything from the environment; each part on first use. */
export function dependenciesFrom(env: NodeJS.ProcessEnv): Dependencies {
  const settings = readSettings(env);
  const endpoints = readEndpoints(env);
  const clients = googleClients(endpoints);
  const parent = (workflow: WorkflowKind) => workflowName(settings, workflow);
  const nowMs = () => Date.now();
  return {
    store: once(async () => tracedStore(await openStore(settings, clients))),
    policy: policyReader(settings.policyFile),
    registry: once(async () => {
      const { registryClient } = await import('./image/registry.ts');
      return registryClient({
        mirrors: settings.registryMirrors,
        accessToken: () => clients.accessToken('registry'),
      });
    }),
    authorities: once(async () => {
      const { googleAuthorities } = await import('./google/authorities.ts');
      return googleAuthorities(() => clients.containerAnalysis(), {
        url: endpoints.binaryauthorization ?? 'https://binaryauthorization.googleapis.com',
        accessToken: () => clients.accessToken('binaryauthorization'),
      });
    }),
    target: (spec, image) => targetOf(spec, image, clients),
    async loadBalancer(spec) {
      const { loadBalancer } = await import('./targets/load-balancer.ts');
      return loadBalancer(spec, clients);
    },
    async preflightGke(spec) {
      const { architectureFrom, preflightGke } = await import('./targets/gke-preflight.ts');
      return preflightGke(spec, clusterAccess(clients), architectureFrom(clients, spec));
    },
    async measure(targets, window, options) {
      const { readBlocks } = await import('./metrics/blocks.ts');
      return readBlocks(clients, targets, window, options);
    },
    async signals(targets, minutes) {
      const { readSignals } = await import('./metrics/signals.ts');
      return readSignals(clients, targets, minutes, nowMs());
    },
    launch: async (workflow, rollout, traceparent) =>
      createExecution(await clients.executions(), parent(workflow), rollout, traceparent),
    async isAlive(workflow, execution) {
      const name = execution.includes('/') ? execution : `${parent(workflow)}/executions/${execution}`;
      return isExecutionActive(await clients.executions(), name);
    },
    poke: async callback => callCallback(callback, await clients.accessToken('workflowexecutions')),
    publish: async message =>
      publishEvent(await clients.pubsub(settings.project), settings.eventsTopic, message),
    sendCommand: async (topic, command) =>
      publishCommand(await clients.pubsub(settings.project), topic, command),
    secret: name => readSecret(settings.secretsFolder, name),
    settings,
    nowMs,
    log: jsonLog({ project: settings.project, nowMs, write: line => console.log(line) }),
  };
}

function workflowName(settings: Settings, workflow: WorkflowKind): string {
  const id = workflow === 'rollout' ? settings.rolloutWorkflow : settings.rollbackWorkflow;
  return `projects/${settings.project}/locations/${settings.location}/workflows/${id}`;
}

async function openStore({ project, store }: Settings, clients: GoogleClients): Promise<Store> {
  const [, kind, place] = /^(sqlite|firestore)(?::(.+))?$/.exec(store) ?? [];
  if (kind === 'sqlite' && place) return (await import('./store/sqlite.ts')).sqliteStore(place);
  if (kind === 'firestore') {
    const { firestoreStore } = await import('./store/firestore.ts');
    return firestoreStore(await clients.firestore(project, place ?? '(default)'));
  }
  throw new SlipwayError(
    `SLIPWAY_STORE: expected firestore, firestore:DATABASE or sqlite:FILE, found "${store}"`,
    { code: 'InvalidArgument', operation: 'open the store' },
  );
}

async function targetOf(spec: TargetSpec, image: string, clients: GoogleClients): Promise<Target> {
  if (spec.cloudRun) {
    const { cloudRunTarget } = await import('./targets/cloud-run.ts');
    const { services, revisions, idToken } = clients;
    return cloudRunTarget({ ...spec.cloudRun, image }, { services, revisions, idToken });
  }
  if (spec.gke) {
    const { gkeTarget } = await import('./targets/gke.ts');
    return gkeTarget(spec.gke, clusterAccess(clients));
  }
  throw new SlipwayError(`target ${spec.name} is neither cloudRun nor gke`, {
    code: 'InvalidArgument',
    operation: 'find the target',
  });
}

function clusterAccess({ clusters, accessToken }: GoogleClients): ClusterAccess {
  return { clusters, accessToken: () => accessToken('container') };
}

async function readSecret(folder: string, name: string): Promise<string> {
  const operation = `read the secret ${name}`;
  try {
    const place = path.join(folder, name);
    // Cloud Run mounts a secret as a folder of its own.
    const file = (await stat(place)).isDirectory() ? path.join(place, 'value') : place;
    return (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    throw unreadable(cause, operation, 'SLIPWAY_SECRETS says which folder it is in');
  }
}

/** Both are mounts of Secret Manager, which is asked at every reading: what is not simply missing may pass. */
function unreadable(cause: unknown, operation: string, advice: string): SlipwayError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
  const code = isMissing ? 'NotFound' : 'Unavailable';
  return new SlipwayError(`${operation}: ${why}; ${advice}`, { code, operation, cause });
}

/** Reads the policy again whenever the file has changed. */
function policyReader(file: string): () => Promise<Policy> {
  let known: { changedMs: number; policy: Policy } | undefined;
  return async () => {
    const operation = `read the policy ${file}`;
    const refuse = (cause: unknown) => {
      throw unreadable(cause, operation, 'SLIPWAY_POLICY says which file it is');
    };
    const changedMs = await stat(file).then(({ mtimeMs }) => mtimeMs, refuse);
    if (known?.changedMs === changedMs) return known.policy;
    const result = parsePolicy(await readFile(file, 'utf8').catch(refuse), file);
    if (!result.ok) {
      throw new SlipwayError(result.problems.map(printProblem).join('\n'), {
        code: 'InvalidArgument',
        operation,
      });
    }
    known = { changedMs, policy: result.policy };
    return result.policy;
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

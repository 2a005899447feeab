import { readFile, stat } from 'node:fs/promises';
import { SlipwayError } from './errors.ts';
import { type GoogleClients, googleClients, readEndpoints } from './google/clients.ts';
import { callCallback, createExecution, isExecutionActive } from './google/executions.ts';
import { publishEvent, type RolloutEventMessage } from './google/events.ts';
import type { Registry } from './image/registry.ts';
import type { MetricTarget, Reading } from './metrics/monitoring.ts';
import { type Policy, parsePolicy, type TargetSpec } from './rollout/policy.ts';
import { printProblem } from './rollout/policy-problems.ts';
import type { WorkflowKind } from './rollout/record.ts';
import { readSettings, type Settings } from './settings.ts';
import type { Store } from './store/store.ts';
import type { Target } from './targets/target.ts';

/** All that the handlers reach the world with. */
export interface Dependencies {
  readonly store: () => Promise<Store>;
  readonly policy: () => Promise<Policy>;
  readonly registry: () => Promise<Registry>;
  /** @param image the repository that Slipway rolls out there; whatever else serves is a placeholder */
  readonly target: (spec: TargetSpec, image: string) => Promise<Target>;
  readonly measure: (
    targets: readonly MetricTarget[],
    window: { sinceMs: number; untilMs: number },
  ) => Promise<Reading>;
  /** Starts an execution and returns its name. */
  readonly launch: (workflow: WorkflowKind, rollout: string) => Promise<string>;
  /** By the execution's full name, or by its id alone. */
  readonly isAlive: (workflow: WorkflowKind, execution: string) => Promise<boolean>;
  readonly poke: (callback: string) => Promise<void>;
  readonly publish: (message: RolloutEventMessage) => Promise<void>;
  readonly nowMs: () => number;
  readonly log: Log;
}

/** One JSON line per decision, in Cloud Logging's fields. */
export type Log = (
  severity: 'INFO' | 'WARNING' | 'ERROR',
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

/** Builds everything from the environment; each part on first use. */
export function dependenciesFrom(env: NodeJS.ProcessEnv): Dependencies {
  const settings = readSettings(env);
  const endpoints = readEndpoints(env);
  const clients = googleClients(endpoints);
  const parent = (workflow: WorkflowKind) => workflowName(settings, workflow);
  return {
    store: once(() => openStore(settings)),
    policy: policyReader(settings.policyFile),
    registry: once(async () => {
      const { registryClient } = await import('./image/registry.ts');
      return registryClient({
        mirrors: settings.registryMirrors,
        accessToken: () => clients.accessToken('registry'),
      });
    }),
    target: (spec, image) => targetOf(spec, image, clients),
    async measure(targets, window) {
      const { readCounts } = await import('./metrics/monitoring.ts');
      return readCounts(await clients.metrics(), targets, window);
    },
    launch: async (workflow, rollout) =>
      createExecution(await clients.executions(), parent(workflow), rollout),
    async isAlive(workflow, execution) {
      const name = execution.includes('/') ? execution : `${parent(workflow)}/executions/${execution}`;
      return isExecutionActive(await clients.executions(), name);
    },
    poke: async callback => callCallback(callback, await clients.accessToken('workflowexecutions')),
    publish: async message =>
      publishEvent(await clients.pubsub(settings.project), settings.eventsTopic, message),
    nowMs: () => Date.now(),
    log: (severity, message, fields) => console.log(JSON.stringify({ severity, message, ...fields })),
  };
}

function workflowName(settings: Settings, workflow: WorkflowKind): string {
  const id = workflow === 'rollout' ? settings.rolloutWorkflow : settings.rollbackWorkflow;
  return `projects/${settings.project}/locations/${settings.location}/workflows/${id}`;
}

async function openStore(settings: Settings): Promise<Store> {
  const [, file] = /^sqlite:(.+)$/.exec(settings.store) ?? [];
  if (file) return (await import('./store/sqlite.ts')).sqliteStore(file);
  throw new SlipwayError(`SLIPWAY_STORE: expected sqlite:FILE, found "${settings.store}"`, {
    code: 'InvalidArgument',
    operation: 'open the store',
  });
}

async function targetOf(spec: TargetSpec, image: string, clients: GoogleClients): Promise<Target> {
  if (spec.cloudRun) {
    const { cloudRunTarget } = await import('./targets/cloud-run.ts');
    const { services, revisions, idToken } = clients;
    return cloudRunTarget({ ...spec.cloudRun, image }, { services, revisions, idToken });
  }
  if (spec.gke) {
    const { gkeTarget } = await import('./targets/gke.ts');
    return gkeTarget(spec.gke, {
      clusters: clients.clusters,
      accessToken: () => clients.accessToken('container'),
    });
  }
  throw new SlipwayError(`target ${spec.name} is neither cloudRun nor gke`, {
    code: 'InvalidArgument',
    operation: 'find the target',
  });
}

/** Reads the policy again whenever the file has changed. */
function policyReader(file: string): () => Promise<Policy> {
  let known: { changedMs: number; policy: Policy } | undefined;
  return async () => {
    const operation = `read the policy ${file}`;
    const changedMs = await stat(file).then(
      ({ mtimeMs }) => mtimeMs,
      cause => {
        throw new SlipwayError(`${operation}: no such file; set SLIPWAY_POLICY`, {
          code: 'NotFound',
          operation,
          cause,
        });
      },
    );
    if (known?.changedMs === changedMs) return known.policy;
    const result = parsePolicy(await readFile(file, 'utf8'), file);
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

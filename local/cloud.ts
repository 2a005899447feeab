import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { API_NAMES, endpointVariable } from '../functions/google/clients.ts';
import { registryClient } from '../functions/image/registry.ts';
import { BinaryAuthorization } from './binaryauthorization/core.ts';
import { binaryAuthorizationApi } from './binaryauthorization/http.ts';
import { type Clock, realClock } from './clock.ts';
import { ComputeCore } from './compute/core.ts';
import { computeApi } from './compute/http.ts';
import { ClusterManager, containerApi } from './container/clusters.ts';
import { ContainerAnalysis } from './containeranalysis/core.ts';
import { containerAnalysisApi } from './containeranalysis/http.ts';
import { type Scan, Scanner } from './containeranalysis/scanner.ts';
import type { DataPlane, ServedRequest } from './dataplane/dataplane.ts';
import { startFront } from './dataplane/fronts.ts';
import { startLoadBalancer } from './dataplane/load-balancer.ts';
import { LocalDataPlane } from './dataplane/local-data-plane.ts';
import { Faults } from './faults.ts';
import { type Functions, startFunctions } from './functions/functions.ts';
import { freePort } from './functions/ports.ts';
import { type HttpHandler, type HttpServer, serve } from './http.ts';
import { kubernetesApi } from './kubernetes/api.ts';
import { Kubernetes } from './kubernetes/core.ts';
import { type KubernetesServer, kubeconfigOf, serveKubernetes } from './kubernetes/server.ts';
import { MonitoringCore } from './monitoring/core.ts';
import { monitoringApi } from './monitoring/http.ts';
import { CLUSTER, EXAMPLE_SERVICE, LOCAL_USER, LOCATION, PROJECT, REGISTRY_HOST } from './names.ts';
import { PubSubCore } from './pubsub/core.ts';
import { pubsubApi } from './pubsub/http.ts';
import { deliverByFetch } from './pubsub/push.ts';
import { RegistryCore } from './registry/core.ts';
import { isUpload, registryHandler } from './registry/http.ts';
import { CloudRun } from './run/core.ts';
import { cloudRunApi } from './run/http.ts';
import { UrlPool } from './urls.ts';
import { createTopics, deployWorkflows, runSweep, topicName } from './wiring.ts';
import { WorkflowsCore, type WorkflowsOptions } from './workflows/engine.ts';
import { executionsApi } from './workflows/executions-api.ts';
import type { Send } from './workflows/host.ts';
import { sendByFetch } from './workflows/send.ts';

export interface CloudOptions {
  /** Records, layers and unpacked images go here. */
  readonly directory: string;
  readonly policyFile: string;
  /** Seconds that Cloud Monitoring takes to sample, to show and to evaluate; the real ones are 60, 120 and 60. */
  readonly metrics: {
    readonly sampleSeconds: number;
    readonly lagSeconds: number;
    readonly evaluateSeconds: number;
  };
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Delivers every message twice and in any order. */
  readonly chaos?: boolean;
  /** How workflows send their requests; a test may lose or repeat them. */
  readonly send?: Send;
  /** Before every step of every execution; may kill the execution, and the step then does not run. */
  readonly onStep?: WorkflowsOptions['onStep'];
  /** Runs the containers; without it they are processes of this machine. */
  readonly dataPlane?: DataPlane;
  /** What the vulnerability scan of a pushed image finds: nothing, unless told. */
  readonly scan?: Scan;
  /** 5 unless told; 0 leaves the sweep to whoever calls it. */
  readonly sweepEverySeconds?: number;
  /** More of the functions' environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** What `npm run build` wrote, to run the functions from it; they run from their sources unless told. */
  readonly functionsFolder?: string;
}

export interface LocalCloud {
  /** Environment that points the functions, the command line and gcloud at this cloud. */
  readonly env: Readonly<Record<string, string>>;
  /** What to know by heart: name → URL. */
  readonly urls: Readonly<Record<CloudUrl, string>>;
  readonly storeFile: string;
  readonly kubeconfigFile: string;
  readonly functions: Functions;
  readonly faults: Readonly<Record<Api, Faults>>;
  readonly cores: Cores;
  close(): Promise<void>;
}

const APIS = [
  'run',
  'container',
  'compute',
  'workflowexecutions',
  'monitoring',
  'pubsub',
  'containeranalysis',
  'binaryauthorization',
  'registry',
  'kubernetes',
] as const;
export type Api = (typeof APIS)[number];
export type CloudUrl = Api | 'loadBalancer' | 'gateway';

export interface Cores {
  readonly registry: RegistryCore;
  readonly pubsub: PubSubCore;
  readonly run: CloudRun;
  readonly kubernetes: Kubernetes;
  readonly compute: ComputeCore;
  readonly monitoring: MonitoringCore;
  readonly workflows: WorkflowsCore;
  readonly containerAnalysis: ContainerAnalysis;
  readonly binaryAuthorization: BinaryAuthorization;
}

/** What every part of the cloud is built with. `stack` closes in the opposite order of opening. */
interface Ground {
  readonly options: CloudOptions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly faults: Readonly<Record<Api, Faults>>;
  readonly stack: AsyncDisposableStack;
}

/** A Google Cloud in one process, the functions in a second, and a process per container. Everything on free ports. */
export async function startLocalCloud(options: CloudOptions): Promise<LocalCloud> {
  const { clock = realClock, random = Math.random } = options;
  const stack = new AsyncDisposableStack();
  try {
    return await build({ options, clock, random, faults: faultsPerApi(clock, random), stack });
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function build(ground: Ground): Promise<LocalCloud> {
  const { options, faults, stack } = ground;
  await mkdir(options.directory, { recursive: true });
  const { pubsub, monitoring } = startMessaging(ground);
  const containerAnalysis = new ContainerAnalysis(ground);
  const binaryAuthorization = new BinaryAuthorization(ground);
  const registry = await startRegistry(ground, pubsub, containerAnalysis);
  const dataPlane = options.dataPlane ?? startDataPlane(ground, registry.url, monitoring);
  const onServed = (served: ServedRequest) => monitoring.record(served);
  const run = await startCloudRun(ground, dataPlane, onServed);
  const kubernetes = await startKubernetes(ground, dataPlane);
  const compute = new ComputeCore(ground);
  stack.defer(() => compute.stop());
  const workflows = new WorkflowsCore({
    clock: ground.clock,
    project: PROJECT,
    send: options.send ?? sendByFetch,
    baseUrl: () => apis.workflowexecutions.url,
    ...(options.onStep ? { onStep: options.onStep } : {}),
  });
  stack.defer(() => workflows.stop());
  const apis = await serveApis(ground, {
    run: cloudRunApi(run),
    container: containerApi(clusterManager(kubernetes.core, kubernetes.server)),
    compute: computeApi(compute),
    workflowexecutions: executionsApi(workflows),
    monitoring: monitoringApi(monitoring),
    pubsub: pubsubApi(pubsub),
    containeranalysis: containerAnalysisApi(containerAnalysis),
    binaryauthorization: binaryAuthorizationApi(binaryAuthorization),
  });
  const fronts = await startFronts(ground, onServed, compute, run, kubernetes.core);
  const storeFile = join(options.directory, 'records.sqlite');
  const consolePort = await freePort();
  const env = environment(apis, registry.url, options.policyFile, storeFile, consolePort);
  const functions = await connectFunctions(ground, env, consolePort, workflows, pubsub);
  return {
    env,
    urls: { ...urlsOf(apis), ...urlsOf(fronts), registry: registry.url, kubernetes: kubernetes.server.url },
    storeFile,
    kubeconfigFile: kubernetes.kubeconfigFile,
    functions,
    faults,
    cores: {
      registry: registry.core,
      pubsub,
      run,
      kubernetes: kubernetes.core,
      compute,
      monitoring,
      workflows,
      containerAnalysis,
      binaryAuthorization,
    },
    close: () => stack.disposeAsync(),
  };
}

function faultsPerApi(clock: Clock, random: () => number): Record<Api, Faults> {
  const one = () => new Faults(clock, random);
  return {
    run: one(),
    container: one(),
    compute: one(),
    workflowexecutions: one(),
    monitoring: one(),
    pubsub: one(),
    containeranalysis: one(),
    binaryauthorization: one(),
    registry: one(),
    kubernetes: one(),
  };
}

function startMessaging({ options, clock, random, stack }: Ground): {
  pubsub: PubSubCore;
  monitoring: MonitoringCore;
} {
  const chaos = options.chaos ? { duplicates: true, shuffleWithinMs: 300, random } : undefined;
  const pubsub = new PubSubCore({ clock, deliver: deliverByFetch, chaos });
  stack.defer(() => pubsub.stop());
  const { sampleSeconds, lagSeconds, evaluateSeconds } = options.metrics;
  const monitoring = new MonitoringCore({
    clock,
    samplePeriodMs: sampleSeconds * 1000,
    visibleAfterMs: lagSeconds * 1000,
    evaluateEveryMs: evaluateSeconds * 1000,
    publish: (topic, data) => {
      pubsub.publishJson(topic, data);
    },
  });
  stack.defer(() => monitoring.stop());
  return { pubsub, monitoring };
}

async function startRegistry(
  { options, clock, faults, stack }: Ground,
  pubsub: PubSubCore,
  containerAnalysis: ContainerAnalysis,
): Promise<{ core: RegistryCore; url: string }> {
  const scanner = new Scanner(containerAnalysis, options.scan ?? (() => ({ status: 'FINISHED_SUCCESS' })));
  const core = new RegistryCore({
    host: REGISTRY_HOST,
    clock,
    directory: join(options.directory, 'registry'),
    onPush: notification => {
      const { action, digest } = notification;
      if (action === 'INSERT' && digest) scanner.imagePushed(digest);
      pubsub.publishJson(topicName('gcr'), notification);
    },
  });
  const server = await serve(faults.registry.wrap(registryHandler(core)), 0, isUpload);
  stack.defer(() => server.close());
  return { core, url: server.url };
}

/** The one cluster. */
const HOME = { project: PROJECT, location: LOCATION, cluster: CLUSTER };

function startDataPlane(
  { options, clock, stack }: Ground,
  registryUrl: string,
  monitoring: MonitoringCore,
): LocalDataPlane {
  const registry = registryClient({
    mirrors: { [REGISTRY_HOST]: registryUrl },
    accessToken: async () => undefined,
  });
  const dataPlane = new LocalDataPlane({
    registry,
    cacheDir: join(options.directory, 'images'),
    clock,
    project: PROJECT,
    cpu: {
      everyMs: options.metrics.sampleSeconds * 1000,
      onCpu: ({ by }, share, atMs) =>
        monitoring.recordCpu({ by: by.kind === 'cloudRun' ? by : { ...HOME, ...by }, share, atMs }),
    },
  });
  stack.defer(() => dataPlane.stopAll());
  return dataPlane;
}

type OnServed = (served: ServedRequest) => void;

async function startCloudRun(
  { clock, random, stack }: Ground,
  dataPlane: DataPlane,
  onServed: OnServed,
): Promise<CloudRun> {
  const urls = await UrlPool.open({
    clock,
    random,
    onServed,
    backendsOf: ({ project, region, service, tag }) => run.backendsOf(project, region, service, tag),
  });
  stack.defer(() => urls.close());
  const run = new CloudRun({
    clock,
    dataPlane,
    serviceUrl: (project, region, service) => urls.urlOf({ project, region, service, tag: undefined }),
    tagUrl: (project, region, service, tag) => urls.urlOf({ project, region, service, tag }),
  });
  stack.defer(() => run.close());
  return run;
}

async function startKubernetes({ options, clock, faults, stack }: Ground, dataPlane: DataPlane) {
  const core = new Kubernetes({
    clock,
    dataPlane,
    project: PROJECT,
    location: LOCATION,
    cluster: CLUSTER,
    httpGet: statusOf,
  });
  stack.defer(() => core.close());
  const server = await serveKubernetes(faults.kubernetes.wrap(kubernetesApi(core)));
  stack.defer(() => server.close());
  const kubeconfigFile = join(options.directory, 'kubeconfig.json');
  await writeFile(kubeconfigFile, kubeconfigOf(server, 'slipway-local'));
  return { core, server, kubeconfigFile };
}

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url);
  await response.body?.cancel();
  return response.status;
}

function clusterManager(core: Kubernetes, { endpoint, caCertificate }: KubernetesServer): ClusterManager {
  const clusters = new ClusterManager();
  clusters.add({
    project: PROJECT,
    location: LOCATION,
    name: CLUSTER,
    endpoint,
    caCertificate,
    nodePools: core.nodePools,
  });
  return clusters;
}

type GoogleApi = Exclude<Api, 'registry' | 'kubernetes'>;
type Servers<K extends string> = Readonly<Record<K, HttpServer>>;

async function serveApis(
  { faults, stack }: Ground,
  handlers: Readonly<Record<GoogleApi, HttpHandler>>,
): Promise<Servers<GoogleApi>> {
  async function start(api: GoogleApi): Promise<HttpServer> {
    const server = await serve(faults[api].wrap(handlers[api]));
    stack.defer(() => server.close());
    return server;
  }
  return {
    run: await start('run'),
    container: await start('container'),
    compute: await start('compute'),
    workflowexecutions: await start('workflowexecutions'),
    monitoring: await start('monitoring'),
    pubsub: await start('pubsub'),
    containeranalysis: await start('containeranalysis'),
    binaryauthorization: await start('binaryauthorization'),
  };
}

/** The two addresses that users of the service have: the global load balancer's and the Gateway's. */
async function startFronts(
  { clock, random, stack }: Ground,
  onServed: OnServed,
  compute: ComputeCore,
  run: CloudRun,
  kubernetes: Kubernetes,
): Promise<Servers<'loadBalancer' | 'gateway'>> {
  const common = { clock, random, onServed };
  const loadBalancer = await startLoadBalancer({
    ...common,
    name: `load balancer ${EXAMPLE_SERVICE}`,
    regions: () => compute.backendsOf(PROJECT, EXAMPLE_SERVICE).map(({ region }) => region),
    backendsOf: region => run.backendsOf(PROJECT, region, EXAMPLE_SERVICE),
  });
  stack.defer(() => loadBalancer.close());
  const gateway = await startFront({
    ...common,
    name: `gateway ${EXAMPLE_SERVICE}`,
    resolve: () => kubernetes.backendsOf('default', EXAMPLE_SERVICE),
  });
  stack.defer(() => gateway.close());
  return { loadBalancer, gateway };
}

function environment(
  apis: Servers<GoogleApi>,
  registryUrl: string,
  policyFile: string,
  storeFile: string,
  consolePort: number,
): Record<string, string> {
  const endpoints = API_NAMES.map(api => [endpointVariable(api), apis[api].url]);
  return {
    ...Object.fromEntries(endpoints),
    GOOGLE_CLOUD_PROJECT: PROJECT,
    SLIPWAY_LOCATION: LOCATION,
    SLIPWAY_POLICY: policyFile,
    SLIPWAY_STORE: `sqlite:${storeFile}`,
    SLIPWAY_SECRETS: join(dirname(storeFile), 'secrets'),
    SLIPWAY_REGISTRY_MIRRORS: `${REGISTRY_HOST}=${registryUrl}`,
    SLIPWAY_CONSOLE_IDENTITY: `local:${LOCAL_USER}`,
    SLIPWAY_CONSOLE_URL: `http://127.0.0.1:${consolePort}`,
  };
}

async function connectFunctions(
  { options, clock, stack }: Ground,
  env: Readonly<Record<string, string>>,
  consolePort: number,
  workflows: WorkflowsCore,
  pubsub: PubSubCore,
): Promise<Functions> {
  const functions = await startFunctions(
    { ...env, ...options.env, PATH: process.env['PATH'] ?? '', NODE_ENV: 'production' },
    { console: consolePort },
    options.functionsFolder,
  );
  stack.defer(() => functions.stop());
  await deployWorkflows(workflows, functions);
  createTopics(pubsub, functions);
  stack.defer(runSweep(clock, functions, options.sweepEverySeconds));
  return functions;
}

function urlsOf<K extends string>(servers: Servers<K>): Record<K, string> {
  const entries = Object.entries<HttpServer>(servers).map(([name, { url }]) => [name, url]);
  return Object.fromEntries(entries);
}

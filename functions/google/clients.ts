import type {
  BackendServicesClient,
  GlobalOperationsClient,
  MachineTypesClient,
  RegionNetworkEndpointGroupsClient,
} from '@google-cloud/compute';
import type { ClusterManagerClient } from '@google-cloud/container';
import type { Firestore } from '@google-cloud/firestore';
import type { GrafeasClient } from '@google-cloud/grafeas';
import type { MetricServiceClient } from '@google-cloud/monitoring';
import type { PubSub } from '@google-cloud/pubsub';
import type { RevisionsClient, ServicesClient } from '@google-cloud/run';
import type { ExecutionsClient } from '@google-cloud/workflows';
import { GoogleAuth, PassThroughClient } from 'google-auth-library';

/**
 * Where each API is, when it is not where Google has it. The variables are those that gcloud reads, so one environment
 * points the functions, the command line and gcloud at the same place.
 */
export interface Endpoints {
  readonly run?: string | undefined;
  readonly container?: string | undefined;
  readonly compute?: string | undefined;
  readonly workflowexecutions?: string | undefined;
  readonly monitoring?: string | undefined;
  readonly pubsub?: string | undefined;
  readonly containeranalysis?: string | undefined;
  readonly binaryauthorization?: string | undefined;
  readonly firestore?: string | undefined;
}

/** Those that the local cloud has. */
export const API_NAMES = [
  'run',
  'container',
  'compute',
  'workflowexecutions',
  'monitoring',
  'pubsub',
  'containeranalysis',
  'binaryauthorization',
] as const;

export function endpointVariable(api: keyof Endpoints): string {
  return `CLOUDSDK_API_ENDPOINT_OVERRIDES_${api.toUpperCase()}`;
}

export function readEndpoints(env: NodeJS.ProcessEnv): Endpoints {
  return Object.fromEntries(
    [...API_NAMES, 'firestore' as const].flatMap(api => {
      const url = env[endpointVariable(api)] ?? (api === 'firestore' ? emulatorUrl(env) : undefined);
      return url ? [[api, url]] : [];
    }),
  );
}

/** The client reads this variable itself, but looks for credentials all the same. */
function emulatorUrl({ FIRESTORE_EMULATOR_HOST: host }: NodeJS.ProcessEnv): string | undefined {
  return host ? `http://${host}` : undefined;
}

/** The Google clients that Slipway uses. Each package is loaded on first use: a function pays only for what it calls. */
export interface GoogleClients {
  services(): Promise<ServicesClient>;
  revisions(): Promise<RevisionsClient>;
  clusters(): Promise<ClusterManagerClient>;
  backendServices(): Promise<BackendServicesClient>;
  networkEndpointGroups(): Promise<RegionNetworkEndpointGroupsClient>;
  globalOperations(): Promise<GlobalOperationsClient>;
  machineTypes(): Promise<MachineTypesClient>;
  executions(): Promise<ExecutionsClient>;
  metrics(): Promise<MetricServiceClient>;
  containerAnalysis(): Promise<GrafeasClient>;
  pubsub(projectId: string): Promise<PubSub>;
  /** @param databaseId `(default)`, or the name of another database of the project */
  firestore(projectId: string, databaseId: string): Promise<Firestore>;
  /** Where Cloud Monitoring answers PromQL, for which it has no client; without a slash at the end. */
  readonly monitoringUrl: string;
  /** OAuth access token that says whose it is; undefined where the endpoint asks for none. */
  accessToken(api: keyof Endpoints | 'registry'): Promise<string | undefined>;
  /** OIDC token for a Cloud Run service that asks its callers for one. */
  idToken(audience: string): Promise<string | undefined>;
}

const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';
/** Without it a GKE cluster takes an account for its number, and RBAC, which knows it by its address, refuses it. */
const EMAIL = 'https://www.googleapis.com/auth/userinfo.email';

export function googleClients(endpoints: Endpoints): GoogleClients {
  const auth = new GoogleAuth({ scopes: [CLOUD_PLATFORM, EMAIL] });
  const once = memo();
  return {
    services: () => once('services', async () => new (await run()).ServicesClient(options(endpoints.run))),
    revisions: () => once('revisions', async () => new (await run()).RevisionsClient(options(endpoints.run))),
    clusters: () =>
      once(
        'clusters',
        async () => new (await container()).ClusterManagerClient(options(endpoints.container)),
      ),
    backendServices: () =>
      once(
        'backendServices',
        async () => new (await compute()).BackendServicesClient(options(endpoints.compute)),
      ),
    networkEndpointGroups: () =>
      once(
        'negs',
        async () => new (await compute()).RegionNetworkEndpointGroupsClient(options(endpoints.compute)),
      ),
    globalOperations: () =>
      once(
        'operations',
        async () => new (await compute()).GlobalOperationsClient(options(endpoints.compute)),
      ),
    machineTypes: () =>
      once('machine types', async () => new (await compute()).MachineTypesClient(options(endpoints.compute))),
    executions: () =>
      once(
        'executions',
        async () => new (await workflows()).ExecutionsClient(gax5Options(endpoints.workflowexecutions)),
      ),
    metrics: () =>
      once(
        'metrics',
        async () => new (await monitoring()).MetricServiceClient(options(endpoints.monitoring)),
      ),
    containerAnalysis: () =>
      once(
        'container analysis',
        async () => new (await grafeas()).GrafeasClient(grafeasOptions(endpoints.containeranalysis)),
      ),
    pubsub: projectId =>
      once(
        `pubsub ${projectId}`,
        async () => new (await pubsub()).PubSub(pubsubOptions(projectId, endpoints.pubsub)),
      ),
    firestore: (projectId, databaseId) =>
      once(
        `firestore ${projectId} ${databaseId}`,
        async () =>
          new (await firestore()).Firestore(firestoreOptions(projectId, databaseId, endpoints.firestore)),
      ),
    monitoringUrl: (endpoints.monitoring ?? 'https://monitoring.googleapis.com').replace(/\/+$/, ''),
    async accessToken(api) {
      if (endpoints[api === 'registry' ? 'run' : api]) return undefined;
      return (await auth.getAccessToken()) ?? undefined;
    },
    async idToken(audience) {
      if (endpoints.run) return undefined;
      const client = await auth.getIdTokenClient(audience);
      return client.idTokenProvider.fetchIdToken(audience);
    },
  };
}

// Each client is loaded through a module that names it: of a package itself, bundled, `import()` finds no names.
const run = () => import('./packages/run.ts');
const container = () => import('./packages/container.ts');
const compute = () => import('./packages/compute.ts');
const workflows = () => import('./packages/workflows.ts');
const monitoring = () => import('./packages/monitoring.ts');
const grafeas = () => import('./packages/grafeas.ts');
const pubsub = () => import('./packages/pubsub.ts');
const firestore = () => import('./packages/firestore.ts');

type LocalOptions = {
  fallback: true;
  protocol: string;
  apiEndpoint: string;
  port: number;
  authClient: PassThroughClient;
};

/** REST over plain HTTP without credentials for an endpoint that was configured; the client's own defaults otherwise. */
export function options(endpoint: string | undefined): LocalOptions | Record<string, never> {
  if (!endpoint) return {};
  const url = new URL(endpoint);
  return {
    fallback: true,
    protocol: url.protocol.replace(':', ''),
    apiEndpoint: url.hostname,
    port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
    authClient: new PassThroughClient(),
  };
}

/**
 * @google-cloud/workflows and grafeas still stand on gax 5, whose google-auth-library types its clients by class identity:
 * the newer PassThroughClient is the same thing to run and another thing to the compiler.
 */
function gax5Options(
  endpoint: string | undefined,
): NonNullable<ConstructorParameters<typeof ExecutionsClient>[0]> {
  const { authClient, ...rest } = options(endpoint);
  return authClient ? Object.assign(rest, { authClient: authClient as never }) : {};
}

/** Its client asks for no scope by itself, and credentials that need one would be refused. */
export function grafeasOptions(endpoint: string | undefined) {
  return { ...gax5Options(endpoint), scopes: [CLOUD_PLATFORM] };
}

/** Pub/Sub alone wants host and port in one string: with a separate `port` its first call never returns. */
function pubsubOptions(projectId: string, endpoint: string | undefined) {
  if (!endpoint) return { projectId };
  const { port: _, apiEndpoint: __, ...rest } = options(endpoint);
  return { projectId, ...rest, apiEndpoint: new URL(endpoint).host };
}

/** gRPC: over REST the client asks for credentials even for the emulator. */
function firestoreOptions(projectId: string, databaseId: string, endpoint: string | undefined) {
  const common = { projectId, databaseId, ignoreUndefinedProperties: true };
  if (!endpoint) return common;
  const { host, protocol } = new URL(endpoint);
  return {
    ...common,
    host,
    ssl: protocol === 'https:',
    authClient: new PassThroughClient(),
    // Emulators take this token for an owner, whom no security rule holds back.
    customHeaders: { Authorization: 'Bearer owner' },
  };
}

function memo(): <T>(key: string, make: () => Promise<T>) => Promise<T> {
  const made = new Map<string, Promise<unknown>>();
  return <T>(key: string, make: () => Promise<T>) => {
    const known = made.get(key) ?? make();
    made.set(key, known);
    return known as Promise<T>;
  };
}

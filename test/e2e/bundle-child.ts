/**
 * Makes each Google client of the functions that were built into a folder, and makes one call with it to a URL, over gRPC
 * as on Google Cloud. Prints as JSON what became of it.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { grafeasOptions, options } from '../../functions/google/clients.ts';
import type * as Compute from '../../functions/google/packages/compute.ts';
import type * as Container from '../../functions/google/packages/container.ts';
import type * as FirestorePackage from '../../functions/google/packages/firestore.ts';
import type * as Grafeas from '../../functions/google/packages/grafeas.ts';
import type * as Monitoring from '../../functions/google/packages/monitoring.ts';
import type * as PubSubPackage from '../../functions/google/packages/pubsub.ts';
import type * as Run from '../../functions/google/packages/run.ts';
import type * as Workflows from '../../functions/google/packages/workflows.ts';

const [folder = '', url = ''] = process.argv.slice(2);

/** The chunk of a module in functions/google/packages; other modules may have its name, but not what it exports. */
async function load(module: string, exported: string) {
  const files = readdirSync(folder).filter(file => file.startsWith(`${module}-`) && file.endsWith('.js'));
  for (const file of files) {
    const found = await import(pathToFileURL(path.join(folder, file)).href);
    if (exported in found) return found;
  }
  throw new Error(`no chunk of ${module} in ${folder} exports ${exported}`);
}

const { ServicesClient, RevisionsClient }: typeof Run = await load('run', 'ServicesClient');
const { ClusterManagerClient }: typeof Container = await load('container', 'ClusterManagerClient');
const { MetricServiceClient }: typeof Monitoring = await load('monitoring', 'MetricServiceClient');
const { ExecutionsClient }: typeof Workflows = await load('workflows', 'ExecutionsClient');
const { GrafeasClient }: typeof Grafeas = await load('grafeas', 'GrafeasClient');
const { PubSub }: typeof PubSubPackage = await load('pubsub', 'PubSub');
const { Firestore }: typeof FirestorePackage = await load('firestore', 'Firestore');
const compute: typeof Compute = await load('compute', 'BackendServicesClient');

const rest = options(url);
const grpc = { ...rest, fallback: false };
const gax5 = { ...grafeasOptions(url), fallback: false };
const { authClient } = rest;
const { host, hostname, port } = new URL(url);
const region = { project: 'p', region: 'r' };
const name = 'projects/p/locations/l/services/s';

const calls: Readonly<Record<string, () => Promise<unknown>>> = {
  ServicesClient: () => new ServicesClient(grpc).getService({ name }),
  'ServicesClient over REST': () => new ServicesClient(rest).getService({ name }),
  RevisionsClient: () => new RevisionsClient(grpc).getRevision({ name }),
  ClusterManagerClient: () => new ClusterManagerClient(grpc).getCluster({ name }),
  MetricServiceClient: () => new MetricServiceClient(grpc).listTimeSeries({ name: 'projects/p' }),
  ExecutionsClient: () => new ExecutionsClient(gax5).getExecution({ name }),
  GrafeasClient: () => new GrafeasClient(gax5).getNote({ name: 'projects/p/notes/n' }),
  // Told `apiEndpoint`, it takes it for an emulator.
  PubSub: () =>
    new PubSub({ projectId: 'p', authClient, servicePath: hostname, port })
      .topic('t')
      .publishMessage({ json: {} }),
  Firestore: () =>
    new Firestore({ projectId: 'p', authClient, host, ssl: true }).doc('rollouts/r').create({}),
  // This API has REST alone.
  BackendServicesClient: () =>
    new compute.BackendServicesClient(rest).get({ project: 'p', backendService: 'b' }),
  'BackendServicesClient, changing': () =>
    new compute.BackendServicesClient(rest).patch({
      project: 'p',
      backendService: 'b',
      backendServiceResource: { backends: [{ group: 'g', capacityScaler: 0.5 }] },
    }),
  GlobalOperationsClient: () =>
    new compute.GlobalOperationsClient(rest).get({ project: 'p', operation: 'o' }),
  MachineTypesClient: () =>
    new compute.MachineTypesClient(rest).get({ project: 'p', zone: 'z', machineType: 'm' }),
  RegionNetworkEndpointGroupsClient: () =>
    new compute.RegionNetworkEndpointGroupsClient(rest).get({ ...region, networkEndpointGroup: 'g' }),
};

async function outcome([client, call]: readonly [string, () => Promise<unknown>]) {
  try {
    const answer = await call();
    return [client, Array.isArray(answer) ? answer[0] : answer];
  } catch (error) {
    return [client, String(error)];
  }
}

console.log(JSON.stringify(Object.fromEntries(await Promise.all(Object.entries(calls).map(outcome)))));
process.exit();

import { setTimeout as sleep } from 'node:timers/promises';
import type { protos, v1 } from '@google-cloud/compute';
import { SlipwayError } from '../errors.ts';
import { calling, codeOfHttpStatus } from '../google/errors.ts';
import type { Progress } from './target.ts';

/** A Cloud Run service in one region. */
export interface Place {
  readonly project: string;
  readonly region: string;
  readonly service: string;
}

/** The global backend service that sends users to Cloud Run regions. */
export interface LoadBalancerSpec {
  readonly project: string;
  readonly backendService: string;
}

/** Whether users reach a place through the load balancer. */
export interface Attachment {
  readonly place: Place;
  readonly isAttached: boolean;
  /** Names of the serverless network endpoint groups that lead to the place, on the backend service or not. */
  readonly groups: readonly string[];
}

/**
 * The load balancer before a service's Cloud Run regions. Serverless network endpoint groups have no capacity to turn
 * down, so a region leaves by leaving the list of backends. Both changes read first and do only what is missing.
 */
export interface LoadBalancer {
  /** In the order of `places`. Reads only. */
  attachments(places: readonly Place[]): Promise<readonly Attachment[]>;
  /**
   * Takes a place out; `failed` when none of `others` would be left.
   * @param fence to be awaited between reading and writing; not awaited when nothing is to be written
   */
  drain(place: Place, others: readonly Place[], fence: () => Promise<void>): Promise<Progress>;
  /** Puts a place back; `fence` as above. */
  undrain(place: Place, fence: () => Promise<void>): Promise<Progress>;
}

export interface LoadBalancerContext {
  backendServices(): Promise<v1.BackendServicesClient>;
  networkEndpointGroups(): Promise<v1.RegionNetworkEndpointGroupsClient>;
  globalOperations(): Promise<v1.GlobalOperationsClient>;
  /** How long a change is waited for before it is reported as under way. */
  readonly patienceMs?: number;
}

type BackendService = protos.google.cloud.compute.v1.IBackendService;
type Backend = protos.google.cloud.compute.v1.IBackend;
type Operation = protos.google.cloud.compute.v1.IOperation;

/** A serverless network endpoint group. */
interface Group {
  readonly name: string;
  readonly url: string;
  /** Set when it chooses the Cloud Run service by the request's URL: then it leads to more than one. */
  readonly urlMask: string | undefined;
}

/** No retries inside: reading, fencing, writing and waiting together stay below 20 s, and whoever called repeats it. */
const READ = { timeout: 4_000, retry: null };
const WRITE = { timeout: 8_000, retry: null };
const PATIENCE_MS = 4_000;
const POLL_MS = 400;

export function loadBalancer(spec: LoadBalancerSpec, context: LoadBalancerContext): LoadBalancer {
  const api = computeApi(spec, context);
  return {
    attachments: places => attachments(api, places),
    drain: (place, others, fence) => drain(api, place, others, fence),
    undrain: (place, fence) => undrain(api, place, fence),
  };
}

async function attachments(api: Api, places: readonly Place[]): Promise<readonly Attachment[]> {
  const [service, groups] = await Promise.all([
    api.backendService(),
    Promise.all(places.map(place => api.groups(place))),
  ]);
  return places.map((place, index) => {
    const leading = groups[index] ?? [];
    const isAttached = leading.some(group => isOn(service, group));
    return { place, isAttached, groups: leading.map(({ name }) => name) };
  });
}

async function drain(
  api: Api,
  place: Place,
  others: readonly Place[],
  fence: () => Promise<void>,
): Promise<Progress> {
  const [service, groups, otherGroups] = await Promise.all([
    api.backendService(),
    api.groups(place),
    Promise.all(others.map(other => api.groups(other))),
  ]);
  const attached = groups.filter(group => isOn(service, group));
  if (attached.length === 0) {
    return confirmed(api, `${place.region} gets nothing from load balancer ${api.name}`);
  }
  const shared = attached.find(({ urlMask }) => urlMask !== undefined);
  if (shared) {
    return failed(
      `${shared.name} in ${place.region} leads to other services too, by the URL mask ${shared.urlMask}: give ${place.service} a serverless network endpoint group of its own`,
    );
  }
  if (!otherGroups.flat().some(group => isOn(service, group))) {
    return failed(
      `${place.region} stays on load balancer ${api.name}: no other region there could take its users`,
    );
  }
  await fence();
  const backends = (service.backends ?? []).filter(
    backend => !attached.some(group => isSame(backend, group)),
  );
  return write(
    api,
    service,
    backends,
    `${place.region} gets nothing from load balancer ${api.name} any more`,
  );
}

async function undrain(api: Api, place: Place, fence: () => Promise<void>): Promise<Progress> {
  const [service, groups] = await Promise.all([api.backendService(), api.groups(place)]);
  const message = `${place.region} is on load balancer ${api.name}`;
  if (groups.some(group => isOn(service, group))) return confirmed(api, message);
  const [own, ...more] = groups.filter(({ urlMask }) => urlMask === undefined);
  if (!own) return failed(howToMakeGroup(place));
  if (more.length > 0) {
    const names = [own, ...more].map(({ name }) => name).join(', ');
    return failed(
      `${place.service} has several serverless network endpoint groups in ${place.region} (${names}): put the one that is meant on ${api.name} by hand`,
    );
  }
  await fence();
  return write(api, service, [...(service.backends ?? []), { group: own.url }], message);
}

function howToMakeGroup(place: Place): string {
  const { region, service } = place;
  return `no serverless network endpoint group leads to ${service} in ${region}: make one with ${commandToMakeGroup(place)}`;
}

/** For people. Without `name` the group is called after the service and the region. */
export function commandToMakeGroup(
  { project, region, service }: Place,
  name = `${service}-${region}`,
): string {
  return (
    `gcloud compute network-endpoint-groups create ${name} --project=${project} --region=${region} ` +
    `--network-endpoint-type=serverless --cloud-run-service=${service}`
  );
}

/** What an earlier call asked for may be on its way still: its answer got lost, or its patience was over. */
async function confirmed(api: Api, message: string): Promise<Progress> {
  const running = await api.runningOperation();
  return running ? again(`${message}, once ${running} is done`) : { status: 'done', message };
}

async function write(
  api: Api,
  service: BackendService,
  backends: readonly Backend[],
  message: string,
): Promise<Progress> {
  const operation = await api.patch({ fingerprint: service.fingerprint ?? '', backends: [...backends] });
  const isDone = await api.finished(operation);
  return isDone ? { status: 'done', message } : again(`${message}, once ${operation} is done`);
}

/** The calls of the Compute Engine API that a load balancer needs. */
interface Api {
  /** For messages. */
  readonly name: string;
  backendService(): Promise<BackendService>;
  /** The serverless network endpoint groups that lead to what serves there, not to a tag of it. */
  groups(place: Place): Promise<readonly Group[]>;
  /** @returns the operation's name */
  patch(change: BackendService): Promise<string>;
  /** False when it still runs after a while. */
  finished(operation: string): Promise<boolean>;
  /** An operation on the backend service that has not ended. */
  runningOperation(): Promise<string | undefined>;
}

function computeApi({ project, backendService }: LoadBalancerSpec, context: LoadBalancerContext): Api {
  const { patienceMs = PATIENCE_MS } = context;
  return {
    name: backendService,
    backendService: () =>
      calling(`compute.backendServices.get ${backendService}`, async () => {
        const client = await context.backendServices();
        const [service] = await client.get({ project, backendService }, READ);
        return service;
      }),
    groups: place =>
      calling(`compute.regionNetworkEndpointGroups.list ${place.region}`, async () => {
        const client = await context.networkEndpointGroups();
        const [listed] = await client.list({ project: place.project, region: place.region }, READ);
        return listed.flatMap(group => groupFor(place, group));
      }),
    patch: change =>
      calling(`compute.backendServices.patch ${backendService}`, async () => {
        const client = await context.backendServices();
        const request = { project, backendService, backendServiceResource: change };
        const [operation] = await client.patch(request, WRITE);
        // `operation.name` is its number here.
        return operation.latestResponse.name ?? '';
      }),
    finished: operation =>
      calling(`compute.globalOperations.get ${operation}`, async () => {
        const client = await context.globalOperations();
        const untilMs = Date.now() + patienceMs;
        for (;;) {
          const [state] = await client.get({ project, operation }, READ);
          if (state.status === 'DONE') return withoutError(state);
          if (Date.now() >= untilMs) return false;
          await sleep(POLL_MS);
        }
      }),
    runningOperation: () =>
      calling('compute.globalOperations.list', async () => {
        const client = await context.globalOperations();
        const [running] = await client.list({ project, filter: 'status != DONE' }, READ);
        const path = `projects/${project}/global/backendServices/${backendService}`;
        return running.find(({ targetLink }) => pathOf(targetLink) === path)?.name ?? undefined;
      }),
  };
}

function groupFor(place: Place, group: protos.google.cloud.compute.v1.INetworkEndpointGroup): Group[] {
  const { name, selfLink, cloudRun } = group;
  if (!name || !selfLink || !cloudRun || cloudRun.tag) return [];
  if (cloudRun.service) {
    return cloudRun.service === place.service ? [{ name, url: selfLink, urlMask: undefined }] : [];
  }
  return cloudRun.urlMask ? [{ name, url: selfLink, urlMask: cloudRun.urlMask }] : [];
}

function withoutError({ name, error, httpErrorStatusCode }: Operation): true {
  const [first] = error?.errors ?? [];
  if (!first) return true;
  const operation = `compute operation ${name}`;
  throw new SlipwayError(`${operation}: ${first.message || first.code}`, {
    code: codeOfHttpStatus(httpErrorStatusCode || 500),
    operation,
  });
}

function isOn({ backends }: BackendService, group: Group): boolean {
  return (backends ?? []).some(backend => isSame(backend, group));
}

function isSame({ group }: Backend, { url }: Group): boolean {
  return pathOf(group) === pathOf(url);
}

/** The same resource is named with several hosts and API versions. */
function pathOf(url: string | null | undefined): string | undefined {
  return /(?:^|\/)(projects\/.+)$/.exec(url ?? '')?.[1];
}

function again(message: string): Progress {
  return { status: 'again', message };
}

function failed(message: string): Progress {
  return { status: 'failed', message };
}

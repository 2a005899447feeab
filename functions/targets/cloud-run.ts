import type { protos } from '@google-cloud/run';
import { SlipwayError } from '../errors.ts';
import {
  type Api,
  adminApi,
  type CloudRunContext,
  type CloudRunSpec,
  digestOf,
  isMoving,
  mainContainer,
  repositoryOf,
  terminalWords,
} from './cloud-run-api.ts';
import { healthOf, isSucceeded } from './cloud-run-conditions.ts';
import { probeTag } from './cloud-run-probe.ts';
import {
  askedRoutes,
  floats,
  percentOf,
  type Route,
  sameRoutes,
  servedRoutes,
  shares,
  shortName,
  tagged,
  toTraffic,
  withoutTag,
  withShare,
  withTag,
} from './cloud-run-traffic.ts';
import type { Observation, ObservedRevision, Order, Progress, Target } from './target.ts';

type IService = protos.google.cloud.run.v2.IService;
type IRevision = protos.google.cloud.run.v2.IRevision;

/** Annotations on the service. A higher epoch of the same rollout there means that somebody else owns the target. */
const EPOCH = 'slipway.dev/epoch';
const ROLLOUT = 'slipway.dev/rollout';
/** Short name of the revision that is being tried. */
const CANARY = 'slipway.dev/canary';
/** Counts the writes that only make Cloud Run try again. */
const RETRY = 'slipway.dev/retry';

/** Cloud Run makes one DNS label of tag and service name. `stable`, `canary` and `previous` are Slipway's on every service. */
const LONGEST_TAG = 'previous';
const TAG_AND_SERVICE_LIMIT = 46;
const REVISION_NAME = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** A Cloud Run service in one region, through the Admin API v2. */
export function cloudRunTarget(spec: CloudRunSpec, context: CloudRunContext): Target {
  const api = adminApi(spec, context);
  return {
    observe: () => observe(api),
    deploy: order => deploy(api, order),
    probe: (order, probe) => probeTag(api, order, probe, context),
    setWeight: (order, percent) => setWeight(api, order, percent),
    promote: order => promote(api, order),
    settle: order => settle(api, order),
    restore: order => restore(api, order),
  };
}

async function observe(api: Api): Promise<Observation> {
  const service = await api.service();
  if (!service) return { stable: undefined, revisions: [], settled: true };
  const served = servedRoutes(service);
  const names = new Set([
    ...shares(served).map(share => share.revision),
    ...['canary', 'stable', 'previous'].flatMap(tag => tagged(served, tag) ?? []),
  ]);
  const seen = await Promise.all([...names].map(name => api.revision(name)));
  const found = seen.filter(revision => revision !== undefined);
  const revisions = found
    .map(revision => observed(revision, served))
    .toSorted((a, b) => b.percent - a.percent);
  const placeholders = new Set(found.filter(revision => isForeign(revision, api.spec.image)).map(nameOf));
  const canary = canaryOf(service);
  const stable = revisions.find(
    ({ revision, percent }) => percent > 0 && revision !== canary && !placeholders.has(revision),
  );
  return {
    stable: stable && { revision: stable.revision, digest: stable.digest },
    revisions,
    settled: !isMoving(service) && sameRoutes(askedRoutes(service), served),
  };
}

async function deploy(api: Api, order: Order): Promise<Progress> {
  const problem = namingProblem(api.spec, order);
  if (problem) return failed(problem);
  const [service, revision] = await Promise.all([api.service(), api.revision(order.revision)]);
  if (!service) return createService(api, order);
  refuseWhenOwned(api, service, order);
  if (revision) return finishDeploy(api, order, service, revision);
  if (service.template?.revision !== order.revision) return makeRevision(api, order, service);
  if (isMoving(service)) return again(`Cloud Run makes revision ${order.revision}`);
  return failed(`Cloud Run did not make revision ${order.revision}: ${terminalWords(service)}`);
}

/** Cloud Run gives the first revision of a service all traffic: there is no other. */
async function createService(api: Api, order: Order): Promise<Progress> {
  await order.fence();
  const image = `${order.image}@${order.digest}`;
  const isCreated = await api.create({
    annotations: marks({}, order, order.revision),
    template: { revision: order.revision, containers: [{ image }] },
    traffic: toTraffic([{ revision: order.revision, percent: 100, tag: 'canary' }]),
  });
  if (!isCreated) return again(`somebody else created service ${api.spec.service}`);
  return again(`creates service ${api.spec.service} with revision ${order.revision}`);
}

/** One update: the live template with our image, a name of its own, the tag, and every share where it serves now. */
async function makeRevision(api: Api, order: Order, service: IService): Promise<Progress> {
  if (floats(service) && service.reconciling)
    return again('waits until Cloud Run has finished an earlier deployment');
  const containers = service.template?.containers ?? [];
  const main = mainContainer(containers, order.image);
  if (!main) return failed(`service ${api.spec.service} has no container to put ${order.image} into`);
  const image = `${order.image}@${order.digest}`;
  const template = {
    ...service.template,
    revision: order.revision,
    annotations: { ...service.template?.annotations, [ROLLOUT]: order.rollout },
    containers: containers.map(container => (container === main ? { ...container, image } : container)),
  };
  const asked = askedRoutes(service);
  const nothingServes = shares(servedRoutes(service)).length === 0;
  const placed = nothingServes ? withShare(asked, order.revision, 100, undefined) : asked;
  await write(api, order, service, {
    template,
    routes: withTag(placed, 'canary', order.revision),
    canary: order.revision,
  });
  return again(`creates revision ${order.revision}`);
}

async function finishDeploy(
  api: Api,
  order: Order,
  service: IService,
  revision: IRevision,
): Promise<Progress> {
  const asked = askedRoutes(service);
  const digests = (revision.containers ?? []).map(container => digestOf(container.image));
  if (!digests.includes(order.digest)) {
    return failed(`revision ${order.revision} exists with another image; a rollout needs a name of its own`);
  }
  const health = healthOf(revision);
  if (health.phase === 'pending') return again(`${order.revision} is not ready yet: ${health.message}`);
  if (health.phase === 'failed') {
    const routes = withoutTag(asked, 'canary', order.revision);
    if (!sameRoutes(asked, routes)) await write(api, order, service, { routes, canary: order.revision });
    return failed(`${order.revision} does not start: ${health.message}`);
  }
  if (tagged(asked, 'stable') === order.revision) return done(`${order.revision} is promoted already`);
  const routes = withTag(asked, 'canary', order.revision);
  const message = `${order.revision} is ready with ${percentOf(routes, order.revision)} % of the traffic`;
  return reach(api, order, service, { routes, canary: order.revision }, message);
}

async function setWeight(api: Api, order: Order, percent: number): Promise<Progress> {
  return withReadyCanary(api, order, service => {
    const routes = withShare(askedRoutes(service), order.revision, percent, order.stable?.revision);
    const share = percentOf(routes, order.revision);
    const message = `${order.revision} gets ${share} % of the traffic`;
    return reach(api, order, service, { routes, canary: order.revision }, message);
  });
}

async function promote(api: Api, order: Order): Promise<Progress> {
  return withReadyCanary(api, order, service => {
    const previous = order.stable?.revision;
    const moved = withShare(askedRoutes(service), order.revision, 100, previous);
    const marked = withTag(moved, 'stable', order.revision);
    const routes = previous && previous !== order.revision ? withTag(marked, 'previous', previous) : marked;
    const message = `${order.revision} gets all traffic; ${previous ?? 'nothing'} is kept to go back to`;
    return reach(api, order, service, { routes, canary: order.revision }, message);
  });
}

async function settle(api: Api, order: Order): Promise<Progress> {
  const service = await api.service();
  if (!service) return failed(`service ${api.spec.service} does not exist`);
  refuseWhenOwned(api, service, order);
  const closed = withoutTag(askedRoutes(service), 'previous', order.stable?.revision);
  const routes = withoutTag(closed, 'canary', order.revision);
  const canary = markWithout(service, order.revision);
  return reach(api, order, service, { routes, canary }, `${order.revision} is the stable`);
}

async function restore(api: Api, order: Order): Promise<Progress> {
  const service = await api.service();
  if (!service && !order.stable) return done('nothing served before and nothing serves now');
  if (!service) return failed(`service ${api.spec.service} does not exist any more`);
  refuseWhenOwned(api, service, order);
  const stable = order.stable?.revision;
  const asked = askedRoutes(service);
  const routes = restoredRoutes(asked, order.revision, stable);
  const canary = markWithout(service, order.revision);
  if (!isMarked(service, order) || !isAsked(service, order, routes)) {
    await write(api, order, service, { routes, canary });
    return again(stable ? `gives the traffic back to ${stable}` : 'marks the service as given up');
  }
  if (!stable) return done('nothing served before: what serves now is left as it is');
  if (isRestored(service, order.revision, routes, stable)) return done(`${stable} serves again`);
  if (isMoving(service)) return again(`waits until Cloud Run routes to ${stable}`);
  const retry = String(1 + Number(service.annotations?.[RETRY] ?? 0));
  await write(api, order, service, { routes, canary, retry });
  return again(`Cloud Run did not route to ${stable}, asks again: ${terminalWords(service)}`);
}

/** Only our revision's share moves, and only our tags. */
function restoredRoutes(
  asked: readonly Route[],
  canary: string,
  stable: string | undefined,
): readonly Route[] {
  const untagged = withoutTag(asked, 'canary', canary);
  if (!stable || stable === canary) return untagged;
  const moved = withShare(untagged, canary, 0, stable);
  const marked = tagged(moved, 'stable') === canary ? withTag(moved, 'stable', stable) : moved;
  return withoutTag(marked, 'previous', stable);
}

/** Whatever becomes of the canary's own deployment, the way back is done when the routes are. */
function isRestored(service: IService, canary: string, routes: readonly Route[], stable: string): boolean {
  const served = servedRoutes(service);
  const isRouted = !isMoving(service) || isSucceeded(service.conditions, 'RoutesReady');
  return (
    isRouted &&
    percentOf(served, canary) === percentOf(routes, canary) &&
    percentOf(served, stable) === percentOf(routes, stable) &&
    tagged(served, 'canary') !== canary
  );
}

async function withReadyCanary(
  api: Api,
  order: Order,
  move: (service: IService) => Promise<Progress>,
): Promise<Progress> {
  const [service, revision] = await Promise.all([api.service(), api.revision(order.revision)]);
  if (!service || !revision) {
    return failed(`revision ${order.revision} does not exist in ${api.spec.region}: deploy it first`);
  }
  refuseWhenOwned(api, service, order);
  const health = healthOf(revision);
  if (health.phase === 'ready') return move(service);
  const message = `${order.revision} is not ready and gets no traffic: ${health.message}`;
  return health.phase === 'pending' ? again(message) : failed(message);
}

interface Wanted {
  readonly routes: readonly Route[];
  /** Revision that the service names as canary. */
  readonly canary: string | undefined;
  readonly template?: IService['template'];
  readonly retry?: string;
}

/** Writes what is asked for differently, and reports whether Cloud Run does what is asked. */
async function reach(
  api: Api,
  order: Order,
  service: IService,
  wanted: Wanted,
  message: string,
): Promise<Progress> {
  if (!isAsked(service, order, wanted.routes) || canaryMark(service) !== wanted.canary) {
    await write(api, order, service, wanted);
    return again(`asked: ${message}`);
  }
  if (isMoving(service)) return again(`waits for Cloud Run: ${message}`);
  if (sameRoutes(servedRoutes(service), wanted.routes)) return done(message);
  return failed(`Cloud Run does not route as asked: ${terminalWords(service)}`);
}

/** A share of LATEST is not as good as the same share by name while LATEST is going to mean our canary. */
function isAsked(service: IService, order: Order, routes: readonly Route[]): boolean {
  if (floats(service) && service.template?.revision === order.revision) return false;
  return sameRoutes(askedRoutes(service), routes);
}

async function write(api: Api, order: Order, service: IService, wanted: Wanted): Promise<void> {
  await order.fence();
  const annotations = marks(service.annotations ?? {}, order, wanted.canary);
  const touchesRoutes = wanted.template !== undefined || !isAsked(service, order, wanted.routes);
  await api.update(
    {
      etag: service.etag ?? null,
      annotations: wanted.retry ? { ...annotations, [RETRY]: wanted.retry } : annotations,
      ...(touchesRoutes ? { traffic: toTraffic(wanted.routes) } : {}),
      ...(wanted.template ? { template: wanted.template } : {}),
    },
    ['annotations', ...(touchesRoutes ? ['traffic'] : []), ...(wanted.template ? ['template'] : [])],
  );
}

function marks(
  annotations: Readonly<Record<string, string>>,
  order: Order,
  canary: string | undefined,
): Record<string, string> {
  const { [CANARY]: _, [RETRY]: __, ...others } = annotations;
  const own = { [EPOCH]: String(order.epoch), [ROLLOUT]: order.rollout };
  return { ...others, ...own, ...(canary ? { [CANARY]: canary } : {}) };
}

function isMarked(service: IService, order: Order): boolean {
  const { [EPOCH]: epoch, [ROLLOUT]: rollout } = service.annotations ?? {};
  return epoch === String(order.epoch) && rollout === order.rollout;
}

function canaryMark(service: IService): string | undefined {
  return service.annotations?.[CANARY];
}

/** The mark without our revision: the canary of a later rollout keeps its mark. */
function markWithout(service: IService, revision: string): string | undefined {
  const mark = canaryMark(service);
  return mark === revision ? undefined : mark;
}

/** The revision that is being tried; undefined once it was promoted. */
function canaryOf(service: IService): string | undefined {
  const canary = canaryMark(service);
  return canary && tagged(servedRoutes(service), 'stable') !== canary ? canary : undefined;
}

/** The record is asked by the fence; this sees an owner that the record named after it was asked. */
function refuseWhenOwned(api: Api, service: IService, order: Order): void {
  const { [EPOCH]: epoch, [ROLLOUT]: rollout } = service.annotations ?? {};
  if (rollout !== order.rollout || !(Number(epoch) > order.epoch)) return;
  throw new SlipwayError(
    `${api.name} belongs to epoch ${epoch} of rollout ${order.rollout}, this order is of epoch ${order.epoch}`,
    { code: 'Fenced', operation: `change ${api.name}` },
  );
}

function observed(revision: IRevision, served: readonly Route[]): ObservedRevision {
  const name = nameOf(revision);
  return {
    revision: name,
    digest: digestOf(mainContainer(revision.containers ?? [], undefined)?.image),
    percent: percentOf(served, name),
    ready: healthOf(revision).phase === 'ready',
    architecture: 'amd64',
  };
}

function isForeign(revision: IRevision, image: string | undefined): boolean {
  if (image === undefined) return false;
  return !(revision.containers ?? []).some(container => repositoryOf(container.image) === image);
}

function nameOf(revision: IRevision): string {
  return shortName(revision.name) ?? '';
}

function namingProblem({ service }: CloudRunSpec, { revision }: Order): string | undefined {
  if (service.length + LONGEST_TAG.length > TAG_AND_SERVICE_LIMIT) {
    const limit = TAG_AND_SERVICE_LIMIT - LONGEST_TAG.length;
    return `the name of service ${service} is too long for the tags of a rollout: at most ${limit} characters`;
  }
  if (REVISION_NAME.test(revision) && revision.startsWith(`${service}-`)) return undefined;
  return `${revision} is no name for a revision of ${service}: it must start with ${service}- and have at most 63 lower-case letters, digits and hyphens`;
}

function done(message: string): Progress {
  return { status: 'done', message };
}

function again(message: string): Progress {
  return { status: 'again', message };
}

function failed(message: string): Progress {
  return { status: 'failed', message };
}

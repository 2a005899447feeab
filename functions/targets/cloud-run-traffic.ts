import type { protos } from '@google-cloud/run';

type IService = protos.google.cloud.run.v2.IService;
type ITrafficTarget = protos.google.cloud.run.v2.ITrafficTarget;

/** One entry of a service's traffic: a share, a tag, or both. */
export interface Route {
  /** Short name; undefined for a tag that follows the latest ready revision. */
  readonly revision: string | undefined;
  readonly percent: number;
  readonly tag: string | undefined;
}

/** What the service is asked to route, with the share of LATEST given to the revision that it means now. */
export function askedRoutes(service: IService): readonly Route[] {
  const latestReady = shortName(service.latestReadyRevision);
  const targets = service.traffic?.length ? service.traffic : [{ percent: 100 }];
  return targets.flatMap(target => (isLatest(target) ? pinned(target, latestReady) : [routeOf(target)]));
}

/** Whether a share goes to whatever revision is the latest ready one. */
export function floats(service: IService): boolean {
  if (!service.traffic?.length) return true;
  return service.traffic.some(target => isLatest(target) && target.percent);
}

/** What the service routes, as far as it has got. */
export function servedRoutes(service: IService): readonly Route[] {
  return (service.trafficStatuses ?? []).map(status => {
    const route = routeOf(status);
    return isLatest(status) && !status.percent ? { ...route, revision: undefined } : route;
  });
}

/** The tag of an entry for LATEST belongs to whoever set it and stays; its share would follow our canary and does not. */
function pinned(target: ITrafficTarget, latestReady: string | undefined): readonly Route[] {
  const share =
    target.percent && latestReady ? [{ revision: latestReady, percent: target.percent, tag: undefined }] : [];
  const tag = target.tag ? [{ revision: undefined, percent: 0, tag: target.tag }] : [];
  return [...share, ...tag];
}

export function toTraffic(routes: readonly Route[]): ITrafficTarget[] {
  return routes.map(({ revision, percent, tag }) => ({
    type: revision ? 'TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION' : 'TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST',
    ...(revision ? { revision } : {}),
    percent,
    ...(tag ? { tag } : {}),
  }));
}

export function percentOf(routes: readonly Route[], revision: string | undefined): number {
  return routes.filter(route => route.revision === revision).reduce((sum, { percent }) => sum + percent, 0);
}

/** Percent by revision, largest first, without those that get nothing. */
export function shares(
  routes: readonly Route[],
): readonly { readonly revision: string; readonly percent: number }[] {
  const revisions = new Set(routes.flatMap(({ revision }) => (revision ? [revision] : [])));
  return [...revisions]
    .map(revision => ({ revision, percent: percentOf(routes, revision) }))
    .filter(({ percent }) => percent > 0)
    .toSorted((a, b) => b.percent - a.percent);
}

/** Revision that carries a tag. */
export function tagged(routes: readonly Route[], tag: string): string | undefined {
  return routes.find(route => route.tag === tag)?.revision;
}

/**
 * Gives `revision` this share. What it gains is taken from `partner` first and then from the largest others; what it
 * loses goes to `partner`, or to the largest other when there is no partner. Where there is nobody to give to, it keeps
 * what it has.
 */
export function withShare(
  routes: readonly Route[],
  revision: string,
  percent: number,
  partner: string | undefined,
): readonly Route[] {
  const others = shares(routes).filter(share => share.revision !== revision);
  let missing = percent - percentOf(routes, revision);
  if (missing < 0) {
    const heir = partner ?? others[0]?.revision;
    if (heir === undefined) return routes;
    return assign(assign(routes, heir, percentOf(routes, heir) - missing), revision, percent);
  }
  let next = assign(routes, revision, percent);
  const givers = others.toSorted((a, b) => Number(b.revision === partner) - Number(a.revision === partner));
  for (const giver of givers) {
    const taken = Math.min(giver.percent, missing);
    next = assign(next, giver.revision, giver.percent - taken);
    missing -= taken;
  }
  return next;
}

/** Moves a tag to a revision, from wherever it was. */
export function withTag(routes: readonly Route[], tag: string, revision: string): readonly Route[] {
  if (tagged(routes, tag) === revision) return routes;
  return [...withoutTag(routes, tag), { revision, percent: 0, tag }];
}

/** Takes a tag off; with `from`, only if that revision carries it. */
export function withoutTag(routes: readonly Route[], tag: string, from?: string): readonly Route[] {
  return routes
    .map(route =>
      route.tag === tag && (!from || route.revision === from) ? { ...route, tag: undefined } : route,
    )
    .filter(isNeeded);
}

/** Whether two lists route the same requests to the same revisions, however they are written down. */
export function sameRoutes(some: readonly Route[], others: readonly Route[]): boolean {
  return summary(some) === summary(others);
}

function summary(routes: readonly Route[]): string {
  const tags = routes.flatMap(({ tag, revision }) => (tag && revision ? [`${tag}:${revision}`] : []));
  return JSON.stringify([
    shares(routes)
      .map(({ revision, percent }) => `${revision}=${percent}`)
      .toSorted(),
    tags.toSorted(),
  ]);
}

/** Puts the whole share of a revision on its first entry. */
function assign(routes: readonly Route[], revision: string, percent: number): readonly Route[] {
  if (percentOf(routes, revision) === percent) return routes;
  const first = routes.findIndex(route => route.revision === revision);
  const next = routes.map((route, index) => {
    if (route.revision !== revision) return route;
    return { ...route, percent: index === first ? percent : 0 };
  });
  return (first < 0 ? [...next, { revision, percent, tag: undefined }] : next).filter(isNeeded);
}

function isNeeded({ percent, tag }: Route): boolean {
  return percent > 0 || tag !== undefined;
}

function routeOf(target: ITrafficTarget): Route {
  return {
    revision: shortName(target.revision),
    percent: target.percent ?? 0,
    tag: target.tag || undefined,
  };
}

function isLatest({ type, revision }: ITrafficTarget): boolean {
  return type === 'TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST' || type === 1 || !revision;
}

/** Last part of a resource name; undefined for an empty one. */
export function shortName(name: string | null | undefined): string | undefined {
  return name?.split('/').at(-1) || undefined;
}

import type { TrafficTarget, TrafficTargetStatus } from './wire.ts';

const LATEST = 'TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST';
const REVISION = 'TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION';

/** What is in force when a service says nothing about traffic: everything to the latest ready revision. */
export function trafficInForce(traffic: readonly TrafficTarget[] | undefined): readonly TrafficTarget[] {
  return traffic && traffic.length > 0 ? traffic : [{ type: LATEST, percent: 100 }];
}

export function isLatest(target: TrafficTarget): boolean {
  return target.type === LATEST || (target.type !== REVISION && !target.revision);
}

/** The revision that a target means, where there is one. */
export function revisionOf(target: TrafficTarget, latestReady: string | undefined): string | undefined {
  return isLatest(target) ? latestReady : target.revision;
}

/** Short names of all revisions that get requests through these targets, by share or by tag. */
export function routedRevisions(targets: readonly TrafficTarget[]): ReadonlySet<string> {
  const routed = new Set<string>();
  for (const target of targets) {
    if (target.revision && (target.percent || target.tag)) routed.add(target.revision);
  }
  return routed;
}

/** Percent by revision, without those that get nothing. */
export function sharesByRevision(targets: readonly TrafficTarget[]): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  for (const { revision, percent = 0 } of targets) {
    if (revision && percent > 0) shares.set(revision, (shares.get(revision) ?? 0) + percent);
  }
  return shares;
}

/** The status that is shown once the targets are served. */
export function servedTraffic(
  targets: readonly TrafficTarget[],
  latestReady: string | undefined,
  tagUrl: (tag: string) => string,
): readonly TrafficTargetStatus[] {
  return targets.map(target => ({
    type: isLatest(target) ? LATEST : REVISION,
    revision: revisionOf(target, latestReady),
    ...(target.percent ? { percent: target.percent } : {}),
    ...(target.tag ? { tag: target.tag, uri: tagUrl(target.tag) } : {}),
  }));
}

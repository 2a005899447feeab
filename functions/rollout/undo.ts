import { freshCourse } from './admission.ts';
import { openIncidents } from './incidents.ts';
import type { Service } from './policy.ts';
import type { Cause, Rollout, ServiceState } from './record.ts';
import { hasWayBack, quarantineWith } from './trouble.ts';
import { say } from './world.ts';

/** A rollout that is Healthy, and the one that would serve again in its place. */
export interface WayBack {
  readonly from: Rollout;
  /** The newest Healthy rollout of another digest before it; undefined when none is on record. */
  readonly to: Rollout | undefined;
  readonly service: ServiceState;
}

export type Undone =
  | { readonly ok: true; readonly from: Rollout; readonly to: Rollout; readonly service: ServiceState }
  | { readonly ok: false; readonly why: string };

/**
 * Goes back from a rollout whose own way back is closed: the digest that was Healthy before it goes out again, to all
 * targets at once and without canary steps, and on Cloud Run as the revision that it was.
 *
 * @param spec the service as the policy has it today; undefined when it has it no more
 */
export function undo(
  { from, to, service }: WayBack,
  spec: Service | undefined,
  cause: Omit<Cause, 'atMs'>,
  nowMs: number,
): Undone {
  if (service.healthy !== from.id) return { ok: false, why: `${from.id} is not what serves` };
  if (service.active !== undefined) return { ok: false, why: `${service.active} is in flight` };
  if (!to) return { ok: false, why: `nothing that was Healthy before ${from.id} is on record` };
  const against = service.quarantine[to.digest];
  if (against) {
    return {
      ok: false,
      why: `${to.tag} before it is in quarantine since ${against.rollout}: ${against.message}`,
    };
  }
  if (!spec) return { ok: false, why: `the policy has no service ${service.name} any more` };
  const message = `Taking back ${service.name} ${from.tag}, ${to.tag} goes out again: ${cause.message}`;
  const atOnce = inOneWave(spec);
  return {
    ok: true,
    from: {
      ...say(from, nowMs, 'RolloutUndone', message),
      phase: 'Degraded',
      epoch: from.epoch + 1,
      windowEndsMs: undefined,
      cause: { ...cause, atMs: nowMs },
    },
    to: {
      ...say(
        to,
        nowMs,
        'RolloutRetried',
        `${to.tag} goes out again in place of ${from.tag}: ${cause.message}`,
      ),
      ...freshCourse(atOnce, nowMs),
      spec: atOnce,
      phase: 'Pending',
      undoes: from.id,
      isFull: true,
      deaths: 0,
    },
    service: {
      ...service,
      active: to.id,
      healthy: undefined,
      earlier: service.earlier.filter(id => id !== to.id),
      quarantine: quarantineWith(service, from.digest, {
        rollout: from.id,
        message: cause.message,
        sinceMs: nowMs,
      }),
    },
  };
}

function inOneWave(spec: Service): Service {
  const waves = [spec.targets.map(({ name }) => name)];
  return { ...spec, strategy: { ...spec.strategy, waves, steps: [] } };
}

/** So long after a rollback an incident may still be open, or open, because of what was rolled back: lag and window. */
const PERSISTS_MS = 10 * 60_000;

/**
 * The incident that took back a later rollout persists, so this one, which serves again since, is the next that may be
 * the cause: as long as its own `rollbackWindow` lasts.
 */
export function isNextToGo({ from, service }: Pick<WayBack, 'from' | 'service'>, nowMs: number): boolean {
  if (service.active !== undefined || service.healthy !== from.id || service.earlier.length === 0)
    return false;
  if (openIncidents(service, nowMs).length === 0) return false;
  const isInWindow = from.windowEndsMs !== undefined && nowMs < from.windowEndsMs;
  const isCalm = service.restoredMs === undefined || nowMs - service.restoredMs >= PERSISTS_MS;
  return isInWindow && isCalm && !hasWayBack({ rollout: from, service });
}

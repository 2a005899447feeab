import type { Incident, ServiceState } from './record.ts';

/** An incident whose end nobody was told of is not waited for longer than this. */
const INCIDENT_AGE_MS = 24 * 3_600_000;

export type IncidentState = 'open' | 'closed';

/** What a notification says. @returns undefined when it was said before */
export function withIncident(
  service: ServiceState,
  id: string,
  state: IncidentState,
  policy: string,
  nowMs: number,
): ServiceState | undefined {
  const recent = Object.entries(service.incidents).filter(
    ([, incident]) => nowMs - newestMs(incident) < INCIDENT_AGE_MS,
  );
  const incidents = Object.fromEntries(recent);
  const known = incidents[id] ?? { policy, openedMs: undefined, closedMs: undefined };
  const field = state === 'open' ? 'openedMs' : 'closedMs';
  if (known[field] !== undefined) return undefined;
  return { ...service, incidents: { ...incidents, [id]: { ...known, [field]: nowMs } } };
}

export interface OpenIncident {
  readonly id: string;
  readonly policy: string;
}

export function openIncidents(service: Pick<ServiceState, 'incidents'>, nowMs: number): OpenIncident[] {
  return Object.entries(service.incidents).flatMap(([id, { policy, openedMs, closedMs }]) => {
    const isOpen = openedMs !== undefined && closedMs === undefined && nowMs - openedMs < INCIDENT_AGE_MS;
    return isOpen ? [{ id, policy }] : [];
  });
}

function newestMs({ openedMs = 0, closedMs = 0 }: Incident): number {
  return Math.max(openedMs, closedMs);
}

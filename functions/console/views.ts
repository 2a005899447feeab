import { openIncidents } from '../rollout/incidents.ts';
import { incidentLink, linksOf } from '../rollout/links.ts';
import type { Service } from '../rollout/policy.ts';
import { type Rollout, type ServiceState, shownRollout } from '../rollout/record.ts';
import type { World } from '../rollout/world.ts';
import { type Around, buttonsOf, type ServiceWorld, serviceButtons } from './buttons.ts';
import type { RolloutRow, RolloutView, ServiceDetail, ServiceRow, TakenBack } from './contract.ts';

/** Fields of a record that a row is made of. */
export const ROW_FIELDS = [
  'id',
  'service',
  'tag',
  'digest',
  'phase',
  'message',
  'createdMs',
  'updatedMs',
  'targets',
] as const satisfies readonly (keyof Rollout)[];
export type RowSource = Pick<Rollout, (typeof ROW_FIELDS)[number]>;

export const SERVICE_FIELDS = [
  'name',
  'active',
  'waiting',
  'healthy',
  'frozen',
  'drained',
  'quarantine',
  'incidents',
] as const satisfies readonly (keyof ServiceState)[];
export type ServiceSource = Pick<ServiceState, (typeof SERVICE_FIELDS)[number]>;

export function rolloutRow({ targets, ...rollout }: RowSource): RolloutRow {
  const touched = Object.entries(targets).filter(([, { isTouched }]) => isTouched);
  return { ...rollout, weights: Object.fromEntries(touched.map(([name, { weight }]) => [name, weight])) };
}

/** The rollout that a service's row tells of; undefined when that is the newest, if there is any. */
export function shownIn({ active, waiting, healthy }: ServiceSource): string | undefined {
  return active ?? waiting ?? healthy;
}

export function serviceRow(
  service: ServiceSource,
  rollout: RowSource | undefined,
  nowMs: number,
): ServiceRow {
  return {
    name: service.name,
    ...(rollout ? { rollout: rolloutRow(rollout) } : {}),
    ...takenBackAfter(rollout, service),
    ...(service.frozen ? { frozen: service.frozen } : {}),
    drained: Object.keys(service.drained),
    quarantined: Object.keys(service.quarantine).length,
    openIncidents: openIncidents(service, nowMs).length,
  };
}

/** What stands in the quarantine is known without looking for the rollout. */
function takenBackAfter(
  rollout: RowSource | undefined,
  { quarantine }: ServiceSource,
): { readonly takenBack?: TakenBack } {
  const [last] = newestFirst(quarantine);
  if (!rollout || !last || last.rollout === rollout.id || last.sinceMs <= rollout.createdMs) return {};
  const { digest: _, ...takenBack } = last;
  return { takenBack };
}

function newestFirst(quarantine: ServiceState['quarantine']): ServiceDetail['quarantine'] {
  const all = Object.entries(quarantine).map(([digest, against]) => ({ ...against, digest }));
  return all.sort((a, b) => b.sinceMs - a.sinceMs);
}

const MOST_QUARANTINED = 100;
const MOST_TOLD = 20;

/** @param shown the rollout that the row tells of */
export function serviceDetail(
  world: ServiceWorld,
  shown: RowSource | undefined,
  spec: Service | undefined,
  project: string | undefined,
  nowMs: number,
): ServiceDetail {
  const { rollout, service } = world;
  const incidents = openIncidents(service, nowMs);
  return {
    row: serviceRow(service, shown, nowMs),
    drained: service.drained,
    quarantine: newestFirst(service.quarantine).slice(0, MOST_QUARANTINED),
    incidents,
    buttons: serviceButtons(world, spec, nowMs),
    told: rollout?.history.filter(({ command }) => command !== undefined).slice(-MOST_TOLD) ?? [],
    links: project === undefined ? [] : incidents.map(({ id }) => incidentLink(id, project)),
    nowMs,
  };
}

/** @param project whose pages in the Google Cloud console are linked to; undefined for none */
export function rolloutView(
  world: World,
  around: Around,
  project: string | undefined,
  nowMs: number,
): RolloutView {
  const { rollout, service } = world;
  const { name, frozen, drained, incidents, active, waiting, healthy } = service;
  const quarantine = service.quarantine[rollout.digest];
  return {
    rollout: shownRollout(rollout),
    service: {
      name,
      frozen,
      drained,
      incidents,
      ...(quarantine ? { quarantine } : {}),
      ...(active === undefined ? {} : { active }),
      ...(waiting === undefined ? {} : { waiting }),
      ...(healthy === undefined ? {} : { healthy }),
    },
    buttons: buttonsOf(world, around, nowMs),
    links: project === undefined ? [] : linksOf(rollout, project),
    nowMs,
  };
}

import { openIncidents } from '../rollout/incidents.ts';
import { linksOf } from '../rollout/links.ts';
import type { Rollout, ServiceState } from '../rollout/record.ts';
import type { World } from '../rollout/world.ts';
import { type Around, buttonsOf } from './buttons.ts';
import type { RolloutRow, RolloutView, ServiceRow, ShownRollout } from './contract.ts';

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

/** The rollout that a service's row tells of. */
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
    ...(service.frozen ? { frozen: service.frozen } : {}),
    drained: Object.keys(service.drained),
    quarantined: Object.keys(service.quarantine).length,
    openIncidents: openIncidents(service, nowMs).length,
  };
}

export function rolloutView(world: World, around: Around, project: string, nowMs: number): RolloutView {
  const { rollout, service } = world;
  const { name, frozen, drained, incidents, active, waiting, healthy } = service;
  const quarantine = service.quarantine[rollout.digest];
  return {
    rollout: shown(rollout),
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
    links: linksOf(rollout, project),
    nowMs,
  };
}

function shown({ callback: _, launch: __, evidence: ___, deaths: ____, ...rest }: Rollout): ShownRollout {
  return rest;
}

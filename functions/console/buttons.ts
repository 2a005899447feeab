import { applyCommand, applyFreeze, type RolloutCommand } from '../rollout/commands.ts';
import type { Service } from '../rollout/policy.ts';
import type { Rollout, ServiceState } from '../rollout/record.ts';
import { isBeingRestored, regionsOf } from '../rollout/regions.ts';
import { canRollBack, hasWayBack, stepBack } from '../rollout/trouble.ts';
import { undo } from '../rollout/undo.ts';
import type { World } from '../rollout/world.ts';
import type { Button } from './contract.ts';

/** What the buttons of a rollout depend on besides its record. */
export interface Around {
  /** The service as the policy has it today; undefined when it has it no more. */
  readonly spec: Service | undefined;
  /** The one that holds the service, where this one is what serves. */
  readonly inFlight: Rollout | undefined;
  /** The one that `undo` would put in place of this one, where it {@link startsAnother}. */
  readonly before: Rollout | undefined;
}

/** Each command is tried on the record, and what would be refused says so: the rules are those of the command itself. */
export function buttonsOf(world: World, around: Around, nowMs: number): Button[] {
  const { pause } = world.rollout;
  return [
    tried(world, around, nowMs, 'promote', pause ? { gate: pause.gate } : {}),
    tried(world, around, nowMs, 'promote full'),
    tried(world, around, nowMs, 'pause'),
    tried(world, around, nowMs, 'resume'),
    tried(world, around, nowMs, 'abort'),
    undoButton(world, around, nowMs),
    tried(world, around, nowMs, 'retry'),
    ...serviceButtons(world, around.spec, nowMs),
  ];
}

/** A service, and the rollout whose history tells what is done to its regions; undefined before the first one. */
export interface ServiceWorld {
  readonly rollout: Rollout | undefined;
  readonly service: ServiceState;
}

/** Those that are for the service as a whole. */
export function serviceButtons(world: ServiceWorld, spec: Service | undefined, nowMs: number): Button[] {
  return [...freezeButtons(world, spec, nowMs), ...regionButtons(world, spec)];
}

/** No command has this id, so none counts as given already. */
const TRIAL = { id: '', actor: 'you' } as const;

type Tried = RolloutCommand['command'] | 'promote full';

function tried(
  world: World,
  { spec }: Around,
  nowMs: number,
  command: Tried,
  gate: { readonly gate?: string } = {},
): Button {
  const full = command === 'promote full';
  const given = { ...TRIAL, service: world.service.name, command: full ? 'promote' : command, full } as const;
  const { world: after } = applyCommand(world, given, nowMs, spec);
  const told = after.rollout.history.at(-1);
  const isRefused = told?.reason === 'CommandRefused' && told !== world.rollout.history.at(-1);
  return { command, ...gate, ...(isRefused ? { refused: reasonIn(told.message) } : {}) };
}

/** `pause does not apply: the rollout is Healthy` */
function reasonIn(message: string): string {
  return message.replace(/^.*? does not apply: /, '');
}

/** Whether `undo` of what serves starts another rollout, as the function `command` does once its own way back is closed. */
export function startsAnother(world: World, inFlight: Rollout | undefined, nowMs: number): boolean {
  return isClosed(withRoom(world, inFlight, nowMs), nowMs);
}

function isClosed(world: World, nowMs: number): boolean {
  const serves = world.service.healthy === world.rollout.id;
  return serves && !hasWayBack(world) && !canRollBack(world, nowMs);
}

/** One in flight that has begun nothing makes room for `undo` of what serves. */
function withRoom({ rollout, service }: World, inFlight: Rollout | undefined, nowMs: number): World {
  const stepped = inFlight && stepBack({ rollout: inFlight, service }, nowMs);
  return { rollout, service: stepped?.service ?? service };
}

function undoButton(world: World, around: Around, nowMs: number): Button {
  const { spec, inFlight, before } = around;
  const free = withRoom(world, inFlight, nowMs);
  if (!isClosed(free, nowMs)) return tried(free, around, nowMs, 'undo');
  const { rollout, service } = free;
  const undone = undo({ from: rollout, to: before, service }, spec, { kind: 'Undo', message: '' }, nowMs);
  return { command: 'undo', ...(undone.ok ? {} : { refused: undone.why }) };
}

function freezeButtons(
  { rollout, service }: ServiceWorld,
  spec: Service | undefined,
  nowMs: number,
): Button[] {
  return (['freeze', 'unfreeze'] as const).map(command => {
    if (!spec) return { command, refused: `the policy has no service ${service.name} any more` };
    const given = { ...TRIAL, service: service.name, command };
    const { isRefused, message } = applyFreeze({ rollout, service }, given, nowMs);
    return { command, ...(isRefused ? { refused: reasonIn(message) } : {}) };
  });
}

/** Of today's policy, as that says which region is meant. */
function regionButtons({ rollout, service }: ServiceWorld, spec: Service | undefined): Button[] {
  if (!spec) return [];
  const { drained } = service;
  const early = rollout ? undefined : `service ${service.name} has had no rollout yet`;
  const regions = regionsOf(spec).map(({ target }) => target);
  return regions.flatMap((target): Button[] => {
    const isLast = regions.every(other => other === target || drained[other]);
    const person = drained[target]?.by;
    const whyStay = person
      ? `${person} took it out of the load balancer already`
      : !drained[target] && isLast && 'no other region there could take its users';
    const whyOut =
      rollout && isBeingRestored({ rollout, service }, target)
        ? 'it is being restored and does not serve stable yet'
        : !drained[target] && 'it is in the load balancer, as far as is on record';
    const [stay, leave] = [early || whyStay, early || whyOut];
    return [
      { command: 'drain', target, ...(stay ? { refused: stay } : {}) },
      { command: 'undrain', target, ...(leave ? { refused: leave } : {}) },
    ];
  });
}

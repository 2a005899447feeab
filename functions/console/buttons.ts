import { applyCommand, applyFreeze, type RolloutCommand } from '../rollout/commands.ts';
import type { Service } from '../rollout/policy.ts';
import type { Rollout } from '../rollout/record.ts';
import { isBeingRestored, regionsOf } from '../rollout/regions.ts';
import { canRollBack, hasWayBack } from '../rollout/trouble.ts';
import { undo } from '../rollout/undo.ts';
import type { World } from '../rollout/world.ts';
import type { Button } from './contract.ts';

/** What the buttons of a rollout depend on besides its record. */
export interface Around {
  /** The service as the policy has it today; undefined when it has it no more. */
  readonly spec: Service | undefined;
  /** The one that `undo` would put in place of this one, when its own way back is closed. */
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
    ...freezeButtons(world, nowMs),
    ...regionButtons(world, around),
  ];
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

/** Beyond its own way back another rollout is started, as the function `command` does. */
function undoButton(world: World, around: Around, nowMs: number): Button {
  const { rollout, service } = world;
  const isBeyond = rollout.phase === 'Healthy' && !hasWayBack(world) && !canRollBack(world, nowMs);
  if (!isBeyond) return tried(world, around, nowMs, 'undo');
  const cause = { kind: 'Undo', message: '' } as const;
  const undone = undo({ from: rollout, to: around.before, service }, around.spec, cause, nowMs);
  return { command: 'undo', ...(undone.ok ? {} : { refused: undone.why }) };
}

function freezeButtons({ rollout, service }: World, nowMs: number): Button[] {
  return (['freeze', 'unfreeze'] as const).map(command => {
    const given = { ...TRIAL, service: service.name, command };
    const { isRefused, message } = applyFreeze({ rollout, service }, given, nowMs);
    return { command, ...(isRefused ? { refused: reasonIn(message) } : {}) };
  });
}

/** Of today's policy, as that says which region is meant. */
function regionButtons(world: World, { spec }: Around): Button[] {
  if (!spec) return [];
  return regionsOf(spec).flatMap(({ target }): Button[] => {
    const drained = world.service.drained[target];
    const isOut = drained?.by !== undefined && `${drained.by} took it out of the load balancer already`;
    const why = isBeingRestored(world, target)
      ? 'it is being restored and does not serve stable yet'
      : !drained && 'it is in the load balancer';
    return [
      { command: 'drain', target, ...(isOut ? { refused: isOut } : {}) },
      { command: 'undrain', target, ...(why ? { refused: why } : {}) },
    ];
  });
}

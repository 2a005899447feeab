import { z } from 'zod';
import { freshCourse } from './admission.ts';
import type { Service } from './policy.ts';
import {
  isRollingOut,
  note,
  type Reason,
  type Rollout,
  type ServiceState,
  type TargetStatus,
} from './record.ts';
import { canRollBack, hasWayBack, raiseFence, trouble } from './trouble.ts';
import type { Action, Transition, World } from './world.ts';

const ROLLOUT_COMMANDS = ['promote', 'pause', 'resume', 'abort', 'retry', 'undo'] as const;
const REGION_COMMANDS = ['drain', 'undrain'] as const;
const FREEZE_COMMANDS = ['freeze', 'unfreeze'] as const;
export const COMMANDS = [...ROLLOUT_COMMANDS, 'rollout', ...REGION_COMMANDS, ...FREEZE_COMMANDS] as const;

/** `actor` is a claim of whoever may publish on the topic. */
const common = {
  /** Makes a command that is published twice count once; without it the Pub/Sub message id does. */
  id: z.string().min(1).max(200).optional(),
  service: z.string('expected the name of a service').min(1),
  /** Without it: the service's rollout in flight, or else the newest that the command can be for. */
  rollout: z.string().min(1).optional(),
  reason: z.string().max(500).optional(),
  actor: z.string('expected who gives the command').min(1).max(300),
};

const rolloutCommandSchema = z.strictObject({
  ...common,
  command: z.enum(ROLLOUT_COMMANDS),
  /** The gate that a promote is for, as its record names it; without it the one that is shut now. */
  gate: z.string().min(1).optional(),
  /** `promote --full`: skips every gate and pause that is left. */
  full: z.boolean().default(false),
});
export type RolloutCommand = z.output<typeof rolloutCommandSchema>;

const regionCommandSchema = z.strictObject({
  ...common,
  command: z.enum(REGION_COMMANDS),
  /** The target whose region is to leave the load balancer, or to come back to it. */
  target: z.string('expected the name of a target').min(1),
});
export type RegionCommand = z.output<typeof regionCommandSchema>;

const freezeCommandSchema = z.strictObject({ ...common, command: z.enum(FREEZE_COMMANDS) });
export type FreezeCommand = z.output<typeof freezeCommandSchema>;

const startCommandSchema = z.strictObject({
  ...common,
  command: z.literal('rollout'),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'expected sha256: and 64 hexadecimal digits'),
  /** What people call it; without it the first twelve digits of the digest. */
  tag: z
    .string()
    .regex(/^[\w][\w.-]{0,127}$/, 'expected an image tag')
    .optional(),
});
export type StartCommand = z.output<typeof startCommandSchema>;

/** A message on topic `rollout-commands`. */
export const commandSchema = z.discriminatedUnion(
  'command',
  [rolloutCommandSchema, regionCommandSchema, freezeCommandSchema, startCommandSchema],
  `expected one of ${COMMANDS.join(', ')}`,
);
export type Command = z.output<typeof commandSchema>;

/**
 * Carries a command out on the record, once. One that does not apply changes nothing but the history, which says why.
 *
 * @param spec the service as the policy has it today, for a new attempt; undefined when it has it no more
 */
export function applyCommand(
  world: World,
  command: RolloutCommand & { id: string },
  nowMs: number,
  spec?: Service,
): Transition {
  if (world.service.handled.includes(command.id)) return { world, actions: [] };
  const known = { ...world, service: remember(world.service, command.id) };
  return inNameOf(command, world, carryOut(known, command, nowMs, spec));
}

export function inNameOf(
  { id }: { readonly id: string },
  before: World,
  { world, actions }: Transition,
): Transition {
  return { world: { ...world, rollout: signed(id, before.rollout, world.rollout) }, actions };
}

function carryOut(
  known: World,
  command: RolloutCommand,
  nowMs: number,
  spec: Service | undefined,
): Transition {
  switch (command.command) {
    case 'promote':
      return promote(known, command, nowMs);
    case 'pause':
      return pause(known, command, nowMs);
    case 'resume':
      return resume(known, command, nowMs);
    case 'abort':
      return takeBack(known, command, nowMs);
    case 'undo':
      return takeBack(known, command, nowMs);
    case 'retry':
      return retry(known, command, spec, nowMs);
  }
}

/** What the command added to the history bears its id, by which whoever sent it finds out what came of it. */
export function signed(command: string, before: Rollout | undefined, after: Rollout): Rollout {
  const known = before?.history.at(-1)?.sequence ?? 0;
  const history = after.history.map(entry => (entry.sequence > known ? { ...entry, command } : entry));
  return { ...after, history };
}

/** By service, not by rollout: a command that comes again must not find the next rollout in flight. */
export function remember(service: ServiceState, id: string): ServiceState {
  return { ...service, handled: [...service.handled.slice(-199), id] };
}

function promote(world: World, command: RolloutCommand, nowMs: number): Transition {
  const { rollout } = world;
  if (command.full && (isRollingOut(rollout) || rollout.phase === 'Pending')) {
    const full = note(
      { ...rollout, isFull: true },
      nowMs,
      'RolloutPromoted',
      `${by(command)}: promote --full`,
    );
    return poke({ ...world, rollout: full });
  }
  const { pause: open } = rollout;
  if (!open) return refuse(world, nowMs, 'promote', 'no gate or pause is waiting');
  if (command.gate !== undefined && command.gate !== open.gate) {
    return refuse(
      world,
      nowMs,
      'promote',
      `it is for ${command.gate}, but the rollout waits at ${open.gate}`,
    );
  }
  if (open.promotedBy)
    return refuse(world, nowMs, 'promote', `${open.gate} was opened by ${open.promotedBy} already`);
  const promoted = { ...rollout, pause: { ...open, promotedBy: command.actor } };
  return poke({
    ...world,
    rollout: note(promoted, nowMs, 'RolloutPromoted', `${by(command)}: promote ${open.gate}`),
  });
}

const PROMOTED: ReadonlySet<TargetStatus> = new Set(['Promoting', 'Promoted', 'Settled']);

function pause(world: World, command: RolloutCommand, nowMs: number): Transition {
  const { rollout } = world;
  if (!isRollingOut(rollout)) {
    return refuse(world, nowMs, 'pause', `the rollout is ${rollout.phase}`);
  }
  if (rollout.undoes !== undefined) {
    return refuse(world, nowMs, 'pause', `${rollout.tag} goes out in place of what hurts; abort stops it`);
  }
  const isLeft = Object.values(rollout.targets).some(({ status }) => !PROMOTED.has(status));
  if (!isLeft) return refuse(world, nowMs, 'pause', 'nothing is left to hold; abort takes it back');
  const message = `${by(command)}: pause`;
  return poke({
    ...world,
    rollout: note({ ...rollout, heldBy: command.actor }, nowMs, 'RolloutPaused', message),
  });
}

function resume(world: World, command: RolloutCommand, nowMs: number): Transition {
  if (world.rollout.heldBy === undefined)
    return refuse(world, nowMs, 'resume', 'nobody paused it; a gate opens with promote');
  const resumed = { ...world.rollout, heldBy: undefined };
  return poke({ ...world, rollout: note(resumed, nowMs, 'RolloutResumed', `${by(command)}: resume`) });
}

function takeBack(world: World, command: RolloutCommand, nowMs: number): Transition {
  const { rollout } = world;
  if (command.command === 'undo' && rollout.undoes !== undefined && isRollingOut(rollout)) {
    return refuse(world, nowMs, 'undo', `${rollout.tag} is the way back from ${rollout.undoes} already`);
  }
  const isUndo = command.command === 'undo' && hasWayBack(world);
  if (!isUndo && !canRollBack(world, nowMs)) {
    const why = rollout.phase === 'Healthy' ? 'its way back is closed' : `the rollout is ${rollout.phase}`;
    return refuse(world, nowMs, command.command, why);
  }
  const aborted = note(rollout, nowMs, 'RolloutAborted', `${by(command)}: ${command.command}`);
  const kind = command.command === 'undo' ? 'Undo' : 'Abort';
  const cause = { kind, message: `${command.command} by ${by(command)}` } as const;
  const before = { ...world, rollout: aborted };
  return isUndo ? raiseFence(before, cause, nowMs) : trouble(before, cause, nowMs);
}

/** Taken back, or held off although the image was good. */
export function canRetry({ phase, verification }: Rollout): boolean {
  return phase === 'Degraded' || (phase === 'Rejected' && verification?.status === 'accepted');
}

/** Lifts the quarantine of the digest and starts over, as a new attempt; also after a preflight that failed. */
function retry(world: World, command: RolloutCommand, spec: Service | undefined, nowMs: number): Transition {
  const { rollout, service } = world;
  if (!spec) return refuse(world, nowMs, 'retry', `the policy has no service ${service.name} any more`);
  if (!canRetry(rollout)) {
    const why =
      rollout.phase === 'Rejected'
        ? 'the image was refused; push one that passes, or give the command rollout for its digest once it does'
        : `the rollout is ${rollout.phase}`;
    return refuse(world, nowMs, 'retry', why);
  }
  if (service.waiting) {
    return refuse(world, nowMs, 'retry', `${service.waiting} waits for its turn; retry when it has had it`);
  }
  const { [rollout.digest]: _, ...quarantine } = service.quarantine;
  const again: Rollout = {
    ...note(rollout, nowMs, 'RolloutRetried', `${by(command)}: retry`),
    ...freshCourse(spec, nowMs),
    spec,
    phase: 'Pending',
    message: 'to be tried again',
    attempt: rollout.attempt + 1,
    deaths: 0,
  };
  return takeTurn({ rollout: again, service: { ...service, quarantine } });
}

function takeTurn({ rollout, service }: World): Transition {
  const isFree = service.active === undefined;
  const claimed: ServiceState = isFree
    ? { ...service, active: rollout.id }
    : { ...service, waiting: rollout.id };
  const actions: Action[] = isFree ? [{ do: 'ensure', rollout: rollout.id }] : [];
  return { world: { rollout, service: claimed }, actions };
}

export function refuse(world: World, nowMs: number, command: string, why: string): Transition {
  const refused = note(world.rollout, nowMs, 'CommandRefused', `${command} does not apply: ${why}`);
  return { world: { ...world, rollout: refused }, actions: [] };
}

function poke(world: World): Transition {
  const { callback } = world.rollout;
  return { world, actions: callback ? [{ do: 'poke', callback }] : [] };
}

/** Holds the service, or lets it go; `rollout` is the one that tells about it, if there is any. */
export function applyFreeze(
  { rollout, service }: { rollout: Rollout | undefined; service: ServiceState },
  command: FreezeCommand & { id: string },
  nowMs: number,
): { rollout: Rollout | undefined; service: ServiceState; message: string; isRefused: boolean } {
  const isFreeze = command.command === 'freeze';
  const known = remember(service, command.id);
  const tell = (reason: Reason, message: string, changed: ServiceState) => ({
    rollout: rollout && signed(command.id, rollout, note(rollout, nowMs, reason, message)),
    service: changed,
    message,
    isRefused: reason === 'CommandRefused',
  });
  if (isFreeze === (service.frozen !== undefined)) {
    const why = service.frozen ? `${service.frozen.by} froze ${service.name} already` : 'it is not frozen';
    return tell('CommandRefused', `${command.command} does not apply: ${why}`, known);
  }
  const frozen = isFreeze ? { by: command.actor, reason: command.reason, sinceMs: nowMs } : undefined;
  const message = `${by(command)}: ${command.command} ${service.name}`;
  return tell(isFreeze ? 'ServiceFrozen' : 'ServiceUnfrozen', message, { ...known, frozen });
}

/** Who gave the command, and why. */
export function by({ actor, reason }: Command): string {
  return reason ? `${actor} (${reason})` : actor;
}

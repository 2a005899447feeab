import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Dependencies } from '../dependencies.ts';
import type { CommandMessage } from '../google/commands.ts';
import { commandSchema } from '../rollout/commands.ts';
import type { Button, CommandSent } from './contract.ts';
import { MOST_NAME_LENGTH, Refusal } from './http.ts';

/** `POST api/commands`. Who gives a command is never a part of it. */

const COMMANDS = [
  'promote',
  'promote full',
  'pause',
  'resume',
  'abort',
  'undo',
  'retry',
  'freeze',
  'unfreeze',
  'drain',
  'undrain',
] as const satisfies readonly Button['command'][];

const name = z.string().min(1).max(MOST_NAME_LENGTH);

const requestSchema = z.strictObject({
  id: z.uuid('expected a UUID').optional(),
  command: z.enum(COMMANDS, `expected one of ${COMMANDS.join(', ')}`),
  service: name,
  rollout: name.optional(),
  target: name.optional(),
  gate: name.optional(),
  reason: z.string().max(500, 'expected a reason of at most 500 characters').optional(),
});

type Given = z.output<typeof requestSchema>;

export type Giving = Pick<Dependencies, 'store' | 'policy' | 'sendCommand' | 'log'>;

/** Publishes what a person decided; whether it applies is for the record to say, when it gets there. */
export async function giveCommand(deps: Giving, actor: string, body: unknown): Promise<CommandSent> {
  const asked = requestSchema.safeParse(body);
  if (!asked.success) throw new Refusal(400, z.prettifyError(asked.error));
  const { id = randomUUID() } = asked.data;
  const message = messageFor(asked.data, actor, id);
  const checked = commandSchema.safeParse(message);
  if (!checked.success) throw new Refusal(400, z.prettifyError(checked.error));
  const topic = await topicFor(deps, asked.data);
  await deps.sendCommand(topic, message);
  const { command, service, rollout, target, reason } = asked.data;
  deps.log('INFO', `${actor} gave the command ${command} for ${rollout ?? service}`, {
    commandId: id,
    command,
    actor,
    service,
    rollout,
    target,
    reason,
  });
  return { id };
}

function messageFor(
  { command, service, rollout, target, gate, reason }: Given,
  actor: string,
  id: string,
): CommandMessage {
  const common = { id, service, actor, ...(reason ? { reason } : {}) };
  const of = rollout === undefined ? {} : { rollout };
  switch (command) {
    case 'promote full':
      return { ...common, ...of, command: 'promote', full: true };
    case 'promote':
      return { ...common, ...of, command, ...(gate === undefined ? {} : { gate }) };
    case 'drain':
    case 'undrain':
      return { ...common, ...of, command, target: target ?? '' };
    case 'freeze':
    case 'unfreeze':
      return { ...common, command };
    default:
      return { ...common, ...of, command };
  }
}

const DEFAULT_TOPIC = 'rollout-commands';

/** What nobody has heard of, or cannot be frozen any more, would become a dead letter. */
async function topicFor(deps: Giving, { command, service, rollout }: Given): Promise<string> {
  const [store, { services }] = await Promise.all([deps.store(), deps.policy()]);
  const spec = services.find(one => one.name === service);
  const [state] = await store.readEach('service', [service], ['name']);
  if (!spec && !state) throw new Refusal(404, `there is no service ${service}`);
  if (!spec && (command === 'freeze' || command === 'unfreeze')) {
    throw new Refusal(409, `the policy has no service ${service} any more`);
  }
  if (rollout !== undefined) {
    const [named] = await store.readEach('rollout', [rollout], ['service']);
    if (named?.service !== service) throw new Refusal(404, `service ${service} has no rollout ${rollout}`);
  }
  return spec?.commandsTopic ?? DEFAULT_TOPIC;
}

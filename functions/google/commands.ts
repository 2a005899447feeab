import type { PubSub } from '@google-cloud/pubsub';
import type { z } from 'zod';
import type { commandSchema } from '../rollout/commands.ts';
import { publish } from './events.ts';

/** As a person writes it; the function `command` reads it. */
export type CommandMessage = z.input<typeof commandSchema>;

/** @returns Pub/Sub's message id */
export async function publishCommand(
  pubsub: PubSub,
  topic: string,
  command: CommandMessage,
): Promise<string> {
  return publish(pubsub, topic, command);
}

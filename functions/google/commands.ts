import type { PubSub } from '@google-cloud/pubsub';
import type { z } from 'zod';
import type { commandSchema } from '../rollout/commands.ts';
import { calling } from './errors.ts';

/** As a person writes it; the function `command` reads it. */
export type CommandMessage = z.input<typeof commandSchema>;

/** @returns Pub/Sub's message id */
export async function publishCommand(
  pubsub: PubSub,
  topic: string,
  command: CommandMessage,
): Promise<string> {
  return calling(`publish on ${topic}`, () => pubsub.topic(topic).publishMessage({ json: command }));
}

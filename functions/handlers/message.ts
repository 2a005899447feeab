import { createHash } from 'node:crypto';
import type { CloudEvent } from '@google-cloud/functions-framework';
import { z } from 'zod';
import type { Dependencies } from '../dependencies.ts';
import { publishQuietly } from '../orchestrator.ts';
import { messageEvent } from '../rollout/cdevents.ts';

/** A Pub/Sub message, however it came: as an Eventarc CloudEvent, or as a push that the framework turned into one. */
export interface Message {
  readonly id: string;
  readonly publishedMs: number;
  readonly text: string;
  readonly attributes: Readonly<Record<string, string>>;
}

const messageSchema = z.object({
  message: z.object({
    messageId: z.string().optional(),
    message_id: z.string().optional(),
    publishTime: z.string().optional(),
    data: z.string().default(''),
    attributes: z.record(z.string(), z.string()).nullish(),
  }),
});

/** @returns undefined when the event is no Pub/Sub message at all. */
export function readMessage(event: CloudEvent<unknown>, nowMs: number): Message | undefined {
  const data = messageSchema.safeParse(event.data ?? event);
  if (!data.success) return undefined;
  const { message } = data.data;
  const publishedMs = Date.parse(message.publishTime ?? event.time ?? '');
  return {
    id: message.messageId ?? message.message_id ?? event.id ?? digestOf(message.data),
    publishedMs: Number.isNaN(publishedMs) ? nowMs : publishedMs,
    text: Buffer.from(message.data, 'base64').toString('utf8'),
    attributes: message.attributes ?? {},
  };
}

/** Id of the topic that a message came from, as far as the subscription's push endpoint tells. */
export function topicOf({ source }: CloudEvent<unknown>): string | undefined {
  return /\/topics\/([^/]+)$/.exec(source ?? '')?.[1];
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string };

/** Reads the message's JSON against a schema. */
export function parseJson<T>(text: string, schema: z.ZodType<T>): Parsed<T> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { ok: false, problem: `expected JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  const parsed = schema.safeParse(json);
  return parsed.success
    ? { ok: true, value: parsed.data }
    : { ok: false, problem: z.prettifyError(parsed.error) };
}

/**
 * Records and reports a message that will never make sense. The handler then returns normally, which acknowledges it:
 * coming back would not help.
 */
export async function putAside(
  deps: Dependencies,
  topic: string,
  event: CloudEvent<unknown>,
  text: string,
  problem: string,
): Promise<void> {
  const nowMs = deps.nowMs();
  const id = event.id ?? digestOf(text);
  const message = { id, topic, receivedMs: nowMs, problem, text: text.slice(0, 10_000) };
  const store = await deps.store();
  await store.transact(async transaction => transaction.write('deadMessage', `${topic}-${id}`, message));
  deps.log('ERROR', `a message on ${topic} makes no sense and was put aside: ${problem}`, {
    messageId: id,
    topic,
  });
  await publishQuietly(deps, messageEvent('refused', `${topic}-${id}`, message));
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 20);
}

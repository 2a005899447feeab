import type { CloudEvent } from '@google-cloud/functions-framework';
import { z } from 'zod';
import type { Dependencies } from '../dependencies.ts';
import { parseReference } from '../image/reference.ts';
import { apply } from '../orchestrator.ts';
import { messageEvent } from '../rollout/cdevents.ts';
import type { Policy } from '../rollout/policy.ts';
import { note } from '../rollout/record.ts';
import type { DeadMessage } from '../store/store.ts';
import { type Message, parseJson, putAside, readMessage } from './message.ts';
import { SERVICE_LABEL } from './slo-alert.ts';

const TOPIC = 'dead-letters';

/**
 * Topic `dead-letters`: what Pub/Sub gave up delivering never took effect. It goes on record, and into the history of the
 * rollout that may be missing it, for a person to see.
 */
export async function deadLetter(deps: Dependencies, event: CloudEvent<unknown>): Promise<void> {
  const nowMs = deps.nowMs();
  const message = readMessage(event, nowMs);
  if (!message)
    return putAside(deps, TOPIC, event, JSON.stringify(event.data ?? null), 'expected a Pub/Sub message');
  const dead = await keep(deps, describe(message, nowMs));
  deps.log('ERROR', `a message was lost: ${dead.problem}`, {
    reason: 'MessageLost',
    messageId: dead.id,
    subscription: dead.subscription,
    attempts: dead.attempts,
  });
  await deps.publish(messageEvent('deadlettered', keyOf(dead), dead));
  await noteQuietly(deps, dead, message.text);
}

/** https://cloud.google.com/pubsub/docs/handling-failures#track_delivery_attempts */
const ORIGIN = 'CloudPubSubDeadLetterSource';

function describe({ id, text, attributes }: Message, nowMs: number): DeadMessage {
  const subscription = attributes[`${ORIGIN}Subscription`];
  const attempts = Number(attributes[`${ORIGIN}DeliveryCount`] ?? Number.NaN);
  const times = Number.isNaN(attempts) ? 'every delivery' : `${attempts} deliveries`;
  return {
    id,
    topic: TOPIC,
    receivedMs: nowMs,
    problem: `${subscription ?? 'an unknown subscription'} gave up after ${times}`,
    text: text.slice(0, 10_000),
    ...(subscription === undefined ? {} : { subscription }),
    ...(Number.isNaN(attempts) ? {} : { attempts }),
  };
}

function keyOf({ id }: DeadMessage): string {
  return `${TOPIC}-${id}`;
}

/** @returns the document of the first delivery, however often the dead letter itself is delivered */
async function keep(deps: Dependencies, dead: DeadMessage): Promise<DeadMessage> {
  const store = await deps.store();
  return store.transact(async transaction => {
    const known = await transaction.read('deadMessage', keyOf(dead));
    if (!known) transaction.write('deadMessage', keyOf(dead), dead);
    return known ?? dead;
  });
}

/** A policy that cannot be read may be why the message was given up: it is on record by now in any case. */
async function noteQuietly(deps: Dependencies, dead: DeadMessage, text: string): Promise<void> {
  try {
    for (const service of servicesNamed(text, await deps.policy())) await noteOn(deps, service, dead);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    deps.log('WARNING', `the lost message is in no rollout's history: ${why}`, { messageId: dead.id });
  }
}

/** What a push, a command and an alert name a service by; a field that is something else names none. */
const nameSchema = z.object({
  digest: z.string().optional().catch(undefined),
  tag: z.string().optional().catch(undefined),
  service: z.string().optional().catch(undefined),
  incident: z
    .object({ policy_user_labels: z.record(z.string(), z.string()).optional() })
    .optional()
    .catch(undefined),
});

function servicesNamed(text: string, { services }: Policy): string[] {
  const parsed = parseJson(text, nameSchema);
  if (!parsed.ok) return [];
  const { digest, tag, service, incident } = parsed.value;
  const name = service ?? incident?.policy_user_labels?.[SERVICE_LABEL];
  const image = repositoryOf(digest ?? tag);
  return services.filter(one => one.name === name || one.image === image).map(one => one.name);
}

function repositoryOf(reference: string | undefined): string | undefined {
  if (reference === undefined) return undefined;
  try {
    const { host, repository } = parseReference(reference);
    return `${host}/${repository}`;
  } catch {
    return undefined;
  }
}

async function noteOn(deps: Dependencies, name: string, dead: DeadMessage): Promise<void> {
  const store = await deps.store();
  const service = await store.read('service', name);
  const id = service?.active ?? service?.healthy;
  if (id === undefined) return;
  const said = `A message was lost: ${dead.problem}; it is on record as ${keyOf(dead)}`;
  await apply(deps, id, (world, nowMs) => {
    const isKnown = world.rollout.history.some(({ message }) => message === said);
    const rollout = isKnown ? world.rollout : note(world.rollout, nowMs, 'MessageLost', said);
    return { world: { ...world, rollout }, actions: [] };
  });
}

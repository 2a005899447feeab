import type { CloudEvent, Request as HttpRequest } from '@google-cloud/functions-framework';
import { requestSchema } from '../activities/run.ts';
import { SlipwayError } from '../errors.ts';
import { readMessage, topicOf } from '../handlers/message.ts';
import { problemFields } from './log.ts';
import { type Entry, entered, type Telemetry } from './telemetry.ts';
import { parseCloudTrace, parseTraceparent, type TraceContext } from './trace-context.ts';

/** How requests come in, in the words of https://opentelemetry.io/docs/specs/semconv/. */

/** The second one is what Pub/Sub's own client libraries write. */
const MESSAGE_ATTRIBUTES = ['traceparent', 'googclient_traceparent'] as const;

export function messageEntry(name: string, event: CloudEvent<unknown>): Entry {
  const message = readMessage(event, 0);
  const topic = topicOf(event) ?? name;
  const carried = MESSAGE_ATTRIBUTES.map(attribute => parseTraceparent(message?.attributes[attribute]));
  return {
    name: `process ${topic}`,
    kind: 'consumer',
    // What the publisher wrote goes before the delivery, which is a request of Pub/Sub's own.
    parent: carried.find(Boolean) ?? parseTraceparent(event.traceparent),
    attributes: {
      'messaging.system': 'gcp_pubsub',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': topic,
      'messaging.message.id': message?.id,
      'faas.trigger': 'pubsub',
      'faas.invoked_name': name,
    },
    fields: { function: name, ...(message ? { messageId: message.id } : {}) },
  };
}

/** Works on a message. One that fails is delivered again, and the log says so. */
export function received(
  telemetry: Telemetry,
  name: string,
  event: CloudEvent<unknown>,
  work: () => Promise<void>,
): Promise<void> {
  return entered(telemetry, messageEntry(name, event), async () => {
    try {
      await work();
    } catch (error) {
      const isPassing = error instanceof SlipwayError && error.canRetry;
      const message = error instanceof Error ? error.message : String(error);
      telemetry.log(isPassing ? 'WARNING' : 'ERROR', `${name} comes again: ${message}`, problemFields(error));
      throw error;
    }
  });
}

export function requestEntry(name: string, { method, headers }: HttpRequest): Entry {
  return {
    name: `${method} ${name}`,
    kind: 'server',
    parent: traceOf(headers),
    attributes: { 'http.request.method': method, 'faas.trigger': 'http', 'faas.invoked_name': name },
    fields: { function: name },
  };
}

/** Activities whose call says at which step they are. */
const PLACED: ReadonlySet<string> = new Set(['setWeight', 'stepDone', 'look', 'waveDone']);

/** A call of a workflow is named after what it asks for. */
export function activityEntry(request: HttpRequest): Entry {
  const entry = requestEntry('activity', request);
  const parsed = requestSchema.safeParse(request.body);
  if (!parsed.success) return entry;
  const { activity, rollout, execution, epoch, target, targets, wave, step } = parsed.data;
  return {
    ...entry,
    name: `activity ${activity}`,
    attributes: {
      ...entry.attributes,
      'slipway.activity': activity,
      'slipway.rollout': rollout,
      'slipway.execution': execution,
      'slipway.epoch': epoch,
      'slipway.target': target,
      ...(targets.length > 0 ? { 'slipway.targets': targets } : {}),
      // Counting from 1, as everywhere where people look.
      ...(PLACED.has(activity) ? { 'slipway.wave': wave + 1, 'slipway.step': step + 1 } : {}),
    },
    fields: { ...entry.fields, activity, rollout, execution, epoch, ...(target ? { target } : {}) },
  };
}

function traceOf(headers: HttpRequest['headers']): TraceContext | undefined {
  return parseTraceparent(headers['traceparent']) ?? parseCloudTrace(headers['x-cloud-trace-context']);
}

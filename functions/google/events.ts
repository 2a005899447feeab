import type { PubSub } from '@google-cloud/pubsub';
import { currentTraceparent } from '../telemetry/scope.ts';
import type { SpanOptions } from '../telemetry/tracer.ts';
import { calling } from './errors.ts';

/** One change, to be published on `rollout-events` as a CDEvent. */
export interface RolloutEventMessage {
  /** The same whenever the same change is published again. */
  readonly id: string;
  /** `dev.cdevents.service.upgraded.0.3.0`, `dev.slipway.rollout.trafficweightupdated.0.1.0` */
  readonly type: string;
  /** Path of what it comes from below the project: `services/hello`, `topics/gcr`. */
  readonly source: string;
  readonly timeMs: number;
  readonly subject: { readonly id: string; readonly content: object };
  readonly customData: object;
  /** What filters of subscriptions can ask for, besides the type. */
  readonly attributes: Readonly<Record<string, string>>;
}

export async function publishEvent(pubsub: PubSub, topic: string, event: RolloutEventMessage): Promise<void> {
  const attributes = {
    'content-type': 'application/cloudevents+json',
    type: event.type,
    ...event.attributes,
  };
  await publish(pubsub, topic, cloudEvent(event, pubsub.projectId), attributes);
}

/** Whoever gets the message can join the trace. @returns Pub/Sub's message id */
export async function publish(
  pubsub: PubSub,
  topic: string,
  json: object,
  attributes: Readonly<Record<string, string>> = {},
): Promise<string> {
  return calling(
    `publish on ${topic}`,
    () => {
      const traceparent = currentTraceparent();
      const traced = { ...attributes, ...(traceparent === undefined ? {} : { traceparent }) };
      return pubsub.topic(topic).publishMessage({ json, attributes: traced });
    },
    publishing(topic),
  );
}

/** https://opentelemetry.io/docs/specs/semconv/messaging/gcp-pubsub/ */
function publishing(topic: string): SpanOptions {
  return {
    name: `publish ${topic}`,
    kind: 'producer',
    attributes: {
      'messaging.system': 'gcp_pubsub',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.destination.name': topic,
    },
  };
}

/**
 * The CDEvent in a CloudEvents envelope, which says the same once more, as
 * https://github.com/cdevents/spec/blob/v0.5.1/cloudevents-binding.md wants it.
 *
 * @param project of the Slipway that publishes: two of them may know a service of the same name
 */
export function cloudEvent(
  { id, type, source: path, timeMs, subject, customData }: RolloutEventMessage,
  project: string,
) {
  const source = `//slipway.dev/projects/${project}/${path}`;
  const time = new Date(timeMs).toISOString();
  const context = { specversion: '0.5.1', id, source, type, timestamp: time };
  return {
    specversion: '1.0',
    id,
    source,
    type,
    subject: subject.id,
    time,
    datacontenttype: 'application/json',
    data: { context, subject, customData },
  };
}

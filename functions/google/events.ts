import type { PubSub } from '@google-cloud/pubsub';
import { calling } from './errors.ts';

/** One change, as published on `rollout-events`: a CloudEvent in structured form. */
export interface RolloutEventMessage {
  /** The same whenever the same change is published again. */
  readonly id: string;
  /** `dev.slipway.rollout.trafficweightupdated` */
  readonly type: string;
  /** Service name. */
  readonly source: string;
  /** Rollout id, where there is one. */
  readonly subject: string | undefined;
  readonly timeMs: number;
  readonly data: object;
}

export async function publishEvent(pubsub: PubSub, topic: string, event: RolloutEventMessage): Promise<void> {
  const envelope = {
    specversion: '1.0',
    id: event.id,
    type: event.type,
    source: `//slipway.dev/services/${event.source}`,
    ...(event.subject ? { subject: event.subject } : {}),
    time: new Date(event.timeMs).toISOString(),
    datacontenttype: 'application/json',
    data: event.data,
  };
  const attributes = {
    'content-type': 'application/cloudevents+json',
    type: event.type,
    service: event.source,
  };
  await calling(`publish on ${topic}`, () =>
    pubsub.topic(topic).publishMessage({ json: envelope, attributes }),
  );
}

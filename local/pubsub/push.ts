import type { Message, Subscription } from './resources.ts';

/**
 * Sends one push request and resolves to the HTTP status of the answer; rejects when there was none. The signal aborts
 * the request when Pub/Sub shuts down.
 */
export type Deliver = (
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
  signal: AbortSignal,
) => Promise<number>;

/** Node's fetch itself gives up after five minutes: of longer acknowledgement deadlines the rest is lost. */
export const deliverByFetch: Deliver = async (url, body, headers, timeoutMs, signal) => {
  const response = await fetch(url, {
    method: 'POST',
    body,
    headers,
    redirect: 'manual',
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  });
  await response.arrayBuffer();
  return response.status;
};

/** The body of a wrapped push: every message field but data and attributes is there in both spellings, as the real service sends it. */
export function pushBody(subscription: Subscription, message: Message, attempt: number): string {
  const publishTime = new Date(message.publishedMs).toISOString();
  const { data, attributes, messageId, orderingKey } = message;
  return JSON.stringify({
    message: {
      attributes,
      data,
      messageId,
      message_id: messageId,
      publishTime,
      publish_time: publishTime,
      ...(orderingKey ? { orderingKey, ordering_key: orderingKey } : {}),
    },
    subscription: subscription.name,
    ...(subscription.deadLetterPolicy ? { deliveryAttempt: attempt } : {}),
  });
}

export function pushHeaders(): Record<string, string> {
  return {
    'content-type': 'application/json',
    'user-agent': 'APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)',
  };
}

/** https://cloud.google.com/pubsub/docs/push#receive_push */
export function acknowledges(status: number): boolean {
  return status === 102 || (status >= 200 && status < 300);
}

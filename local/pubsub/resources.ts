import { z } from 'zod';
import { ApiError } from '../http.ts';
import { check, duration, millisOf } from '../proto-json.ts';
import { parseSubscriptionFilter } from './filter.ts';

/** `projects/P/topics/T` or `projects/P/subscriptions/S`. */
export type ResourceName = string;

export interface Topic {
  readonly name: ResourceName;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Message {
  /** Base64, as on the wire. */
  readonly data: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly messageId: string;
  readonly publishedMs: number;
  readonly orderingKey: string | undefined;
}

/** What a publisher gives. */
export const messageToPublish = z.object({
  data: z.string().default(''),
  attributes: z.record(z.string(), z.string()).default({}),
  orderingKey: z.string().optional(),
});

export type MessageToPublish = z.input<typeof messageToPublish>;

export const topicSchema = z.looseObject({ labels: z.record(z.string(), z.string()).default({}) });

const pushConfig = z.looseObject({
  pushEndpoint: z.string().default(''),
  attributes: z.record(z.string(), z.string()).default({}),
  oidcToken: z.looseObject({ serviceAccountEmail: z.string(), audience: z.string().optional() }).optional(),
});

const retention = duration.refine(
  text => millisOf(text) >= 600_000 && millisOf(text) <= 31 * 86_400_000,
  'expected 10 minutes to 31 days',
);

const backoff = duration.refine(text => millisOf(text) <= 600_000, 'expected at most 600s');

const retryPolicy = z
  .object({ minimumBackoff: backoff.default('10s'), maximumBackoff: backoff.default('600s') })
  .refine(
    ({ minimumBackoff, maximumBackoff }) => millisOf(minimumBackoff) <= millisOf(maximumBackoff),
    'minimumBackoff is above maximumBackoff',
  );

/** Zero stands for the default, as everywhere in Protocol Buffers. */
function orDefault(value: number, range: { min: number; max: number; fallback: number }) {
  return z
    .number()
    .int()
    .default(value)
    .transform(number => number || range.fallback)
    .pipe(z.number().min(range.min).max(range.max));
}

/** Limits and defaults are the real service's, https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions. */
const subscriptionSchema = z.looseObject({
  topic: z.string(),
  pushConfig: pushConfig.default({ pushEndpoint: '', attributes: {} }),
  ackDeadlineSeconds: orDefault(0, { min: 10, max: 600, fallback: 10 }),
  messageRetentionDuration: retention.default('604800s'),
  filter: z.string().default(''),
  labels: z.record(z.string(), z.string()).default({}),
  retryPolicy: retryPolicy.optional(),
  deadLetterPolicy: z
    .object({
      deadLetterTopic: z.string(),
      maxDeliveryAttempts: orDefault(0, { min: 5, max: 100, fallback: 5 }),
    })
    .optional(),
});

export type Subscription = z.output<typeof subscriptionSchema> & { readonly name: ResourceName };

export function parseSubscription(name: ResourceName, body: unknown): Subscription {
  const subscription = { ...check(body, subscriptionSchema), name };
  parseSubscriptionFilter(subscription.filter);
  const { pushEndpoint } = subscription.pushConfig;
  if (pushEndpoint !== '' && !URL.canParse(pushEndpoint)) {
    throw new ApiError(
      'INVALID_ARGUMENT',
      `Invalid push endpoint given (endpoint=${pushEndpoint}): not a URL.`,
    );
  }
  return subscription;
}

const ID = /^(?!goog)[A-Za-z][A-Za-z0-9\-._~+%]{2,254}$/;

export function checkName(name: ResourceName, collection: 'topics' | 'subscriptions'): ResourceName {
  const parts = name.split('/');
  const isName = parts.length === 4 && parts[0] === 'projects' && parts[2] === collection;
  if (isName && ID.test(parts[3] ?? '')) return name;
  throw new ApiError(
    'INVALID_ARGUMENT',
    `Invalid [${collection}] name: (name=${name}). Expected projects/PROJECT/${collection}/ID with an ID of 3 to 255 letters, digits and -._~+%, beginning with a letter and not with "goog".`,
  );
}

export function idOf(name: ResourceName): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

export function projectOf(name: ResourceName): string {
  return name.split('/')[1] ?? '';
}

import { z } from 'zod';
import { cloudEvent, type RolloutEventMessage } from '../../../functions/google/events.ts';
import { eventSchema, type News, newsOf } from '../../../functions/notify/news.ts';
import { rolloutEvent } from '../../../functions/rollout/cdevents.ts';
import type { Destination } from '../../../functions/rollout/notifications.ts';
import { parsePolicy } from '../../../functions/rollout/policy.ts';
import { note, type Reason, type Rollout } from '../../../functions/rollout/record.ts';
import { type HttpReply, type HttpRequest, type HttpServer, serve } from '../../../local/http.ts';
import { newestEntry } from '../../cdevents/examples.ts';
import { aWorld, play, START_MS, UNTIL_GATE } from '../../worlds.ts';

/** At its gate: 50 % on `us`. */
export const A_ROLLOUT: Rollout = play(aWorld(), UNTIL_GATE).world.rollout;

export function published(event: RolloutEventMessage): string {
  return JSON.stringify(cloudEvent(event, 'acme'));
}

/** What is published when this befalls the rollout. */
export function anEvent(
  reason: Reason,
  message: string,
  { rollout = A_ROLLOUT, atMs = START_MS }: { rollout?: Rollout; atMs?: number } = {},
): string {
  const noted = note(rollout, atMs, reason, message);
  return published(rolloutEvent(noted, newestEntry(noted)));
}

export function readNews(body: string): News | undefined {
  return newsOf(eventSchema.parse(JSON.parse(body)), body);
}

export function someNews(reason: Reason, message: string, change: Partial<News> = {}): News {
  const news = readNews(anEvent(reason, message));
  if (!news) throw new Error(`nobody is told of ${reason}`);
  return { ...news, ...change };
}

/** As the policy gives it, with its defaults. */
export function aDestination(entry: object): Destination {
  const source = JSON.stringify({ services: [], notifications: [{ name: 'oncall', ...entry }] });
  const parsed = parsePolicy(source, 'rollouts.yaml');
  const [destination] = parsed.ok ? parsed.policy.notifications : [];
  if (!destination) throw new Error(`not a destination: ${JSON.stringify(parsed)}`);
  return destination;
}

export interface Receiver {
  readonly url: string;
  readonly requests: HttpRequest[];
  close(): Promise<void>;
}

/** Somebody on loopback who keeps what it is sent. @param answers one after the other, the last one for ever */
export async function aReceiver(...answers: readonly HttpReply[]): Promise<Receiver> {
  const requests: HttpRequest[] = [];
  const server: HttpServer = await serve(request => {
    requests.push(request);
    return answers[Math.min(requests.length, answers.length) - 1] ?? { status: 200, body: 'ok' };
  });
  return { url: server.url, requests, close: () => server.close() };
}

const mrkdwn = z.strictObject({
  type: z.literal('mrkdwn'),
  text: z.string().min(1).max(3000),
  verbatim: z.boolean(),
});

/** What Slack takes: https://docs.slack.dev/reference/block-kit/blocks, with its limits. */
export const slackSchema = z.strictObject({
  text: z.string().min(1).max(4000),
  blocks: z
    .array(
      z.union([
        z.strictObject({ type: z.literal('section'), text: mrkdwn }),
        z.strictObject({
          type: z.literal('section'),
          fields: z
            .array(mrkdwn.extend({ text: z.string().min(1).max(2000) }))
            .min(1)
            .max(10),
        }),
        z.strictObject({ type: z.literal('context'), elements: z.array(mrkdwn).min(1).max(10) }),
      ]),
    )
    .min(1)
    .max(50),
  unfurl_links: z.literal(false),
  unfurl_media: z.literal(false),
});

const widget = z.union([
  z.strictObject({ textParagraph: z.strictObject({ text: z.string() }) }),
  z.strictObject({
    decoratedText: z.strictObject({
      topLabel: z.string(),
      text: z.string().min(1),
      wrapText: z.literal(true),
    }),
  }),
  z.strictObject({
    buttonList: z.strictObject({
      buttons: z.array(
        z.strictObject({
          text: z.string().min(1),
          onClick: z.strictObject({ openLink: z.strictObject({ url: z.url() }) }),
        }),
      ),
    }),
  }),
]);

/** What Google Chat takes: https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages. */
export const chatSchema = z.strictObject({
  text: z.string().min(1).max(4096),
  cardsV2: z
    .array(
      z.strictObject({
        cardId: z.string(),
        card: z.strictObject({
          sections: z.array(z.strictObject({ widgets: z.array(widget).min(1).max(100) })),
        }),
      }),
    )
    .optional(),
  thread: z.strictObject({ threadKey: z.string().min(1).max(4000) }),
});

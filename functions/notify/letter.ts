import type { Dependencies } from '../dependencies.ts';
import { SlipwayError } from '../errors.ts';
import { type Destination, isSafeScheme } from '../rollout/notifications.ts';
import { chatBody, chatUrl } from './google-chat.ts';
import type { News } from './news.ts';
import { noticeOf } from './notice.ts';
import type { Letter } from './post.ts';
import { slackBody } from './slack.ts';
import { signedHeaders } from './webhook.ts';

type World = Pick<Dependencies, 'secret' | 'settings' | 'nowMs'>;

/**
 * What is sent to a destination: one message about all of the news, or for a webhook the event itself. Secrets are read
 * anew every time: a new version of one needs no restart.
 *
 * @throws SlipwayError when a secret is missing or is not what it should be
 */
export async function letterFor(
  { slack, googleChat, webhook, template }: Destination,
  news: readonly News[],
  world: World,
): Promise<Letter> {
  const [event] = news;
  if (webhook && event) return eventLetter(webhook, event, world);
  const { settings, nowMs, secret } = world;
  const place = { project: settings.project, consoleUrl: settings.consoleUrl };
  const notices = news.map(one => noticeOf(one, place, nowMs()));
  const name = slack?.secret ?? googleChat?.secret ?? '';
  const url = urlIn(name, await secret(name));
  const letter = slack
    ? { url, body: slackBody(notices, template) }
    : { url: chatUrl(url), body: chatBody(notices, template, threadOf(news)) };
  const headers = { 'content-type': 'application/json; charset=utf-8' };
  return { ...letter, headers, body: JSON.stringify(letter.body) };
}

async function eventLetter(
  { url, secret: name = '', signingSecret }: NonNullable<Destination['webhook']>,
  event: News,
  { secret, nowMs }: World,
): Promise<Letter> {
  const signature = signedHeaders(event, await secret(signingSecret), nowMs());
  return {
    url: url === undefined ? urlIn(name, await secret(name)) : new URL(url),
    headers: { 'content-type': 'application/cloudevents+json; charset=utf-8', ...signature },
    body: event.body,
  };
}

/** The error does not repeat what the secret holds. */
function urlIn(name: string, content: string): URL {
  const url = URL.parse(content);
  if (url && isSafeScheme(url) && url.username === '' && url.password === '') return url;
  const operation = `read the secret ${name}`;
  const message = `${operation}: expected an https URL without user name and password, found something else (${content.length} characters)`;
  throw new SlipwayError(message, { code: 'InvalidArgument', operation });
}

/** What is about one rollout stands together. */
function threadOf(news: readonly News[]): string {
  const keys = new Set(news.map(({ rollout, service }) => rollout ?? service ?? 'slipway'));
  const [only] = keys;
  return keys.size === 1 && only !== undefined ? only : 'slipway';
}

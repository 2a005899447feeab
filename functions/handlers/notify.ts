import { setTimeout } from 'node:timers/promises';
import type { CloudEvent } from '@google-cloud/functions-framework';
import type { Dependencies } from '../dependencies.ts';
import { SlipwayError } from '../errors.ts';
import { eventSchema, type News, newsOf } from '../notify/news.ts';
import { Notifier } from '../notify/notifier.ts';
import { postByFetch } from '../notify/post.ts';
import { wants } from '../rollout/notifications.ts';
import { parseJson, readMessage } from './message.ts';

/**
 * Topic `rollout-events`: tells people, as the policy's `notifications` say. While the policy cannot be read the event
 * comes again: what is lost may be that a rollout is taken back.
 */
export async function notify(deps: Dependencies, event: CloudEvent<unknown>): Promise<void> {
  // First: what was lost, and is told to nobody, must not come back while there is no policy.
  const news = readNews(deps, event);
  if (!news) return;
  const { service, reason } = news;
  const { notifications } = await deps.policy();
  const wanting = notifications.filter(one => wants(one, { service, reason }));
  const told = await Promise.all(
    wanting.map(async one => ({ name: one.name, outcome: await notifierOf(deps).tell(one, news) })),
  );
  const failed = told.flatMap(({ name, outcome }) =>
    outcome.kind === 'failed' ? [`${name} (${outcome.why})`] : [],
  );
  if (failed.length === 0) return;
  const operation = `tell of ${news.id}`;
  const message = `${operation}: not yet ${failed.join(', ')}; Pub/Sub delivers it again`;
  throw new SlipwayError(message, { code: 'Unavailable', operation });
}

/** @returns undefined when there is nothing to tell */
function readNews(deps: Dependencies, event: CloudEvent<unknown>): News | undefined {
  const message = readMessage(event, deps.nowMs());
  const parsed = message
    ? parseJson(message.text, eventSchema)
    : { ok: false as const, problem: 'expected a Pub/Sub message' };
  if (message && parsed.ok) return newsOf(parsed.value, message.text);
  // Not put aside: that would be an event again.
  if (!parsed.ok) deps.log('ERROR', `an event makes no sense and is told to nobody: ${parsed.problem}`);
  return undefined;
}

/** One for as long as the instance lives, whatever else the dependencies of one event are. */
const notifiers = new WeakMap<Dependencies['settings'], Notifier>();

function notifierOf(deps: Dependencies): Notifier {
  const known = notifiers.get(deps.settings);
  if (known) return known;
  const { secret, settings, nowMs, log } = deps;
  const notifier = new Notifier({ secret, settings, nowMs, log, wait: setTimeout, post: postByFetch });
  notifiers.set(settings, notifier);
  return notifier;
}

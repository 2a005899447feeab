import { setTimeout } from 'node:timers/promises';
import type { CloudEvent } from '@google-cloud/functions-framework';
import type { Dependencies } from '../dependencies.ts';
import { SlipwayError } from '../errors.ts';
import { eventSchema, type News, newsOf } from '../notify/news.ts';
import { Notifier } from '../notify/notifier.ts';
import { postByFetch } from '../notify/post.ts';
import { type Destination, wants } from '../rollout/notifications.ts';
import { parseJson, readMessage } from './message.ts';

/** Topic `rollout-events`: tells people, as the policy's `notifications` say. */
export async function notify(deps: Dependencies, event: CloudEvent<unknown>): Promise<void> {
  const destinations = await destinationsOf(deps);
  if (destinations.length === 0) return;
  const news = readNews(deps, event);
  if (!news) return;
  const { service, reason } = news;
  const wanting = destinations.filter(one => wants(one, { service, reason }));
  const told = await Promise.all(
    wanting.map(async ({ name, ...rest }) => ({
      name,
      outcome: await notifierOf(deps).tell({ name, ...rest }, news),
    })),
  );
  const failed = told.flatMap(({ name, outcome }) =>
    outcome.kind === 'failed' ? [`${name} (${outcome.why})`] : [],
  );
  if (failed.length === 0) return;
  const operation = `tell of ${news.id}`;
  const message = `${operation}: not yet ${failed.join(', ')}; Pub/Sub delivers it again`;
  throw new SlipwayError(message, { code: 'Unavailable', operation });
}

/** A policy that cannot be read names nobody: to come back would help nobody either. */
async function destinationsOf(deps: Dependencies): Promise<readonly Destination[]> {
  try {
    return (await deps.policy()).notifications;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    deps.log('ERROR', `nobody is told: the policy cannot be read: ${why}`);
    return [];
  }
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

import { type Asked, Refusal } from './http.ts';
import { isLoopbackHost } from './identity.ts';

/**
 * Refuses a command that a page of somebody else may have sent in this person's name. No secret is needed for that: other
 * sites can send neither JSON nor their request as same-origin without being asked by the browser first, and the console
 * answers that question with no.
 */
export function refuseCrossSite(asked: Asked, consoleUrl: string): void {
  const type = asked.header('content-type') ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new Refusal(415, 'expected a command as JSON, with content-type application/json');
  }
  const site = asked.header('sec-fetch-site');
  const isOurs = ownOrigins(asked, consoleUrl).has(asked.header('origin') ?? '');
  if (isOurs && (site === undefined || site === 'same-origin')) return;
  throw new Refusal(
    403,
    'commands are taken from the console’s own page only: its origin did not send this one',
  );
}

/** Pages of others can read no answer, but would take the places of those who watch. */
export function refuseOtherSites(asked: Asked): void {
  const site = asked.header('sec-fetch-site');
  if (site === undefined || site === 'same-origin' || site === 'none') return;
  throw new Refusal(403, 'the console answers its own page only, and a page of another site asks');
}

/** The name that people came by, and the one that notifications give them. */
function ownOrigins(asked: Asked, consoleUrl: string): ReadonlySet<string> {
  const host = asked.header('host') ?? '';
  const own = `${isLoopbackHost(host) ? 'http' : 'https'}://${host}`;
  return new Set([own, ...(URL.canParse(consoleUrl) ? [new URL(consoleUrl).origin] : [])]);
}

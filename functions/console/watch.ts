import type { Dependencies } from '../dependencies.ts';
import { isFinal } from '../rollout/record.ts';
import { problemFields } from '../telemetry/log.ts';
import { rolloutChange, rolloutEvent, servicesChange, servicesEvent } from './changes.ts';
import type { RolloutView, ServiceRow } from './contract.ts';
import { type Feeds, openFeeds, type Seat, type Subject } from './feed.ts';
import { type After, type Asked, bounded, Refusal, type Stream } from './http.ts';
import { openLine } from './line.ts';
import { PAGE_ROWS, type Readers, readRollout, serviceRowsReader } from './records.ts';

/** Of one instance, which answers 250 requests at a time: the others are for those who ask. */
const MOST_LISTENERS = 220;

const ROLLOUT_EVERY_MS = 1000;
/** A page of services is a hundred times as much to read. */
const SERVICES_EVERY_MS = 3000;
/** What is at rest is looked at less often: pages stay open for days, and each look is paid for. */
const AT_REST = 3;

/** `GET api/watch`: answers with server-sent events until the listener has gone, or for four minutes. */
export type Watch = (asked: Asked) => Promise<Stream>;

export function openWatch(
  deps: Readers & Pick<Dependencies, 'log'>,
  after: After,
  mostListeners = MOST_LISTENERS,
): Watch {
  const feeds = openFeeds(after, (key, error) => {
    const message = error instanceof Error ? error.message : String(error);
    deps.log('ERROR', `the console cannot watch ${key} any more: ${message}`, problemFields(error));
  });
  return async asked => {
    if (asked.method !== 'GET')
      throw new Refusal(405, `expected GET, found ${asked.method}`, { allow: 'GET' });
    const join = joiner(feeds, deps, asked);
    if (feeds.listeners() >= mostListeners) {
      throw new Refusal(
        503,
        `this instance of the console has ${mostListeners} listeners already; try again`,
        {
          'retry-after': '5',
        },
      );
    }
    const seat = await join(asked.header('last-event-id'));
    return {
      stream(outlet) {
        outlet.write('retry: 1000\n\n');
        const line = openLine(outlet, after, seat.leave);
        seat.take(line);
      },
    };
  };
}

function joiner(
  feeds: Feeds,
  deps: Readers,
  { query }: Asked,
): (lastId: string | undefined) => Promise<Seat> {
  const rollout = bounded(query.get('rollout') ?? '');
  const services = query.get('services');
  if (rollout && !services) return lastId => feeds.join(rolloutSubject(deps, rollout), lastId);
  const names = [
    ...new Set(
      services
        ?.split(',')
        .filter(name => name !== '')
        .map(bounded),
    ),
  ].sort();
  if (rollout || names.length === 0 || names.length > PAGE_ROWS) {
    throw new Refusal(400, `expected watch?rollout=ID or watch?services=A,B,…, up to ${PAGE_ROWS} of them`);
  }
  return lastId => feeds.join(servicesSubject(deps, names), lastId);
}

function rolloutSubject(deps: Readers, id: string): Subject<RolloutView> {
  return {
    key: `rollout ${id}`,
    everyMs: ({ rollout }) => ROLLOUT_EVERY_MS * (isFinal(rollout) ? AT_REST : 1),
    read: () => readRollout(deps, id),
    first: rolloutEvent,
    change: rolloutChange,
  };
}

function servicesSubject(deps: Readers, names: readonly string[]): Subject<readonly ServiceRow[]> {
  return {
    key: `services ${names.join(',')}`,
    everyMs: rows =>
      SERVICES_EVERY_MS * (rows.every(({ rollout }) => !rollout || isFinal(rollout)) ? AT_REST : 1),
    read: serviceRowsReader(deps, names),
    first: servicesEvent,
    change: servicesChange,
  };
}

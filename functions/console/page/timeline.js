/**
 * What has happened, newest first.
 *
 * @import { ShownRollout } from '../contract.ts'
 * @import { Child } from './vdom.js'
 * @import { EventKind } from './words.js'
 */
import { clock, moment, plural } from './format.js';
import { name, told } from './text.js';
import { h } from './vdom.js';
import { EVENT_KINDS, kindOf } from './words.js';

/** What the reader wants to see of it. */
export class Filter {
  /** @type {EventKind | undefined} */
  kind = undefined;
  text = '';
  isWhole = false;
}

/** Of a long history, until the reader asks for all. */
const SHOWN = 60;

const KINDS = /** @type {EventKind[]} */ (Object.keys(EVENT_KINDS));

/**
 * @param {ShownRollout} rollout
 * @param {Filter} filter
 * @param {() => void} redraw
 * @returns {Child}
 */
export function timeline({ history }, filter, redraw) {
  const text = filter.text.toLowerCase();
  const found = history
    .filter(({ reason }) => filter.kind === undefined || kindOf(reason) === filter.kind)
    .filter(({ reason, message }) => text === '' || `${reason} ${message}`.toLowerCase().includes(text))
    .toReversed();
  const shown = filter.isWhole ? found : found.slice(0, SHOWN);
  return [
    h(
      'div',
      { class: 'filter' },
      h(
        'div',
        { role: 'group', 'aria-label': 'Kinds of events', class: 'kinds' },
        [undefined, ...KINDS].map(kind =>
          h(
            'button',
            {
              type: 'button',
              class: 'kind',
              'aria-pressed': filter.kind === kind ? 'true' : 'false',
              on: {
                click() {
                  filter.kind = kind;
                  redraw();
                },
              },
            },
            kind ? EVENT_KINDS[kind].word : 'All',
          ),
        ),
      ),
      h('input', {
        type: 'search',
        placeholder: 'Find in events',
        'aria-label': 'Find in events',
        on: {
          input(event) {
            filter.text = event.target instanceof HTMLInputElement ? event.target.value : '';
            redraw();
          },
        },
      }),
    ),
    found.length === 0
      ? h(
          'p',
          { class: 'empty' },
          history.length === 0 ? 'Nothing has happened yet.' : 'No event is like that.',
        )
      : undefined,
    found.length > 0
      ? h(
          'div',
          { class: 'record', tabindex: 0, role: 'region', 'aria-label': 'Events, newest first' },
          h('ol', { class: 'events' }, shown.map(event)),
        )
      : undefined,
    found.length > shown.length
      ? h(
          'button',
          {
            type: 'button',
            class: 'quiet',
            on: {
              click() {
                filter.isWhole = true;
                redraw();
              },
            },
          },
          `Show ${plural(found.length - shown.length, 'older event')}`,
        )
      : undefined,
  ];
}

/** @param {ShownRollout['history'][number]} entry */
function event({ sequence, atMs, reason, message, target }) {
  return h(
    'li',
    { key: sequence, class: EVENT_KINDS[kindOf(reason)].tone },
    h('time', { datetime: new Date(atMs).toISOString(), title: moment(atMs) }, clock(atMs)),
    h(
      'div',
      {},
      h(
        'span',
        { class: 'reason' },
        name(reason),
        target ? [' ', h('span', { class: 'target' }, name(target))] : undefined,
      ),
      told(message),
    ),
  );
}

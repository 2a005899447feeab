/**
 * Small things that several pages show.
 *
 * @import { Phase } from '../../rollout/record.ts'
 * @import { Child, VNode } from './vdom.js'
 * @import { Mark } from './marks.js'
 * @import { Look, Tone } from './words.js'
 */
import { age, moment } from './format.js';
import { drawnMark } from './marks.js';
import { ROOT } from './root.js';
import { name, told, visible } from './text.js';
import { h } from './vdom.js';
import { PHASES } from './words.js';

/** @param {string} service */
export function serviceHref(service) {
  return `${ROOT.pathname}services/${encodeURIComponent(service)}`;
}

/** @param {string} id */
export function rolloutHref(id) {
  return `${ROOT.pathname}rollouts/${encodeURIComponent(id)}`;
}

/** @param {string} [query] */
export function homeHref(query = '') {
  return `${ROOT.pathname}${query}`;
}

/**
 * @param {Look} look
 * @param {string} [extra] class
 */
export function chip({ mark, tone, word }, extra = '') {
  return h('span', { class: `chip ${tone} ${extra}` }, drawnMark(mark), word);
}

/**
 * @param {Phase} phase
 * @param {string} [extra] class
 */
export function phaseChip(phase, extra) {
  return chip(PHASES[phase] ?? { mark: '⚠', tone: 'gone', word: visible(String(phase)) }, extra);
}

/**
 * @param {Tone} tone
 * @param {Mark} mark
 * @param {string} word
 */
export function badge(tone, mark, word) {
  return h('span', { class: `badge ${tone}` }, drawnMark(mark), word);
}

/**
 * Good news, or none.
 *
 * @param {string} sentence
 */
export function calm(sentence) {
  return h('p', { class: 'calm', key: 'calm' }, drawnMark('✔'), ' ', sentence);
}

/**
 * @param {number} atMs
 * @param {number} nowMs
 */
export function ago(atMs, nowMs) {
  return h('time', { datetime: new Date(atMs).toISOString(), title: moment(atMs) }, age(nowMs - atMs));
}

/**
 * A small bar per target. The numbers stand beside it.
 *
 * @param {Readonly<Record<string, number>>} weights target → percent
 * @returns {Child}
 */
export function weightBars(weights) {
  const entries = Object.entries(weights);
  if (entries.length === 0) return h('span', { class: 'aside' }, 'no target touched');
  return h(
    'ul',
    { class: 'bars' },
    entries
      .slice(0, 12)
      .map(([target, weight]) =>
        h(
          'li',
          { key: target },
          h('span', { class: 'target' }, name(target)),
          bar(weight),
          h('span', { class: 'number' }, `${weight} %`),
        ),
      ),
    entries.length > 12 ? h('li', { class: 'aside' }, `and ${entries.length - 12} more`) : undefined,
  );
}

/** @param {number} weight percent */
export function bar(weight) {
  const inside = Math.max(0, Math.min(100, weight));
  return h('span', { class: 'bar', 'aria-hidden': 'true', vars: { '--weight': `${inside}%` } });
}

/**
 * @param {string} title
 * @param {string} message
 * @param {Child} [more]
 * @returns {VNode}
 */
export function notice(title, message, more) {
  return h(
    'div',
    { class: 'notice bad', role: 'alert' },
    h('h2', {}, title),
    h('p', {}, told(message)),
    more,
  );
}

/** @param {string} what */
export function loading(what) {
  return h('p', { class: 'loading', role: 'status' }, `Loading ${what}…`);
}

/**
 * A card of the page, named by its heading.
 *
 * @param {string} id
 * @param {string} title
 * @param {...Child} children
 * @returns {VNode}
 */
export function section(id, title, ...children) {
  return h(
    'section',
    { class: 'card', id, key: id, 'aria-labelledby': `${id}-heading` },
    h('h2', { id: `${id}-heading` }, title),
    ...children,
  );
}

/**
 * Next and back of a list that comes 100 rows at a time.
 *
 * @param {{ isFirst: boolean, next: string | undefined, what: string, back: () => void, forward: (next: string) => void }} pager
 */
export function pager({ isFirst, next, what, back, forward }) {
  if (isFirst && next === undefined) return undefined;
  return h(
    'nav',
    { class: 'pager', 'aria-label': `Pages of ${what}` },
    h(
      'button',
      {
        type: 'button',
        'aria-disabled': isFirst ? 'true' : undefined,
        on: { click: () => !isFirst && back() },
      },
      '← Back',
    ),
    h(
      'button',
      {
        type: 'button',
        'aria-disabled': next === undefined ? 'true' : undefined,
        on: { click: () => next !== undefined && forward(next) },
      },
      'Next 100 →',
    ),
  );
}

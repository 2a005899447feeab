import { h } from './vdom.js';

/** @import { VNode } from './vdom.js' */

/**
 * Control characters, what turns the direction of writing round, what takes no room, and heaps of accents: names and
 * messages come from outside and may hold any of it.
 */
const HIDDEN = /(?!\ufe0f)[\p{Cc}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\ufff9-\ufffb]/gu;
const HEAP = /(\p{M}{3})\p{M}+/gu;

/**
 * The text with everything made visible that a reader would not see: `⟨ESC⟩[31m`, `⟨U+202E⟩`.
 *
 * @param {string} text
 */
export function visible(text) {
  return text.toWellFormed().replace(HIDDEN, pictureOf).replace(HEAP, '$1…');
}

/** Those that people know by a name. The pictures that Unicode has of them are in few fonts. */
const NAMES = new Map([
  [0x00, 'NUL'],
  [0x07, 'BEL'],
  [0x08, 'BS'],
  [0x09, 'TAB'],
  [0x0a, 'LF'],
  [0x0d, 'CR'],
  [0x1b, 'ESC'],
  [0x7f, 'DEL'],
]);

/** @param {string} character */
function pictureOf(character) {
  const code = character.codePointAt(0) ?? 0;
  const known = NAMES.get(code);
  if (known) return `⟨${known}⟩`;
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
}

/** Longer texts are opened by the reader. */
const SHOWN_CHARACTERS = 280;

/**
 * A name: on its own as far as the direction of writing goes.
 *
 * @param {string} text
 */
export function name(text) {
  return h('bdi', {}, visible(text));
}

/**
 * A sentence from outside. What is long shows its beginning, and the rest on demand.
 *
 * @param {string} text
 * @param {number} [most] characters that are shown at once
 * @returns {VNode}
 */
export function told(text, most = SHOWN_CHARACTERS) {
  if (text.length <= most * 1.25) return h('bdi', { class: 'told' }, visible(text));
  const start = visible(beginningOf(text, most));
  return h(
    'details',
    { class: 'told long' },
    h('summary', {}, h('bdi', { class: 'start' }, `${start}…`), ' ', moreOf(text)),
    h('bdi', { class: 'all' }, visible(text)),
  );
}

/** @param {string} text */
function moreOf(text) {
  return h('span', { class: 'more' }, `all ${text.length.toLocaleString('en')} characters`);
}

/**
 * @param {string} text
 * @param {number} most
 */
function beginningOf(text, most) {
  return text.slice(0, most).toWellFormed().replace(/�$/, '');
}

/**
 * For a title, an attribute or an announcement, where nothing can be opened.
 *
 * @param {string} text
 * @param {number} [most]
 */
export function short(text, most = 120) {
  return text.length <= most ? visible(text) : `${visible(beginningOf(text, most))}…`;
}

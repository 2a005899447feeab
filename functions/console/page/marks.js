/**
 * The marks that stand beside words, drawn, as not every font has them: `✔ ✖ ◌ ॥ ⚠ ◷ ❄`, and a bar for what is kept out.
 *
 * @typedef {'✔' | '✖' | '◌' | '॥' | '⚠' | '◷' | '❄' | '⊘'} Mark
 */
import { h } from './vdom.js';

/** @type {Readonly<Record<Mark, { readonly d: string, readonly dash?: string }>>} */
const PATHS = {
  '✔': { d: 'M2.5 8.5 6.2 12 13.5 4' },
  '✖': { d: 'M3.5 3.5l9 9M12.5 3.5l-9 9' },
  '◌': { d: 'M8 2.2a5.8 5.8 0 1 1-.01 0', dash: '2.2 1.45' },
  '॥': { d: 'M5 3v10M11 3v10' },
  '⚠': { d: 'M8 2 14.6 13.5H1.4ZM8 6.2v3.4M8 11.4v.6' },
  '◷': { d: 'M8 2.2a5.8 5.8 0 1 1-.01 0M8 4.6V8l2.6 1.6' },
  '❄': { d: 'M8 1.8v12.4M2.6 4.9l10.8 6.2M13.4 4.9 2.6 11.1' },
  '⊘': { d: 'M8 2.2a5.8 5.8 0 1 1-.01 0M4 4l8 8' },
};

/** @param {Mark} mark */
export function drawnMark(mark) {
  const { d, dash } = PATHS[mark];
  return h(
    'svg',
    { class: 'mark', width: 13, height: 13, viewBox: '0 0 16 16', 'aria-hidden': 'true', focusable: 'false' },
    h('path', { d, 'stroke-dasharray': dash }),
  );
}

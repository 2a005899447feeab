/**
 * The live tree: rollout, waves, targets; and the strip of steps.
 *
 * @import { ShownRollout } from '../contract.ts'
 * @import { Child, VNode } from './vdom.js'
 */
import { isFirst, stepWord } from './headline.js';
import { drawnMark } from './marks.js';
import { ago, bar, chip } from './parts.js';
import { name, told } from './text.js';
import { h } from './vdom.js';
import { STATUSES } from './words.js';

/**
 * @param {ShownRollout} rollout
 * @param {number} nowMs
 * @returns {VNode}
 */
export function tree(rollout, nowMs) {
  const { waves } = rollout.spec.strategy;
  return h(
    'table',
    { class: 'tree', role: 'table' },
    h('caption', { class: 'visually-hidden' }, 'Waves and their targets'),
    h(
      'thead',
      { role: 'rowgroup' },
      h(
        'tr',
        { role: 'row' },
        ['Target', 'Status', 'Weight', 'Arch', 'Age', 'Info'].map(head =>
          h('th', { scope: 'col', role: 'columnheader' }, head),
        ),
      ),
    ),
    waves.map((members, wave) =>
      h(
        'tbody',
        { role: 'rowgroup', key: wave },
        h(
          'tr',
          { class: 'wave', role: 'row' },
          h(
            'th',
            { colspan: 6, scope: 'rowgroup', role: 'rowheader' },
            `Wave ${wave + 1}`,
            ' ',
            h('span', { class: 'aside' }, waveWord(rollout, wave)),
          ),
        ),
        members.map(target => targetRow(rollout, target, nowMs)),
      ),
    ),
  );
}

/**
 * @param {ShownRollout} rollout
 * @param {number} wave
 */
function waveWord({ position, phase, spec, targets }, wave) {
  if (phase === 'Healthy' || wave < position.wave) return 'done';
  if (phase !== 'Progressing' && phase !== 'Paused') return '';
  if (wave > position.wave) return 'later';
  const { steps } = spec.strategy;
  if (isFirst(/** @type {ShownRollout} */ ({ targets }))) return 'straight to 100 %';
  return position.step < steps.length ? `step ${position.step + 1} of ${steps.length}` : 'promotion';
}

/**
 * @param {ShownRollout} rollout
 * @param {string} target
 * @param {number} nowMs
 */
function targetRow(rollout, target, nowMs) {
  const state = rollout.targets[target];
  const spec = rollout.spec.targets.find(one => one.name === target);
  const place = spec?.cloudRun
    ? `Cloud Run ${spec.cloudRun.region}`
    : `GKE ${spec?.gke?.namespace ?? ''}/${spec?.gke?.deployment ?? ''}`;
  const cell = (/** @type {string} */ label, /** @type {Child[]} */ ...children) =>
    h('td', { role: 'cell', 'data-label': label, class: label.toLowerCase() }, ...children);
  return h(
    'tr',
    { key: target, role: 'row', class: state ? STATUSES[state.status]?.tone : undefined },
    h('th', { scope: 'row', role: 'rowheader' }, name(target), h('span', { class: 'place' }, name(place))),
    cell(
      'Status',
      state ? chip(STATUSES[state.status] ?? { mark: '⚠', tone: 'gone', word: state.status }) : undefined,
    ),
    cell(
      'Weight',
      state?.isTouched
        ? [bar(state.weight), h('span', { class: 'number' }, `${state.weight} %`)]
        : h('span', { class: 'aside' }, '–'),
    ),
    cell('Arch', state?.architecture ? name(state.architecture) : h('span', { class: 'aside' }, '–')),
    cell('Age', state ? ago(state.sinceMs, nowMs) : undefined),
    cell('Info', state?.message ? told(state.message, 160) : undefined),
  );
}

/**
 * The steps of the wave in hand, and which one is next.
 *
 * @param {ShownRollout} rollout
 * @returns {VNode | undefined}
 */
export function stepStrip(rollout) {
  const { spec, position, phase } = rollout;
  const { steps, waves } = spec.strategy;
  if (steps.length === 0 || isFirst(rollout)) return undefined;
  const isOver =
    phase === 'Healthy' || phase === 'Degraded' || phase === 'Superseded' || phase === 'Rejected';
  const shown = [...steps.map(stepWord), 'promote'];
  const wave = Math.min(position.wave, waves.length - 1);
  const here = phase === 'Healthy' ? shown.length : position.step;
  return h(
    'div',
    { class: 'steps' },
    h('span', { class: 'aside' }, `Wave ${wave + 1} of ${waves.length}`),
    h(
      'ol',
      { 'aria-label': `Steps of wave ${wave + 1}` },
      shown.map((word, index) => {
        const state = index < here ? 'past' : index === here && !isOver ? 'now' : 'next';
        const said = { past: ', done', now: ', now', next: '' }[state];
        return h(
          'li',
          { class: state, 'aria-current': state === 'now' ? 'step' : undefined },
          state === 'past' ? drawnMark('✔') : undefined,
          word,
          h('span', { class: 'visually-hidden' }, said),
        );
      }),
    ),
  );
}

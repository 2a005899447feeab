/**
 * Traffic split over time: a row with the steps of each target, as lines over each other could not be told apart.
 *
 * @import { ShownRollout } from '../contract.ts'
 * @import { Plots } from './plots.js'
 * @import { Segment } from './series.js'
 * @import { VNode } from './vdom.js'
 */
import { clock } from './format.js';
import { crosshair, timeAxis } from './plots.js';
import { scale } from './scale.js';
import { timesOf, valueAt, weightsOverTime } from './series.js';
import { name, short } from './text.js';
import { h } from './vdom.js';

const ROW = 34;
const GAP = 10;
const BOTTOM = 24;
const RIGHT = 52;

/**
 * @param {ShownRollout} rollout
 * @param {number} untilMs
 * @param {Plots} plots
 * @returns {VNode}
 */
export function trafficChart(rollout, untilMs, plots) {
  const rows = weightsOverTime(rollout, untilMs);
  const times = timesOf(rows.map(({ points }) => [points]));
  const fromMs = times[0] ?? rollout.createdMs;
  const toMs = Math.max(untilMs, fromMs + 1000);
  const id = 'traffic';
  const width = plots.width(id);
  const left = labelWidth(
    rows.map(({ target }) => target),
    width,
  );
  const height = rows.length * (ROW + GAP) + BOTTOM;
  const x = scale([fromMs, toMs], [left, width - RIGHT]);
  const title = 'Traffic of the canary';
  const say = (/** @type {number} */ atMs) =>
    rows.map(({ target, points }) => ({
      name: target,
      look: 'canary',
      value: `${valueAt([points], atMs, true)?.value ?? 0} %`,
    }));
  const cross = crosshair({ id, title, plots, times, fromMs, toMs, x, say });
  return h(
    'figure',
    { class: 'chart traffic', key: id },
    h(
      'figcaption',
      {},
      h('h3', {}, title),
      h('span', { class: 'aside' }, 'share of each target, 0 to 100 %'),
    ),
    h(
      'div',
      cross.props,
      h(
        'svg',
        { width, height, 'aria-hidden': 'true', focusable: 'false' },
        rows.map(({ target, points }, index) =>
          row({ target, points, x, y: index * (ROW + GAP), left, width, atMs: cross.atMs }),
        ),
        timeAxis({ fromMs, toMs, x, width: width - left - RIGHT, y: height - BOTTOM }),
        cross.atMs === undefined
          ? undefined
          : h('line', { class: 'cross', x1: x(cross.atMs), x2: x(cross.atMs), y1: 0, y2: height - BOTTOM }),
      ),
      cross.tip,
    ),
    table(rows),
  );
}

/**
 * @param {readonly string[]} names
 * @param {number} width
 */
function labelWidth(names, width) {
  const longest = Math.max(4, ...names.map(({ length }) => length));
  return Math.min(longest * 7.5 + 12, width / 3);
}

/** @param {{ target: string, points: Segment, x: (ms: number) => number, y: number, left: number, width: number, atMs: number | undefined }} row */
function row({ target, points, x, y, left, width, atMs }) {
  const base = y + ROW + 4;
  const up = scale([0, 100], [base, y + 4]);
  const shown = valueAt([points], atMs ?? Infinity, true)?.value ?? 0;
  const fits = Math.floor((left - 12) / 7.5);
  return [
    h('line', { class: 'grid', x1: left, x2: width - RIGHT, y1: base, y2: base }),
    h('line', { class: 'grid faint', x1: left, x2: width - RIGHT, y1: y + 4, y2: y + 4 }),
    h('text', { class: 'row', x: 0, y: base - 10 }, short(target, Math.max(3, fits))),
    h('path', { class: 'area canary', d: `${stepPath(points, x, up)}V${base}H${x(points[0]?.atMs ?? 0)}Z` }),
    h('path', {
      class: points.some(({ value }) => value > 0) ? 'line canary' : 'line idle',
      d: stepPath(points, x, up),
    }),
    h('text', { class: 'now', x: width, y: base - 10, 'text-anchor': 'end' }, `${shown} %`),
  ];
}

/**
 * @param {Segment} points
 * @param {(ms: number) => number} x
 * @param {(value: number) => number} y
 */
function stepPath(points, x, y) {
  return points
    .map(({ atMs, value }, index) => (index === 0 ? `M${x(atMs)} ${y(value)}` : `H${x(atMs)}V${y(value)}`))
    .join('');
}

/** @param {readonly { target: string, points: Segment }[]} rows */
function table(rows) {
  const changes = rows
    .flatMap(({ target, points }) => points.slice(1, -1).map(({ atMs, value }) => ({ target, atMs, value })))
    .sort((a, b) => b.atMs - a.atMs);
  return h(
    'details',
    { class: 'figures' },
    h('summary', {}, 'Figures', h('span', { class: 'aside' }, ' of the traffic')),
    changes.length === 0
      ? h('p', { class: 'empty' }, 'No weight has changed yet.')
      : h(
          'div',
          { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Figures of the traffic' },
          h(
            'table',
            {},
            h(
              'thead',
              {},
              h(
                'tr',
                {},
                ['time', 'target', 'canary'].map(head => h('th', { scope: 'col' }, head)),
              ),
            ),
            h(
              'tbody',
              {},
              changes.map(({ target, atMs, value }) =>
                h('tr', {}, h('td', {}, clock(atMs)), h('td', {}, name(target)), h('td', {}, `${value} %`)),
              ),
            ),
          ),
        ),
  );
}

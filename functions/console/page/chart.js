/**
 * Line charts with two axes, labels at the lines, a crosshair for pointer and keyboard, and the figures as a table.
 *
 * @import { Child, VNode } from './vdom.js'
 * @import { Plots } from './plots.js'
 * @import { Segment } from './series.js'
 *
 * @typedef {'canary' | 'stable' | 'limit'} LineLook
 * @typedef {{ readonly name: string, readonly look: LineLook, readonly segments: readonly Segment[] }} Line
 *
 * @typedef {object} Chart
 * @property {string} id
 * @property {string} title
 * @property {string} [note] what has to be known to read it
 * @property {readonly Line[]} lines
 * @property {(value: number) => string} format
 * @property {number} [atLeast] the axis reaches that far
 * @property {number} fromMs
 * @property {number} toMs
 * @property {number} height
 * @property {string} [empty] said instead where nothing is known
 * @property {3 | 4} [level] of its heading
 */
import { clock } from './format.js';
import { crosshair, timeAxis } from './plots.js';
import { scale, spread, ticks } from './scale.js';
import { timesOf, valueAt } from './series.js';
import { h } from './vdom.js';

const TOP = 8;
const BOTTOM = 22;
const LEFT = 58;
/** Names at the lines' ends need that much; where there is less the legend has to do. */
const RIGHT = 58;
const NARROW = 340;
/** Below that there is room for few lines. */
const LOW = 150;

/** Rows of a table that a person can still read. */
const MOST_ROWS = 60;

/**
 * @param {Chart} chart
 * @param {Plots} plots
 * @returns {VNode}
 */
export function lineChart(chart, plots) {
  const times = timesOf(chart.lines.map(({ segments }) => segments));
  const heading = h(chart.level === 4 ? 'h4' : 'h3', { id: `${chart.id}-title` }, chart.title);
  if (times.length === 0) {
    return h(
      'figure',
      { class: 'chart', key: chart.id },
      heading,
      h('p', { class: 'empty' }, chart.empty ?? 'Nothing is known yet.'),
    );
  }
  return h(
    'figure',
    { class: 'chart', key: chart.id },
    h('figcaption', {}, heading, legend(chart, plots.hoverMs ?? chart.toMs)),
    plot(chart, plots, times),
    chart.note ? h('p', { class: 'note' }, chart.note) : undefined,
    table(chart, times),
  );
}

/**
 * @param {Chart} chart
 * @param {number} atMs
 */
function legend({ lines, format }, atMs) {
  return h(
    'ul',
    { class: 'legend' },
    lines.map(({ name, look, segments }) => {
      const point = valueAt(segments, atMs, false);
      return h('li', {}, swatch(look), name, ' ', h('b', {}, point ? format(point.value) : 'unknown'));
    }),
  );
}

/** @param {LineLook} look */
function swatch(look) {
  return h(
    'svg',
    { class: 'swatch', width: 18, height: 8, 'aria-hidden': 'true' },
    h('line', { class: `line ${look}`, x1: 0, x2: 18, y1: 4, y2: 4 }),
    look === 'canary' ? h('circle', { class: `dot ${look}`, cx: 9, cy: 4, r: 3 }) : undefined,
  );
}

/**
 * @param {Chart} chart
 * @param {Plots} plots
 * @param {readonly number[]} times
 */
function plot(chart, plots, times) {
  const { id, lines, format, fromMs, toMs, height } = chart;
  const width = plots.width(id);
  const right = width < NARROW ? 10 : RIGHT;
  const values = lines.flatMap(({ segments }) =>
    segments.flatMap(points => points.map(({ value }) => value)),
  );
  const marks = ticks(Math.max(chart.atLeast ?? 0, ...values), height < LOW ? 2 : 4);
  const x = scale([fromMs, toMs], [LEFT, width - right]);
  const y = scale([0, marks.at(-1) ?? 1], [height - BOTTOM, TOP]);
  const cross = crosshair({
    id,
    title: chart.title,
    plots,
    times,
    fromMs,
    toMs,
    x,
    say: atMs => sayAt(chart, atMs),
  });
  const hoverMs = cross.atMs;
  return h(
    'div',
    cross.props,
    h(
      'svg',
      { width, height, 'aria-hidden': 'true', focusable: 'false' },
      marks.map(value => [
        h('line', { class: 'grid', x1: LEFT, x2: width - right, y1: y(value), y2: y(value) }),
        h('text', { class: 'tick', x: LEFT - 6, y: y(value) + 4, 'text-anchor': 'end' }, format(value)),
      ]),
      timeAxis({ fromMs, toMs, x, width: width - LEFT - right, y: height - BOTTOM }),
      lines.map(line => drawnLine(line, x, y)),
      right === RIGHT ? endLabels(lines, width - right + 6, y, height) : undefined,
      hoverMs === undefined
        ? undefined
        : [
            h('line', { class: 'cross', x1: x(hoverMs), x2: x(hoverMs), y1: TOP, y2: height - BOTTOM }),
            lines.map(({ look, segments }) => {
              const point = valueAt(segments, hoverMs, false);
              return point
                ? h('circle', { class: `dot ${look}`, cx: x(point.atMs), cy: y(point.value), r: 4 })
                : undefined;
            }),
          ],
    ),
    cross.tip,
  );
}

/**
 * @param {Line} line
 * @param {(ms: number) => number} x
 * @param {(value: number) => number} y
 * @returns {Child}
 */
function drawnLine({ look, segments }, x, y) {
  return segments.map(points => {
    const [only] = points;
    if (only && points.length === 1) {
      return h('circle', { class: `dot ${look}`, cx: x(only.atMs), cy: y(only.value), r: 2.5 });
    }
    const path = points.map(({ atMs, value }, index) => `${index === 0 ? 'M' : 'L'}${x(atMs)} ${y(value)}`);
    return h('path', { class: `line ${look}`, d: path.join('') });
  });
}

/**
 * @param {readonly Line[]} lines
 * @param {number} x
 * @param {(value: number) => number} y
 * @param {number} height
 */
function endLabels(lines, x, y, height) {
  const ends = lines.flatMap(({ name, look, segments }) => {
    const point = segments.at(-1)?.at(-1);
    return point ? [{ name, look, y: y(point.value) }] : [];
  });
  const places = spread(
    ends.map(end => end.y),
    14,
    [TOP + 4, height - BOTTOM],
  );
  return ends.map((end, index) =>
    h('text', { class: `end ${end.look}`, x, y: (places[index] ?? 0) + 4 }, end.name),
  );
}

/**
 * @param {Chart} chart
 * @param {number} atMs
 */
function sayAt({ lines, format }, atMs) {
  return lines.map(({ name, look, segments }) => {
    const point = valueAt(segments, atMs, false);
    return { name, look, value: point ? format(point.value) : 'unknown' };
  });
}

/**
 * @param {Chart} chart
 * @param {readonly number[]} times
 */
function table({ title, lines, format }, times) {
  const every = Math.ceil(times.length / MOST_ROWS);
  const shown = times.filter((_, index) => (times.length - 1 - index) % every === 0).toReversed();
  return h(
    'details',
    { class: 'figures' },
    h(
      'summary',
      {},
      'Figures',
      h('span', { class: 'aside' }, ` of ${title}`),
      every > 1 ? `, every ${every}th` : '',
    ),
    h(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `Figures of ${title}` },
      h(
        'table',
        {},
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ['time', ...lines.map(({ name }) => name)].map(name => h('th', { scope: 'col' }, name)),
          ),
        ),
        h(
          'tbody',
          {},
          shown.map(atMs =>
            h(
              'tr',
              {},
              h('th', { scope: 'row' }, clock(atMs)),
              lines.map(({ segments }) => {
                const point = valueAt(segments, atMs, false);
                return h('td', {}, point?.atMs === atMs ? format(point.value) : '–');
              }),
            ),
          ),
        ),
      ),
    ),
  );
}

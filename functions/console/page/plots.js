/**
 * What all plots of a page share: their widths, the time that the reader points at, the axis of time.
 *
 * @import { Child, Props } from './vdom.js'
 *
 * @typedef {object} Plots
 * @property {number | undefined} hoverMs the time under the crosshair, the same in all plots
 * @property {string | undefined} hoverId the plot that the reader is in
 * @property {(id: string) => number} width in CSS pixels
 * @property {(node: Element, id: string) => void} measure
 * @property {(id: string | undefined, atMs: number | undefined) => void} hover
 * @property {() => void} close
 */
import { clock, moment } from './format.js';
import { timeTicks } from './scale.js';
import { h } from './vdom.js';

/** Before it is measured. */
const USUAL_WIDTH = 640;

/**
 * @param {() => void} redraw
 * @returns {Plots}
 */
export function createPlots(redraw) {
  /** @type {Map<string, number>} */
  const widths = new Map();
  /** @type {WeakMap<Element, string>} */
  const ids = new WeakMap();
  const observer = new ResizeObserver(entries => {
    let isNew = false;
    for (const { target, contentRect } of entries) {
      const id = ids.get(target);
      const width = Math.floor(contentRect.width);
      if (id === undefined || width === 0 || widths.get(id) === width) continue;
      widths.set(id, width);
      isNew = true;
    }
    if (isNew) redraw();
  });
  /** @type {Plots} */
  const plots = {
    hoverMs: undefined,
    hoverId: undefined,
    width: id => widths.get(id) ?? USUAL_WIDTH,
    measure(node, id) {
      ids.set(node, id);
      observer.observe(node);
    },
    hover(id, atMs) {
      plots.hoverId = id;
      plots.hoverMs = atMs;
      redraw();
    },
    close: () => observer.disconnect(),
  };
  return plots;
}

/**
 * @typedef {object} Crosshair
 * @property {string} id
 * @property {string} title
 * @property {Plots} plots
 * @property {readonly number[]} times where the crosshair may stand
 * @property {number} fromMs
 * @property {number} toMs
 * @property {(ms: number) => number} x
 * @property {(atMs: number) => readonly { name: string, look: string, value: string }[]} say
 */

/**
 * A slider along the axis of time: arrows, Home and End move it, and its text is what a screen reader says.
 *
 * @param {Crosshair} crosshair
 * @returns {{ props: Props, atMs: number | undefined, tip: Child }}
 */
export function crosshair({ id, title, plots, times, fromMs, toMs, x, say }) {
  const isInside = plots.hoverMs !== undefined && plots.hoverMs >= fromMs && plots.hoverMs <= toMs;
  const atMs = isInside ? plots.hoverMs : undefined;
  const spokenMs = atMs ?? toMs;
  /** @param {number} index */
  const go = index => plots.hover(id, times[Math.max(0, Math.min(times.length - 1, index))]);
  /** @type {Props} */
  const props = {
    class: 'plot',
    key: id,
    tabindex: 0,
    role: 'slider',
    'aria-label': `${title}: time`,
    'aria-valuemin': Math.round(fromMs / 1000),
    'aria-valuemax': Math.round(toMs / 1000),
    'aria-valuenow': Math.round(spokenMs / 1000),
    'aria-valuetext': `${clock(spokenMs)}: ${say(spokenMs)
      .map(({ name, value }) => `${name} ${value}`)
      .join(', ')}`,
    made: node => plots.measure(node, id),
    on: {
      pointermove(event) {
        if (!(event instanceof PointerEvent) || !(event.currentTarget instanceof Element)) return;
        const at = event.clientX - event.currentTarget.getBoundingClientRect().left;
        plots.hover(id, nearest(times, x, at));
      },
      pointerleave: () => plots.hover(undefined, undefined),
      blur: () => plots.hover(undefined, undefined),
      keydown(event) {
        if (!(event instanceof KeyboardEvent)) return;
        const here = times.findLastIndex(time => time <= spokenMs);
        const page = Math.max(1, Math.round(times.length / 10));
        const moves = new Map([
          ['ArrowLeft', here - 1],
          ['ArrowDown', here - 1],
          ['ArrowRight', here + 1],
          ['ArrowUp', here + 1],
          ['PageDown', here - page],
          ['PageUp', here + page],
          ['Home', 0],
          ['End', times.length - 1],
        ]);
        const move = moves.get(event.key);
        if (move === undefined) return;
        event.preventDefault();
        go(move);
      },
    },
  };
  const isHere = atMs !== undefined && plots.hoverId === id;
  return { props, atMs, tip: isHere ? tip(atMs, x(atMs), plots.width(id), say(atMs)) : undefined };
}

/**
 * @param {readonly number[]} times
 * @param {(ms: number) => number} x
 * @param {number} at
 */
function nearest(times, x, at) {
  let best = times[0];
  for (const time of times) {
    if (best === undefined || Math.abs(x(time) - at) < Math.abs(x(best) - at)) best = time;
  }
  return best;
}

/**
 * @param {number} atMs
 * @param {number} x
 * @param {number} width
 * @param {readonly { name: string, look: string, value: string }[]} values
 */
function tip(atMs, x, width, values) {
  const isRight = x > width / 2;
  return h(
    'div',
    {
      class: isRight ? 'tip left' : 'tip',
      vars: { '--x': `${isRight ? width - x : x}px` },
      'aria-hidden': 'true',
    },
    h('time', { title: moment(atMs) }, clock(atMs)),
    values.map(({ name, look, value }) =>
      h('span', { class: `value ${look}` }, h('span', {}, name), h('b', {}, value)),
    ),
  );
}

/**
 * @param {{ fromMs: number, toMs: number, x: (ms: number) => number, width: number, y: number }} axis
 * @returns {Child}
 */
export function timeAxis({ fromMs, toMs, x, width, y }) {
  const marks = timeTicks(fromMs, toMs, Math.max(1, Math.floor(width / 84)));
  return marks.map(({ atMs, label }) => [
    h('line', { class: 'mark', x1: x(atMs), x2: x(atMs), y1: y, y2: y + 4 }),
    h('text', { class: 'tick', x: x(atMs), y: y + 16, 'text-anchor': 'middle' }, label),
  ]);
}

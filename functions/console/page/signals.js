/**
 * The four golden signals of canary and stable.
 *
 * @import { SideSignals, Signals } from '../contract.ts'
 * @import { Plots } from './plots.js'
 * @import { Child } from './vdom.js'
 */
import { lineChart } from './chart.js';
import { figure, percent } from './format.js';
import { drawnMark } from './marks.js';
import { signalLine } from './series.js';
import { told } from './text.js';
import { h } from './vdom.js';

/** @type {readonly { signal: keyof SideSignals, title: string, format: (value: number) => string, atLeast: number }[]} */
const SIGNALS = [
  {
    signal: 'latencyMs',
    title: 'Latency, 95th percentile',
    format: value => `${figure(value)} ms`,
    atLeast: 10,
  },
  { signal: 'requestsPerSecond', title: 'Traffic', format: value => `${figure(value)}/s`, atLeast: 1 },
  { signal: 'errorRatio', title: 'Errors', format: percent, atLeast: 0.001 },
  { signal: 'saturation', title: 'Saturation, CPU', format: percent, atLeast: 0.1 },
];

/**
 * @param {Signals} signals
 * @param {Plots} plots
 * @returns {Child}
 */
export function signalCharts(signals, plots) {
  const known = signals.points.filter(({ canary, stable }) => isKnown(canary) || isKnown(stable));
  const fromMs = known[0]?.endMs ?? signals.sinceMs;
  const toMs = Math.max(known.at(-1)?.endMs ?? signals.untilMs, fromMs + 1000);
  return [
    h(
      'div',
      { class: 'multiples' },
      SIGNALS.map(({ signal, title, format, atLeast }) =>
        lineChart(
          {
            id: `signal-${signal}`,
            title,
            lines: [
              { name: 'canary', look: 'canary', segments: signalLine(signals, signal, 'canary') },
              { name: 'stable', look: 'stable', segments: signalLine(signals, signal, 'stable') },
            ],
            format,
            atLeast,
            fromMs,
            toMs,
            height: 130,
            empty: 'Unknown: there are no metrics of it.',
          },
          plots,
        ),
      ),
    ),
    signals.warnings.length > 0
      ? h(
          'ul',
          { class: 'warnings' },
          signals.warnings.map(warning => h('li', {}, drawnMark('⚠'), ' ', told(warning))),
        )
      : undefined,
  ];
}

/** @param {SideSignals} side */
function isKnown(side) {
  return Object.values(side).some(value => value !== undefined);
}

/**
 * What the judge says: verdict, what is missing, evidence per scope, error ratios over time.
 *
 * @import { ShownRollout } from '../contract.ts'
 * @import { Counts, Judgement } from '../../rollout/judge.ts'
 * @import { Plots } from './plots.js'
 * @import { Child, VNode } from './vdom.js'
 */
import { lineChart } from './chart.js';
import { percent, plural, span } from './format.js';
import { isFirst } from './headline.js';
import { ago, bar, chip } from './parts.js';
import { errorRatios, ratio } from './series.js';
import { name, told } from './text.js';
import { h } from './vdom.js';
import { VERDICTS } from './words.js';

/**
 * @param {ShownRollout} rollout
 * @param {number} nowMs
 * @returns {Child}
 */
export function judgeCard(rollout, nowMs) {
  const { judgement } = rollout;
  if (!judgement) return h('p', { class: 'empty' }, whyNone(rollout));
  const look = VERDICTS[judgement.verdict];
  return [
    h(
      'p',
      { class: 'verdict' },
      chip(look),
      ' ',
      h('span', {}, `${look.means}, `, ago(judgement.atMs, nowMs), ' ago'),
    ),
    missing(judgement),
    h('p', { class: 'said' }, told(judgement.message)),
    evidence(judgement),
  ];
}

/** @param {ShownRollout} rollout */
function whyNone(rollout) {
  if (rollout.spec.judge === 'off') return 'The policy has the judge off: only SLO alerts watch.';
  if (isFirst(rollout)) return 'The first rollout of a service has nothing to be compared with.';
  if (rollout.phase === 'Rejected') return 'The image was refused before anything served.';
  if (rollout.phase === 'Pending') return 'It judges from the first traffic on.';
  return 'No verdict in this wave yet: it judges from the first traffic on.';
}

/** @param {Judgement} judgement */
function missing({ missing, canary }) {
  if (!missing) return undefined;
  const have = canary.good + canary.bad;
  const share = (100 * have) / Math.max(1, have + missing.requests);
  const wait =
    missing.seconds === undefined
      ? 'none come at present'
      : `about ${span(missing.seconds * 1000)} at the present rate`;
  return h(
    'div',
    { class: 'missing' },
    h('p', {}, h('b', {}, plural(missing.requests, 'more request')), ` of the canary needed: ${wait}.`),
    bar(share),
    h(
      'p',
      { class: 'aside' },
      `${have.toLocaleString('en')} of ${(have + missing.requests).toLocaleString('en')} seen`,
    ),
  );
}

/** @param {Judgement} judgement */
function evidence({ scopes, canary, stable, verdict }) {
  const all = { scope: 'all targets', verdict, canary, stable };
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Evidence by scope' },
    h(
      'table',
      { class: 'evidence' },
      h('caption', {}, 'Errors since the wave began to serve'),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          ['Scope', 'Verdict', 'Canary', 'Stable'].map(head => h('th', { scope: 'col' }, head)),
        ),
      ),
      h(
        'tbody',
        {},
        [all, ...scopes].map(scope =>
          h(
            'tr',
            { key: scope.scope },
            h('th', { scope: 'row' }, name(scope.scope)),
            h('td', {}, chip(VERDICTS[scope.verdict], 'small')),
            h('td', {}, counts(scope.canary)),
            h('td', {}, counts(scope.stable)),
          ),
        ),
      ),
    ),
  );
}

/** @param {Counts} counts */
function counts(counts) {
  const errors = ratio(counts);
  if (errors === undefined) return h('span', { class: 'aside' }, 'no request');
  const { good, bad } = counts;
  return [
    h('b', {}, percent(errors)),
    h('span', { class: 'aside of' }, `${bad.toLocaleString('en')} of ${(good + bad).toLocaleString('en')}`),
  ];
}

/**
 * @param {ShownRollout} rollout
 * @param {number} untilMs
 * @param {Plots} plots
 * @returns {VNode}
 */
export function errorChart(rollout, untilMs, plots) {
  const { trend } = rollout;
  const { canary, stable, limit } = errorRatios(trend);
  const fromMs = trend[0]?.atMs ?? rollout.createdMs;
  return lineChart(
    {
      id: 'errors',
      title: 'Error ratio, as the judge sees it',
      note: 'Counted since the wave began to serve. Above its limit a canary is worse than it may be; the judge says Failed once that is certain.',
      lines: [
        { name: 'canary', look: 'canary', segments: canary },
        { name: 'stable', look: 'stable', segments: stable },
        { name: 'limit', look: 'limit', segments: limit },
      ],
      format: percent,
      atLeast: 0.001,
      fromMs,
      toMs: Math.max(untilMs, fromMs + 1000),
      height: 200,
      empty: String(whyNone(rollout)),
    },
    plots,
  );
}

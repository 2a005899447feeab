/**
 * What stands around the pictures of a rollout: its headline, its buttons, why it was taken back, links, facts.
 *
 * @import { Button, RolloutView } from '../contract.ts'
 * @import { Link } from '../../rollout/links.ts'
 * @import { Child, VNode } from './vdom.js'
 */
import { commandButton } from './commands.js';
import { moment, shortDigest, span } from './format.js';
import { headline } from './headline.js';
import { fact } from './image.js';
import { ago, badge, homeHref, phaseChip, serviceHref } from './parts.js';
import { name, short, told, visible } from './text.js';
import { h } from './vdom.js';
import { CAUSES } from './words.js';

/** @param {RolloutView} view */
export function titleOf({ rollout }) {
  return `${rollout.phase} ${short(rollout.tag, 40)} · ${short(rollout.service, 40)}`;
}

/** @param {RolloutView | undefined} view */
export function crumbs(view) {
  return h(
    'nav',
    { class: 'crumbs', 'aria-label': 'Where you are' },
    h('a', { href: homeHref() }, 'Services'),
    view
      ? [' / ', h('a', { href: serviceHref(view.rollout.service) }, name(view.rollout.service))]
      : undefined,
  );
}

/**
 * @param {RolloutView} view
 * @param {number} nowMs
 * @returns {VNode}
 */
export function top(view, nowMs) {
  const { rollout, service } = view;
  const { what, health, waits } = headline(view, nowMs);
  return h(
    'div',
    { class: 'top' },
    h(
      'h1',
      { tabindex: -1 },
      name(rollout.service),
      ' ',
      h('span', { class: 'tag' }, name(rollout.tag)),
      ' ',
      phaseChip(rollout.phase, 'large'),
    ),
    h(
      'p',
      { class: 'headline' },
      visible(what),
      ' ',
      h('span', { class: 'health' }, visible(health)),
      ' ',
      h('span', { class: 'waits' }, visible(waits)),
    ),
    countdown(view, nowMs),
    rollout.phase === 'Degraded' || rollout.phase === 'Rejected'
      ? undefined
      : h('p', { class: 'message' }, told(rollout.message)),
    service.frozen
      ? h(
          'p',
          { class: 'badge-line' },
          badge('hold', '❄', 'frozen'),
          ' by ',
          name(service.frozen.by),
          ' ',
          ago(service.frozen.sinceMs, nowMs),
          ' ago',
          service.frozen.reason ? [': ', told(service.frozen.reason)] : undefined,
        )
      : undefined,
    service.quarantine
      ? h(
          'p',
          { class: 'badge-line' },
          badge('bad', '⊘', 'quarantined'),
          ' no push starts this digest: ',
          told(service.quarantine.message),
        )
      : undefined,
  );
}

/**
 * @param {RolloutView} view
 * @param {number} nowMs
 * @returns {Child}
 */
function countdown({ rollout }, nowMs) {
  const { pause } = rollout;
  if (!pause?.untilMs || pause.untilMs <= nowMs) return undefined;
  const [whole, rest] = [pause.untilMs - pause.openedMs, pause.untilMs - nowMs];
  const done = `${Math.round((100 * (whole - rest)) / Math.max(1, whole))}%`;
  return h(
    'div',
    { class: 'countdown' },
    h('span', { class: 'bar', 'aria-hidden': 'true', vars: { '--weight': done } }),
    h('span', { class: 'number' }, `${span(rest)} left of ${span(whole)}`),
  );
}

/** @type {ReadonlySet<Button['command']>} */
const FIRST = new Set(['promote', 'pause', 'resume', 'retry']);

/**
 * Stays on the screen while the page is scrolled. What cannot be given now stands in the list of all commands only, but
 * abort, which is always here.
 *
 * @param {readonly Button[]} buttons
 * @param {(button: Button) => void} ask
 */
export function bar(buttons, ask) {
  const can = buttons.filter(({ refused }) => refused === undefined);
  const shown = can.filter(({ command }) => FIRST.has(command));
  // Where both can be given they do the same.
  const abort =
    can.find(({ command }) => command === 'abort') ??
    can.find(({ command }) => command === 'undo') ??
    buttons.find(({ command }) => command === 'abort');
  return h(
    'div',
    { class: 'actions', role: 'group', 'aria-label': 'Commands' },
    shown.map(button =>
      commandButton(button, ask, { kind: button.command === 'promote' ? 'primary' : '', prefix: 'bar-' }),
    ),
    h(
      'a',
      { class: 'more', href: '#commands' },
      h('span', { class: 'long' }, 'All commands'),
      h('span', { class: 'short', 'aria-hidden': 'true' }, 'More'),
    ),
    abort ? commandButton(abort, ask, { kind: 'grave', prefix: 'bar-' }) : undefined,
  );
}

/**
 * @param {RolloutView} view
 * @returns {Child}
 */
export function causeBox({ rollout }) {
  const { cause, phase, message } = rollout;
  if (phase === 'Rejected') {
    return h(
      'div',
      { class: 'notice bad', id: 'cause' },
      h('h2', {}, 'Why it was refused'),
      h('p', {}, told(message)),
    );
  }
  if (!cause || phase === 'Progressing' || phase === 'Paused' || phase === 'Pending') return undefined;
  return h(
    'div',
    { class: 'notice bad', id: 'cause' },
    h('h2', {}, phase === 'RollingBack' ? 'Why it is taken back' : 'Why it was taken back'),
    h(
      'p',
      {},
      h('b', {}, CAUSES[cause.kind] ?? visible(String(cause.kind))),
      h('span', { class: 'aside' }, ` at ${moment(cause.atMs)}`),
    ),
    h('p', {}, told(cause.message)),
  );
}

/**
 * @param {{ readonly links: readonly Link[] }} view
 * @returns {Child}
 */
export function links({ links }) {
  const safe = links.filter(({ url }) => /^https?:\/\//.test(url));
  return h(
    'ul',
    { class: 'links' },
    safe.map(({ label, url }) =>
      h(
        'li',
        {},
        h(
          'a',
          { href: url, target: '_blank', rel: 'noopener noreferrer' },
          name(label),
          h('span', { 'aria-hidden': 'true' }, ' ↗'),
          h('span', { class: 'visually-hidden' }, ' (opens in a new tab)'),
        ),
      ),
    ),
  );
}

/**
 * @param {RolloutView} view
 * @returns {Child}
 */
export function facts({ rollout }) {
  const { startedBy, createdMs, id, digest, attempt, epoch, owner } = rollout;
  return h(
    'dl',
    { class: 'facts' },
    fact('Rollout', h('code', {}, name(id))),
    fact('Digest', h('code', { title: visible(digest) }, name(shortDigest(digest)))),
    fact('Started by', startedBy ? told(startedBy, 80) : 'a push'),
    fact('Began', moment(createdMs)),
    fact('Attempt', String(attempt)),
    fact('Epoch', String(epoch)),
    owner ? fact('Execution', h('code', {}, told(owner.execution.split('/').at(-1) ?? '', 80))) : undefined,
  );
}

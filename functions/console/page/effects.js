/**
 * What a command will do, said before it is given, and how to see afterwards that it was done.
 *
 * @import { Button, RolloutView, ShownRollout } from '../contract.ts'
 * @import { HistoryEntry, ServiceState } from '../../rollout/record.ts'
 */

import { listed, span } from './format.js';
import { isFirst, nextAfter, sharesOf, touchedTargets } from './headline.js';

/**
 * @param {Button} button
 * @param {RolloutView} view
 * @param {number} nowMs
 * @returns {string[]} one sentence each
 */
export function effectOf({ command, target = '' }, view, nowMs) {
  const { rollout, service } = view;
  const { tag } = rollout;
  switch (command) {
    case 'promote':
      return promoteEffect(view, nowMs);
    case 'promote full':
      return [
        `${tag} goes to 100 % on ${listed(leftTargets(view))}, past every gate and pause that is left.`,
        'The judge no longer gets the time to see it step by step. An SLO alert still takes it back.',
      ];
    case 'pause':
      return [
        `${tag} stays where it is: ${sharesSentence(view)}. No weight rises until somebody resumes it.`,
        'The judge and SLO alerts still take it back.',
      ];
    case 'resume':
      return [`${tag} goes on with wave ${rollout.position.wave + 1}, step ${rollout.position.step + 1}.`];
    case 'abort':
      return abortEffect(view);
    case 'undo':
      return [
        `What served before ${tag} serves again on ${listed(touchedTargets(rollout))}.`,
        `Its digest goes into quarantine: no push starts it again until somebody gives retry.`,
      ];
    case 'retry':
      return [
        `${tag} begins again at the first step, as attempt ${rollout.attempt + 1}, with the policy of today.`,
        ...(service.quarantine ? ['Its digest leaves the quarantine.'] : []),
      ];
    default:
      return effectOnService({ command, target }, service.name);
  }
}

/**
 * Of a command for a service as a whole.
 *
 * @param {Pick<Button, 'command' | 'target'>} button
 * @param {string} service
 * @returns {string[]} one sentence each
 */
export function effectOnService({ command, target = '' }, service) {
  switch (command) {
    case 'freeze':
      return [
        `No rollout of ${service} starts or advances until somebody unfreezes it. What serves goes on serving.`,
        'Rollbacks still happen.',
      ];
    case 'unfreeze':
      return [`Rollouts of ${service} start and advance again, at once.`];
    case 'drain':
      return [
        `The region of ${target} leaves the load balancer: its users are sent to the other regions.`,
        'It stays out until somebody gives undrain.',
      ];
    case 'undrain':
      return [`The region of ${target} comes back into the load balancer and gets users again, at once.`];
    default:
      return [];
  }
}

/**
 * @param {RolloutView} view
 * @param {number} nowMs
 */
function promoteEffect({ rollout }, nowMs) {
  const { pause, tag } = rollout;
  if (!pause) return [`${tag} goes on from where it waits.`];
  const rest = pause.untilMs === undefined ? 0 : pause.untilMs - nowMs;
  return [
    pause.untilMs === undefined
      ? `The gate at ${pause.gate} opens, once.`
      : `The pause at ${pause.gate} ends${rest > 0 ? `, ${span(rest)} early` : ' now'}, without waiting for the judge.`,
    `${tag} goes on to ${nextAfter(rollout)}.`,
  ];
}

/** @param {RolloutView} view */
function abortEffect({ rollout }) {
  const touched = touchedTargets(rollout);
  if (touched.length === 0)
    return [
      `${rollout.tag} is called off. No target was touched.`,
      'Its digest goes into quarantine where something is known against it; retry starts it again.',
    ];
  const back = isFirst(rollout)
    ? 'It is the first: there is nothing to go back to, and its revision loses its traffic.'
    : `Everything on ${listed(touched)} goes back to what served before.`;
  return [
    `${rollout.tag} is taken back now. ${back}`,
    'Its digest goes into quarantine: no push starts it again until somebody gives retry.',
  ];
}

/** @param {RolloutView} view */
function leftTargets({ rollout }) {
  const { position, spec } = rollout;
  return spec.strategy.waves.slice(position.wave).flat();
}

/** @param {RolloutView} view */
function sharesSentence({ rollout }) {
  const shares = sharesOf(rollout);
  if (shares.length === 0) return 'without traffic';
  return shares.map(({ weight, names }) => `${weight} % on ${listed(names)}`).join(', ');
}

/** @typedef {'sent' | 'taken' | 'done' | 'refused' | 'silent'} Fate */

/**
 * @typedef {object} Sent
 * @property {string} id of the command
 * @property {Button} button
 * @property {number} sentMs by the console's clock
 *
 * @typedef {object} Known what a command may have changed
 * @property {readonly HistoryEntry[]} history
 * @property {Pick<ServiceState, 'frozen' | 'drained'>} service
 * @property {Pick<ShownRollout, 'phase' | 'message'>} [rollout] the one that it was for
 */

/** The function `command` answers within seconds, unless it is down. */
const SILENT_AFTER_MS = 20_000;

/** @type {Readonly<Partial<Record<Button['command'], readonly HistoryEntry['reason'][]>>>} */
const TOLD_BY = {
  promote: ['RolloutPromoted'],
  'promote full': ['RolloutPromoted'],
  pause: ['RolloutPaused'],
  resume: ['RolloutResumed'],
  abort: ['RolloutAborted'],
  undo: ['RolloutAborted', 'RolloutUndone'],
  retry: ['RolloutRetried'],
  freeze: ['ServiceFrozen'],
  unfreeze: ['ServiceUnfrozen'],
  drain: ['RegionDrained', 'RegionKept'],
  undrain: ['RegionUndrained'],
};

/**
 * What became of a command: what the record says in its name, or for want of that how the service is.
 *
 * @param {Sent} sent
 * @param {Known} known
 * @param {number} nowMs
 * @returns {{ fate: Fate, message: string }}
 */
export function fateOf({ id, button, sentMs }, { history, service, rollout }, nowMs) {
  const mine = history.filter(({ command }) => command === id);
  const refused = mine.find(({ reason }) => reason === 'CommandRefused');
  if (refused) return { fate: 'refused', message: refused.message };
  const told = mine.find(({ reason }) => TOLD_BY[button.command]?.includes(reason)) ?? mine[0];
  if (told)
    return isTakenBack(button) && rollout ? wayBack(rollout, told) : { fate: 'done', message: told.message };
  if (isSo(button, service)) return { fate: 'done', message: 'it is on record' };
  if (nowMs - sentMs < SILENT_AFTER_MS)
    return { fate: 'sent', message: 'sent; the record does not show it yet' };
  return {
    fate: 'silent',
    message: `the record does not show it after ${span(nowMs - sentMs)}. The function command may be down: look into its log`,
  };
}

/** @param {Button} button */
function isTakenBack({ command }) {
  return command === 'abort' || command === 'undo';
}

/**
 * What is taken back takes its time.
 *
 * @param {NonNullable<Known['rollout']>} rollout
 * @param {HistoryEntry} told
 * @returns {{ fate: Fate, message: string }}
 */
function wayBack({ phase, message }, told) {
  const isOver = phase === 'Degraded' || phase === 'Superseded';
  return isOver ? { fate: 'done', message } : { fate: 'taken', message: told.message };
}

/**
 * A service without a rollout has no history that could tell.
 *
 * @param {Button} button
 * @param {Known['service']} service
 */
function isSo({ command, target = '' }, { frozen, drained }) {
  switch (command) {
    case 'freeze':
      return frozen !== undefined;
    case 'unfreeze':
      return frozen === undefined;
    case 'drain':
      return drained[target] !== undefined;
    case 'undrain':
      return drained[target] === undefined;
    default:
      return false;
  }
}

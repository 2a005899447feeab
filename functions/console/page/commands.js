/**
 * Buttons for the commands: a dialog that says what will happen, and what came of it.
 *
 * @import { Button, CommandRequest } from '../contract.ts'
 * @import { Fate, Sent } from './effects.js'
 * @import { Mark } from './marks.js'
 * @import { Child, VNode } from './vdom.js'
 */
import { ConsoleError, messageOf, sendCommand } from './api.js';
import { drawnMark } from './marks.js';
import { told, visible } from './text.js';
import { draw, h } from './vdom.js';
import { COMMANDS } from './words.js';

/** The policy's schema allows that many. */
const MOST_REASON = 500;

const LOST =
  'There was no answer, so nobody knows whether it was taken. Send it again: it counts once. If that fails too, check the network.';

/**
 * @typedef {object} Asked
 * @property {Button} button
 * @property {Omit<CommandRequest, 'id' | 'command' | 'reason'>} about
 * @property {string} place `hello v1.1.0`
 * @property {readonly string[]} effects one sentence each
 * @property {(id: string) => void} sent
 */

/**
 * Asks whether it shall be, and sends it.
 *
 * @param {Asked} asked
 */
export function confirmCommand({ button, about, place, effects, sent }) {
  const dialog = document.createElement('dialog');
  const { word } = COMMANDS[button.command];
  const isGrave = button.command === 'abort' || button.command === 'undo';
  let problem = '';
  let isBusy = false;
  // One per dialog: when the answer got lost and the button is pressed again, the command counts once.
  const key = crypto.randomUUID?.();

  function show() {
    draw(
      dialog,
      h(
        'form',
        { on: { submit } },
        h(
          'h2',
          { id: 'dialog-title' },
          `${word} ${button.target ? visible(button.target) : visible(place)}?`,
        ),
        h(
          'ul',
          { id: 'dialog-text' },
          effects.map(effect => h('li', {}, visible(effect))),
        ),
        h(
          'label',
          { for: 'dialog-reason' },
          'Reason ',
          h('span', { class: 'aside' }, 'goes into the history; may stay empty'),
        ),
        h('input', { id: 'dialog-reason', name: 'reason', maxlength: MOST_REASON, autocomplete: 'off' }),
        h('p', { class: 'problem', role: 'alert' }, problem ? told(problem) : undefined),
        h(
          'div',
          { class: 'choices' },
          h('button', { type: 'button', on: { click: () => dialog.close() } }, 'Cancel'),
          h(
            'button',
            {
              type: 'submit',
              class: isGrave ? 'grave' : 'primary',
              'aria-disabled': isBusy ? 'true' : undefined,
            },
            isBusy ? 'Sending…' : `${word}`,
          ),
        ),
      ),
    );
  }

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    if (isBusy) return;
    const input = dialog.querySelector('input');
    const reason = input?.value.trim();
    problem = '';
    isBusy = true;
    show();
    try {
      const { id } = await sendCommand({
        ...(key ? { id: key } : {}),
        ...about,
        ...of(button),
        ...(reason ? { reason } : {}),
      });
      dialog.close();
      sent(id);
    } catch (error) {
      const isLost = error instanceof ConsoleError && error.status === 0;
      problem = isLost && key ? LOST : messageOf(error);
      isBusy = false;
      show();
    }
  }

  dialog.setAttribute('aria-labelledby', 'dialog-title');
  dialog.setAttribute('aria-describedby', 'dialog-text');
  // A key that is held down must not confirm what it has just opened.
  dialog.addEventListener(
    'keydown',
    event => event.repeat && event.key === 'Enter' && event.preventDefault(),
  );
  dialog.addEventListener('close', () => dialog.remove());
  show();
  document.body.append(dialog);
  dialog.showModal();
  dialog.querySelector('input')?.focus();
}

/** @param {Button} button */
function of({ command, target, gate }) {
  return { command, ...(target ? { target } : {}), ...(gate ? { gate } : {}) };
}

/**
 * @param {Button} button
 * @param {(button: Button) => void} ask
 * @param {{ kind?: 'grave' | 'primary' | '', prefix?: string }} [look]
 * @returns {VNode}
 */
export function commandButton(button, ask, { kind = '', prefix = '' } = {}) {
  const { command, target, refused } = button;
  const id = `${prefix}why-${command.replace(' ', '-')}${target ? `-${target}` : ''}`;
  return h(
    'span',
    { class: 'command', key: id },
    h(
      'button',
      {
        type: 'button',
        class: kind,
        'data-command': command,
        'data-target': target,
        'aria-disabled': refused === undefined ? undefined : 'true',
        'aria-describedby': refused === undefined ? undefined : id,
        title: refused === undefined ? COMMANDS[command].means : visible(refused),
        on: { click: () => refused === undefined && ask(button) },
      },
      COMMANDS[command].word,
      target ? [' ', h('bdi', {}, visible(target))] : undefined,
    ),
    refused === undefined
      ? undefined
      : h('span', { id, class: prefix ? 'visually-hidden' : 'why' }, told(refused, 160)),
  );
}

/**
 * Every command, and of those that cannot be given why.
 *
 * @param {readonly Button[]} buttons
 * @param {(button: Button) => void} ask
 * @returns {VNode}
 */
export function commandList(buttons, ask) {
  return h(
    'ul',
    { class: 'commands' },
    buttons.map(button =>
      h(
        'li',
        { key: `${button.command} ${button.target ?? ''}` },
        commandButton(button, ask, { kind: button.command === 'abort' ? 'grave' : '' }),
        button.refused === undefined
          ? h('span', { class: 'means' }, COMMANDS[button.command].means)
          : undefined,
      ),
    ),
  );
}

/** @type {Readonly<Record<Fate, { mark: Mark, tone: string, word: string }>>} */
const FATES = {
  sent: { mark: '◷', tone: 'wait', word: 'sent' },
  taken: { mark: '◌', tone: 'go', word: 'taken' },
  done: { mark: '✔', tone: 'good', word: 'done' },
  refused: { mark: '✖', tone: 'bad', word: 'refused' },
  silent: { mark: '⚠', tone: 'back', word: 'no answer' },
};

/**
 * @param {readonly { sent: Sent, fate: Fate, message: string }[]} fates newest first
 * @param {(sent: Sent) => void} dismiss
 * @returns {Child}
 */
export function fateList(fates, dismiss) {
  return fates.map(({ sent, fate, message }) => {
    const { mark, tone, word } = FATES[fate];
    return h(
      'div',
      { class: `fate ${tone}`, key: sent.id, 'data-fate': fate },
      drawnMark(mark),
      h('div', {}, h('b', {}, `${COMMANDS[sent.button.command].word}: ${word}. `), told(message, 200)),
      h(
        'button',
        { type: 'button', class: 'quiet', 'aria-label': 'Dismiss', on: { click: () => dismiss(sent) } },
        '×',
      ),
    );
  });
}

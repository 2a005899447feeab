/**
 * The commands that were given from this page, and what became of them.
 *
 * @import { Button, CommandRequest, RolloutView } from '../contract.ts'
 * @import { Shell } from './app.js'
 * @import { Sent } from './effects.js'
 * @import { VNode } from './vdom.js'
 */
import { confirmCommand, fateList } from './commands.js';
import { effectOf, fateOf } from './effects.js';
import { h } from './vdom.js';

const MOST_SHOWN = 3;

export class Sending {
  /** @type {readonly Sent[]} newest first */
  #sent = [];
  #shell;
  #onSent;

  /**
   * @param {Shell} shell
   * @param {() => void} [onSent]
   */
  constructor(shell, onSent = () => {}) {
    this.#shell = shell;
    this.#onSent = onSent;
  }

  /**
   * @param {Button} button
   * @param {RolloutView} view
   * @param {string} place what the dialog asks about
   * @param {Omit<CommandRequest, 'command' | 'reason'>} about
   */
  ask(button, view, place, about) {
    const { rollout } = view;
    const shell = this.#shell;
    confirmCommand({
      button,
      about,
      place,
      effects: effectOf(button, view, shell.nowMs()),
      sent: id => {
        const sequence = rollout.history.at(-1)?.sequence ?? 0;
        const sent = { id, button, sequence, attempt: rollout.attempt, sentMs: shell.nowMs() };
        this.#sent = [sent, ...this.#sent].slice(0, MOST_SHOWN);
        shell.redraw();
        this.#onSent();
      },
    });
  }

  /**
   * @param {RolloutView | undefined} view
   * @returns {VNode}
   */
  list(view) {
    const nowMs = this.#shell.nowMs();
    const fates = view ? this.#sent.map(sent => ({ sent, ...fateOf(sent, view, nowMs) })) : [];
    const dismiss = (/** @type {Sent} */ gone) => {
      this.#sent = this.#sent.filter(sent => sent !== gone);
      this.#shell.redraw();
    };
    return h('div', { class: 'fates', role: 'status' }, fateList(fates, dismiss));
  }
}

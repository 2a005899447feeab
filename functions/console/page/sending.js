/**
 * The commands that were given from this page, and what became of them.
 *
 * @import { Button, CommandRequest } from '../contract.ts'
 * @import { Shell } from './app.js'
 * @import { Known, Sent } from './effects.js'
 * @import { VNode } from './vdom.js'
 */
import { confirmCommand, fateList } from './commands.js';
import { fateOf } from './effects.js';
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
   * @param {readonly string[]} effects what it will do, one sentence each
   * @param {string} place what the dialog asks about
   * @param {Omit<CommandRequest, 'id' | 'command' | 'reason'>} about
   */
  ask(button, effects, place, about) {
    const shell = this.#shell;
    confirmCommand({
      button,
      about,
      place,
      effects,
      sent: id => {
        this.#sent = [{ id, button, sentMs: shell.nowMs() }, ...this.#sent].slice(0, MOST_SHOWN);
        shell.redraw();
        this.#onSent();
      },
    });
  }

  /**
   * Whether something was sent that the record does not show yet.
   *
   * @param {Known} known
   */
  isWaiting(known) {
    return this.#sent.some(sent => fateOf(sent, known, this.#shell.nowMs()).fate === 'sent');
  }

  /**
   * @param {Known | undefined} known
   * @returns {VNode}
   */
  list(known) {
    const nowMs = this.#shell.nowMs();
    const fates = known ? this.#sent.map(sent => ({ sent, ...fateOf(sent, known, nowMs) })) : [];
    const dismiss = (/** @type {Sent} */ gone) => {
      this.#sent = this.#sent.filter(sent => sent !== gone);
      this.#shell.redraw();
    };
    return h('div', { class: 'fates', role: 'status' }, fateList(fates, dismiss));
  }
}

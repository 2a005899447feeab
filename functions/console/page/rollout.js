/**
 * The page of one rollout.
 *
 * @import { Button, RolloutView, Signals } from '../contract.ts'
 * @import { Page, Shell } from './app.js'
 * @import { Child } from './vdom.js'
 */
import { getRollout, getSignals, isPassing, messageOf, RETRY_MS, watch } from './api.js';
import { changed } from './changes.js';
import { commandList } from './commands.js';
import { effectOf } from './effects.js';
import { imageReport } from './image.js';
import { errorChart, judgeCard } from './judge.js';
import { loading, notice, section } from './parts.js';
import { createPlots } from './plots.js';
import { bar, causeBox, crumbs, facts, links, titleOf, top } from './rollout-parts.js';
import { Sending } from './sending.js';
import { signalCharts } from './signals.js';
import { name, short, told } from './text.js';
import { Filter, timeline } from './timeline.js';
import { trafficChart } from './traffic.js';
import { stepStrip, tree } from './tree.js';
import { draw, h } from './vdom.js';
import { isMoving } from './words.js';

const SIGNALS_EVERY_MS = 15_000;
/** Metrics come late: those of a rollout that is over are asked for until then. */
const SIGNALS_AFTER_MS = 5 * 60_000;

/** @implements {Page} */
export class RolloutPage {
  #root;
  #shell;
  #id;
  #plots;
  #sending;
  #filter = new Filter();
  /** @type {RolloutView | undefined} */
  #view;
  #problem = '';
  /** @type {Signals | undefined} */
  #signals;
  #signalsProblem = '';
  #isOver = false;
  /** @type {{ close: () => void } | undefined} */
  #line;
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {Element} root
   * @param {Shell} shell
   * @param {string} id
   */
  constructor(root, shell, id) {
    this.#root = root;
    this.#shell = shell;
    this.#id = id;
    this.#plots = createPlots(shell.redraw);
    this.#sending = new Sending(shell);
    shell.title(short(id, 60));
    this.#begin();
  }

  close() {
    this.#isOver = true;
    window.clearTimeout(this.#timer);
    this.#line?.close();
    this.#plots.close();
  }

  async #begin() {
    try {
      this.#take(await getRollout(this.#id));
    } catch (error) {
      this.#problem = messageOf(error);
      if (this.#isOver) return;
      if (isPassing(error)) this.#timer = window.setTimeout(() => this.#begin(), RETRY_MS);
      else this.#shell.line('off');
      this.#shell.redraw();
      return;
    }
    if (this.#isOver) return;
    const { line, problem } = this.#shell;
    this.#line = watch(
      { rollout: this.#id },
      {
        line,
        problem,
        rollout: view => this.#take(view),
        change: change => this.#view && this.#take(changed(this.#view, change)),
      },
    );
    this.#readSignals();
  }

  /** @param {RolloutView} view */
  #take(view) {
    if (this.#isOver) return;
    const before = this.#view;
    this.#view = view;
    this.#problem = '';
    this.#shell.serverTime(view.nowMs);
    this.#shell.title(titleOf(view));
    if (before && isNews(before, view)) {
      this.#shell.announce(`${view.rollout.phase}. ${short(view.rollout.message, 200)}`);
    }
    this.#shell.redraw();
  }

  async #readSignals() {
    if (!document.hidden && this.#mayHaveNewSignals()) await this.#askForSignals();
    if (!this.#isOver) this.#timer = window.setTimeout(() => this.#readSignals(), SIGNALS_EVERY_MS);
  }

  #mayHaveNewSignals() {
    if (!this.#view) return false;
    const { phase, updatedMs } = this.#view.rollout;
    return !this.#signals || isMoving(phase) || this.#shell.nowMs() - updatedMs < SIGNALS_AFTER_MS;
  }

  async #askForSignals() {
    const sinceMs = this.#view?.rollout.createdMs ?? 0;
    const minutes = Math.ceil((this.#shell.nowMs() - sinceMs) / 60_000) + 1;
    try {
      this.#signals = await getSignals(this.#id, Math.max(5, Math.min(30, minutes)));
      this.#signalsProblem = '';
    } catch (error) {
      this.#signalsProblem = messageOf(error);
    }
    if (!this.#isOver) this.#shell.redraw();
  }

  /** @param {Button} button */
  #ask(button) {
    if (!this.#view) return;
    const { rollout, service } = this.#view;
    const isOfService = button.command === 'freeze' || button.command === 'unfreeze';
    const place = isOfService ? service.name : `${rollout.service} ${rollout.tag}`;
    const about = { service: service.name, ...(isOfService ? {} : { rollout: rollout.id }) };
    this.#sending.ask(button, effectOf(button, this.#view, this.#shell.nowMs()), place, about);
  }

  show() {
    const view = this.#view;
    if (!view) {
      const why = this.#problem && notice('This rollout cannot be shown', this.#problem);
      const heading = h('h1', { tabindex: -1 }, name(this.#id));
      draw(this.#root, crumbs(undefined), heading, why || loading('the rollout'));
      return;
    }
    const nowMs = this.#shell.nowMs();
    draw(
      this.#root,
      crumbs(view),
      top(view, nowMs),
      bar(view.buttons, button => this.#ask(button)),
      this.#sending.list({ ...view, history: view.rollout.history }),
      causeBox(view),
      h(
        'div',
        { class: 'columns' },
        h('div', { class: 'wide' }, this.#pictures(view, nowMs)),
        h('div', { class: 'narrow' }, this.#aside(view, nowMs)),
      ),
    );
  }

  /**
   * @param {RolloutView} view
   * @param {number} nowMs
   * @returns {Child}
   */
  #pictures({ rollout, buttons }, nowMs) {
    const untilMs = isMoving(rollout.phase) ? nowMs : rollout.updatedMs;
    const image = section('image', 'Image', imageReport(rollout));
    const targets = section('targets', 'Targets', stepStrip(rollout), tree(rollout, nowMs));
    const list = commandList(buttons, button => this.#ask(button));
    const commands = section('commands', 'All commands', list);
    if (rollout.phase === 'Rejected') return [image, targets, commands];
    const charts = [trafficChart(rollout, untilMs, this.#plots), errorChart(rollout, untilMs, this.#plots)];
    return [
      targets,
      section('figures', 'Traffic and errors', ...charts),
      section('signals', 'Golden signals', this.#goldenSignals()),
      image,
      commands,
    ];
  }

  /** @returns {Child} */
  #goldenSignals() {
    if (this.#signals) return signalCharts(this.#signals, this.#plots);
    if (this.#signalsProblem) return h('p', { class: 'problem' }, told(this.#signalsProblem));
    return loading('the signals');
  }

  /**
   * @param {RolloutView} view
   * @param {number} nowMs
   * @returns {Child}
   */
  #aside(view, nowMs) {
    const events = timeline(view.rollout, this.#filter, this.#shell.redraw);
    return [
      section('judge', 'Judge', judgeCard(view.rollout, nowMs)),
      section('events', 'Events', events),
      view.links.length > 0 ? section('links', 'Elsewhere', links(view)) : undefined,
      section('facts', 'Facts', facts(view)),
    ];
  }
}

/**
 * What those who hear the page are told at once; not every step.
 *
 * @param {RolloutView} before
 * @param {RolloutView} now
 */
function isNews({ rollout: before }, { rollout: now }) {
  return (
    before.phase !== now.phase ||
    before.pause?.gate !== now.pause?.gate ||
    before.position.wave !== now.position.wave
  );
}

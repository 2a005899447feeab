/**
 * The page of one service: its rollouts, and what holds it.
 *
 * @import { Button, RolloutPage, RolloutRow, RolloutView, ServiceRow } from '../contract.ts'
 * @import { Page, Shell } from './app.js'
 * @import { Child } from './vdom.js'
 */
import { getRollout, getRollouts, getServices, isPassing, messageOf, RETRY_MS, watch } from './api.js';
import { commandList } from './commands.js';
import { shortDigest } from './format.js';
import {
  ago,
  calm,
  homeHref,
  loading,
  notice,
  pager,
  phaseChip,
  rolloutHref,
  section,
  serviceHref,
} from './parts.js';
import { Sending } from './sending.js';
import { badges } from './services.js';
import { name, short, told, visible } from './text.js';
import { draw, h } from './vdom.js';

/** @type {ReadonlySet<Button['command']>} */
const OF_SERVICE = new Set(['freeze', 'unfreeze', 'drain', 'undrain']);

/** Digests in quarantine are looked up one by one. */
const MOST_LOOKED_UP = 12;
/** A command is on record by then. */
const SENT_MS = 1500;

/** @implements {Page} */
export class ServicePage {
  #root;
  #shell;
  #service;
  #after;
  #sending;
  /** @type {ServiceRow | undefined} */
  #row;
  /** @type {RolloutPage | undefined} */
  #page;
  /** @type {RolloutView | undefined} of the rollout that its row is about */
  #view;
  /** @type {readonly RolloutView[]} */
  #quarantined = [];
  #problem = '';
  #isOver = false;
  #line;
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {Element} root
   * @param {Shell} shell
   * @param {string} service
   */
  constructor(root, shell, service) {
    this.#root = root;
    this.#shell = shell;
    this.#service = service;
    this.#after = new URLSearchParams(location.search).get('after') ?? '';
    this.#sending = new Sending(shell, () => this.#readAgain(SENT_MS));
    shell.title(short(service, 60));
    const { line, problem } = shell;
    this.#line = watch({ services: service }, { line, problem, services: rows => this.#take(rows) });
    this.#read();
  }

  close() {
    this.#isOver = true;
    this.#line.close();
    window.clearTimeout(this.#timer);
  }

  async #read() {
    try {
      await this.#readAll();
      this.#problem = '';
    } catch (error) {
      this.#problem = messageOf(error);
      if (isPassing(error)) this.#readAgain(RETRY_MS);
    }
    if (!this.#isOver) this.#shell.redraw();
  }

  async #readAll() {
    const after = this.#after ? { after: this.#after } : {};
    const [found, page] = await Promise.all([
      getServices({ search: this.#service }),
      getRollouts({ service: this.#service, ...after }),
    ]);
    this.#row = found.services.find(({ name }) => name === this.#service) ?? this.#row;
    this.#page = page;
    if (!this.#isOver) this.#shell.redraw();
    const shown = this.#row?.rollout?.id ?? page.rollouts[0]?.id;
    if (shown) this.#view = await getRollout(shown);
    if (this.#view) this.#shell.serverTime(this.#view.nowMs);
    await this.#readQuarantine(page.rollouts);
  }

  /** @param {readonly RolloutRow[]} rows */
  async #readQuarantine(rows) {
    const suspects = rows.filter(({ phase }) => phase === 'Degraded').slice(0, MOST_LOOKED_UP);
    const views = await Promise.all(suspects.map(({ id }) => getRollout(id)));
    this.#quarantined = views.filter(({ service }) => service.quarantine !== undefined);
  }

  /** @param {number} afterMs */
  #readAgain(afterMs) {
    window.clearTimeout(this.#timer);
    if (!this.#isOver) this.#timer = window.setTimeout(() => this.#read(), afterMs);
  }

  /** @param {readonly ServiceRow[]} rows */
  #take(rows) {
    const now = rows.find(({ name }) => name === this.#service);
    if (!now || this.#isOver) return;
    const before = this.#row;
    this.#row = now;
    if (before && now.rollout && before.rollout?.phase !== now.rollout.phase) {
      this.#shell.announce(`${now.rollout.tag}: ${now.rollout.phase}`);
    }
    this.#shell.redraw();
    if (this.#page) this.#readAgain(0);
  }

  /** @param {Button} button */
  #ask(button) {
    if (this.#view) this.#sending.ask(button, this.#view, this.#service, { service: this.#service });
  }

  show() {
    const [row, view, page, nowMs] = [this.#row, this.#view, this.#page, this.#shell.nowMs()];
    const buttons = view?.buttons.filter(({ command }) => OF_SERVICE.has(command));
    const list = page ? rollouts(page, row, nowMs) : this.#problem ? undefined : loading('rollouts');
    draw(
      this.#root,
      h('nav', { class: 'crumbs', 'aria-label': 'Where you are' }, h('a', { href: homeHref() }, 'Services')),
      h('h1', { tabindex: -1 }, name(this.#service)),
      row ? badges(row) : undefined,
      this.#problem ? notice('This service cannot be shown', this.#problem) : undefined,
      this.#sending.list(view),
      h(
        'div',
        { class: 'columns' },
        h('div', { class: 'wide' }, section('rollouts', 'Rollouts', list, this.#pager())),
        h(
          'div',
          { class: 'narrow' },
          section(
            'holds',
            'What holds it',
            holds(row, nowMs),
            buttons && commandList(buttons, button => this.#ask(button)),
          ),
          section('quarantine', 'Quarantine', quarantineList(row, this.#quarantined, nowMs)),
        ),
      ),
    );
  }

  #pager() {
    const href = serviceHref(this.#service);
    return pager({
      isFirst: this.#after === '',
      next: this.#page?.next,
      what: 'rollouts',
      back: () => this.#shell.back(href),
      forward: next => this.#shell.go(`${href}?after=${encodeURIComponent(next)}`),
    });
  }
}

/**
 * @param {RolloutPage} page
 * @param {ServiceRow | undefined} row
 * @param {number} nowMs
 */
function rollouts({ rollouts }, row, nowMs) {
  if (rollouts.length === 0 && !row)
    return h('p', { class: 'empty' }, 'Neither the policy nor the records know a service of this name.');
  if (rollouts.length === 0)
    return h(
      'p',
      { class: 'empty' },
      'No rollout yet. Push an image with a tag that the policy rolls out; it shows here by itself.',
    );
  return h(
    'table',
    { class: 'services rollouts', role: 'table' },
    h(
      'thead',
      { role: 'rowgroup' },
      h(
        'tr',
        { role: 'row' },
        ['Tag', 'Phase', 'What happened', 'Digest', 'Age'].map(head =>
          h('th', { scope: 'col', role: 'columnheader' }, head),
        ),
      ),
    ),
    h(
      'tbody',
      { role: 'rowgroup' },
      rollouts.map(({ id, tag, phase, message, digest, createdMs }) =>
        h(
          'tr',
          { key: id, role: 'row' },
          h('th', { scope: 'row', role: 'rowheader' }, h('a', { href: rolloutHref(id) }, name(tag))),
          h('td', { role: 'cell', class: 'phase' }, phaseChip(phase)),
          h('td', { role: 'cell', class: 'message' }, told(message, 120)),
          h(
            'td',
            { role: 'cell', class: 'digest' },
            h('code', { title: visible(digest) }, name(shortDigest(digest).slice(7))),
          ),
          h('td', { role: 'cell', class: 'age' }, ago(createdMs, nowMs)),
        ),
      ),
    ),
  );
}

/**
 * @param {ServiceRow | undefined} row
 * @param {number} nowMs
 * @returns {Child}
 */
function holds(row, nowMs) {
  if (!row) return undefined;
  const { frozen, drained, openIncidents } = row;
  if (!frozen && drained.length === 0 && openIncidents === 0) return calm('Nothing.');
  return h(
    'ul',
    { class: 'holds' },
    frozen
      ? h(
          'li',
          {},
          'Frozen by ',
          name(frozen.by),
          ', ',
          ago(frozen.sinceMs, nowMs),
          ' ago',
          frozen.reason ? [': ', told(frozen.reason)] : undefined,
        )
      : undefined,
    drained.map(target => h('li', {}, 'The region of ', name(target), ' is out of the load balancer.')),
    openIncidents > 0 ? h('li', {}, `Open incidents of its SLOs: ${openIncidents}.`) : undefined,
  );
}

/**
 * @param {ServiceRow | undefined} row
 * @param {readonly RolloutView[]} views
 * @param {number} nowMs
 * @returns {Child}
 */
function quarantineList(row, views, nowMs) {
  const count = row?.quarantined ?? 0;
  if (count === 0) return calm('No digest is in quarantine.');
  return [
    h(
      'ul',
      { class: 'holds' },
      views.map(({ rollout, service }) =>
        h(
          'li',
          { key: rollout.id },
          h('a', { href: rolloutHref(rollout.id) }, name(rollout.tag)),
          ' ',
          h('code', { title: visible(rollout.digest) }, name(shortDigest(rollout.digest))),
          service.quarantine
            ? [
                h('span', { class: 'aside' }, ' ', ago(service.quarantine.sinceMs, nowMs), ' ago'),
                h('div', {}, told(service.quarantine.message)),
              ]
            : undefined,
        ),
      ),
    ),
    count > views.length
      ? h('p', { class: 'aside' }, `and ${count - views.length} of older rollouts`)
      : undefined,
    h('p', { class: 'aside' }, 'Retry, on the page of a rollout, takes its digest out.'),
  ];
}

/**
 * The page of one service: its rollouts, and what holds it.
 *
 * @import { Button, RolloutPage, ServiceDetail, ServiceRow } from '../contract.ts'
 * @import { Page, Shell } from './app.js'
 * @import { Known } from './effects.js'
 * @import { Child } from './vdom.js'
 */
import { getRollouts, getService, isPassing, messageOf, RETRY_MS, watch } from './api.js';
import { commandList } from './commands.js';
import { effectOnService } from './effects.js';
import { plural, shortDigest } from './format.js';
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
import { links } from './rollout-parts.js';
import { Sending } from './sending.js';
import { badges } from './services.js';
import { name, short, told, visible } from './text.js';
import { draw, h } from './vdom.js';

/** Of the digests in quarantine; the others are there on demand. */
const MOST_SHOWN = 8;
/** A command is on record by then. */
const SENT_MS = 1500;

/** @implements {Page} */
export class ServicePage {
  #root;
  #shell;
  #service;
  #after;
  #sending;
  /** @type {ServiceDetail | undefined} */
  #detail;
  /** @type {RolloutPage | undefined} */
  #page;
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
      if (this.#detail && this.#sending.isWaiting(known(this.#detail))) this.#readAgain(SENT_MS);
    } catch (error) {
      this.#problem = messageOf(error);
      if (isPassing(error)) this.#readAgain(RETRY_MS);
      else if (!this.#detail) this.#giveUp();
    }
    if (!this.#isOver) this.#shell.redraw();
  }

  #giveUp() {
    this.#line.close();
    if (!this.#isOver) this.#shell.line('off');
  }

  async #readAll() {
    const after = this.#after ? { after: this.#after } : {};
    const [detail, page] = await Promise.all([
      getService(this.#service),
      getRollouts({ service: this.#service, ...after }),
    ]);
    this.#detail = detail;
    this.#page = page;
    this.#shell.serverTime(detail.nowMs);
  }

  /** @param {number} afterMs */
  #readAgain(afterMs) {
    window.clearTimeout(this.#timer);
    if (!this.#isOver) this.#timer = window.setTimeout(() => this.#read(), afterMs);
  }

  /** @param {readonly ServiceRow[]} rows */
  #take(rows) {
    const now = rows.find(({ name }) => name === this.#service);
    const detail = this.#detail;
    if (!now || !detail || this.#isOver) return;
    this.#detail = { ...detail, row: now };
    if (now.rollout && detail.row.rollout?.phase !== now.rollout.phase) {
      this.#shell.announce(`${now.rollout.tag}: ${now.rollout.phase}`);
    }
    this.#shell.redraw();
    this.#readAgain(0);
  }

  /** @param {Button} button */
  #ask(button) {
    const service = this.#service;
    this.#sending.ask(button, effectOnService(button, service), service, { service });
  }

  show() {
    const [detail, page, nowMs] = [this.#detail, this.#page, this.#shell.nowMs()];
    draw(
      this.#root,
      h('nav', { class: 'crumbs', 'aria-label': 'Where you are' }, h('a', { href: homeHref() }, 'Services')),
      h('h1', { tabindex: -1 }, name(this.#service)),
      detail ? badges(detail.row, nowMs) : undefined,
      this.#problem ? notice('This service cannot be shown', this.#problem) : undefined,
      this.#sending.list(detail && known(detail)),
      detail && page
        ? h(
            'div',
            { class: 'columns' },
            h(
              'div',
              { class: 'wide' },
              section('rollouts', 'Rollouts', rollouts(page, nowMs), this.#pager()),
            ),
            h(
              'div',
              { class: 'narrow' },
              section(
                'holds',
                'What holds it',
                holds(detail, nowMs),
                commandList(detail.buttons, button => this.#ask(button)),
              ),
              section('quarantine', 'Quarantine', quarantineList(detail, page, nowMs)),
            ),
          )
        : this.#problem === '' && loading('the service'),
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
 * @param {ServiceDetail} detail
 * @returns {Known}
 */
function known({ told, row, drained }) {
  return { history: told, service: { frozen: row.frozen, drained } };
}

/**
 * @param {RolloutPage} page
 * @param {number} nowMs
 */
function rollouts({ rollouts }, nowMs) {
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
 * @param {ServiceDetail} detail
 * @param {number} nowMs
 * @returns {Child}
 */
function holds({ row: { frozen }, drained, incidents, links: elsewhere }, nowMs) {
  const regions = Object.entries(drained);
  if (!frozen && regions.length === 0 && incidents.length === 0) return calm('Nothing.');
  return [
    h(
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
      regions.map(([target, { by, sinceMs }]) =>
        h(
          'li',
          { key: `region ${target}` },
          'The region of ',
          name(target),
          ' is out of the load balancer, since ',
          ago(sinceMs, nowMs),
          by === undefined ? ', as it could not be restored.' : [', by ', told(by), '.'],
        ),
      ),
      incidents.map(({ id, policy }) =>
        h('li', { key: `incident ${id}` }, 'Open incident ', name(id), ' of the alert ', name(policy)),
      ),
    ),
    elsewhere.length > 0 ? links({ links: elsewhere }) : undefined,
  ];
}

/**
 * @param {ServiceDetail} detail
 * @param {RolloutPage} page whose rollouts have tags
 * @param {number} nowMs
 * @returns {Child}
 */
function quarantineList({ row, quarantine }, { rollouts }, nowMs) {
  if (quarantine.length === 0) return calm('No digest is in quarantine.');
  const tags = new Map(rollouts.map(({ id, tag }) => [id, tag]));
  const items = quarantine.map(({ digest, rollout, message, sinceMs }) =>
    h(
      'li',
      { key: digest },
      h('a', { href: rolloutHref(rollout) }, name(tags.get(rollout) ?? rollout)),
      ' ',
      h('code', { title: visible(digest) }, name(shortDigest(digest))),
      h('span', { class: 'aside' }, ' ', ago(sinceMs, nowMs), ' ago'),
      h('div', {}, told(message)),
    ),
  );
  const more = items.slice(MOST_SHOWN);
  const cut = row.quarantined - quarantine.length;
  return [
    h('ul', { class: 'holds' }, items.slice(0, MOST_SHOWN)),
    more.length > 0
      ? h(
          'details',
          { key: 'more' },
          h('summary', {}, `and ${more.length} more`),
          h('ul', { class: 'holds' }, more),
        )
      : undefined,
    cut > 0 ? h('p', { class: 'aside' }, `and ${plural(cut, 'older one')}`) : undefined,
    h('p', { class: 'aside' }, 'Retry, on the page of a rollout, takes its digest out.'),
  ];
}

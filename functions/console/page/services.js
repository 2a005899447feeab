/**
 * The first page: what moves now, and every service.
 *
 * @import { RolloutPage, ServicePage, ServiceRow } from '../contract.ts'
 * @import { Page, Shell } from './app.js'
 * @import { Child } from './vdom.js'
 */
import { getRollouts, getServices, isPassing, messageOf, RETRY_MS, watch } from './api.js';
import { age, plural } from './format.js';
import {
  ago,
  badge,
  calm,
  homeHref,
  loading,
  notice,
  pager,
  phaseChip,
  rolloutHref,
  section,
  serviceHref,
  weightBars,
} from './parts.js';
import { name, told, visible } from './text.js';
import { draw, h } from './vdom.js';
import { isMoving, MOVING } from './words.js';

const MOVING_EVERY_MS = 15_000;
/** Where nothing is on record yet there is nothing to listen to. */
const FIRST_EVERY_MS = 5000;
/** Typing is over after that. */
const TYPING_MS = 250;

/** @implements {Page} */
export class ServicesPage {
  #root;
  #shell;
  #search;
  #after;
  /** @type {ServicePage | undefined} */
  #page;
  /** @type {RolloutPage | undefined} */
  #moving;
  #problem = '';
  #isOver = false;
  /** @type {{ close: () => void } | undefined} */
  #line;
  /** @type {Record<'read' | 'moving' | 'typing', number | undefined>} */
  #timers = { read: undefined, moving: undefined, typing: undefined };

  /**
   * @param {Element} root
   * @param {Shell} shell
   */
  constructor(root, shell) {
    const query = new URLSearchParams(location.search);
    this.#root = root;
    this.#shell = shell;
    this.#search = query.get('search') ?? '';
    this.#after = query.get('after') ?? '';
    shell.title('Services');
    this.#read();
    this.#readMoving();
  }

  close() {
    this.#isOver = true;
    this.#line?.close();
    for (const timer of Object.values(this.#timers)) window.clearTimeout(timer);
  }

  async #read() {
    try {
      const page = await getServices({ search: this.#search, after: this.#after });
      if (this.#isOver) return;
      this.#page = page;
      this.#problem = '';
      this.#listen(page.services);
    } catch (error) {
      this.#problem = messageOf(error);
      if (isPassing(error)) this.#readAgain(RETRY_MS);
    }
    if (!this.#isOver) this.#shell.redraw();
  }

  /** @param {number} afterMs */
  #readAgain(afterMs) {
    if (!this.#isOver) this.#timers.read = window.setTimeout(() => this.#read(), afterMs);
  }

  /** @param {readonly ServiceRow[]} rows */
  #listen(rows) {
    if (rows.length === 0) {
      this.#shell.line('off');
      if (this.#search === '') this.#readAgain(FIRST_EVERY_MS);
      return;
    }
    const services = rows.map(row => row.name).join(',');
    const { line, problem } = this.#shell;
    this.#line = watch({ services }, { line, problem, services: rows => this.#take(rows) });
  }

  async #readMoving() {
    window.clearTimeout(this.#timers.moving);
    if (!document.hidden) {
      const page = await getRollouts({ phases: MOVING.join(',') }).catch(() => undefined);
      if (this.#isOver) return;
      // Where that failed the list of services says why.
      if (page) this.#moving = page;
      this.#shell.redraw();
    }
    this.#timers.moving = window.setTimeout(() => this.#readMoving(), MOVING_EVERY_MS);
  }

  /** @param {readonly ServiceRow[]} rows */
  #take(rows) {
    if (!this.#page || this.#isOver) return;
    const fresh = new Map(rows.map(row => [row.name, row]));
    for (const row of this.#page.services) this.#announce(row, fresh.get(row.name));
    this.#page = { ...this.#page, services: this.#page.services.map(row => fresh.get(row.name) ?? row) };
    this.#shell.redraw();
    this.#readMoving();
  }

  /**
   * @param {ServiceRow} before
   * @param {ServiceRow | undefined} now
   */
  #announce(before, now) {
    if (!now?.rollout || now.rollout.phase === before.rollout?.phase) return;
    this.#shell.announce(`${now.name} ${now.rollout.tag}: ${now.rollout.phase}`);
  }

  /** @param {string} text */
  #find(text) {
    window.clearTimeout(this.#timers.typing);
    const href = homeHref(text ? `?search=${encodeURIComponent(text)}` : '');
    const go = () => this.#shell.go(href, { replace: true, keepFocus: true });
    this.#timers.typing = window.setTimeout(go, TYPING_MS);
  }

  show() {
    const [page, problem, nowMs] = [this.#page, this.#problem, this.#shell.nowMs()];
    draw(
      this.#root,
      h('h1', { tabindex: -1 }, 'Services'),
      movingNow(this.#moving, nowMs),
      searchBox(this.#search, text => this.#find(text)),
      problem ? notice('The services cannot be shown', problem) : undefined,
      page ? rows(page, this.#search, nowMs) : problem ? undefined : loading('services'),
      this.#pager(),
    );
  }

  #pager() {
    const search = this.#search ? { search: this.#search } : {};
    return pager({
      isFirst: this.#after === '',
      next: this.#page?.next,
      what: 'services',
      back: () => this.#shell.back(homeHref(this.#search && `?${new URLSearchParams(search)}`)),
      forward: next => this.#shell.go(homeHref(`?${new URLSearchParams({ ...search, after: next })}`)),
    });
  }
}

/**
 * @param {RolloutPage | undefined} page
 * @param {number} nowMs
 * @returns {Child}
 */
function movingNow(page, nowMs) {
  if (!page) return undefined;
  const { rollouts: moving, next } = page;
  if (moving.length === 0) return calm('Nothing is being rolled out.');
  return section(
    'moving',
    `Moving now (${moving.length}${next === undefined ? '' : ' and more'})`,
    h(
      'ul',
      { class: 'moving' },
      moving.map(row =>
        h(
          'li',
          { key: row.id },
          h(
            'div',
            { class: 'row' },
            h(
              'a',
              { href: rolloutHref(row.id), class: 'who' },
              name(row.service),
              ' ',
              h('span', { class: 'tag' }, name(row.tag)),
            ),
            phaseChip(row.phase),
            h('span', { class: 'aside' }, ago(row.createdMs, nowMs)),
          ),
          h('p', {}, told(row.message, 160)),
          weightBars(row.weights),
        ),
      ),
    ),
  );
}

/**
 * @param {string} search
 * @param {(text: string) => void} find
 */
function searchBox(search, find) {
  return h(
    'form',
    { role: 'search', class: 'search', key: 'search', on: { submit: event => event.preventDefault() } },
    h('label', { for: 'search', class: 'visually-hidden' }, 'Find a service'),
    h('input', {
      id: 'search',
      type: 'search',
      placeholder: 'Find a service',
      value: search,
      autocomplete: 'off',
      on: { input: event => event.target instanceof HTMLInputElement && find(event.target.value.trim()) },
    }),
  );
}

const HEADS = ['Service', 'Phase', 'Tag', 'Canary', 'What happens', 'Age'];

/**
 * @param {ServicePage} page
 * @param {string} search
 * @param {number} nowMs
 */
function rows({ services }, search, nowMs) {
  if (services.length === 0)
    return search ? h('p', { class: 'empty' }, 'No service is called like that.') : firstPush();
  return h(
    'table',
    { class: 'services', role: 'table', key: 'services' },
    h('caption', { class: 'visually-hidden' }, plural(services.length, 'service')),
    h(
      'thead',
      { role: 'rowgroup' },
      h(
        'tr',
        { role: 'row' },
        HEADS.map(head => h('th', { scope: 'col', role: 'columnheader' }, head)),
      ),
    ),
    h(
      'tbody',
      { role: 'rowgroup' },
      services.map(row => serviceRow(row, nowMs)),
    ),
  );
}

/**
 * @param {ServiceRow} row
 * @param {number} nowMs
 */
function serviceRow(row, nowMs) {
  const { rollout } = row;
  return h(
    'tr',
    { key: row.name, role: 'row' },
    h(
      'th',
      { scope: 'row', role: 'rowheader' },
      h('a', { href: serviceHref(row.name) }, name(row.name)),
      badges(row, nowMs),
    ),
    h(
      'td',
      { role: 'cell', class: 'phase' },
      rollout ? phaseChip(rollout.phase) : h('span', { class: 'aside' }, 'none yet'),
    ),
    h(
      'td',
      { role: 'cell', class: 'tag' },
      rollout ? h('a', { href: rolloutHref(rollout.id) }, name(rollout.tag)) : undefined,
    ),
    h(
      'td',
      { role: 'cell', class: 'weights' },
      rollout && isMoving(rollout.phase) ? weightBars(rollout.weights) : undefined,
    ),
    h(
      'td',
      { role: 'cell', class: 'message' },
      rollout
        ? told(rollout.message, 120)
        : 'No rollout yet. The next push of a tag that the policy rolls out starts one.',
    ),
    h('td', { role: 'cell', class: 'age' }, rollout ? ago(rollout.updatedMs, nowMs) : undefined),
  );
}

/**
 * @param {ServiceRow} row
 * @param {number} nowMs
 * @returns {Child}
 */
export function badges({ frozen, quarantined, drained, openIncidents, takenBack }, nowMs) {
  const back =
    takenBack &&
    h(
      'a',
      { href: rolloutHref(takenBack.rollout), title: visible(takenBack.message) },
      badge('bad', '✖', `one taken back ${age(nowMs - takenBack.sinceMs)} ago`),
    );
  const shown = [
    back,
    frozen ? badge('hold', '❄', 'frozen') : undefined,
    openIncidents > 0 ? badge('bad', '⚠', plural(openIncidents, 'open incident')) : undefined,
    drained.length > 0 ? badge('back', '⊘', `${drained.length} drained`) : undefined,
    quarantined > 0 ? badge('gone', '⊘', `${quarantined} quarantined`) : undefined,
  ].filter(one => one !== undefined);
  return shown.length > 0
    ? h(
        'ul',
        { class: 'badges', 'aria-label': 'Notes' },
        shown.map(one => h('li', {}, one)),
      )
    : undefined;
}

function firstPush() {
  return h(
    'div',
    { class: 'notice first' },
    h('h2', {}, 'No service yet'),
    h(
      'p',
      {},
      'The policy file names services and where they run. The first push of an image that it names makes the first rollout, which shows here by itself.',
    ),
    h('ol', {}, [
      h(
        'li',
        {},
        'Put the service into ',
        h('code', {}, 'rollouts.yaml'),
        ' and check it with ',
        h('code', {}, 'slipway lint'),
        '.',
      ),
      h(
        'li',
        {},
        'Push an image for all its platforms, with a tag that the policy rolls out: ',
        h('code', {}, 'docker buildx build --platform linux/amd64,linux/arm64 --push …'),
      ),
    ]),
  );
}

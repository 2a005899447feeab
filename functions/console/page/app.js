/**
 * Starts the page, and shows the one that the address names.
 *
 * @import { Line } from './api.js'
 *
 * @typedef {object} Page
 * @property {() => void} show draws it as things are now
 * @property {() => void} close
 *
 * @typedef {object} Shell what a page may ask of what is around it
 * @property {() => void} redraw soon, and once for many calls
 * @property {() => number} nowMs by the console's clock
 * @property {(ms: number) => void} serverTime
 * @property {(text: string) => void} title
 * @property {(text: string) => void} announce to those who hear the page
 * @property {(line: Line) => void} line
 * @property {(message: string) => void} problem
 * @property {(href: string) => void} back to where the reader was before, if that was here
 * @property {(href: string, options?: { replace?: boolean, keepFocus?: boolean }) => void} go
 */
import { getMe, onSignedOut } from './api.js';
import { age } from './format.js';
import { badge, homeHref, notice } from './parts.js';
import { RolloutPage } from './rollout.js';
import { ROOT } from './root.js';
import { ServicePage } from './service.js';
import { ServicesPage } from './services.js';
import { name, short, told } from './text.js';
import { draw, h } from './vdom.js';

const main = one('main');
const status = one('#line');
const announcer = one('#announcer');

let offsetMs = 0;
/** @type {Line} */
let line = 'connecting';
let lineSinceMs = Date.now();
let heardMs = Date.now();
/** What keeps the console from telling more; empty when nothing does. */
let trouble = '';
/** Reading goes on: who signs in again in another tab is known here too. */
let isSignedOut = false;
let isDrawing = false;
/** Path and query of the page. */
let shown = '';
/** @type {Page | undefined} */
let page;

/** Of an entry of the browser's history with a page of the console before it. */
const OURS = { isBackHere: true };

/** @type {Shell} */
const shell = {
  redraw() {
    if (isDrawing) return;
    isDrawing = true;
    requestAnimationFrame(show);
  },
  nowMs: () => Date.now() + offsetMs,
  serverTime(ms) {
    offsetMs = ms - Date.now();
  },
  title(text) {
    document.title = `${text} · Slipway`;
  },
  announce(text) {
    announcer.textContent = short(text, 240);
  },
  line(now) {
    if (now === 'live') {
      heardMs = Date.now();
      isSignedOut = false;
    }
    if (now !== line) trouble = '';
    if (now === line) return;
    // A line that the console closes after its time comes back within seconds: that is not news.
    if (!(line === 'down' && now === 'connecting')) lineSinceMs = Date.now();
    line = now;
    shell.redraw();
  },
  problem(message) {
    if (message === trouble) return;
    trouble = message;
    shell.redraw();
  },
  back(href) {
    if (history.state?.isBackHere) history.back();
    else shell.go(href);
  },
  go(href, { replace = false, keepFocus = false } = {}) {
    if (replace) history.replaceState(null, '', href);
    else history.pushState(OURS, '', href);
    open(keepFocus);
  },
};

/** @param {string} selector */
function one(selector) {
  const found = document.querySelector(selector);
  if (found) return found;
  throw new Error(`index.html has no ${selector}`);
}

function show() {
  isDrawing = false;
  page?.show();
  showLine();
}

/** Whether those who hear the page know that the line is down. */
let isSaid = false;

/** A break shorter than that is not worth a word. */
const PATIENCE_MS = 4000;

function showLine() {
  const forMs = Date.now() - lineSinceMs;
  const isDown = line === 'down' || line === 'connecting';
  if (isSignedOut) {
    const reload = { type: 'button', on: { click: () => location.reload() } };
    draw(
      status,
      badge('bad', '⚠', 'Signed out'),
      ' your session has ended ',
      h('button', reload, 'Reload the page'),
    );
  } else if (trouble !== '') {
    draw(status, badge('bad', '⚠', 'Not live'), ' ', told(trouble, 120));
  } else if (isDown && forMs > PATIENCE_MS) {
    if (!isSaid) shell.announce('The line to the console is down. It is tried again.');
    isSaid = true;
    draw(
      status,
      badge('bad', '⚠', 'Not live'),
      ` what you see is ${age(Date.now() - heardMs)} old; trying again`,
    );
  } else if (line === 'off') {
    draw(status);
  } else if (line === 'sleeping') {
    draw(status, h('span', { class: 'badge gone' }, 'Asleep'), ' while nobody looks');
  } else {
    if (isSaid && line === 'live') shell.announce('The line to the console is back.');
    isSaid = line === 'live' ? false : isSaid;
    draw(
      status,
      h('span', { class: 'badge good' }, h('span', { class: 'pulse', 'aria-hidden': 'true' }, '●'), ' Live'),
    );
  }
}

/** @param {boolean} keepFocus */
function open(keepFocus) {
  page?.close();
  shell.line('connecting');
  shown = location.pathname + location.search;
  const isSame = keepFocus && page !== undefined;
  page = pageAt(location.pathname.slice(ROOT.pathname.length));
  page.show();
  if (isSame) return;
  window.scrollTo(0, 0);
  main.querySelector('h1')?.focus({ preventScroll: true });
}

/**
 * @param {string} path
 * @returns {Page}
 */
function pageAt(path) {
  const [, kind, rest = ''] = /^(services|rollouts)\/([^/]+)\/?$/.exec(path) ?? [];
  const wanted = decoded(rest);
  if (kind === 'services' && wanted) return new ServicePage(main, shell, wanted);
  if (kind === 'rollouts' && wanted) return new RolloutPage(main, shell, wanted);
  return path === '' ? new ServicesPage(main, shell) : openNothing();
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** @returns {Page} */
function openNothing() {
  shell.title('Not found');
  shell.line('off');
  return {
    show: () =>
      draw(
        main,
        h('h1', { tabindex: -1 }, 'Not found'),
        notice(
          'There is no such page',
          'The address names neither a service nor a rollout.',
          h('p', {}, h('a', { href: homeHref() }, 'All services')),
        ),
      ),
    close() {},
  };
}

/** Links within the console need no new page. */
document.addEventListener('click', event => {
  if (
    event.defaultPrevented ||
    event.button !== 0 ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  )
    return;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!link || link.target || link.origin !== location.origin || !link.pathname.startsWith(ROOT.pathname))
    return;
  if (link.hash && link.pathname === location.pathname) return;
  event.preventDefault();
  shell.go(link.href);
});
window.addEventListener('popstate', () => {
  // A link to a place on the page is not a new page.
  if (location.pathname + location.search !== shown) open(false);
});
// A page that the browser keeps for going back would keep its line as well.
window.addEventListener('pagehide', () => page?.close());
window.addEventListener('pageshow', event => event.persisted && open(false));
window.setInterval(() => document.hidden || shell.redraw(), 1000);

onSignedOut(() => {
  if (isSignedOut) return;
  isSignedOut = true;
  shell.announce('Your session has ended. Reload the page.');
  shell.redraw();
});
getMe().then(
  ({ actor, project }) => draw(one('#me'), name(project), ' · ', name(actor)),
  () => draw(one('#me'), h('span', { class: 'badge bad' }, 'not signed in')),
);
open(true);

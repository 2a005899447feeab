/**
 * Asks the console's API, and listens to it.
 *
 * @import { CommandRequest, CommandSent, Me, RolloutChange, RolloutPage, RolloutView, ServiceDetail, ServicePage, ServiceRow, Signals } from '../contract.ts'
 */
import { ROOT } from './root.js';

/** What a person is told when the console refuses or cannot be reached. */
export class ConsoleError extends Error {
  /**
   * @param {string} message
   * @param {number} status 0 when there was no answer
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** What is passing is tried again after that. */
export const RETRY_MS = 5000;

/**
 * Whether the same may well succeed later.
 *
 * @param {unknown} error
 */
export function isPassing(error) {
  return error instanceof ConsoleError && (error.status === 0 || error.status >= 500);
}

/** @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

let tellSignedOut = () => {};

/**
 * Called whenever the console, or the proxy in front of it, does not know any more who is at the page.
 *
 * @param {() => void} listener
 */
export function onSignedOut(listener) {
  tellSignedOut = listener;
}

/** @type {Promise<Me> | undefined} */
let me;

/**
 * Asked once, as who is at the page does not change; again after a failure.
 *
 * @returns {Promise<Me>}
 */
export async function getMe() {
  me ??= request('me').catch(error => {
    me = undefined;
    throw error;
  });
  return me;
}

/**
 * @param {{ search?: string, after?: string }} query
 * @returns {Promise<ServicePage>}
 */
export async function getServices(query) {
  return request('services', query);
}

/**
 * @param {string} name
 * @returns {Promise<ServiceDetail>}
 */
export async function getService(name) {
  return request(`services/${encodeURIComponent(name)}`);
}

/**
 * @param {{ service?: string, phases?: string, after?: string }} query
 * @returns {Promise<RolloutPage>}
 */
export async function getRollouts(query) {
  return request('rollouts', query);
}

/**
 * @param {string} id
 * @returns {Promise<RolloutView>}
 */
export async function getRollout(id) {
  return request(`rollouts/${encodeURIComponent(id)}`);
}

/**
 * @param {string} id
 * @param {number} minutes
 * @returns {Promise<Signals>}
 */
export async function getSignals(id, minutes) {
  return request(`rollouts/${encodeURIComponent(id)}/signals`, { minutes: String(minutes) });
}

/**
 * @param {CommandRequest} command
 * @returns {Promise<CommandSent>}
 */
export async function sendCommand(command) {
  return request(
    'commands',
    {},
    {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...HEADERS },
      body: JSON.stringify(command),
    },
  );
}

/** With it Identity-Aware Proxy answers 401 when a session is over, instead of leading to a page for signing in. */
const HEADERS = { 'x-requested-with': 'XMLHttpRequest' };

/**
 * @param {string} path below `api/`
 * @param {Readonly<Record<string, string | undefined>>} [query]
 * @param {RequestInit} [init]
 */
async function request(path, query = {}, init = {}) {
  const options = { headers: HEADERS, ...init, credentials: /** @type {const} */ ('same-origin') };
  const response = await fetch(addressOf(path, query), options).catch(() => {
    throw new ConsoleError(
      'The console cannot be reached. Check the network; this page tries again by itself.',
      0,
    );
  });
  if (response.status === 401) tellSignedOut();
  const body = await response.json().catch(() => undefined);
  if (response.ok && body !== undefined) return body;
  throw new ConsoleError(sentenceFor(response.status, body), response.status);
}

/**
 * @param {string} path
 * @param {Readonly<Record<string, string | undefined>>} query
 */
function addressOf(path, query) {
  const url = new URL(`api/${path}`, ROOT);
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
  return url;
}

/**
 * @param {number} status
 * @param {unknown} body
 */
function sentenceFor(status, body) {
  if (typeof body === 'object' && body !== null && 'message' in body && typeof body.message === 'string') {
    return body.message;
  }
  if (status === 401 || status === 403)
    return 'The console does not know you. Sign in again, then reload this page.';
  return `The console answered with status ${status} and no explanation; its log has more.`;
}

/**
 * How the line to the console is: `sleeping` while nobody looks at the tab, `off` where there is nothing to hear.
 *
 * @typedef {'connecting' | 'live' | 'down' | 'sleeping' | 'off'} Line
 *
 * @typedef {object} Listener
 * @property {(view: RolloutView) => void} [rollout]
 * @property {(change: RolloutChange) => void} [change]
 * @property {(rows: readonly ServiceRow[]) => void} [services]
 * @property {(message: string) => void} problem what keeps the console from telling more; empty when nothing does
 * @property {(line: Line) => void} line
 */

/** A tab that nobody looks at must not keep a function running all night. */
const SLEEP_AFTER_MS = 60_000;
const REOPEN_MS = [1000, 2000, 5000, 10_000, 20_000];
/** An event source does not tell why it fails: after so many times in a row it is asked whether the session is over. */
const MOST_FAILURES = 2;
const ASK_EVERY_MS = 10_000;

/**
 * Listens until it is closed. A line that breaks is opened again, by the browser or, when the console refused, from here.
 *
 * @param {{ rollout: string } | { services: string }} query
 * @param {Listener} listener
 * @returns {{ close: () => void }}
 */
export function watch(query, listener) {
  /** @type {EventSource | undefined} */
  let source;
  let failures = 0;
  let askedMs = 0;
  /** @type {number | undefined} */
  let retry;
  /** @type {number | undefined} */
  let sleep;

  function open() {
    listener.line('connecting');
    source = new EventSource(addressOf('watch', query));
    source.addEventListener('open', () => {
      failures = 0;
      listener.line('live');
    });
    source.addEventListener('error', () => {
      listener.line('down');
      failures++;
      if (failures >= MOST_FAILURES) askWhy();
      if (source?.readyState === EventSource.CLOSED) again();
    });
    on('rollout', data => listener.rollout?.(data));
    on('change', data => listener.change?.(data));
    on('services', data => listener.services?.(data));
    on('problem');
  }

  function askWhy() {
    if (Date.now() - askedMs < ASK_EVERY_MS) return;
    askedMs = Date.now();
    // Whatever else it says is no reason that the line is down.
    request('me').catch(() => {});
  }

  /**
   * @param {string} type
   * @param {(data: any) => void} [handle]
   */
  function on(type, handle) {
    source?.addEventListener(type, event => {
      const data = JSON.parse(event.data);
      listener.line('live');
      // Whatever else comes says that the records can be read again.
      listener.problem(handle ? '' : String(data?.message));
      handle?.(data);
    });
  }

  function again() {
    shut();
    retry = window.setTimeout(open, REOPEN_MS[Math.min(failures, REOPEN_MS.length) - 1]);
  }

  function shut() {
    source?.close();
    source = undefined;
    window.clearTimeout(retry);
  }

  function onVisibility() {
    window.clearTimeout(sleep);
    if (!document.hidden) {
      if (!source) open();
      return;
    }
    sleep = window.setTimeout(() => {
      shut();
      listener.line('sleeping');
    }, SLEEP_AFTER_MS);
  }

  document.addEventListener('visibilitychange', onVisibility);
  open();
  return {
    close() {
      document.removeEventListener('visibilitychange', onVisibility);
      window.clearTimeout(sleep);
      shut();
    },
  };
}

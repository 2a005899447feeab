import { setTimeout as sleep } from 'node:timers/promises';
import { SlipwayError } from '../functions/errors.ts';
import { isFinal, type Rollout } from '../functions/rollout/record.ts';
import type { Store } from '../functions/store/store.ts';
import type { Answer, Terminal } from './output.ts';

/** Names that are told to somebody who asked for one that is not there. */
const TOLD_NAMES = 20;

/** As many of a service's newest are looked through for what was pushed. */
const NEWEST = 50;

/** What a push brought: the newest rollout of it. */
export interface Pushed {
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}

/**
 * The rollout that a person means: by its id, or by its service's name the one in flight, or else the newest.
 *
 * @throws SlipwayError that names the services there are
 */
export async function findRollout(store: Store, name: string, pushed: Pushed = {}): Promise<Rollout> {
  const found = await rolloutNamed(store, name, pushed);
  if (found) return found;
  const isService = isPush(pushed) && (await rolloutNamed(store, name)) !== undefined;
  const why = isService ? `${name} has had no rollout of ${pushName(pushed)} yet` : await noSuch(store, name);
  throw new SlipwayError(`${why}.`, { code: 'NotFound', operation: 'find the rollout' });
}

/** The same; undefined where there is none. */
export async function rolloutNamed(
  store: Store,
  name: string,
  pushed: Pushed = {},
): Promise<Rollout | undefined> {
  const isOfPush = ({ tag, digest }: Rollout) =>
    (pushed.tag ?? tag) === tag && (pushed.digest ?? digest) === digest;
  const [byId, service] = await Promise.all([store.read('rollout', name), store.read('service', name)]);
  if (byId && isOfPush(byId)) return byId;
  if (isPush(pushed)) {
    return (await store.list('rollout', { service: name, limit: NEWEST })).find(isOfPush);
  }
  const active = service?.active === undefined ? undefined : await store.read('rollout', service.active);
  return active ?? (await store.list('rollout', { service: name, limit: 1 }))[0];
}

function isPush({ tag, digest }: Pushed): boolean {
  return tag !== undefined || digest !== undefined;
}

/** `v1.2.0@sha256:…` */
export function pushName({ tag = '', digest }: Pushed): string {
  return digest === undefined ? tag : `${tag}@${digest}`.replace(/^@/, '');
}

async function noSuch(store: Store, name: string): Promise<string> {
  const services = await store.list('service', { limit: TOLD_NAMES + 1 });
  const names = services.slice(0, TOLD_NAMES).map(service => service.name);
  const more = services.length > TOLD_NAMES ? ' and more' : '';
  const known = names.length === 0 ? 'nothing is on record yet' : `on record: ${names.join(', ')}${more}`;
  return `There is no rollout "${name}", and no service of that name has had one; ${known}`;
}

/** Only Healthy is good. */
export function answerOf(rollout: Rollout): Answer {
  if (!isFinal(rollout)) return 'unknown';
  return rollout.phase === 'Healthy' ? 'yes' : 'no';
}

/** A store that does not answer for a while ends nobody's watch. */
const PATIENCE_MS = 60_000;

/**
 * Reads again and again until `isOver`, and gives each answer on.
 *
 * @returns the last one; undefined when the signal came first
 */
export async function poll<T>(
  read: () => Promise<T>,
  isOver: (value: T) => boolean,
  { everyMs, signal }: { readonly everyMs: number; readonly signal: AbortSignal },
  onValue: (value: T) => void = () => {},
): Promise<T | undefined> {
  const stopped = new Promise<undefined>(resolve => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  let answeredMs = performance.now();
  while (!signal.aborted) {
    const value = await Promise.race([stopped, patiently(read, () => answeredMs)]);
    if (signal.aborted) break;
    if (value !== undefined) {
      answeredMs = performance.now();
      onValue(value);
      if (isOver(value)) return value;
    }
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

async function patiently<T>(read: () => Promise<T>, answeredMs: () => number): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    const isPatient = error instanceof SlipwayError && error.canRetry;
    if (!isPatient || performance.now() - answeredMs() > PATIENCE_MS) throw error;
    return undefined;
  }
}

/** How often a store may be asked for one document. */
export function lookEveryMs({ SLIPWAY_STORE: store = '' }: NodeJS.ProcessEnv): number {
  return store.startsWith('sqlite:') ? 150 : 1000;
}

export interface Interruption {
  readonly signal: AbortSignal;
  /** From then on Ctrl-C ends the process again. */
  end(): void;
}

/** Aborts at Ctrl-C, once: the second one ends the process. */
export function interruption({ onInterrupt }: Pick<Terminal, 'onInterrupt'>): Interruption {
  const aborter = new AbortController();
  const off = onInterrupt?.(() => {
    off?.();
    aborter.abort();
  });
  return { signal: aborter.signal, end: () => off?.() };
}

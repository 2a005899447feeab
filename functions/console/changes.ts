import { createHash } from 'node:crypto';
import type { RolloutChange, RolloutView, ServiceRow } from './contract.ts';

/** One server-sent event. */
export interface ServerEvent {
  readonly name: 'rollout' | 'change' | 'services' | 'problem';
  /** What the listener knows after it, as far as that matters when it comes back. */
  readonly id?: string | undefined;
  readonly data: unknown;
}

export function eventText({ name, id, data }: ServerEvent): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** How much of a rollout's record a listener has, of the parts that are not sent every time. */
interface Known {
  /** Of the newest entry of the history. */
  readonly sequence: number;
  readonly firstTrendMs: number;
  readonly lastTrendMs: number;
  /** Digest of policy and verification. */
  readonly fixed: string;
}

function knownOf({ rollout }: RolloutView): Known {
  const { history, trend, spec, verification } = rollout;
  return {
    sequence: history.at(-1)?.sequence ?? 0,
    firstTrendMs: trend[0]?.atMs ?? 0,
    lastTrendMs: trend.at(-1)?.atMs ?? 0,
    fixed: digestOf([spec, verification]),
  };
}

function idOf({ sequence, firstTrendMs, lastTrendMs, fixed }: Known): string {
  return `${sequence}:${firstTrendMs}:${lastTrendMs}:${fixed}`;
}

function parseId(id: string): Known | undefined {
  const [, sequence, firstTrendMs, lastTrendMs, fixed] = /^(\d+):([\d.]+):([\d.]+):([\w-]+)$/.exec(id) ?? [];
  if (fixed === undefined) return undefined;
  return {
    sequence: Number(sequence),
    firstTrendMs: Number(firstTrendMs),
    lastTrendMs: Number(lastTrendMs),
    fixed,
  };
}

/** For a listener that has just come, or comes back with the id of the event that it saw last. */
export function rolloutEvent(view: RolloutView, lastId: string | undefined): ServerEvent {
  const known = lastId === undefined ? undefined : parseId(lastId);
  return known && goesOn(known, view)
    ? changeEvent(known, view)
    : { name: 'rollout', id: idOf(knownOf(view)), data: view };
}

/** undefined when nothing has changed but the time. */
export function rolloutChange(before: RolloutView, view: RolloutView): ServerEvent | undefined {
  if (JSON.stringify({ ...before, nowMs: 0 }) === JSON.stringify({ ...view, nowMs: 0 })) return undefined;
  return rolloutEvent(view, idOf(knownOf(before)));
}

/** Whether what is new can be told from what was known: not after another course began, or with too much in between. */
function goesOn(known: Known, { rollout: { history, trend } }: RolloutView): boolean {
  const isGapless = (history[0]?.sequence ?? 1) <= known.sequence + 1;
  const isNoOlder = (history.at(-1)?.sequence ?? 0) >= known.sequence;
  const isSameTrend = known.firstTrendMs === 0 || known.firstTrendMs === trend[0]?.atMs;
  return isGapless && isNoOlder && isSameTrend;
}

function changeEvent(known: Known, view: RolloutView): ServerEvent {
  const { history, trend, spec, verification, ...rollout } = view.rollout;
  const now = knownOf(view);
  const fixed = now.fixed === known.fixed ? {} : { spec, verification };
  const change: RolloutChange = {
    ...view,
    rollout: { ...rollout, ...fixed },
    history: history.filter(({ sequence }) => sequence > known.sequence),
    trend: trend.filter(({ atMs }) => atMs > known.lastTrendMs),
  };
  return { name: 'change', id: idOf(now), data: change };
}

/** undefined for a listener that comes back and has missed nothing. */
export function servicesEvent(
  rows: readonly ServiceRow[],
  lastId: string | undefined,
): ServerEvent | undefined {
  const id = digestOf(rows);
  return id === lastId ? undefined : { name: 'services', id, data: rows };
}

/** The rows that are not as they were; undefined when all are. */
export function servicesChange(
  before: readonly ServiceRow[],
  rows: readonly ServiceRow[],
): ServerEvent | undefined {
  const known = new Map(before.map(row => [row.name, JSON.stringify(row)]));
  const changed = rows.filter(row => known.get(row.name) !== JSON.stringify(row));
  return changed.length === 0 ? undefined : { name: 'services', id: digestOf(rows), data: changed };
}

function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, 16);
}

import type { Phase } from '../rollout/record.ts';
import type { Documents, Kind } from './store.ts';

const KEEP_MS = 90 * 24 * 60 * 60 * 1000;

/** Healthy ones stay: they say what was released, and a service's state refers to its newest for as long as it serves. */
const FORGOTTEN: ReadonlySet<Phase> = new Set(['Degraded', 'Rejected', 'Superseded']);

/** When a document counts as gone: 90 days after its last change. undefined for what stays. */
export function expiresMs(document: Documents[Kind]): number | undefined {
  if ('receivedMs' in document) return document.receivedMs + KEEP_MS;
  if ('phase' in document && FORGOTTEN.has(document.phase)) return document.updatedMs + KEEP_MS;
  return undefined;
}

export function isExpired(document: Documents[Kind], nowMs: number): boolean {
  const atMs = expiresMs(document);
  return atMs !== undefined && atMs <= nowMs;
}

/** What {@link expiresMs} looks at. */
export const EXPIRY_FIELDS = ['receivedMs', 'phase', 'updatedMs'] as const;

import type { After, Outlet } from './http.ts';

/** One listener's connection. */
export interface Line {
  /** Nobody is waited for: a listener who does not take what was sent is dropped, and comes back by itself. */
  send(text: string): void;
}

const HEARTBEAT_MS = 15_000;
/** Below the 300 s that a function may answer for. */
const LIFETIME_MS = 240_000;
/** Whoever does not take the end within that time gets another. */
const GRACE_MS = 5_000;
const MOST_PENDING_BYTES = 1_000_000;

/** @param onClose called once, when nothing may be sent any more */
export function openLine(outlet: Outlet, after: After, onClose: () => void): Line {
  let cancelBeat = after(HEARTBEAT_MS, beat);
  let cancelEnd = after(LIFETIME_MS, () => {
    cancelEnd = after(GRACE_MS, outlet.destroy);
    finish(outlet.end);
  });
  let isOver = false;
  /** What was written last may still be on its way. */
  function finish(how: () => void): void {
    isOver = true;
    how();
  }
  function send(text: string): void {
    if (isOver) return;
    if (outlet.pending() > MOST_PENDING_BYTES) finish(outlet.destroy);
    else outlet.write(text);
  }
  function beat(): void {
    cancelBeat = after(HEARTBEAT_MS, beat);
    send(': still here\n\n');
  }
  outlet.onClose(() => {
    cancelBeat();
    cancelEnd();
    onClose();
  });
  return { send };
}

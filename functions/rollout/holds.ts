import { closedWindow } from './windows.ts';
import type { World } from './world.ts';

/**
 * What keeps a rollout from starting and advancing, in words; undefined when nothing does. A rollback is never held. In
 * a hurry: what replaces a digest that hurts users waits for nobody, and `promote --full` not for a window.
 */
export function holdOf({ rollout, service }: World, nowMs: number): string | undefined {
  if (rollout.undoes !== undefined) return undefined;
  if (rollout.heldBy !== undefined) return `held by ${rollout.heldBy}, waiting for resume`;
  if (service.frozen) {
    const { by, reason } = service.frozen;
    return `${service.name} is frozen by ${by}${reason ? ` (${reason})` : ''}, waiting for unfreeze`;
  }
  const window = rollout.isFull ? undefined : closedWindow(rollout.spec.windows, nowMs);
  return window && `nothing advances ${window}; promote --full does not wait`;
}

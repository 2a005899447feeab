import { type Condition, conditionOf, timestamp } from './objects.ts';
import type { Store } from './store.ts';

/** What one pass of a controller has at hand. Controllers compare what is with what should be and write the difference. */
export interface Pass {
  readonly store: Store;
  readonly nowMs: number;
  /** Asks for another pass at this time, when nothing else may happen until then. */
  wakeAt(timeMs: number): void;
}

/** Replaces the condition of the same type; `lastTransitionTime` stays while the status does. */
export function withCondition(
  conditions: readonly Condition[] | undefined,
  condition: Condition,
  nowMs: number,
): Condition[] {
  const before = conditionOf(conditions, condition.type);
  const lastTransitionTime =
    before?.status === condition.status && before.lastTransitionTime
      ? before.lastTransitionTime
      : timestamp(nowMs);
  const rest = (conditions ?? []).filter(one => one.type !== condition.type);
  return [...rest, { ...condition, lastTransitionTime }];
}

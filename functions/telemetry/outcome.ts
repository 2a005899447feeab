import { isFinal, type Rollout } from '../rollout/record.ts';

/** What is counted and measured of a rollout that has come to an end. Log-based metrics read it: docs/observability.md. */
export interface Outcome {
  readonly rollouts_total: 1;
  /** From the push, or what started it anew, to its end; not of one that was Healthy before. */
  readonly rollout_duration_seconds?: number;
  /** From the trouble until what served before serves again. */
  readonly rollback_duration_seconds?: number;
}

/** @returns undefined unless the rollout has come to its end just now */
export function outcomeOf(before: Rollout | undefined, rollout: Rollout): Outcome | undefined {
  if (!isFinal(rollout) || before?.phase === rollout.phase) return undefined;
  const seconds = (sinceMs: number) => Math.max(0, rollout.updatedMs - sinceMs) / 1000;
  const { cause, undoes } = rollout;
  if (undoes !== undefined) {
    const isBack = rollout.phase === 'Healthy';
    const took = seconds(attemptSinceMs(rollout));
    return { rollouts_total: 1, ...(isBack ? { rollback_duration_seconds: took } : {}) };
  }
  return {
    rollouts_total: 1,
    ...(wasHealthy(rollout) ? {} : { rollout_duration_seconds: seconds(attemptSinceMs(rollout)) }),
    ...(before?.phase === 'RollingBack' && cause ? { rollback_duration_seconds: seconds(cause.atMs) } : {}),
  };
}

/** It had served everywhere, and was taken back since. */
export function wasHealthy({ phase, history }: Rollout): boolean {
  const newest = history.findLast(
    ({ reason }) => reason === 'RolloutCompleted' || reason === 'RolloutStarted',
  );
  return phase !== 'Healthy' && newest?.reason === 'RolloutCompleted';
}

/** When the present attempt was asked for; records of old do not say it. */
export function attemptSinceMs({ attemptMs, createdMs }: Rollout): number {
  return attemptMs ?? createdMs;
}

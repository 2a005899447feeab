import type { HistoryEntry, Rollout } from '../../functions/rollout/record.ts';
import type { LoadOutcome } from '../dataplane/load.ts';

/** One weight on one target, as it was really served. */
export interface ServedWeight {
  readonly target: string;
  /** Percent, as the policy's step says. */
  readonly weight: number;
  readonly requests: number;
  readonly canary: number;
  /** Fewest and most canary requests that chance lets pass. */
  readonly bounds: readonly [number, number];
  readonly ok: boolean;
}

/** Standard deviations: of some twenty measured weights, chance breaks one bound in fewer than one run in a thousand. */
const SIGMAS = 4.2;

export function withinBinomial(
  requests: number,
  weight: number,
  canary: number,
): Pick<ServedWeight, 'bounds' | 'ok'> {
  const share = weight / 100;
  const spread = SIGMAS * Math.sqrt(requests * share * (1 - share)) + 1;
  const bounds = [
    Math.max(0, Math.floor(requests * share - spread)),
    Math.min(requests, Math.ceil(requests * share + spread)),
  ] as const;
  return { bounds, ok: canary >= bounds[0] && canary <= bounds[1] };
}

/**
 * Counts the answers of each target while each weight stood: from the moment it was confirmed there to the end of the
 * step that followed it.
 *
 * @param belongs whether an answer came from this target
 */
export function servedWeights(
  rollout: Rollout,
  outcomes: readonly LoadOutcome[],
  belongs: (target: string, outcome: LoadOutcome) => boolean,
): ServedWeight[] {
  return rollout.history.filter(isWeight).map(entry => {
    const endMs = endOfWeight(rollout, entry);
    const during = outcomes.filter(
      outcome => outcome.sentMs > entry.atMs && outcome.atMs < endMs && belongs(entry.target ?? '', outcome),
    );
    const weight = Number(/(\d+)$/.exec(entry.message)?.[1]);
    const canary = during.filter(outcome => outcome.version === rollout.tag).length;
    const checked = withinBinomial(during.length, weight, canary);
    return { target: entry.target ?? '', weight, requests: during.length, canary, ...checked };
  });
}

function isWeight(entry: HistoryEntry): boolean {
  return entry.reason === 'TrafficWeightUpdated';
}

/** The weight's own step completes at the barrier; the pause that follows completes before anything moves again. */
function endOfWeight({ history }: Rollout, { sequence }: HistoryEntry): number {
  const ends = history.filter(
    entry =>
      entry.sequence > sequence &&
      (entry.reason === 'RolloutStepCompleted' || entry.reason === 'RollingBack'),
  );
  const end = ends[0]?.reason === 'RollingBack' ? ends[0] : (ends[1] ?? ends[0]);
  return end?.atMs ?? Number.POSITIVE_INFINITY;
}

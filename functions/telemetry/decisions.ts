import type { HistoryEntry, Rollout } from '../rollout/record.ts';

/** What a log line about an entry of the history says besides its sentence: the ids, the place and the numbers. */
export function decisionFields(rollout: Rollout, entry: HistoryEntry): Readonly<Record<string, unknown>> {
  const { id, service, tag, phase, epoch, attempt, position } = rollout;
  const { reason, sequence, target, weight, incident } = entry;
  return {
    rollout: id,
    service,
    tag,
    reason,
    sequence,
    phase,
    epoch,
    attempt,
    // Counting from 1, as everywhere where people look.
    wave: position.wave + 1,
    step: position.step + 1,
    target,
    weight,
    incident,
    ...numbersOf(rollout, entry),
  };
}

function numbersOf({ judgement, cause, verification, digest }: Rollout, { reason }: HistoryEntry): object {
  if (reason.startsWith('AnalysisRun')) return { judgement };
  // What the judge knew when it came to that, whoever gave the word.
  if (reason === 'RollingBack') return { cause: cause?.kind, judgement };
  if (reason === 'RolledBack') return { cause: cause?.kind };
  if (reason === 'RolloutCreated') return { digest };
  if (reason === 'RolloutRejected') return { digest, codes: verification?.reasons.map(({ code }) => code) };
  return {};
}

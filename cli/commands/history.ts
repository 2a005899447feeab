import { type HistoryEntry, shownRollout } from '../../functions/rollout/record.ts';
import { timestamp } from '../../functions/rollout/wording.ts';
import { data, type Format } from '../data.ts';
import { type Answer, lines, safeTable, type Terminal } from '../output.ts';
import { findRollout } from '../records.ts';
import { readStore } from '../store.ts';

export interface HistoryOptions {
  /** The newest so many; all without it. */
  readonly limit?: number | undefined;
  readonly output: Format;
}

/** `slipway history`: what happened to a rollout, in order. */
export async function history(name: string, options: HistoryOptions, terminal: Terminal): Promise<Answer> {
  const rollout = await readStore(terminal, name, store => findRollout(store, name));
  const entries = rollout.history.slice(-(options.limit ?? rollout.history.length));
  if (options.output === 'text') terminal.out(lines(timeline(entries, terminal)));
  else terminal.out(await data({ ...shownRollout(rollout), history: entries }, options.output));
  return 'yes';
}

function timeline(entries: readonly HistoryEntry[], { columns }: Terminal): string[] {
  const rows = entries.map(({ atMs, reason, target = '', message }) => [
    timestamp(atMs),
    reason,
    target,
    message,
  ]);
  return safeTable([['TIME', 'REASON', 'TARGET', 'MESSAGE'], ...rows], columns);
}

import type { CommandMessage } from '../functions/google/commands.ts';
import type { HistoryEntry, Rollout, ServiceState } from '../functions/rollout/record.ts';
import type { Store } from '../functions/store/store.ts';

/** With the id that makes it one command however often it is delivered. */
export type SentCommand = CommandMessage & { readonly id: string };

/** What came of a command. */
export type Outcome =
  | { readonly is: 'done'; readonly rollout?: Rollout | undefined; readonly entry?: HistoryEntry | undefined }
  | { readonly is: 'refused'; readonly why: string; readonly rollout?: Rollout | undefined };

/** How far the histories were before a command was sent: rollout → sequence of its last entry. */
export type Known = ReadonlyMap<string, number>;

/** The rollouts that a command can be for, without reading many. */
export async function candidates(
  store: Store,
  { service, rollout }: Pick<CommandMessage, 'service' | 'rollout'>,
  newest: number,
): Promise<{ state: ServiceState | undefined; rollouts: Rollout[] }> {
  const [state, listed] = await Promise.all([
    store.read('service', service),
    store.list('rollout', { service, limit: newest }),
  ]);
  const known = new Set(listed.map(({ id }) => id));
  const named = [rollout, state?.active, state?.waiting, state?.healthy].flatMap(id => id ?? []);
  const others = [...new Set(named)].filter(id => !known.has(id));
  const read = await Promise.all(others.map(id => store.read('rollout', id)));
  return { state, rollouts: [...listed, ...read.flatMap(one => one ?? [])] };
}

export function knownOf(rollouts: readonly Rollout[]): Known {
  return new Map(rollouts.map(({ id, history }) => [id, history.at(-1)?.sequence ?? 0]));
}

const NEWEST = 10;
const NEWEST_LOST = 20;

/** @returns undefined as long as nobody has dealt with it */
export async function outcomeOf(
  store: Store,
  command: SentCommand,
  before: Known,
  sentMs: number,
): Promise<Outcome | undefined> {
  const state = await store.read('service', command.service);
  if (state?.handled.includes(command.id)) {
    const { rollouts } = await candidates(store, command, NEWEST);
    return told(rollouts, command, before, sentMs) ?? { is: 'done' };
  }
  const lost = await store.list('deadMessage', { limit: NEWEST_LOST });
  const ours = lost.find(({ text }) => text.includes(command.id));
  return ours && { is: 'refused', why: ours.problem };
}

/** The clock here and the functions' may differ by so much. */
const CLOCKS_DIFFER_MS = 120_000;

/** What the histories say of it: nobody names a command's id there, so it is found by who gave it, and as what. */
export function told(
  rollouts: readonly Rollout[],
  { command, actor, reason }: SentCommand,
  before: Known,
  sentMs: number,
): Outcome | undefined {
  const by = reason ? `${actor} (${reason})` : actor;
  const fresh = rollouts.flatMap(rollout => {
    const known = before.get(rollout.id);
    return rollout.history
      .filter(({ sequence, atMs }) =>
        known === undefined ? atMs >= sentMs - CLOCKS_DIFFER_MS : sequence > known,
      )
      .map(entry => ({ rollout, entry }));
  });
  const done = fresh.find(
    ({ entry: { reason: kind, message } }) =>
      kind !== 'CommandRefused' && (message.startsWith(`${by}: `) || message.includes(` by ${by}`)),
  );
  if (done) return { is: 'done', ...done };
  const refused = fresh.find(
    ({ entry }) => entry.reason === 'CommandRefused' && entry.message.startsWith(`${command} `),
  );
  return refused && { is: 'refused', why: refused.entry.message, rollout: refused.rollout };
}

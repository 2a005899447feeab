import type { CommandMessage } from '../functions/google/commands.ts';
import type { HistoryEntry, Rollout, ServiceState } from '../functions/rollout/record.ts';
import type { Store } from '../functions/store/store.ts';

/** With the id that makes it one command however often it is delivered. */
export type SentCommand = CommandMessage & { readonly id: string };

/** What came of a command. */
export type Outcome =
  | { readonly is: 'done'; readonly rollout?: Rollout | undefined; readonly entry?: HistoryEntry | undefined }
  | { readonly is: 'refused'; readonly why: string; readonly rollout?: Rollout | undefined };

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

const NEWEST = 10;
const NEWEST_LOST = 20;

/** @returns undefined as long as nobody has dealt with it */
export async function outcomeOf(store: Store, command: SentCommand): Promise<Outcome | undefined> {
  const state = await store.read('service', command.service);
  if (state?.handled.includes(command.id)) {
    const { rollouts } = await candidates(store, command, NEWEST);
    return told(rollouts, command) ?? { is: 'done' };
  }
  const lost = await store.list('deadMessage', { limit: NEWEST_LOST });
  const ours = lost.find(({ text }) => text.includes(command.id));
  return ours && { is: 'refused', why: ours.problem };
}

/** What the histories say of it: what came of a command bears its id. */
export function told(rollouts: readonly Rollout[], { id }: Pick<SentCommand, 'id'>): Outcome | undefined {
  const entries = rollouts.flatMap(rollout =>
    rollout.history.flatMap(entry => (entry.command === id ? [{ rollout, entry }] : [])),
  );
  const refused = entries.find(({ entry }) => entry.reason === 'CommandRefused');
  if (refused) return { is: 'refused', why: refused.entry.message, rollout: refused.rollout };
  const done = entries[0];
  return done && { is: 'done', ...done };
}

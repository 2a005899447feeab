import type { Dependencies } from './dependencies.ts';
import { announce, ensureExecution } from './orchestrator.ts';
import { remember } from './rollout/commands.ts';
import type { Cause } from './rollout/record.ts';
import { type Undone, undo, type WayBack } from './rollout/undo.ts';

/**
 * Puts the digest back that was Healthy before the one that serves, if that is to be: `isWanted` decides on what the
 * store holds at that moment, so that of many who ask at once one has its way.
 *
 * @param commandId of the command that asks, which then counts as carried out
 * @returns undefined when `isWanted` said no, or nothing is Healthy
 */
export async function undoHealthy(
  deps: Dependencies,
  name: string,
  cause: Omit<Cause, 'atMs'>,
  isWanted: (way: WayBack, nowMs: number) => boolean,
  commandId?: string,
): Promise<Undone | undefined> {
  const spec = (await deps.policy()).services.find(service => service.name === name);
  const store = await deps.store();
  const decided = await store.transact(async transaction => {
    const service = await transaction.read('service', name);
    const from = service?.healthy && (await transaction.read('rollout', service.healthy));
    if (!service || !from) return undefined;
    const earlier = await Promise.all(service.earlier.map(id => transaction.read('rollout', id)));
    // The same digest may have been rolled out under two tags.
    const to = earlier.findLast(one => one !== undefined && one.digest !== from.digest);
    const nowMs = deps.nowMs();
    if (!isWanted({ from, to, service }, nowMs)) return undefined;
    const undone = undo({ from, to, service }, spec, cause, nowMs);
    if (undone.ok) {
      transaction.write('rollout', from.id, undone.from);
      transaction.write('rollout', undone.to.id, undone.to);
      const { service: after } = undone;
      transaction.write('service', name, commandId === undefined ? after : remember(after, commandId));
    }
    return { before: { from, to }, undone };
  });
  if (!decided) return undefined;
  const { before, undone } = decided;
  if (undone.ok) {
    await Promise.all([announce(deps, before.from, undone.from), announce(deps, before.to, undone.to)]);
    await ensureExecution(deps, undone.to.id);
  }
  return undone;
}

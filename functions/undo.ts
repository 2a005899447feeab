import type { Dependencies } from './dependencies.ts';
import { announce, ensureExecution } from './orchestrator.ts';
import { remember, signed } from './rollout/commands.ts';
import type { Cause } from './rollout/record.ts';
import { stepBack } from './rollout/trouble.ts';
import { type Undone, undo, type WayBack } from './rollout/undo.ts';
import type { World } from './rollout/world.ts';

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
    const state = await transaction.read('service', name);
    const from = state?.healthy && (await transaction.read('rollout', state.healthy));
    if (!state || !from) return undefined;
    const active = state.active === undefined ? undefined : await transaction.read('rollout', state.active);
    // What has begun nothing waits until this is over.
    const stepped = active && stepBack({ rollout: active, service: state }, deps.nowMs());
    const service = stepped?.service ?? state;
    const earlier = await Promise.all(service.earlier.map(id => transaction.read('rollout', id)));
    // The same digest may have been rolled out under two tags.
    const to = earlier.findLast(one => one !== undefined && one.digest !== from.digest);
    const nowMs = deps.nowMs();
    if (!isWanted({ from, to, service }, nowMs)) return undefined;
    const undone = inNameOf(commandId, { from, to }, undo({ from, to, service }, spec, cause, nowMs));
    if (undone.ok) {
      transaction.write('rollout', from.id, undone.from);
      transaction.write('rollout', undone.to.id, undone.to);
      if (stepped) transaction.write('rollout', stepped.rollout.id, stepped.rollout);
      const { service: after } = undone;
      transaction.write('service', name, commandId === undefined ? after : remember(after, commandId));
    }
    return { before: { from, to, active }, stepped, undone };
  });
  if (!decided) return undefined;
  const { before, stepped, undone } = decided;
  if (undone.ok) {
    if (stepped) await announce(deps, before.active, stepped.rollout);
    await Promise.all([announce(deps, before.from, undone.from), announce(deps, before.to, undone.to)]);
    await ensureExecution(deps, undone.to.id);
  }
  return undone;
}

function inNameOf(
  command: string | undefined,
  { from, to }: Pick<WayBack, 'from' | 'to'>,
  undone: Undone,
): Undone {
  if (!undone.ok || command === undefined) return undone;
  return { ...undone, from: signed(command, from, undone.from), to: signed(command, to, undone.to) };
}

/**
 * A rollout in flight that has touched nothing has served nobody: it waits again when what was promoted before it is to
 * be rolled back. `isWanted` gets that one, with the service as it would be then.
 *
 * @returns the one that was promoted, if it is in its place again
 */
export async function stepAside(
  deps: Dependencies,
  name: string,
  isWanted: (promoted: World, nowMs: number) => boolean,
): Promise<string | undefined> {
  const store = await deps.store();
  const stepped = await store.transact(async transaction => {
    const service = await transaction.read('service', name);
    const active = service?.active && (await transaction.read('rollout', service.active));
    const promoted = service?.healthy && (await transaction.read('rollout', service.healthy));
    if (!service || !active || !promoted) return undefined;
    const nowMs = deps.nowMs();
    const world = stepBack({ rollout: active, service }, nowMs);
    if (!world || !isWanted({ rollout: promoted, service: world.service }, nowMs)) return undefined;
    transaction.write('rollout', active.id, world.rollout);
    transaction.write('service', name, world.service);
    return { before: active, after: world.rollout, promoted: promoted.id };
  });
  if (!stepped) return undefined;
  await announce(deps, stepped.before, stepped.after);
  return stepped.promoted;
}

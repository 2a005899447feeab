import type { CloudEvent } from '@google-cloud/functions-framework';
import type { Dependencies } from '../dependencies.ts';
import { apply } from '../orchestrator.ts';
import { applyCommand, type Command, canRetry, commandSchema } from '../rollout/commands.ts';
import type { Rollout } from '../rollout/record.ts';
import { parseJson, putAside, readMessage } from './message.ts';
import { moveRegion } from './move-region.ts';

/** Topic `rollout-commands`: what a person decided goes into the record, then the waiting execution is woken. */
export async function command(deps: Dependencies, event: CloudEvent<unknown>): Promise<void> {
  const topic = 'rollout-commands';
  const message = readMessage(event, deps.nowMs());
  if (!message)
    return putAside(deps, topic, event, JSON.stringify(event.data ?? null), 'expected a Pub/Sub message');
  const parsed = parseJson(message.text, commandSchema);
  if (!parsed.ok) return putAside(deps, topic, event, message.text, parsed.problem);
  const found = await rolloutFor(deps, parsed.value);
  if (!found.rollout) return putAside(deps, topic, event, message.text, found.problem);
  const given = parsed.value;
  const id = given.id ?? message.id;
  if ('target' in given) return moveRegion(deps, found.rollout.id, { ...given, id });
  await apply(deps, found.rollout.id, (world, nowMs) => applyCommand(world, { ...given, id }, nowMs));
}

type Found = { rollout: Rollout } | { rollout: undefined; problem: string };

/** The rollout that a command is for: the one it names, the one in flight, or the newest that it can be for. */
async function rolloutFor(deps: Dependencies, { service, rollout, command: name }: Command): Promise<Found> {
  const store = await deps.store();
  if (rollout !== undefined) {
    const named = await store.read('rollout', rollout);
    if (named?.service === service) return { rollout: named };
    return { rollout: undefined, problem: `service ${service} has no rollout ${rollout}` };
  }
  const state = await store.read('service', service);
  const wanted = name === 'undo' ? (state?.active ?? state?.healthy) : state?.active;
  const inFlight = wanted === undefined || name === 'retry' ? undefined : await store.read('rollout', wanted);
  if (inFlight) return { rollout: inFlight };
  const newest = await store.list('rollout', { service, limit: 50 });
  const fitting = name === 'retry' ? newest.find(canRetry) : undefined;
  const found = fitting ?? newest[0];
  if (found) return { rollout: found };
  const known = (await deps.policy()).services.map(one => one.name);
  const problem = known.includes(service)
    ? `service ${service} has had no rollout yet`
    : `there is no service ${service}; the policy has ${known.join(', ')}`;
  return { rollout: undefined, problem };
}

import type { CloudEvent } from '@google-cloud/functions-framework';
import type { Dependencies } from '../dependencies.ts';
import { apply } from '../orchestrator.ts';
import { applyCommand, type Command, commandSchema } from '../rollout/commands.ts';
import type { Rollout } from '../rollout/record.ts';
import { bury, parseJson, readMessage } from './message.ts';

/** Topic `rollout-commands`: what a person decided goes into the record, then the waiting execution is woken. */
export async function command(deps: Dependencies, event: CloudEvent<unknown>): Promise<void> {
  const topic = 'rollout-commands';
  const message = readMessage(event, deps.nowMs());
  if (!message)
    return bury(deps, topic, event, JSON.stringify(event.data ?? null), 'expected a Pub/Sub message');
  const parsed = parseJson(message.text, commandSchema);
  if (!parsed.ok) return bury(deps, topic, event, message.text, parsed.problem);
  const found = await rolloutFor(deps, parsed.value);
  if (!found.rollout) return bury(deps, topic, event, message.text, found.problem);
  const given = { ...parsed.value, id: parsed.value.id ?? message.id };
  await apply(deps, found.rollout.id, (world, nowMs) => applyCommand(world, given, nowMs));
}

type Found = { rollout: Rollout } | { rollout: undefined; problem: string };

/** The rollout that a command is for: the one it names, the one in flight, or the newest. */
async function rolloutFor(deps: Dependencies, { service, rollout, command: name }: Command): Promise<Found> {
  const store = await deps.store();
  if (rollout !== undefined) {
    const named = await store.read('rollout', rollout);
    if (named?.service === service) return { rollout: named };
    return { rollout: undefined, problem: `service ${service} has no rollout ${rollout}` };
  }
  const state = await store.read('service', service);
  const wanted = name === 'undo' ? (state?.active ?? state?.healthy) : state?.active;
  const inFlight = wanted === undefined ? undefined : await store.read('rollout', wanted);
  if (inFlight) return { rollout: inFlight };
  const [newest] = await store.list('rollout', { service, limit: 1 });
  if (newest) return { rollout: newest };
  const known = (await deps.policy()).services.map(one => one.name);
  const problem = known.includes(service)
    ? `service ${service} has had no rollout yet`
    : `there is no service ${service}; the policy has ${known.join(', ')}`;
  return { rollout: undefined, problem };
}

import type { CloudEvent } from '@google-cloud/functions-framework';
import type { Dependencies } from '../dependencies.ts';
import { apply, ensureExecution, readWorld } from '../orchestrator.ts';
import {
  applyCommand,
  by,
  type Command,
  canRetry,
  commandSchema,
  inNameOf,
  type RegionCommand,
  type RolloutCommand,
  refuse,
  remember,
} from '../rollout/commands.ts';
import type { Rollout } from '../rollout/record.ts';
import { canRollBack, hasWayBack, isUntouched } from '../rollout/trouble.ts';
import { stepAside, undoHealthy } from '../undo.ts';
import { freeze } from './freeze.ts';
import { roll } from './image-push.ts';
import { parseJson, putAside, readMessage, topicOf } from './message.ts';
import { moveRegion } from './move-region.ts';

const DEFAULT_TOPIC = 'rollout-commands';

/** Topic `rollout-commands`: what a person decided goes into the record, then the waiting execution is woken. */
export async function command(deps: Dependencies, event: CloudEvent<unknown>): Promise<void> {
  const topic = topicOf(event) ?? DEFAULT_TOPIC;
  const message = readMessage(event, deps.nowMs());
  if (!message)
    return putAside(deps, topic, event, JSON.stringify(event.data ?? null), 'expected a Pub/Sub message');
  const parsed = parseJson(message.text, commandSchema);
  if (!parsed.ok) return putAside(deps, topic, event, message.text, parsed.problem);
  const given = { ...parsed.value, id: parsed.value.id ?? message.id };
  tellCommand(deps, given);
  const refused = (problem: string) => putAside(deps, topic, event, message.text, problem);

  const { services } = await deps.policy();
  const spec = services.find(({ name }) => name === given.service);
  const wanted = spec?.commandsTopic ?? DEFAULT_TOPIC;
  if (wanted !== topic) return refused(`commands for ${given.service} are taken from topic ${wanted} only`);
  const noService = `there is no service ${given.service}; the policy has ${services.map(({ name }) => name).join(', ')}`;
  if ('digest' in given) {
    if (!spec) return refused(noService);
    const { digest, tag = digest.slice('sha256:'.length, 'sha256:'.length + 12) } = given;
    const { publishedMs } = message;
    const push = { image: spec.image, digest, tag, publishedMs, startedBy: by(given) };
    return roll(deps, spec, push, given.id);
  }
  if (!('target' in given) && !('full' in given)) return spec ? freeze(deps, given) : refused(noService);
  if (given.command === 'undo') {
    await stepAside(
      deps,
      given.service,
      world => !world.service.handled.includes(given.id) && hasWayBack(world),
    );
  }
  const found = await rolloutFor(deps, given);
  if (!found.rollout) return refused(spec ? found.problem : noService);
  if ('target' in given) return moveRegion(deps, found.rollout.id, given);
  if (given.command === 'undo' && (await undone(deps, found.rollout, given))) return undefined;
  await apply(deps, found.rollout.id, (world, nowMs) => applyCommand(world, given, nowMs, spec));
}

/** What was asked for; what came of it the rollout's own lines say. */
function tellCommand(deps: Dependencies, given: Command & { id: string }): void {
  const { id, command: name, service, actor, rollout } = given;
  const target = 'target' in given ? given.target : undefined;
  const fields = { command: name, commandId: id, service, actor, rollout, target };
  deps.log('INFO', `${name} of ${service} by ${by(given)}`, fields);
}

type Found = { rollout: Rollout } | { rollout: undefined; problem: string };

/** The rollout that a command is for: the one it names, the one in flight, or the newest that it can be for. */
async function rolloutFor(
  deps: Dependencies,
  { service, rollout, command: name }: RolloutCommand | RegionCommand,
): Promise<Found> {
  const store = await deps.store();
  if (rollout !== undefined) {
    const named = await store.read('rollout', rollout);
    if (named?.service === service) return { rollout: named };
    return { rollout: undefined, problem: `service ${service} has no rollout ${rollout}` };
  }
  const state = await store.read('service', service);
  const active = state?.active === undefined ? undefined : await store.read('rollout', state.active);
  const served = state?.healthy === undefined ? undefined : await store.read('rollout', state.healthy);
  // What has begun nothing is not what anybody wants undone.
  const undoable = active && !(served && isUntouched(active)) ? active : served;
  const wanted = name === 'undo' ? undoable : active;
  if (wanted && name !== 'retry') return { rollout: wanted };
  const newest = await store.list('rollout', { service, limit: 50 });
  const fitting = name === 'retry' ? newest.find(canRetry) : undefined;
  const found = fitting ?? newest[0];
  if (found) return { rollout: found };
  return { rollout: undefined, problem: `service ${service} has had no rollout yet` };
}

/** Where the way back of what serves is closed, `undo` starts what was Healthy before. */
async function undone(
  deps: Dependencies,
  { id, service }: Rollout,
  given: RolloutCommand & { id: string },
): Promise<boolean> {
  const cause = { kind: 'Undo', message: `undo by ${by(given)}` } as const;
  const answer = await undoHealthy(
    deps,
    service,
    cause,
    (way, nowMs) =>
      way.from.id === id &&
      !way.service.handled.includes(given.id) &&
      !canRollBack({ rollout: way.from, service: way.service }, nowMs) &&
      !hasWayBack({ rollout: way.from, service: way.service }),
    given.id,
  );
  if (answer && !answer.ok) {
    const { why } = answer;
    await apply(deps, id, (world, nowMs) =>
      world.service.handled.includes(given.id)
        ? { world, actions: [] }
        : inNameOf(
            given,
            world,
            refuse({ ...world, service: remember(world.service, given.id) }, nowMs, 'undo', why),
          ),
    );
  }
  if (answer) return true;
  const state = (await readWorld(deps, id)).service;
  // Delivered again: what it decided may not have been started.
  if (!state.handled.includes(given.id)) return false;
  if (state.active !== undefined) await ensureExecution(deps, state.active);
  return true;
}

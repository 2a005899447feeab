import type { CloudEvent } from '@google-cloud/functions-framework';
import { z } from 'zod';
import { blameNow } from '../activities/observe.ts';
import type { Dependencies } from '../dependencies.ts';
import { apply, giveTurn, publishQuietly, readWorld } from '../orchestrator.ts';
import { incidentEvent } from '../rollout/cdevents.ts';
import { withIncident } from '../rollout/incidents.ts';
import { FREEZERS, freeze } from '../rollout/pauses.ts';
import type { Service } from '../rollout/policy.ts';
import {
  isRollingOut,
  newServiceState,
  noteIncident,
  type Rollout,
  type ServiceState,
} from '../rollout/record.ts';
import { canRollBack, isUntouched, trouble } from '../rollout/trouble.ts';
import { isNextToGo } from '../rollout/undo.ts';
import { stay, type Transition, type World } from '../rollout/world.ts';
import { stepAside, undoHealthy } from '../undo.ts';
import { parseJson, putAside, readMessage } from './message.ts';

/** Payload 1.x of Cloud Monitoring, as far as it is needed. A test notification has `version: "test"` and other types. */
const notificationSchema = z.object({
  version: z.string().optional(),
  incident: z.object({
    incident_id: z.string().default('unknown'),
    state: z.string().default(''),
    summary: z.string().nullish(),
    policy_name: z.string().nullish(),
    policy_user_labels: z.record(z.string(), z.string()).nullish(),
  }),
});
type Incident = z.output<typeof notificationSchema>['incident'];

/** The user label of an alert policy that says which service it guards. */
export const SERVICE_LABEL = 'slipway_service';

/** Topic `slo-alerts`: the error budget burns; whatever the service has in flight, or just promoted, goes back. */
export async function sloAlert(deps: Dependencies, event: CloudEvent<unknown>): Promise<void> {
  const topic = 'slo-alerts';
  const message = readMessage(event, deps.nowMs());
  if (!message)
    return putAside(deps, topic, event, JSON.stringify(event.data ?? null), 'expected a Pub/Sub message');
  const parsed = parseJson(message.text, notificationSchema);
  if (!parsed.ok) return putAside(deps, topic, event, message.text, parsed.problem);
  const { version, incident } = parsed.value;
  if (version !== undefined && !version.startsWith('1')) {
    const { incident_id: id } = incident;
    deps.log('INFO', `ignored: a notification of version ${version}`, { incident: id });
    return;
  }
  const service = incident.policy_user_labels?.[SERVICE_LABEL];
  if (!service) {
    return putAside(
      deps,
      topic,
      event,
      message.text,
      `expected the alert policy "${incident.policy_name}" to have the user label ${SERVICE_LABEL}`,
    );
  }
  const { services } = await deps.policy();
  const spec = services.find(({ name }) => name === service);
  if (!spec) {
    const problem = `user label ${SERVICE_LABEL} of alert policy "${incident.policy_name}": there is no service ${service}; the policy has ${services.map(({ name }) => name).join(', ')}`;
    return putAside(deps, topic, event, message.text, problem);
  }
  await takeNote(deps, spec, incident);
}

const NEWS = { open: 'AlertRecorded', closed: 'AlertClosed' } as const;

async function takeNote(deps: Dependencies, spec: Service, incident: Incident): Promise<void> {
  const { name } = spec;
  const { incident_id: id, policy_name: policy, summary } = incident;
  const stage = incident.state.toLowerCase() === 'open' ? 'open' : 'closed';
  const said = `SLO alert ${policy ?? ''} (incident ${id}) ${stage === 'open' ? 'opened' : 'closed'}: ${summary ?? 'no summary'}`;
  const heard = (state: ServiceState, nowMs: number) =>
    withIncident(state, id, stage, policy ?? 'no name', nowMs);
  const isItsTurn = (world: World, nowMs: number) =>
    heard(world.service, nowMs) !== undefined && canRollBack(world, nowMs);
  const promoted = stage === 'open' ? await stepAside(deps, name, isItsTurn) : undefined;
  const service = await (await deps.store()).read('service', name);
  const about = promoted ?? service?.active ?? service?.healthy;
  if (about === undefined) {
    const fields = { reason: NEWS[stage], service: name, incident: id };
    deps.log('WARNING', `${said}; ${name} has no rollout that it could be about`, fields);
    const isNews = await remember(deps, name, heard);
    if (isNews) await publishQuietly(deps, incidentEvent(NEWS[stage], spec, id, said, deps.nowMs()));
    return;
  }
  const blamed = stage === 'open' ? await blamedOf(deps, about) : undefined;
  let spared: string | undefined;
  const { rollout } = await apply(deps, about, (world, nowMs) => {
    const known = heard(world.service, nowMs);
    spared = known ? undefined : 'it is known already';
    if (!known) return stay(world);
    const noted = { rollout: noteIncident(world.rollout, nowMs, NEWS[stage], said, id), service: known };
    const isOver = known.incidents[id]?.closedMs !== undefined;
    spared = isOver ? 'it is over' : whyBlameless(noted.rollout, blamed);
    if (spared !== undefined) return stay(noted);
    if (blamed === 'everybody') return freezeAndPoke(noted, said, nowMs);
    return trouble(noted, { kind: 'Alert', message: said }, nowMs);
  });
  if (stage === 'closed') return;
  tellDecision(deps, rollout, { incident: id, blamed, spared });
  const undone = await undoHealthy(deps, name, { kind: 'Alert', message: said }, isNextToGo);
  if (undone && !undone.ok)
    deps.log('WARNING', `${name} cannot go further back: ${undone.why}`, { service: name });
  await giveTurn(deps, name);
}

type Blamed = 'canary' | 'everybody' | 'unsure';

/**
 * What has not begun has served nobody; what goes out in place of a bad digest is the way back already; and a rollout that
 * is frozen, as everybody burns, stays so unless it shows that its canary is worse.
 */
function whyBlameless(rollout: Rollout, blamed: Blamed | undefined): string | undefined {
  const { undoes, burnsEverywhere, heldBy } = rollout;
  if (isUntouched(rollout)) return 'it has touched nothing yet';
  if (undoes !== undefined) return `it goes out in place of ${undoes}`;
  const isFrozen = burnsEverywhere && FREEZERS.some(one => one === heldBy) && blamed !== 'canary';
  return isFrozen ? 'it is frozen, as everybody burns' : undefined;
}

/** What an alert came to, also where nothing changed. */
function tellDecision(
  deps: Dependencies,
  { id, service, phase, epoch }: Rollout,
  { spared, ...why }: { incident: string; blamed: Blamed | undefined; spared: string | undefined },
): void {
  const what = spared === undefined ? `is ${phase} after the alert` : `is not taken back: ${spared}`;
  const fields = { reason: 'AlertDecided', rollout: id, service, phase, epoch, ...why };
  deps.log('INFO', `${id} ${what} (incident ${why.incident})`, fields);
}

function freezeAndPoke(world: World, said: string, nowMs: number): Transition {
  const { callback } = world.rollout;
  const frozen = { ...world, rollout: freeze(world.rollout, 'an SLO alert', said, nowMs) };
  return { world: frozen, actions: callback ? [{ do: 'poke', callback }] : [] };
}

/** With `onBurn: attribute`. Whatever keeps this from an answer is no reason to wait: then it is rolled back. */
async function blamedOf(deps: Dependencies, id: string): Promise<Blamed | undefined> {
  const { rollout } = await readWorld(deps, id);
  const isAsked = rollout.spec.strategy.onBurn === 'attribute' && isRollingOut(rollout);
  return isAsked ? blameNow(deps, rollout) : undefined;
}

/** No rollout starts while an incident is open, also when it opened with none in flight. @returns whether it was news */
async function remember(
  deps: Dependencies,
  name: string,
  heard: (service: ServiceState, nowMs: number) => ServiceState | undefined,
): Promise<boolean> {
  const store = await deps.store();
  return store.transact(async transaction => {
    const service = (await transaction.read('service', name)) ?? newServiceState(name);
    const known = heard(service, deps.nowMs());
    if (known) transaction.write('service', name, known);
    return known !== undefined;
  });
}

import type { CloudEvent } from '@google-cloud/functions-framework';
import { z } from 'zod';
import type { Dependencies } from '../dependencies.ts';
import { apply } from '../orchestrator.ts';
import { note } from '../rollout/record.ts';
import { canRollBack, transition } from '../rollout/state.ts';
import { bury, parseJson, readMessage } from './message.ts';

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
    return bury(deps, topic, event, JSON.stringify(event.data ?? null), 'expected a Pub/Sub message');
  const parsed = parseJson(message.text, notificationSchema);
  if (!parsed.ok) return bury(deps, topic, event, message.text, parsed.problem);
  const { version, incident } = parsed.value;
  if (version !== undefined && !version.startsWith('1')) {
    deps.log('INFO', `ignored: a notification of version ${version}`);
    return;
  }
  const service = incident.policy_user_labels?.[SERVICE_LABEL];
  if (!service) {
    return bury(
      deps,
      topic,
      event,
      message.text,
      `expected the alert policy "${incident.policy_name}" to have the user label ${SERVICE_LABEL}`,
    );
  }
  await takeNote(deps, service, incident);
}

async function takeNote(deps: Dependencies, service: string, incident: Incident): Promise<void> {
  const store = await deps.store();
  const state = await store.read('service', service);
  const id = state?.active ?? state?.healthy;
  const alert = `SLO alert ${incident.policy_name ?? ''} (incident ${incident.incident_id})`;
  if (id === undefined) {
    deps.log('WARNING', `${alert} for ${service}, which has no rollout`);
    return;
  }
  const isOpen = incident.state.toLowerCase() === 'open';
  await apply(deps, id, (world, nowMs) => {
    const said = `${alert} ${isOpen ? 'opened' : 'closed'}: ${incident.summary ?? 'no summary'}`;
    const key = `${incident.incident_id} ${isOpen ? 'open' : 'closed'}`;
    if (world.rollout.handled.includes(key)) return { world, actions: [] };
    const handled = [...world.rollout.handled.slice(-99), key];
    const noted = { ...world, rollout: { ...note(world.rollout, nowMs, 'AlertRecorded', said), handled } };
    if (!isOpen || !canRollBack(noted, nowMs)) return { world: noted, actions: [] };
    return transition(noted, { type: 'troubled', cause: { kind: 'Alert', message: said } }, nowMs);
  });
}

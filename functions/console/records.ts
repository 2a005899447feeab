import type { Dependencies } from '../dependencies.ts';
import { SlipwayError } from '../errors.ts';
import type { Service } from '../rollout/policy.ts';
import { isFinal, newServiceState, type Phase, type Rollout, type ServiceState } from '../rollout/record.ts';
import type { World } from '../rollout/world.ts';
import type { Store } from '../store/store.ts';
import { type Around, startsAnother } from './buttons.ts';
import type { RolloutPage, RolloutView, ServiceDetail, ServicePage, ServiceRow } from './contract.ts';
import { isLocal } from './identity.ts';
import {
  ROW_FIELDS,
  type RowSource,
  rolloutRow,
  rolloutView,
  SERVICE_FIELDS,
  type ServiceSource,
  serviceDetail,
  serviceRow,
  shownIn,
} from './views.ts';

/** What the console shows, read from the store and the policy. */

export const PAGE_ROWS = 100;

export type Readers = Pick<Dependencies, 'store' | 'policy' | 'settings' | 'nowMs'>;

/** @throws SlipwayError NotFound when there is no such rollout */
export async function readRollout(deps: Readers, id: string): Promise<RolloutView> {
  const store = await deps.store();
  const rollout = await store.read('rollout', id);
  if (!rollout) {
    const operation = `read rollout ${id}`;
    throw new SlipwayError(`${operation}: there is no such rollout`, { code: 'NotFound', operation });
  }
  const [service, { services }] = await Promise.all([store.read('service', rollout.service), deps.policy()]);
  const world = { rollout, service: service ?? newServiceState(rollout.service) };
  const nowMs = deps.nowMs();
  const spec = services.find(({ name }) => name === rollout.service);
  return rolloutView(world, await readAround(store, world, spec, nowMs), linkedProject(deps), nowMs);
}

/** Google Cloud has no page about what runs on a laptop. */
function linkedProject({ settings }: Readers): string | undefined {
  return isLocal(settings.consoleIdentity) ? undefined : settings.project;
}

/** The others are of interest only to `undo` of what serves. */
async function readAround(
  store: Store,
  world: World,
  spec: Service | undefined,
  nowMs: number,
): Promise<Around> {
  const { rollout, service } = world;
  const isOvertaken = service.healthy === rollout.id && service.active !== rollout.id;
  const inFlight =
    isOvertaken && service.active !== undefined ? await store.read('rollout', service.active) : undefined;
  const before = startsAnother(world, inFlight, nowMs) ? await readBefore(store, world) : undefined;
  return { spec, inFlight, before };
}

/** Of another digest, as the same may have been rolled out under two tags. */
async function readBefore(store: Store, { rollout, service }: World): Promise<Rollout | undefined> {
  for (const id of service.earlier.toReversed()) {
    const earlier = await store.read('rollout', id);
    if (earlier && earlier.digest !== rollout.digest) return earlier;
  }
  return undefined;
}

export async function readRollouts(
  deps: Readers,
  service: string | undefined,
  after: string | undefined,
  phases: readonly Phase[] = [],
): Promise<RolloutPage> {
  const store = await deps.store();
  const where = { service, phases, after, limit: PAGE_ROWS + 1 };
  const found = await store.list('rollout', where, ROW_FIELDS);
  const rollouts = found.slice(0, PAGE_ROWS).map(rolloutRow);
  const last = rollouts.at(-1);
  return { rollouts, ...(found.length > PAGE_ROWS && last ? { next: last.id } : {}) };
}

/** By name: those of the policy and those on record. */
export async function readServices(
  deps: Readers,
  search: string | undefined,
  after: string | undefined,
): Promise<ServicePage> {
  const isWanted = (name: string) => search === undefined || name.includes(search.toLowerCase());
  const [store, { services }] = await Promise.all([deps.store(), deps.policy()]);
  const known = await findStates(store, isWanted, after);
  const states = new Map(known.map(state => [state.name, state]));
  for (const { name } of services) {
    const isBehind = after === undefined || name > after;
    if (isBehind && isWanted(name) && !states.has(name)) states.set(name, newServiceState(name));
  }
  const sorted = [...states.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const shown = sorted.slice(0, PAGE_ROWS);
  const last = shown.at(-1);
  const onRecord = known.filter(state => shown.includes(state));
  return {
    services: toRows(shown, await readShown(store, onRecord), deps.nowMs()),
    ...(sorted.length > PAGE_ROWS && last ? { next: last.name } : {}),
  };
}

/** One more than fit on a page, if there are so many. */
async function findStates(
  store: Store,
  isWanted: (name: string) => boolean,
  after: string | undefined,
): Promise<ServiceSource[]> {
  const found: ServiceSource[] = [];
  for (let from = after; ; ) {
    const page = await store.list('service', { after: from, limit: PAGE_ROWS + 1 }, SERVICE_FIELDS);
    found.push(...page.filter(({ name }) => isWanted(name)));
    from = page.at(-1)?.name;
    if (page.length <= PAGE_ROWS || found.length > PAGE_ROWS) return found;
  }
}

/** @throws SlipwayError NotFound when neither the policy nor the records know it */
export async function readService(deps: Readers, name: string): Promise<ServiceDetail> {
  const store = await deps.store();
  const [state, { services }] = await Promise.all([store.read('service', name), deps.policy()]);
  const spec = services.find(service => service.name === name);
  if (!state && !spec) {
    const operation = `read service ${name}`;
    const message = `${operation}: neither the policy nor the records know a service of this name`;
    throw new SlipwayError(message, { code: 'NotFound', operation });
  }
  const service = state ?? newServiceState(name);
  const rollout = state && (await readTeller(store, state));
  const shown = shownIn(service);
  const isRead = shown === undefined || shown === rollout?.id;
  const [row = rollout] = isRead ? [] : await store.readEach('rollout', [shown], ROW_FIELDS);
  return serviceDetail({ rollout, service }, row, spec, linkedProject(deps), deps.nowMs());
}

/** The one that a command for the service is for when it names none. */
async function readTeller(store: Store, { name, active }: ServiceState): Promise<Rollout | undefined> {
  const inFlight = active === undefined ? undefined : await store.read('rollout', active);
  return inFlight ?? (await store.list('rollout', { service: name, limit: 1 }))[0];
}

/** The rollouts that the rows tell of. Only where none moves, waits or serves is the newest looked for. */
async function readShown(store: Store, states: readonly ServiceSource[]): Promise<RowSource[]> {
  const ids = states.flatMap(state => shownIn(state) ?? []);
  const shown = await store.readEach('rollout', ids, ROW_FIELDS);
  const isShown = new Set(shown.map(({ service }) => service));
  const others = states.filter(({ name }) => !isShown.has(name));
  const newest = await Promise.all(
    others.map(({ name }) => store.list('rollout', { service: name, limit: 1 }, ROW_FIELDS)),
  );
  return [...shown, ...newest.flat()];
}

function toRows(
  states: readonly ServiceSource[],
  rollouts: readonly RowSource[],
  nowMs: number,
): ServiceRow[] {
  const of = new Map(rollouts.map(rollout => [rollout.service, rollout]));
  return states.map(state => serviceRow(state, of.get(state.name), nowMs));
}

/**
 * Reads the rows of these services again and again. A rollout that has come to rest is read anew only when its service
 * has changed, as whatever moves it claims the service for it. Where the newest is shown for want of another, that may
 * have got company: a refused push leaves the service as it was.
 *
 * @param names those that are on record; the policy's others have nothing to tell yet
 */
export function serviceRowsReader(deps: Readers, names: readonly string[]): () => Promise<ServiceRow[]> {
  let known = new Map<string, { readonly state: string; readonly rollout: RowSource }>();
  return async () => {
    const store = await deps.store();
    const states = await store.readEach('service', names, SERVICE_FIELDS);
    const resting = states.flatMap(state => {
      const before = known.get(state.name);
      const isSame = before?.state === JSON.stringify(state) && before.rollout.id === shownIn(state);
      return isSame && isFinal(before.rollout) ? [before.rollout] : [];
    });
    const isResting = new Set(resting.map(({ service }) => service));
    const moving = states.filter(({ name }) => !isResting.has(name));
    const rollouts = [...resting, ...(await readShown(store, moving))];
    const stateOf = new Map(states.map(state => [state.name, JSON.stringify(state)]));
    known = new Map(
      rollouts.map(rollout => [rollout.service, { state: stateOf.get(rollout.service) ?? '', rollout }]),
    );
    return toRows(states, rollouts, deps.nowMs());
  };
}

import { isFinal, type Phase, type Rollout, type ServiceState } from '../../functions/rollout/record.ts';
import type { Store } from '../../functions/store/store.ts';
import { data, type Format } from '../data.ts';
import { type Answer, lines, type Painter, painter, safeTable, type Terminal } from '../output.ts';
import { readStore } from '../store.ts';
import { age, marked, placeOf } from '../tree.ts';

export interface ListOptions {
  readonly service?: string | undefined;
  readonly phase?: readonly Phase[] | undefined;
  readonly limit: number;
  readonly output: Format;
}

/** What a table says of a rollout. */
interface Row {
  readonly service: string;
  readonly rollout?: string;
  readonly tag?: string;
  readonly digest?: string;
  readonly phase?: Phase;
  /** Target → the canary's share in percent, of targets that have been touched. */
  readonly weights?: Readonly<Record<string, number>>;
  readonly createdMs?: number;
  readonly updatedMs?: number;
  readonly message: string;
  readonly frozenBy?: string;
  readonly drained?: readonly string[];
  readonly quarantined?: number;
}

/** `slipway list`: services with what is in flight or serves, or rollouts, newest first. */
export async function list(
  what: 'services' | 'rollouts',
  options: ListOptions,
  terminal: Terminal,
): Promise<Answer> {
  const { limit, output } = options;
  const found = await readStore(terminal, what, store =>
    what === 'services' ? services(store, options) : rollouts(store, options),
  );
  const rows = found.slice(0, limit);
  if (output === 'text') terminal.out(lines(tableOf(what, rows, terminal)));
  else terminal.out(await data(rows, output));
  if (found.length > limit) terminal.err(`There are more than ${limit}; --limit shows more.\n`);
  return 'yes';
}

/** One more than is shown tells whether there are more. */
async function rollouts(store: Store, { service, phase, limit }: ListOptions): Promise<Row[]> {
  const found = await store.list('rollout', { service, phases: phase, limit: limit + 1 });
  return found.map(rowOf);
}

async function services(store: Store, { service, limit }: ListOptions): Promise<Row[]> {
  const one = service === undefined ? undefined : await store.read('service', service);
  const states = service === undefined ? await store.list('service', { limit: limit + 1 }) : one ? [one] : [];
  return Promise.all(states.map(state => serviceRow(store, state)));
}

async function serviceRow(store: Store, state: ServiceState): Promise<Row> {
  const id = state.active ?? state.waiting ?? state.healthy;
  const known = id === undefined ? undefined : await store.read('rollout', id);
  const rollout = known ?? (await store.list('rollout', { service: state.name, limit: 1 }))[0];
  const drained = Object.keys(state.drained);
  return {
    ...(rollout ? rowOf(rollout) : { service: state.name, message: 'no rollout yet' }),
    ...(state.frozen ? { frozenBy: state.frozen.by } : {}),
    ...(drained.length > 0 ? { drained } : {}),
    quarantined: Object.keys(state.quarantine).length,
  };
}

function rowOf(rollout: Rollout): Row {
  const { id, service, tag, digest, phase, targets, createdMs, updatedMs, message } = rollout;
  const weights = Object.entries(targets).flatMap(([name, { isTouched, weight }]) =>
    isTouched ? [[name, weight] as const] : [],
  );
  return {
    service,
    rollout: id,
    tag,
    digest,
    phase,
    weights: Object.fromEntries(weights),
    createdMs,
    updatedMs,
    message: isFinal(rollout) || rollout.phase === 'Paused' ? message : placeOf(rollout),
  };
}

function tableOf(what: 'services' | 'rollouts', rows: readonly Row[], terminal: Terminal): string[] {
  if (rows.length === 0) {
    return [
      what === 'services' ? 'No service is on record yet: none has had a rollout.' : 'No such rollout.',
    ];
  }
  const paint = painter(terminal);
  const nowMs = Date.now();
  const header = ['SERVICE', what === 'services' ? 'ROLLOUT' : 'ID', 'TAG', 'PHASE', 'WEIGHT', 'AGE', 'INFO'];
  const cells = rows.map(row => [
    row.service,
    row.rollout ?? '',
    row.tag ?? '',
    row.phase ? marked(row.phase) : '',
    weightOf(row),
    row.createdMs === undefined ? '' : age(nowMs - row.createdMs),
    infoOf(row),
  ]);
  const [first = '', ...rest] = safeTable([header, ...cells], terminal.columns);
  return [first, ...rest.map((line, index) => paintedPhase(line, rows[index]?.phase, paint))];
}

function paintedPhase(line: string, phase: Phase | undefined, paint: Painter): string {
  return phase ? line.replace(marked(phase), () => marked(phase, paint)) : line;
}

/** The lowest to the highest share of its canary. */
function weightOf({ weights = {} }: Row): string {
  const shares = Object.values(weights);
  if (shares.length === 0) return '';
  const [low, high] = [Math.min(...shares), Math.max(...shares)];
  return low === high ? `${low}%` : `${low}-${high}%`;
}

function infoOf({ message, frozenBy, drained = [], quarantined = 0 }: Row): string {
  return [
    ...(frozenBy === undefined ? [] : [`frozen by ${frozenBy}`]),
    ...(drained.length > 0 ? [`drained: ${drained.join(', ')}`] : []),
    ...(quarantined > 0 ? [`${quarantined} in quarantine`] : []),
    message,
  ].join('; ');
}

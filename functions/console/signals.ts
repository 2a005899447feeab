import type { Dependencies } from '../dependencies.ts';
import { SlipwayError } from '../errors.ts';
import { metricTarget } from '../metrics/metric-target.ts';
import type { Signals } from './contract.ts';
import { Refusal } from './http.ts';

/** `GET api/rollouts/ID/signals` */
export type ReadSignals = (rollout: string, minutes: string | undefined) => Promise<Signals>;

const DEFAULT_MINUTES = 30;
const MOST_MINUTES = 24 * 60;
const FRESH_MS = 10_000;
/** Anybody may ask for any length of time. */
const MOST_KEPT = 200;

/** One question for all who look at the same: it is not asked again for ten seconds. */
export function openSignals(deps: Pick<Dependencies, 'store' | 'signals' | 'nowMs'>): ReadSignals {
  const known = new Map<string, { readonly sinceMs: number; readonly signals: Promise<Signals> }>();
  return (rollout, text) => {
    const minutes = text === undefined ? DEFAULT_MINUTES : Number(text);
    if (!Number.isInteger(minutes) || minutes < 1 || minutes > MOST_MINUTES) {
      throw new Refusal(400, `expected minutes from 1 to ${MOST_MINUTES}`);
    }
    const key = `${minutes} ${rollout}`;
    const nowMs = deps.nowMs();
    const kept = known.get(key);
    if (kept && nowMs - kept.sinceMs < FRESH_MS) return kept.signals;
    const signals = read(deps, rollout, minutes);
    const entry = { sinceMs: nowMs, signals };
    known.delete(key);
    known.set(key, entry);
    const [oldest] = known.keys();
    if (known.size > MOST_KEPT && oldest !== undefined) known.delete(oldest);
    // What failed is asked again at once.
    signals.catch(() => {
      if (known.get(key) === entry) known.delete(key);
    });
    return signals;
  };
}

async function read(
  deps: Pick<Dependencies, 'store' | 'signals'>,
  id: string,
  minutes: number,
): Promise<Signals> {
  const store = await deps.store();
  const rollout = await store.read('rollout', id);
  if (!rollout) {
    const operation = `read rollout ${id}`;
    throw new SlipwayError(`${operation}: there is no such rollout`, { code: 'NotFound', operation });
  }
  const touched = rollout.spec.targets.filter(({ name }) => rollout.targets[name]?.isTouched);
  const targets = touched.flatMap(spec => metricTarget(rollout, spec));
  return deps.signals(targets, minutes);
}

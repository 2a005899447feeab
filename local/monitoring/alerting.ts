import { millisOf } from '../proto-json.ts';
import { type ConditionData, isViolation, type Reading, readCondition } from './conditions.ts';
import type { Incident } from './incidents.ts';
import type { Condition, Policy } from './resources.ts';

/** Without data an incident stays open this long, https://cloud.google.com/monitoring/alerts/incidents-events. */
const DEFAULT_AUTO_CLOSE_MS = 7 * 86_400_000;

interface ConditionState {
  /** Since when each series has violated the threshold at every reading, by its key. */
  violatedSinceMs: ReadonlyMap<string, number>;
  /** The readings that meet the condition: violations that lasted as long as they must, of as many series as must. */
  met: readonly Reading[];
  /** Undefined before the first data. */
  reading: Reading | undefined;
  /** When it last had data. */
  readMs: number;
}

/** One alert policy over time: tells when an incident opens and when it closes. */
export class PolicyWatch {
  readonly #conditions = new Map<string, ConditionState>();
  readonly #newIncidentId: () => string;
  #policy: Policy;
  #open: Incident | undefined;

  constructor(policy: Policy, newIncidentId: () => string) {
    this.#policy = policy;
    this.#newIncidentId = newIncidentId;
  }

  get policy(): Policy {
    return this.#policy;
  }

  get openIncident(): Incident | undefined {
    return this.#open;
  }

  /** A changed policy forgets what its conditions were; an open incident stays until they are met no more. */
  change(policy: Policy): void {
    this.#policy = policy;
    this.#conditions.clear();
  }

  /**
   * Returns the incident that was opened or closed by what is known now. Conditions without data stay what they were,
   * until `autoClose`: that keeps an incident open, but opens none.
   */
  evaluate(data: ConditionData): Incident | undefined {
    const { conditions, combiner, enabled } = this.#policy;
    const watched = conditions.filter(isNamed).map(condition => ({
      condition,
      state: this.#read(condition, data),
    }));
    const states = watched.map(({ state }) => state);
    if (this.#open) {
      return enabled && areMet(combiner, states) ? undefined : this.#closed(this.#open, data.nowMs);
    }
    const current = states.map(state => (state.readMs === data.nowMs ? state : { ...state, met: [] }));
    if (!enabled || !areMet(combiner, current)) return undefined;
    const first = watched.find((_, index) => (current[index]?.met.length ?? 0) > 0);
    return first && this.#opened(first.condition, first.state, data.nowMs);
  }

  #read(condition: Condition, data: ConditionData): ConditionState {
    const state = this.#stateOf(condition);
    const threshold = condition.conditionThreshold;
    const readings = readCondition(condition, data);
    if (readings.length === 0) {
      if (data.nowMs - state.readMs >= this.#autoCloseMs()) state.met = [];
      return state;
    }
    const violations = readings.filter(({ value }) => isViolation(value, threshold));
    const sinceMs = (reading: Reading) => state.violatedSinceMs.get(keyOf(reading)) ?? data.nowMs;
    const lasting = violations.filter(
      reading => data.nowMs - sinceMs(reading) >= millisOf(threshold.duration),
    );
    state.met = lasting.length >= (threshold.trigger?.count ?? 1) ? lasting : [];
    state.violatedSinceMs = new Map(violations.map(reading => [keyOf(reading), sinceMs(reading)]));
    state.reading = violations[0] ?? readings[0];
    state.readMs = data.nowMs;
    return state;
  }

  #stateOf({ name }: Condition): ConditionState {
    const known = this.#conditions.get(name);
    if (known) return known;
    const state: ConditionState = { violatedSinceMs: new Map(), met: [], reading: undefined, readMs: 0 };
    this.#conditions.set(name, state);
    return state;
  }

  #autoCloseMs(): number {
    const { autoClose } = this.#policy.alertStrategy;
    return autoClose === undefined ? DEFAULT_AUTO_CLOSE_MS : millisOf(autoClose);
  }

  #opened(condition: Condition, { met, reading }: ConditionState, nowMs: number): Incident | undefined {
    const about = met[0] ?? reading;
    if (!about) return undefined;
    this.#open = {
      id: this.#newIncidentId(),
      policy: this.#policy,
      condition,
      openedMs: nowMs,
      closedMs: undefined,
      reading: about,
    };
    return this.#open;
  }

  #closed(incident: Incident, nowMs: number): Incident {
    this.#open = undefined;
    incident.closedMs = nowMs;
    incident.reading = this.#conditions.get(incident.condition.name)?.reading ?? incident.reading;
    return incident;
  }
}

function areMet(combiner: Policy['combiner'], states: readonly ConditionState[]): boolean {
  switch (combiner) {
    case 'OR':
      return states.some(({ met }) => met.length > 0);
    case 'AND':
      return states.every(({ met }) => met.length > 0);
    case 'AND_WITH_MATCHING_RESOURCE': {
      const [first = [], ...others] = states.map(({ met }) => met.map(({ resource }) => resource));
      return first.some(resource => others.every(resources => resources.includes(resource)));
    }
  }
}

function keyOf({ series }: Reading): string {
  return series ? JSON.stringify([series.metric, series.resource]) : '';
}

/** Conditions get their names when the policy is stored. */
function isNamed(condition: Policy['conditions'][number]): condition is Condition {
  return condition.name !== undefined;
}

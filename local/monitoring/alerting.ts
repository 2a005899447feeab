import { millisOf } from '../proto-json.ts';
import { type ConditionData, isViolation, type Reading, readCondition } from './conditions.ts';
import type { Incident } from './incidents.ts';
import type { Condition, Policy } from './resources.ts';

/** Without data an incident stays open this long, https://cloud.google.com/monitoring/alerts/incidents-events. */
const DEFAULT_AUTO_CLOSE_MS = 7 * 86_400_000;

interface ConditionState {
  /** Since when every reading violated the threshold; undefined when the last one did not. */
  violatedSinceMs: number | undefined;
  isMet: boolean;
  /** Undefined before the first data. */
  reading: Reading | undefined;
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

  /** Returns the incident that was opened or closed by what is known now. */
  evaluate(data: ConditionData): Incident | undefined {
    const { conditions, combiner, enabled } = this.#policy;
    const named = conditions.filter(isNamed);
    const met = named.filter(condition => this.#isMet(condition, data));
    const isMet = enabled && (combiner === 'AND' ? met.length === named.length : met.length > 0);
    if (isMet && !this.#open) return this.#opened(met[0], data.nowMs);
    if (!isMet && this.#open) return this.#closed(this.#open, data.nowMs);
    return undefined;
  }

  #isMet(condition: Condition, data: ConditionData): boolean {
    const state = this.#stateOf(condition);
    const threshold = condition.conditionThreshold;
    const readings = readCondition(condition, data);
    const violations = readings.filter(({ value }) => isViolation(value, threshold));
    if (readings.length === 0) {
      if (data.nowMs - state.readMs >= this.#autoCloseMs()) state.isMet = false;
      return state.isMet;
    }
    state.reading = violations[0] ?? readings[0];
    state.readMs = data.nowMs;
    const isViolated = violations.length >= (threshold.trigger?.count ?? 1);
    state.violatedSinceMs = isViolated ? (state.violatedSinceMs ?? data.nowMs) : undefined;
    state.isMet = isViolated && data.nowMs - (state.violatedSinceMs ?? 0) >= millisOf(threshold.duration);
    return state.isMet;
  }

  #stateOf({ name }: Condition): ConditionState {
    const known = this.#conditions.get(name);
    if (known) return known;
    const state = { violatedSinceMs: undefined, isMet: false, reading: undefined, readMs: 0 };
    this.#conditions.set(name, state);
    return state;
  }

  #autoCloseMs(): number {
    const { autoClose } = this.#policy.alertStrategy;
    return autoClose === undefined ? DEFAULT_AUTO_CLOSE_MS : millisOf(autoClose);
  }

  #opened(condition: Condition | undefined, nowMs: number): Incident | undefined {
    const reading = condition && this.#stateOf(condition).reading;
    if (!condition || !reading) return undefined;
    this.#open = {
      id: this.#newIncidentId(),
      policy: this.#policy,
      condition,
      openedMs: nowMs,
      closedMs: undefined,
      reading,
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

/** Conditions get their names when the policy is stored. */
function isNamed(condition: Policy['conditions'][number]): condition is Condition {
  return condition.name !== undefined;
}

import { ALERT_POLICIES, type AlertPolicy } from '../../functions/rollout/alerts.ts';
import { ALERT_LAG_SECONDS, METRIC_LAG_SECONDS, type WayIn } from '../../functions/rollout/detection.ts';
import { total } from '../../functions/rollout/judging/sight.ts';
import type { Block } from '../../functions/rollout/observed.ts';
import type { Service } from '../../functions/rollout/policy.ts';
import { span, times } from '../../functions/rollout/wording.ts';
import type { Rate } from './traffic.ts';

export interface FiredAlert {
  readonly policy: AlertPolicy;
  readonly wayIn: WayIn;
  readonly atMs: number;
  /** How many times faster than the SLO allows the budget went, in the window in which it went slowest. */
  readonly burnRate: number;
  /** In words. */
  readonly message: string;
}

/** What there is to be counted of one target. */
export interface AlertTarget {
  readonly wayIn: WayIn;
  readonly ledger: Ledger;
  /** When the ledger begins, and what the target served until then. */
  readonly beginsMs: number;
  readonly before: Rate | undefined;
}

/** Alerts are evaluated once a minute. */
export const EVALUATE_EVERY_MS = (ALERT_LAG_SECONDS - METRIC_LAG_SECONDS) * 1000;

/**
 * The alerts on the availability SLO that fire with what is known now. Every bad request counts as an error: a recording
 * does not tell errors from slow answers.
 *
 * @param knownMs up to when the metrics are there
 */
export function firing(
  targets: readonly AlertTarget[],
  { slo }: Service,
  knownMs: number,
  nowMs: number,
): FiredAlert[] {
  const waysIn = [...new Set(targets.map(({ wayIn }) => wayIn))];
  return ALERT_POLICIES.flatMap(policy =>
    waysIn.flatMap(wayIn => {
      const members = targets.filter(target => target.wayIn === wayIn);
      return fired(policy, wayIn, members, 1 - slo.availability / 100, knownMs, nowMs) ?? [];
    }),
  );
}

function fired(
  policy: AlertPolicy,
  wayIn: WayIn,
  members: readonly AlertTarget[],
  budget: number,
  knownMs: number,
  atMs: number,
): FiredAlert | undefined {
  const windows = policy.windowsSeconds.map(seconds =>
    requestsIn(members, knownMs - seconds * 1000, knownMs),
  );
  const shortest = windows.at(-1);
  if (!shortest || shortest.requests < Math.max(policy.minRequests, 1)) return undefined;
  const burnRate = Math.min(...windows.map(({ requests, bad }) => bad / requests / budget));
  if (!(burnRate > policy.burnRate * (1 + 1e-9))) return undefined;
  const message = `the budget of ${wayIn} burns ${times(burnRate)} over ${policy.windowsSeconds.map(span).join(' and ')}`;
  return { policy, wayIn, atMs, burnRate, message };
}

function requestsIn(members: readonly AlertTarget[], fromMs: number, toMs: number) {
  let [requests, bad] = [0, 0];
  for (const { ledger, beginsMs, before } of members) {
    const known = ledger.between(fromMs, toMs);
    const { requestsPerSecond = 0, errorRatio = 0 } = before ?? {};
    const earlier = (Math.max(0, Math.min(beginsMs, toMs) - fromMs) / 1000) * requestsPerSecond;
    requests += known.requests + earlier;
    bad += known.bad + earlier * errorRatio;
  }
  return { requests, bad };
}

interface Entry {
  readonly endMs: number;
  /** All up to here. */
  readonly requests: number;
  readonly bad: number;
}

const EMPTY: Entry = { endMs: Number.NEGATIVE_INFINITY, requests: 0, bad: 0 };

/** What one target answered, in order of time: the sum of a window without adding up what is in it. */
export class Ledger {
  readonly #entries: Entry[] = [EMPTY];

  add({ endMs, canary, stable }: Block): void {
    const { requests, bad } = this.#entries.at(-1) ?? EMPTY;
    this.#entries.push({
      endMs,
      requests: requests + total(canary) + total(stable),
      bad: bad + canary.bad + stable.bad,
    });
  }

  /** Of periods that ended after `fromMs` and not after `toMs`. */
  between(fromMs: number, toMs: number): { readonly requests: number; readonly bad: number } {
    const [from, to] = [this.#until(fromMs), this.#until(toMs)];
    return { requests: to.requests - from.requests, bad: to.bad - from.bad };
  }

  #until(atMs: number): Entry {
    let [low, high] = [0, this.#entries.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle] ?? EMPTY).endMs <= atMs) low = middle;
      else high = middle;
    }
    return this.#entries[low] ?? EMPTY;
  }
}

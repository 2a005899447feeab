import { ALERT_POLICIES, type AlertPolicy } from './alerts.ts';
import { type Allowance, limitOf, requestsToDetect } from './judging/estimate.ts';
import type { Service, TargetSpec } from './policy.ts';

/** What users send to a service. */
export interface ExpectedTraffic {
  /** To the whole service; every target gets the same share of it. Undefined when nobody knows. */
  readonly requestsPerSecond?: number | undefined;
  /**
   * Share of stable's answers that are bad, 0 to 1. Without it a tenth of the SLO's budget for the judge; none for the
   * alerts, which is their worst case: whatever stable gets wrong burns the same budget.
   */
  readonly stableErrorRatio?: number | undefined;
}

/** Requests to Cloud Run and to the Gateway are counted by different metrics, so each has SLOs and alerts of its own. */
export type WayIn = 'Cloud Run' | 'Gateway';

/**
 * What the judge and the alerts can see of a bad canary, weight by weight. A bad canary is one that fails alike on all
 * targets of the wave from the moment the weight is set, and not before. Ratios are 0 to 1. Times are from that moment
 * and are the longest: metrics come as late as they may.
 */
export interface Detection {
  readonly service: string;
  readonly traffic: ExpectedTraffic;
  readonly slo: Service['slo'];
  readonly judge: Service['judge'];
  readonly waysIn: readonly { readonly name: WayIn; readonly requestsPerSecond: number | undefined }[];
  /** In the order of the steps; within one in the order of the waves. */
  readonly rows: readonly DetectionRow[];
}

/** One weight, from the moment it is set until the pauses after it end. */
export interface DetectionRow {
  /** Index of `setWeight` among the strategy's steps. */
  readonly step: number;
  /** Index of the last pause before the next weight; `step` when there is none. */
  readonly pauseStep: number;
  /** Percent. */
  readonly weight: number;
  /** All the pauses together; undefined when one of them ends by a person. */
  readonly holdSeconds: number | undefined;
  /** Indexes of the waves that this is true of: they have as much of the traffic of each way in. */
  readonly waves: readonly number[];
  readonly canaryRequestsPerSecond: number | undefined;
  /** Undefined when it is off. */
  readonly judge: JudgeSight | undefined;
  readonly alerts: readonly AlertSight[];
}

export interface JudgeSight {
  /** A canary must fail more than this to be Failed. */
  readonly limit: number;
  /** The smallest ratio that it sees before the step ends; undefined without a request rate, or when even 1 is not seen. */
  readonly errorRatio: number | undefined;
  /** Until a canary with that ratio is Failed; undefined also when the step has no end, as then the ratio is the limit. */
  readonly seconds: number | undefined;
  /** Canary requests until one that fails {@link TYPICAL_ERROR_RATIO} is Failed, about; Infinity when it is allowed to. */
  readonly typicalRequests: number;
  /** The time that these take; undefined without a request rate. */
  readonly typicalSeconds: number | undefined;
}

/** What one alert sees by the SLO of the way in that shows most. */
export interface AlertSight {
  readonly policy: AlertPolicy;
  readonly objective: 'availability' | 'latency';
  readonly wayIn: WayIn;
  /** How many times too fast the budget goes when every answer of the canary is bad. */
  readonly fullBurn: number;
  /** The canary must fail more than this to ever fire it at this weight; undefined when even 1 never does. */
  readonly everErrorRatio: number | undefined;
  /** And more than this to fire it before the step ends. */
  readonly errorRatio: number | undefined;
  /** Until it fires at `errorRatio`. */
  readonly seconds: number | undefined;
}

/** Of a canary that is plainly bad: one request in five. */
export const TYPICAL_ERROR_RATIO = 0.2;

/** Sampled every 60 s, then readable after up to 120 s, https://cloud.google.com/monitoring/api/metrics_gcp. */
export const METRIC_LAG_SECONDS = 180;

/** An alert is evaluated once a minute. */
export const ALERT_LAG_SECONDS = METRIC_LAG_SECONDS + 60;

/** Computes what each can see at every weight of the service's strategy. */
export function detect(service: Service, traffic: ExpectedTraffic): Detection {
  const waysIn = (['Cloud Run', 'Gateway'] as const)
    .map(name => ({ name, targets: service.targets.filter(spec => wayInOf(spec) === name).length }))
    .filter(({ targets }) => targets > 0)
    .map(({ name, targets }) => ({
      name,
      requestsPerSecond: shareOf(traffic.requestsPerSecond, targets / service.targets.length),
    }));
  const rows = holdsOf(service).flatMap(hold =>
    alikeWaves(service).map(wave => rowOf(service, traffic, hold, wave)),
  );
  const { name, slo, judge } = service;
  return { service: name, traffic, slo, judge, waysIn, rows };
}

type Hold = Pick<DetectionRow, 'step' | 'pauseStep' | 'weight' | 'holdSeconds'>;

function holdsOf({ strategy: { steps } }: Service): Hold[] {
  const holds: Hold[] = [];
  for (const [index, step] of steps.entries()) {
    const last = holds.at(-1);
    if ('setWeight' in step) {
      holds.push({ step: index, pauseStep: index, weight: step.setWeight, holdSeconds: 0 });
    } else if (last) {
      const { duration } = step.pause;
      const hasEnd = last.holdSeconds !== undefined && duration !== undefined;
      const holdSeconds = hasEnd ? last.holdSeconds + duration : undefined;
      holds[holds.length - 1] = { ...last, pauseStep: index, holdSeconds };
    }
  }
  return holds;
}

/** Waves with as much of the traffic. */
interface Wave {
  readonly indexes: readonly number[];
  /** Of all requests to the service. */
  readonly share: number;
  /** Of the requests that come in that way, and what those are of all. */
  readonly waysIn: readonly { readonly name: WayIn; readonly share: number; readonly ofAll: number }[];
}

function alikeWaves({ strategy, targets }: Service): Wave[] {
  const waves = strategy.waves.map((members, index) => {
    const ways = targets.filter(({ name }) => members.includes(name)).map(wayInOf);
    const waysIn = [...new Set(ways)].sort().map(name => {
      const all = targets.filter(spec => wayInOf(spec) === name).length;
      const inWave = ways.filter(way => way === name).length;
      return { name, share: inWave / all, ofAll: all / targets.length };
    });
    return { index, share: members.length / targets.length, waysIn };
  });
  const alike = Map.groupBy(waves, ({ waysIn }) => JSON.stringify(waysIn));
  return [...alike.values()].flatMap(([first, ...others]) =>
    first ? [{ ...first, indexes: [first.index, ...others.map(({ index }) => index)] }] : [],
  );
}

function wayInOf(spec: TargetSpec): WayIn {
  return spec.cloudRun ? 'Cloud Run' : 'Gateway';
}

function rowOf(service: Service, traffic: ExpectedTraffic, hold: Hold, wave: Wave): DetectionRow {
  const canaryRequestsPerSecond = shareOf(traffic.requestsPerSecond, (wave.share * hold.weight) / 100);
  return {
    ...hold,
    waves: wave.indexes,
    canaryRequestsPerSecond,
    judge: judgeSight(service, traffic, hold, canaryRequestsPerSecond),
    alerts: objectivesOf(service, traffic).flatMap(objective =>
      ALERT_POLICIES.flatMap(policy => bestSight(policy, objective, hold, wave, traffic) ?? []),
    ),
  };
}

/** All of a canary's bad answers count for the judge, as 5xx or as too slow; an SLO's alert knows one kind. */
function judgeSight(
  { judge, slo, strategy }: Service,
  traffic: ExpectedTraffic,
  { weight, holdSeconds }: Hold,
  rate: number | undefined,
): JudgeSight | undefined {
  if (judge === 'off') return undefined;
  const budget = 1 - slo.availability / 100;
  const stableErrorRatio = traffic.stableErrorRatio ?? budget / 10;
  const allowance: Allowance = {
    margin: judge.margin / 100,
    mostRatio: judge.maxBurn * budget,
    waves: strategy.waves.length,
  };
  const limit = limitOf(stableErrorRatio, allowance);
  const lagSeconds = METRIC_LAG_SECONDS + judge.interval;
  const requestsAt = (errorRatio: number) =>
    Math.max(
      judge.minRequests,
      requestsToDetect({ errorRatio, stableErrorRatio, share: weight / 100 }, allowance),
    );
  const secondsFor = (requests: number) => (rate ? requests / rate + lagSeconds : undefined);
  const typicalRequests = requestsAt(TYPICAL_ERROR_RATIO);
  const errorRatio = rate
    ? smallestRatio(limit, ratio => requestsAt(ratio) <= ((holdSeconds ?? Infinity) - lagSeconds) * rate)
    : undefined;
  const seconds =
    errorRatio === undefined || holdSeconds === undefined ? undefined : secondsFor(requestsAt(errorRatio));
  return { limit, errorRatio, seconds, typicalRequests, typicalSeconds: secondsFor(typicalRequests) };
}

/** The smallest ratio above `limit` that is seen; undefined when 1 is not. */
function smallestRatio(limit: number, isSeen: (ratio: number) => boolean): number | undefined {
  if (limit >= 1 || !isSeen(1)) return undefined;
  let [unseen, seen] = [limit, 1];
  for (let round = 0; round < 40; round++) {
    const middle = (unseen + seen) / 2;
    if (isSeen(middle)) seen = middle;
    else unseen = middle;
  }
  return seen;
}

interface Objective {
  readonly name: AlertSight['objective'];
  /** Share of the requests that may be bad. */
  readonly budget: number;
  readonly stableRatio: number;
}

function objectivesOf({ slo }: Service, { stableErrorRatio = 0 }: ExpectedTraffic): Objective[] {
  const availability = { budget: 1 - slo.availability / 100, stableRatio: stableErrorRatio };
  const objectives: Objective[] = [{ name: 'availability', ...availability }];
  if (slo.latency) {
    objectives.push({ name: 'latency', budget: 1 - slo.latency.target / 100, stableRatio: 0 });
  }
  return objectives;
}

function bestSight(
  policy: AlertPolicy,
  objective: Objective,
  { weight, holdSeconds }: Hold,
  { waysIn }: Wave,
  { requestsPerSecond }: ExpectedTraffic,
): AlertSight | undefined {
  const sights = waysIn.map(({ name, share, ofAll }) => {
    const canaryShare = (share * weight) / 100;
    const isBlind = isStarved(policy, shareOf(requestsPerSecond, ofAll));
    const above = (seconds: number) =>
      isBlind ? undefined : ratioAbove(policy, objective, canaryShare, seconds);
    return {
      policy,
      objective: objective.name,
      wayIn: name,
      fullBurn: (canaryShare + (1 - canaryShare) * objective.stableRatio) / objective.budget,
      everErrorRatio: above(Infinity),
      errorRatio: above((holdSeconds ?? Infinity) - ALERT_LAG_SECONDS),
    };
  });
  const [best] = sights.sort(
    (a, b) =>
      (a.errorRatio ?? 2) - (b.errorRatio ?? 2) ||
      (a.everErrorRatio ?? 2) - (b.everErrorRatio ?? 2) ||
      b.fullBurn - a.fullBurn,
  );
  if (!best) return undefined;
  const takes = alertSeconds(policy);
  const seconds = best.errorRatio === undefined ? undefined : Math.min(takes, holdSeconds ?? takes);
  return { ...best, seconds };
}

/** Until an alert fires that needs all of its windows full, metric lag included. */
export function alertSeconds({ windowsSeconds }: AlertPolicy): number {
  return Math.max(...windowsSeconds) + ALERT_LAG_SECONDS;
}

/** Whether so few requests come in that the alert never has as many as it asks for. */
export function isStarved(
  { minRequests, windowsSeconds }: AlertPolicy,
  requestsPerSecond: number | undefined,
): boolean {
  return requestsPerSecond !== undefined && requestsPerSecond * Math.min(...windowsSeconds) < minRequests;
}

/**
 * What the canary must fail more than so that all windows of the alert burn fast enough after `seconds`. A window that is
 * longer holds what stable alone served before.
 */
function ratioAbove(
  { burnRate, windowsSeconds }: AlertPolicy,
  { budget, stableRatio }: Objective,
  canaryShare: number,
  seconds: number,
): number | undefined {
  if (seconds <= 0) return undefined;
  const ratios = windowsSeconds.map(window => {
    const filled = Math.min(1, seconds / window);
    const needed = (burnRate * budget - (1 - filled) * stableRatio) / filled;
    return (needed - (1 - canaryShare) * stableRatio) / canaryShare;
  });
  // Rounded, so that a burn rate that is just reached is not above it in binary fractions.
  const ratio = Math.max(0, Math.round(Math.max(...ratios) * 1e9) / 1e9);
  return ratio < 1 ? ratio : undefined;
}

function shareOf(rate: number | undefined, share: number): number | undefined {
  return rate === undefined ? undefined : rate * share;
}

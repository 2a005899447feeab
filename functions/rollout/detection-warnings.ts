import { ALERT_POLICIES, type AlertPolicy } from './alerts.ts';
import {
  type AlertSight,
  alertSeconds,
  type Detection,
  type DetectionRow,
  isStarved,
  TYPICAL_ERROR_RATIO,
} from './detection.ts';
import { percent, roughSpan, span, times } from './wording.ts';

/** Something in a policy that works and sees less than one would think. */
export interface Finding {
  /** Within the service: `['strategy', 'steps', 1]`. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** One sentence or two each, with place and numbers. `place` is where the service stands in the policy. */
export function warnings(detection: Detection, place = 'services[0]'): string[] {
  return findings(detection).map(({ path, message }) => {
    const steps = path.map(part => (typeof part === 'number' ? `[${part}]` : `.${part}`));
    return `${place}${steps.join('')}: ${message}`;
  });
}

/** What to warn of, in the order of the policy. */
export function findings(detection: Detection): Finding[] {
  const { rows } = detection;
  if (rows.length === 0) {
    const message =
      'no step sets a weight, so neither judge nor alerts see a bad canary before it has all the traffic; begin with {setWeight: 5}, {pause: {duration: 10m}}';
    return [{ path: ['strategy', 'steps'], message }];
  }
  const bySteps = [...Map.groupBy(rows, ({ step }) => step).values()];
  return [...bySteps.flatMap(same => stepFindings(detection, same)), ...serviceFindings(detection)];
}

/** `rows` are of the same weight on different waves. */
function stepFindings(detection: Detection, rows: readonly DetectionRow[]): Finding[] {
  const [first] = rows;
  if (!first) return [];
  const path = ['strategy', 'steps', first.pauseStep];
  if (first.holdSeconds === 0) {
    const message = `no pause follows the weight of ${first.weight} %, so neither judge nor alerts have time to see anything; add {pause: {duration: 10m}}`;
    return [{ path, message }];
  }
  return [slowJudge(detection, rows), blindGuard(detection, rows), slowGuard(rows)].flatMap(message =>
    message === undefined ? [] : [{ path, message }],
  );
}

/** Tells of the wave with the fewest requests. */
function slowJudge(
  { judge, traffic, service }: Detection,
  rows: readonly DetectionRow[],
): string | undefined {
  const [row] = rows.toSorted((a, b) => (b.judge?.typicalSeconds ?? 0) - (a.judge?.typicalSeconds ?? 0));
  if (judge === 'off' || !row?.judge) return undefined;
  const { typicalSeconds, typicalRequests, limit } = row.judge;
  const typical = percent(TYPICAL_ERROR_RATIO);
  if (typicalRequests === Infinity) {
    return `a canary may fail ${percent(limit)} of its requests before the judge minds, so one that fails ${typical} goes on; lower judge.margin or judge.maxBurn of ${service}`;
  }
  const { holdSeconds = Infinity, canaryRequestsPerSecond = 0 } = row;
  if (typicalSeconds === undefined || typicalSeconds <= holdSeconds) return undefined;
  const needs = `${roughSpan(typicalSeconds)} that the judge needs to see a canary that fails ${typical}`;
  const rate = `${Number(canaryRequestsPerSecond.toPrecision(2))} of the ${traffic.requestsPerSecond ?? 0} requests per second`;
  return `the pause of ${span(holdSeconds)} is shorter than the ${needs}, as ${row.weight} %${onWave(row, rows)} is ${rate}; make it ${roughSpan(typicalSeconds)} or the weight higher, or such a rollout waits up to ${span(judge.maxExtension)} longer and then for a person`;
}

/** A canary that fails more than this fails everything, as far as one can plan for it. */
const NEARLY_ALL = 0.9;

/** Tells of the wave that burns most. */
function blindGuard(detection: Detection, rows: readonly DetectionRow[]): string | undefined {
  const row = mostBurning(rows.filter(one => isBlind(guardOf(one))));
  const guard = row && guardOf(row);
  if (!row || !guard) return undefined;
  const { policy, fullBurn, wayIn, everErrorRatio } = guard;
  const place = `${onWave(row, rows)}${detection.waysIn.length > 1 ? ` (${wayIn})` : ''}`;
  const burns = `at ${row.weight} %${place} a canary that fails every request burns the error budget of ${percent(1 - detection.slo.availability / 100)} ${times(fullBurn)}`;
  const fires = `${policy.name} fires above ${times(policy.burnRate)} over ${span(longestWindow(policy))}`;
  const needed = Math.floor((row.weight * policy.burnRate) / fullBurn + 1e-9) + 1;
  const remedy = needed <= 100 ? `from ${needed} % on it could` : 'it could at no weight';
  const sees =
    everErrorRatio === undefined
      ? `however long the pause, it never does; ${remedy}`
      : `it sees only one that fails more than ${percent(everErrorRatio)}; raise the weight`;
  return `${burns}, and ${fires}: ${sees}. ${whoSees(detection, row)}`;
}

/** By the burn rate; too few requests are another matter. */
function isBlind(guard: AlertSight | undefined): boolean {
  if (!guard) return false;
  const { fullBurn, policy, everErrorRatio = 0 } = guard;
  return fullBurn <= policy.burnRate * (1 + 1e-9) || everErrorRatio > NEARLY_ALL;
}

function mostBurning(rows: readonly DetectionRow[]): DetectionRow | undefined {
  return rows.toSorted((a, b) => (guardOf(b)?.fullBurn ?? 0) - (guardOf(a)?.fullBurn ?? 0))[0];
}

/** What is left to see a canary to which the guard is blind. */
function whoSees({ judge }: Detection, { alerts, judge: sight }: DetectionRow): string {
  const [other] = alerts
    .filter(({ objective, seconds }) => objective === 'availability' && seconds !== undefined)
    .toSorted((a, b) => (a.seconds ?? 0) - (b.seconds ?? 0));
  const alert = other
    ? `${other.policy.name} sees one that fails more than ${percent(other.errorRatio ?? 0)}, after ${roughSpan(other.seconds ?? 0)}`
    : 'No other alert sees it in this step';
  if (judge === 'off') return `${alert}, and the judge is off: turn it on`;
  const after = sight?.typicalSeconds === undefined ? '' : `, in ${roughSpan(sight.typicalSeconds)}`;
  return `${alert}; the judge sees one that fails ${percent(TYPICAL_ERROR_RATIO)}${after}`;
}

/** Tells of the wave that burns most. */
function slowGuard(rows: readonly DetectionRow[]): string | undefined {
  const row = mostBurning(rows);
  const guard = row && guardOf(row);
  if (row?.holdSeconds === undefined || guard?.everErrorRatio === undefined) return undefined;
  const { policy, everErrorRatio, errorRatio } = guard;
  const takes = alertSeconds(policy);
  if (row.holdSeconds >= takes) return undefined;
  const instead =
    errorRatio === undefined
      ? 'it sees none'
      : `it sees only one that fails more than ${percent(errorRatio)}`;
  return (
    `the pause of ${span(row.holdSeconds)} is shorter than the ${span(takes)} that ${policy.name} takes, metric lag included, to see a canary at ` +
    `${row.weight} %${onWave(row, rows)} that fails more than ${percent(everErrorRatio)}: in that pause ${instead}; make it ${span(takes)}`
  );
}

/** The alert on errors that is fastest. */
function guardOf({ alerts }: DetectionRow): AlertSight | undefined {
  return alerts
    .filter(({ objective }) => objective === 'availability')
    .toSorted((a, b) => longestWindow(a.policy) - longestWindow(b.policy))[0];
}

function longestWindow({ windowsSeconds }: AlertPolicy): number {
  return Math.max(...windowsSeconds);
}

function onWave({ waves }: DetectionRow, rows: readonly DetectionRow[]): string {
  if (rows.length === 1) return '';
  return ` of wave ${waves.map(index => index + 1).join(', ')}`;
}

function serviceFindings({ waysIn, slo, traffic }: Detection): Finding[] {
  const found: Finding[] = [];
  for (const { name, requestsPerSecond } of waysIn) {
    for (const policy of ALERT_POLICIES.filter(policy => isStarved(policy, requestsPerSecond))) {
      const windowSeconds = Math.min(...policy.windowsSeconds);
      const requests = Math.floor((requestsPerSecond ?? 0) * windowSeconds);
      const message = `${name} gets ${requests} requests in ${span(windowSeconds)} at this rate, and ${policy.name} fires on ${policy.minRequests} or more: it never does; leave the canary to the judge, with pauses that are long enough for it`;
      found.push({ path: ['targets'], message });
    }
  }
  const burn = (traffic.stableErrorRatio ?? 0) / (1 - slo.availability / 100);
  for (const policy of ALERT_POLICIES.filter(({ burnRate }) => burn > burnRate)) {
    const message = `stable alone burns the error budget ${times(burn)}, so ${policy.name} fires above ${times(policy.burnRate)} without any canary; make stable better, or the SLO one that it meets`;
    found.push({ path: ['slo', 'availability'], message });
  }
  return found;
}

import { ALERT_POLICIES } from '../../functions/rollout/alerts.ts';
import type { Counts } from '../../functions/rollout/judge.ts';
import { ratio, total } from '../../functions/rollout/judging/sight.ts';
import type { Service } from '../../functions/rollout/policy.ts';
import { percent, span } from '../../functions/rollout/wording.ts';
import { type Painter, printable, safeTable, lines as text } from '../output.ts';
import { chart } from './chart.ts';
import type { Replayed, ReplayedStep } from './simulate.ts';

/** The same requests, with all that acts, with the judge alone, and with alerts that only tell. */
export interface Replays {
  readonly service: Service;
  /** In words: policy, requests. */
  readonly about: string;
  readonly lagMs: number;
  readonly gateMs: number;
  readonly whole: Replayed;
  readonly judged: Replayed | undefined;
  readonly alerted: Replayed;
}

/** For programs. Times are seconds since the rollout began. */
export function replayData({ service, lagMs, gateMs, whole, judged, alerted }: Replays) {
  const { outcome, atMs, rollout, canary, stable } = whole;
  const { wave, step } = rollout.position;
  return {
    service: service.name,
    outcome,
    atSeconds: seconds(atMs),
    ...(outcome === 'stopped'
      ? { cause: rollout.cause?.kind, place: { wave: wave + 1, step: step + 1 } }
      : {}),
    message: rollout.message,
    canary: requests(canary),
    stable: requests(stable),
    lagSeconds: seconds(lagMs),
    gateSeconds: seconds(gateMs),
    judge: judged ? judgeData(judged) : 'off',
    alerts: ALERT_POLICIES.map(({ name }) => alertData(name, alerted)),
    steps: whole.steps.map(({ fromMs, untilMs, canary: seen, stable: beside, ...step }) => ({
      ...step,
      fromSeconds: seconds(fromMs),
      untilSeconds: seconds(untilMs),
      canary: requests(seen),
      stable: requests(beside),
    })),
    history: rollout.history.map(({ atMs: time, reason, message, target }) => ({
      atSeconds: seconds(time),
      reason,
      message,
      ...(target === undefined ? {} : { target }),
    })),
    trend: rollout.trend.map(({ atMs: time, ...point }) => ({ atSeconds: seconds(time), ...point })),
  };
}

function judgeData({ outcome, atMs, rollout, canary }: Replayed) {
  const hasStopped = outcome === 'stopped';
  return {
    stops: hasStopped,
    ...(hasStopped
      ? { atSeconds: seconds(atMs), canary: requests(canary), message: rollout.cause?.message }
      : {}),
  };
}

function alertData(name: string, alerted: Replayed) {
  const first = alerted.alerts.find(({ policy }) => policy.name === name);
  if (!first) return { policy: name, fires: false };
  const { atMs, wayIn, burnRate, message } = first;
  return {
    policy: name,
    fires: true,
    atSeconds: seconds(atMs),
    canary: requests(alerted.canaryUntil(atMs)),
    wayIn,
    burnRate: Number(burnRate.toPrecision(4)),
    message,
  };
}

function requests(counts: Counts): { requests: number; bad: number } {
  return { requests: total(counts), bad: counts.bad };
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}

/** For people: the steps, a picture, what stopped it, and what else would have. */
export function replayText(replays: Replays, paint: Painter, columns: number | undefined): string {
  const { service, about, whole } = replays;
  return text([
    printable(`${service.name}: ${about}`),
    '',
    ...safeTable(stepRows(whole.steps), columns),
    '',
    ...picture(whole, columns),
    paint(
      whole.outcome === 'promoted' ? 'green' : whole.outcome === 'stopped' ? 'red' : 'yellow',
      conclusion(replays),
    ),
    '',
    ...safeTable(watcherRows(replays), columns),
    ...notes(replays),
  ]);
}

function stepRows(steps: readonly ReplayedStep[]): string[][] {
  const rows = steps.map(step => {
    const { wave, fromMs, untilMs, what, weight, verdict, canary, stable, limit } = step;
    const lasted = untilMs - fromMs;
    return [
      time(fromMs),
      lasted > 0 ? time(lasted) : '',
      String(wave),
      String(step.step),
      what,
      `${weight} %`,
      verdict ?? '',
      ...(verdict
        ? [errors(canary), errors(stable), limit === undefined ? '' : percent(limit)]
        : ['', '', '']),
    ];
  });
  const header = [
    'TIME',
    'LASTED',
    'WAVE',
    'STEP',
    'WHAT',
    'WEIGHT',
    'VERDICT',
    'CANARY ERRORS',
    'STABLE ERRORS',
    'LIMIT',
  ];
  return [header, ...rows];
}

function errors(counts: Counts): string {
  return total(counts) === 0 ? 'no requests' : `${percent(ratio(counts))} of ${total(counts)}`;
}

const CHART_ROWS = 6;
const CHART_COLUMNS = 60;
const AXIS_COLUMNS = 10;

function picture({ rollout }: Replayed, columns: number | undefined): string[] {
  const { wave = 0 } = rollout.trend.at(-1) ?? {};
  const points = rollout.trend
    .filter(point => point.wave === wave && total(point.canary) > 0)
    .map(({ atMs, canary, limit }) => ({ atMs, value: ratio(canary), limit }));
  const size = { columns: Math.min(CHART_COLUMNS, (columns ?? 100) - AXIS_COLUMNS), rows: CHART_ROWS };
  const drawn = chart(points, size, time);
  if (drawn.length === 0) return [];
  const title = `Share of the canary's requests that are bad (bars) and the most that there may be (line), wave ${wave + 1}, as the judge saw it:`;
  return [title, ...drawn, ''];
}

function conclusion({ whole, service }: Replays): string {
  const { outcome, atMs, rollout, canary, steps } = whole;
  const bad = `${canary.bad} bad of ${total(canary)} canary requests`;
  const { wave, step } = rollout.position;
  const place =
    wave < service.strategy.waves.length
      ? `wave ${wave + 1} step ${step + 1}, ${steps.at(-1)?.weight ?? 0} %`
      : 'after promotion';
  switch (outcome) {
    case 'promoted':
      return `Promoted after ${time(atMs)}, with ${bad}.`;
    case 'stopped':
      return `Stopped after ${time(atMs)} (${place}), after ${bad}: ${printable(rollout.cause?.message ?? rollout.message)}`;
    case 'waiting':
      return `Waits for a person since ${place}, ${time(atMs)} and ${bad} into the rollout: ${printable(rollout.message)}`;
    case 'unknown':
      return `Not decided: the requests end after ${time(atMs)} at ${place}, with ${bad}: ${printable(rollout.judgement?.message ?? rollout.message)}`;
  }
}

/** What each would have done if the other had not been there. */
function watcherRows({ judged, alerted }: Replays): string[][] {
  const bad = (counts: Counts) => `${counts.bad} of ${total(counts)}`;
  const judge =
    judged === undefined
      ? ['judge', 'off', '', '']
      : judged.outcome === 'stopped'
        ? ['judge', time(judged.atMs), bad(judged.canary), judged.rollout.cause?.message ?? '']
        : ['judge', 'never', '', judged.rollout.judgement?.message ?? ''];
  const alerts = ALERT_POLICIES.map(({ name }) => {
    const first = alerted.alerts.find(({ policy }) => policy.name === name);
    if (!first) return [name, 'never', '', ''];
    return [name, time(first.atMs), bad(alerted.canaryUntil(first.atMs)), first.message];
  });
  return [['ALONE', 'STOPS IT AFTER', 'BAD REQUESTS', 'WHY'], judge, ...alerts];
}

function notes({ lagMs, gateMs, whole, service }: Replays): string[] {
  const hasGate = whole.steps.some(({ what }) => what === 'gate');
  const told = [
    `Metrics are seen ${time(lagMs)} late (--lag)`,
    ...(hasGate ? [`a person promotes ${time(gateMs)} after a gate shut (--gate)`] : []),
    ...(service.windows.length > 0 ? ['the windows of the policy are left out'] : []),
  ];
  return ['', `${told.join('; ')}.`];
}

function time(ms: number): string {
  return ms > 0 && ms < 1000 ? `${Math.round(ms)}ms` : span(Math.round(ms / 1000));
}

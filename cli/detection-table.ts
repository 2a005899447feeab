import {
  type AlertSight,
  type Detection,
  type DetectionRow,
  type JudgeSight,
  TYPICAL_ERROR_RATIO,
} from '../functions/rollout/detection.ts';
import { percent, roughSpan, span } from '../functions/rollout/wording.ts';

/**
 * What each can see, as lines of text: what it is about, then a table with a line per weight, wave and SLO. A cell says
 * which share of its requests a canary must fail at least, and when that is seen.
 */
export function detectionTable(detection: Detection): string[] {
  const { rows } = detection;
  if (rows.length === 0) return [`${detection.service}: no step sets a weight, so there is nothing to see.`];
  const alerts = [...new Set(rows.flatMap(row => row.alerts.map(({ policy }) => policy.name)))];
  const header = [
    'STEP',
    'WEIGHT',
    'WAVE',
    'PAUSE',
    'BAD',
    'JUDGE',
    ...alerts.map(name => name.toUpperCase()),
  ];
  const cells = rows.flatMap(row => linesOf(row, alerts, detection));
  const widths = header.map((_, column) =>
    Math.max(...[header, ...cells].map(line => (line[column] ?? '').length)),
  );
  const table = [header, ...cells].map(line =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [...introduction(detection), ...table];
}

function introduction({ service, traffic, slo }: Detection): string[] {
  const { requestsPerSecond } = traffic;
  const rate =
    requestsPerSecond === undefined ? 'an unknown rate of requests' : `${requestsPerSecond} requests/s`;
  const latency = slo.latency
    ? `, ${percent(slo.latency.target / 100)} within ${Math.round(slo.latency.threshold * 1000)} ms`
    : '';
  return [
    `${service} at ${rate}, SLO ${percent(slo.availability / 100)}${latency}: share of its requests that a canary must fail to be seen before the step ends, and after how long`,
  ];
}

/** One line per SLO; the judge counts errors and slow answers together. */
function linesOf(row: DetectionRow, alerts: readonly string[], { waysIn }: Detection): string[][] {
  const objectives = [...new Set(row.alerts.map(({ objective }) => objective))];
  return objectives.map((objective, index) => {
    const sights = row.alerts.filter(sight => sight.objective === objective);
    const place = [
      String(row.step + 1),
      `${row.weight} %`,
      row.waves.map(wave => wave + 1).join(','),
      row.holdSeconds === undefined ? 'gate' : span(row.holdSeconds),
    ];
    return [
      ...(index === 0 ? place : place.map(() => '')),
      objective === 'availability' ? 'errors' : 'slow',
      index === 0 ? judgeCell(row.judge) : '',
      ...alerts.map(name =>
        alertCell(
          sights.find(({ policy }) => policy.name === name),
          waysIn.length > 1,
        ),
      ),
    ];
  });
}

function judgeCell(sight: JudgeSight | undefined): string {
  if (!sight) return 'off';
  const { errorRatio, seconds, limit, typicalRequests, typicalSeconds } = sight;
  const typical = percent(TYPICAL_ERROR_RATIO);
  if (typicalSeconds === undefined) {
    return typicalRequests === Infinity
      ? `>${percent(limit)}`
      : `${typical}: ${Math.ceil(typicalRequests)} requests`;
  }
  if (errorRatio === undefined) return `none; ${typical}: ${roughSpan(typicalSeconds)}`;
  const smallest =
    seconds === undefined ? `>${percent(limit)}` : `${percent(errorRatio)}: ${roughSpan(seconds)}`;
  return `${smallest}; ${typical}: ${roughSpan(typicalSeconds)}`;
}

function alertCell(sight: AlertSight | undefined, namesWayIn: boolean): string {
  if (!sight) return '';
  const { errorRatio, everErrorRatio, seconds, wayIn } = sight;
  if (errorRatio === undefined) return everErrorRatio === undefined ? 'never' : 'too slow';
  const where = namesWayIn ? ` ${wayIn}` : '';
  return `>${percent(errorRatio)}: ${roughSpan(seconds ?? 0)}${where}`;
}

/**
 * What the charts show, out of what the console says.
 *
 * @import { ShownRollout, SideSignals, Signals } from '../contract.ts'
 * @import { Counts } from '../../rollout/judge.ts'
 * @import { TrendPoint } from '../../rollout/record.ts'
 *
 * @typedef {{ readonly atMs: number, readonly value: number }} Point
 * @typedef {readonly Point[]} Segment what lies between two gaps
 */

/**
 * The canary's share on each target over time, as steps. A target that the history, which keeps its newest entries, says
 * nothing more about has its present weight from the beginning of what is known.
 *
 * @param {ShownRollout} rollout
 * @param {number} untilMs
 * @returns {{ readonly target: string, readonly points: Segment }[]}
 */
export function weightsOverTime(rollout, untilMs) {
  const { history, createdMs, targets, spec } = rollout;
  const isWhole = history[0] === undefined || history[0].sequence === 1;
  const sinceMs = isWhole ? createdMs : (history[0]?.atMs ?? createdMs);
  return spec.targets.map(({ name }) => {
    const changes = history.flatMap(({ atMs, target, weight }) =>
      target === name && weight !== undefined ? [{ atMs, value: weight }] : [],
    );
    const now = targets[name]?.weight ?? 0;
    const first = { atMs: sinceMs, value: isWhole || changes.length > 0 ? 0 : now };
    const last = { atMs: untilMs, value: changes.at(-1)?.value ?? first.value };
    return { target: name, points: [first, ...changes, last] };
  });
}

/**
 * Error ratios as the judge saw them: since the wave began to serve, so a new wave is a new line.
 *
 * @param {readonly TrendPoint[]} trend
 */
export function errorRatios(trend) {
  /** @type {Record<'canary' | 'stable' | 'limit', Point[][]>} */
  const lines = { canary: [], stable: [], limit: [] };
  let wave = -1;
  for (const point of trend) {
    if (point.wave !== wave) for (const line of Object.values(lines)) line.push([]);
    wave = point.wave;
    for (const side of /** @type {const} */ (['canary', 'stable'])) {
      const value = ratio(point[side]);
      if (value !== undefined) lines[side].at(-1)?.push({ atMs: point.atMs, value });
    }
    if (point.limit < 1) lines.limit.at(-1)?.push({ atMs: point.atMs, value: point.limit });
  }
  return lines;
}

/**
 * @param {Counts} counts
 * @returns {number | undefined} undefined where there was no request
 */
export function ratio({ good, bad }) {
  return good + bad > 0 ? bad / (good + bad) : undefined;
}

/**
 * @param {Signals} signals
 * @param {keyof SideSignals} signal
 * @param {'canary' | 'stable'} side
 * @returns {Segment[]} a gap where nothing is known
 */
export function signalLine({ points }, signal, side) {
  /** @type {Point[][]} */
  const segments = [[]];
  for (const point of points) {
    const value = point[side][signal];
    if (value !== undefined) segments.at(-1)?.push({ atMs: point.endMs, value });
    else if (segments.at(-1)?.length) segments.push([]);
  }
  return segments.filter(({ length }) => length > 0);
}

/**
 * The value at a time: of steps the one that holds, of lines the nearest in the segment around it.
 *
 * @param {readonly Segment[]} segments
 * @param {number} atMs
 * @param {boolean} isStep
 * @returns {Point | undefined}
 */
export function valueAt(segments, atMs, isStep) {
  const segment =
    segments.findLast(points => (points[0]?.atMs ?? Infinity) <= atMs) ?? (isStep ? undefined : segments[0]);
  if (!segment) return undefined;
  const before = segment.findLast(point => point.atMs <= atMs);
  if (isStep) return before;
  const after = segment.find(point => point.atMs > atMs);
  if (!before || !after) return before ?? after;
  return atMs - before.atMs <= after.atMs - atMs ? before : after;
}

/**
 * Every time at which something is known, in order.
 *
 * @param {readonly (readonly Segment[])[]} lines
 */
export function timesOf(lines) {
  const times = lines.flatMap(segments => segments.flatMap(points => points.map(({ atMs }) => atMs)));
  return [...new Set(times)].sort((a, b) => a - b);
}

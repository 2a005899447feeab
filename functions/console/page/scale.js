/** Axes: which values get a line, and where a value stands. */

/**
 * Round values from 0 to `max` or a little above, few enough to be read.
 *
 * @param {number} max
 * @param {number} [wanted]
 */
export function ticks(max, wanted = 4) {
  if (!(max > 0)) return [0, 1];
  const rough = max / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find(factor => factor * power >= rough * 0.999) ?? 10);
  const count = Math.ceil((max / step) * 0.999);
  return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const STEPS = [
  ...[1, 2, 5, 10, 15, 30].map(amount => amount * SECOND),
  ...[1, 2, 5, 10, 15, 30].map(amount => amount * MINUTE),
  ...[1, 2, 3, 6, 12, 24, 48, 168].map(amount => amount * HOUR),
];

/**
 * Round times of day in between.
 *
 * @param {number} fromMs
 * @param {number} toMs
 * @param {number} most how many there is room for
 * @returns {{ readonly atMs: number, readonly label: string }[]}
 */
export function timeTicks(fromMs, toMs, most) {
  const stepMs = STEPS.find(step => (toMs - fromMs) / step <= most) ?? 168 * HOUR;
  const zoneMs = new Date(fromMs).getTimezoneOffset() * MINUTE;
  const first = Math.ceil((fromMs - zoneMs) / stepMs) * stepMs + zoneMs;
  const marks = [];
  for (let atMs = first; atMs <= toMs; atMs += stepMs) marks.push({ atMs, label: timeLabel(atMs, stepMs) });
  return marks;
}

/**
 * @param {number} atMs
 * @param {number} stepMs
 */
function timeLabel(atMs, stepMs) {
  const at = new Date(atMs);
  const [hours, minutes, seconds] = [at.getHours(), at.getMinutes(), at.getSeconds()].map(part =>
    String(part).padStart(2, '0'),
  );
  if (stepMs < MINUTE) return `${hours}:${minutes}:${seconds}`;
  if (stepMs < 24 * HOUR) return `${hours}:${minutes}`;
  return `${at.getDate()}.${at.getMonth() + 1}.`;
}

/**
 * @param {readonly [number, number]} from
 * @param {readonly [number, number]} to
 * @returns {(value: number) => number}
 */
export function scale([from, end], [start, stop]) {
  const width = end - from || 1;
  return value => Math.round((start + ((value - from) / width) * (stop - start)) * 10) / 10;
}

/**
 * Moves labels that stand too close apart, keeping their order, within the room there is.
 *
 * @param {readonly number[]} wanted where they would stand
 * @param {number} apart
 * @param {readonly [number, number]} room
 * @returns {number[]} in the order of `wanted`
 */
export function spread(wanted, apart, [top, bottom]) {
  const order = wanted.map((_, index) => index).sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  const placed = [...wanted];
  let least = top;
  for (const index of order) {
    placed[index] = Math.max(wanted[index] ?? 0, least);
    least = (placed[index] ?? 0) + apart;
  }
  let most = bottom;
  for (const index of order.toReversed()) {
    placed[index] = Math.min(placed[index] ?? 0, most);
    most = (placed[index] ?? 0) - apart;
  }
  return placed;
}

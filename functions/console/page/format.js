/** @param {number} ms */
export function age(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 72 ? `${hours} h` : `${Math.round(hours / 24)} d`;
}

/**
 * A time that is awaited or that has passed, as people say it: `1 h 05 min`, `8 min 12 s`.
 *
 * @param {number} ms
 */
export function span(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return minutes > 0 ? `${hours} h ${two(minutes)} min` : `${hours} h`;
  if (minutes > 0) return seconds % 60 > 0 ? `${minutes} min ${two(seconds % 60)} s` : `${minutes} min`;
  return `${seconds} s`;
}

/** @param {number} amount */
function two(amount) {
  return String(amount).padStart(2, '0');
}

/**
 * `0.0105` is `1.05 %`.
 *
 * @param {number} ratio 0 to 1
 */
export function percent(ratio) {
  return `${Number((ratio * 100).toPrecision(3))} %`;
}

/**
 * Three digits that count, thousands apart.
 *
 * @param {number} value
 */
export function figure(value) {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/**
 * By thousands, as registries count.
 *
 * @param {number} count
 */
export function bytes(count) {
  const power = count < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(count) / 3));
  const amount = count / 1000 ** power;
  return `${power === 0 ? amount : amount.toFixed(amount < 10 ? 1 : 0)} ${UNITS[power]}`;
}

/** @param {number} ms since the Unix epoch */
export function clock(ms) {
  const at = new Date(ms);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
}

/**
 * Unmistakable, for a title.
 *
 * @param {number} ms since the Unix epoch
 */
export function moment(ms) {
  return new Date(ms)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
}

/** @param {string} digest */
export function shortDigest(digest) {
  return digest.slice(0, 'sha256:'.length + 12);
}

/**
 * @param {number} count
 * @param {string} one
 */
export function plural(count, one) {
  return `${count.toLocaleString('en')} ${count === 1 ? one : `${one}s`}`;
}

/** @param {readonly string[]} names */
export function listed(names) {
  if (names.length <= 1) return names.join('');
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

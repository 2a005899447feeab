import { fitsInt64, isBytes, isList, isMap, type Value } from './values.ts';

/**
 * JSON text to a value. Whole numbers become integers whatever their size up to 64 bit, others doubles.
 * @throws SyntaxError when the text is not JSON
 */
export function decodeJson(text: string): Value {
  const value: Value = JSON.parse(text, revive);
  return value;
}

function revive(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value === 'number') return number(value, context?.source ?? '');
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map)) {
    return new Map(Object.entries(value));
  }
  return value;
}

function number(value: number, source: string): bigint | number {
  if (!/^-?\d+$/.test(source)) return value;
  const whole = BigInt(source);
  return fitsInt64(whole) ? whole : value;
}

/** Thrown by {@link encodeJson}; the caller knows which error of the language it has to become. */
export class NotEncodable extends Error {
  override readonly name = 'NotEncodable';
}

export interface Indentation {
  readonly prefix: string;
  readonly indent: string;
}

/**
 * A value to JSON text, map keys sorted, as the service prints them.
 * @throws NotEncodable for bytes and for doubles that JSON has no text for
 */
export function encodeJson(value: Value, indentation?: Indentation): string {
  return encode(value, indentation, 0);
}

function encode(value: Value, indentation: Indentation | undefined, depth: number): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return encodeDouble(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (isBytes(value)) throw new NotEncodable('bytes have no JSON form');
  if (isList(value)) {
    const items = value.map(item => encode(item, indentation, depth + 1));
    return wrap('[', items, ']', indentation, depth);
  }
  if (!isMap(value)) return 'null';
  const colon = indentation ? ': ' : ':';
  const entries = [...value]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, item]) => `${JSON.stringify(key)}${colon}${encode(item, indentation, depth + 1)}`);
  return wrap('{', entries, '}', indentation, depth);
}

function encodeDouble(value: number): string {
  if (!Number.isFinite(value)) throw new NotEncodable(`${value} has no JSON form`);
  return Object.is(value, -0) ? '-0' : String(value);
}

function wrap(
  open: string,
  parts: readonly string[],
  close: string,
  indentation: Indentation | undefined,
  depth: number,
): string {
  if (!indentation || parts.length === 0) return `${open}${parts.join(',')}${close}`;
  const line = (level: number) => `\n${indentation.prefix}${indentation.indent.repeat(level)}`;
  return `${open}${line(depth + 1)}${parts.join(`,${line(depth + 1)}`)}${line(depth)}${close}`;
}

import { z } from 'zod';

/**
 * Source maps of the project's own lines alone. Those of packages are nine tenths of a map, which costs every cold start
 * that reads it; what is in a package is found by its place in the bundle.
 */

const PACKAGES = /(^|\/)node_modules\//;
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

const sourceMap = z.object({
  version: z.literal(3),
  sources: z.array(z.string()),
  names: z.array(z.string()),
  mappings: z.string(),
});

/** @param json a source map, version 3 of https://tc39.es/ecma426/ */
export function keepOwnSources(json: string): string {
  const map = sourceMap.parse(JSON.parse(json));
  const own = map.sources.filter(source => !PACKAGES.test(source));
  const indexes = map.sources.map(source => own.indexOf(source));
  return JSON.stringify({ ...map, sources: own, names: [], mappings: remap(map.mappings, indexes) });
}

/** Source, line and column of an own line; undefined where a package's begins. */
type Origin = readonly [source: number, line: number, column: number] | undefined;

/** Columns start anew on each line of the bundle; all other numbers are differences from the segment before. */
function remap(mappings: string, indexes: readonly number[]): string {
  let read: readonly number[] = [0, 0, 0];
  let written: readonly number[] = [0, 0, 0];
  let before: Origin;
  return mappings
    .split(';')
    .map(line => {
      let readColumn = 0;
      let writtenColumn = 0;
      const segments: string[] = [];
      for (const segment of line ? line.split(',') : []) {
        const [column = 0, ...origin] = decode(segment);
        readColumn += column;
        read = read.map((value, index) => value + (origin[index] ?? 0));
        const after = origin.length === 0 ? undefined : own(read, indexes);
        if (after === undefined && before === undefined) continue;
        const differences = after?.map((value, index) => value - (written[index] ?? 0)) ?? [];
        segments.push(encode([readColumn - writtenColumn, ...differences]));
        writtenColumn = readColumn;
        written = after ?? written;
        before = after;
      }
      return segments.join(',');
    })
    .join(';');
}

function own([source = 0, line = 0, column = 0]: readonly number[], indexes: readonly number[]): Origin {
  const index = indexes[source] ?? -1;
  return index < 0 ? undefined : [index, line, column];
}

/** Base 64, five bits to a digit, the lowest first; bit 5 says that more follow, and the last bit of all is the sign. */
function decode(segment: string): number[] {
  const numbers: number[] = [];
  let value = 0;
  let shift = 0;
  for (const digit of segment) {
    const bits = DIGITS.indexOf(digit);
    value += (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    numbers.push(value & 1 ? -(value >> 1) : value >> 1);
    value = 0;
    shift = 0;
  }
  return numbers;
}

function encode(numbers: readonly number[]): string {
  return numbers.map(encodeNumber).join('');
}

function encodeNumber(number: number): string {
  let value = number < 0 ? (-number << 1) | 1 : number << 1;
  let digits = '';
  do {
    const bits = value & 31;
    value >>= 5;
    digits += DIGITS[value > 0 ? bits | 32 : bits];
  } while (value > 0);
  return digits;
}

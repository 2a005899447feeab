import { createHash, createHmac } from 'node:crypto';
import { decodeJson, encodeJson, type Indentation } from '../json.ts';
import { failure } from '../raised.ts';
import { fitsInt64, isBytes, isList, isMap, type Value, type ValueMap } from '../values.ts';
import { type Args, instant, type StandardFunction } from './function.ts';

export const DATA: Readonly<Record<string, StandardFunction>> = {
  'json.decode': instant('data', jsonDecode),
  'json.encode': instant('data indent?', args => Buffer.from(jsonEncode(args))),
  'json.encode_to_string': instant('data indent?', jsonEncode),
  'base64.encode': instant('data padding?', base64Encode),
  'base64.decode': instant('data padding?', base64Decode),
  'hash.compute_checksum': instant('data algorithm', args =>
    createHash(algorithm(args)).update(args.bytes('data')).digest(),
  ),
  'hash.compute_hmac': instant('key data algorithm', args =>
    createHmac(algorithm(args), args.bytes('key')).update(args.bytes('data')).digest(),
  ),
  'uuid.generate': instant('', (_args, host) => host.uuid()),
  'list.concat': instant('objs val', args => [...args.list('objs'), args.value('val')]),
  'list.prepend': instant('objs val', args => [args.value('val'), ...args.list('objs')]),
  'map.get': instant('map keys', mapGet),
  'map.delete': instant('map key', mapDelete),
  'map.merge': instant('first second', args => new Map([...args.map('first'), ...args.map('second')])),
  'map.merge_nested': instant('first second', args => mergeNested(args.map('first'), args.map('second'))),
  'math.abs': instant('x', args => absolute(args.numeric('x'))),
  'math.floor': instant('x', args => floor(args)),
  'math.max': instant('x y', args => pick(args, (x, y) => x >= y)),
  'math.min': instant('x y', args => pick(args, (x, y) => x <= y)),
};

function jsonDecode(args: Args): Value {
  const data = args.value('data');
  if (typeof data !== 'string' && !isBytes(data)) throw args.wrongType('data', 'bytes or a string');
  try {
    return decodeJson(typeof data === 'string' ? data : Buffer.from(data).toString());
  } catch (error) {
    throw args.badValue('data', `is not JSON: ${error instanceof Error ? error.message : error}`);
  }
}

function jsonEncode(args: Args): string {
  const layout = indentation(args);
  try {
    return encodeJson(args.value('data'), layout);
  } catch (error) {
    throw args.badValue('data', `cannot be encoded: ${error instanceof Error ? error.message : error}`);
  }
}

function indentation(args: Args): Indentation | undefined {
  const indent = args.given('indent');
  if (indent === undefined || indent === false) return undefined;
  if (indent === true) return { prefix: '', indent: '  ' };
  if (!isMap(indent)) throw args.wrongType('indent', 'a boolean or a map');
  const text = (key: string, fallback: string) => {
    const value = indent.get(key) ?? fallback;
    if (typeof value !== 'string') throw args.badValue('indent', `needs a string for '${key}'`);
    return value;
  };
  return { prefix: text('prefix', ''), indent: text('indent', '  ') };
}

function base64Encode(args: Args): Value {
  const text = Buffer.from(args.bytes('data')).toString('base64');
  return args.boolean('padding', true) ? text : text.replaceAll('=', '');
}

function base64Decode(args: Args): Value {
  const text = args.string('data');
  const padded = args.boolean('padding', true);
  const wellFormed = padded
    ? /^(?:[\w+/-]{4})*(?:[\w+/-]{2}==|[\w+/-]{3}=)?$/
    : /^(?:[\w+/-]{4})*[\w+/-]{0,3}$/;
  if (
    !wellFormed.test(text) ||
    text.includes('_') ||
    text.includes('-') ||
    (!padded && text.length % 4 === 1)
  ) {
    throw args.badValue('data', 'is not base64');
  }
  return Buffer.from(text, 'base64');
}

const ALGORITHMS: ReadonlySet<string> = new Set(['MD5', 'SHA1', 'SHA224', 'SHA256', 'SHA384', 'SHA512']);

function algorithm(args: Args): string {
  const name = args.string('algorithm');
  if (ALGORITHMS.has(name)) return name.toLowerCase();
  throw args.badValue('algorithm', `must be one of ${[...ALGORITHMS].join(', ')}; got: ${name}`);
}

function mapGet(args: Args): Value {
  const keys = args.value('keys');
  const path = isList(keys) ? keys : [keys];
  let value: Value = args.value('map');
  for (const key of path) {
    if (typeof key !== 'string') throw args.wrongType('keys', 'a string or a list of strings');
    value = isMap(value) ? (value.get(key) ?? null) : null;
  }
  return value;
}

function mapDelete(args: Args): Value {
  const copy = new Map(args.map('map'));
  const key = args.string('key');
  if (!copy.delete(key)) throw failure('KeyError', `key not found: ${key}`);
  return copy;
}

function mergeNested(first: ValueMap, second: ValueMap): ValueMap {
  const merged = new Map(first);
  for (const [key, value] of second) {
    const before = merged.get(key);
    merged.set(key, isMap(before) && isMap(value) ? mergeNested(before, value) : value);
  }
  return merged;
}

function absolute(x: bigint | number): Value {
  if (typeof x === 'number') return Math.abs(x);
  const positive = x < 0n ? -x : x;
  if (fitsInt64(positive)) return positive;
  throw failure('ValueError', `math.abs: ${positive} does not fit into a 64-bit integer`);
}

function floor(args: Args): Value {
  const x = args.numeric('x');
  if (typeof x === 'bigint') return x;
  const whole = Number.isFinite(x) ? BigInt(Math.floor(x)) : undefined;
  if (whole !== undefined && fitsInt64(whole)) return whole;
  throw args.badValue('x', `has no 64-bit integer below it: ${x}`);
}

/** Of two integers an integer, otherwise a double. */
function pick(args: Args, first: (x: bigint | number, y: bigint | number) => boolean): Value {
  const x = args.numeric('x');
  const y = args.numeric('y');
  const chosen = first(x, y) ? x : y;
  return typeof x === 'bigint' && typeof y === 'bigint' ? chosen : Number(chosen);
}

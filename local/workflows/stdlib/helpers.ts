import { failure } from '../raised.ts';
import { fitsInt64, isList, isMap, typeName, type Value } from '../values.ts';
import { instant, type StandardFunction } from './function.ts';

/** Functions that exist in expressions only, without a module in front of their name. */
export const HELPERS: Readonly<Record<string, StandardFunction>> = {
  int: instant('value', args => toInteger(args.value('value'))),
  double: instant('value', args => toDouble(args.value('value'))),
  string: instant('value', args => toText(args.value('value'))),
  keys: instant('map', args => [...args.map('map').keys()].sort()),
  len: instant('value', args => BigInt(length(args.value('value')))),
  default: instant('value default', args => args.given('value') ?? args.value('default')),
  if: instant('condition then else', args => args.value(args.boolean('condition') ? 'then' : 'else')),
  get_type: instant('value', args => typeName(args.value('value'))),
};

/** The type names that the service uses in this family of messages. */
const OPERAND_NAMES: Readonly<Record<string, string>> = { map: 'dict', null: 'None' };

function unsupported(name: string, value: Value, expected: string) {
  const type = typeName(value);
  const found = OPERAND_NAMES[type] ?? type;
  return failure('TypeError', `unsupported operand type for ${name}(): '${found}' (expecting ${expected})`);
}

function toInteger(value: Value): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return wholePart(value);
  if (typeof value !== 'string') throw unsupported('int', value, 'number or string');
  if (!/^[+-]?\d+$/.test(value.trim()))
    throw failure('ValueError', `could not convert string to int: '${value}'`);
  return checked(BigInt(value.trim().replace(/^\+/, '')), value);
}

function wholePart(value: number): bigint {
  if (!Number.isFinite(value)) throw failure('ValueError', `could not convert ${value} to int`);
  return checked(BigInt(Math.trunc(value)), String(value));
}

function checked(whole: bigint, text: string): bigint {
  if (fitsInt64(whole)) return whole;
  throw failure('ValueError', `${text} does not fit into a 64-bit integer`);
}

function toDouble(value: Value): number {
  if (typeof value === 'bigint' || typeof value === 'number') return Number(value);
  if (typeof value !== 'string') throw unsupported('double', value, 'number or string');
  const number = Number(value);
  if (value.trim() !== '' && Number.isFinite(number)) return number;
  throw failure('ValueError', `could not convert string to double: '${value}'`);
}

function toText(value: Value): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  throw unsupported('string', value, 'number, string, or boolean');
}

/** Strings count in characters, not in bytes. */
function length(value: Value): number {
  if (typeof value === 'string') return [...value].length;
  if (isList(value)) return value.length;
  if (isMap(value)) return value.size;
  throw unsupported('len', value, 'list, map, or string');
}

import type { BinaryOperator } from './expressions.ts';
import { failure, raised } from './raised.ts';
import { equals, fitsInt64, isList, isMap, isNumeric, typeName, type Value } from './values.ts';

export function binary(operator: BinaryOperator, left: Value, right: Value): Value {
  switch (operator) {
    case '==':
      return equals(left, right);
    case '!=':
      return !equals(left, right);
    case 'in':
      return contains(left, right);
    case '<':
    case '<=':
    case '>':
    case '>=':
      return compare(operator, left, right);
    default:
      return arithmetic(operator, left, right);
  }
}

function contains(item: Value, container: Value): boolean {
  if (isMap(container)) return typeof item === 'string' && container.has(item);
  if (isList(container)) return container.some(element => equals(element, item));
  const found = container === null ? 'null' : typeName(container);
  throw raised('TypeError', `The argument of 'in' must be a dict or an array; got: ${found}`);
}

function compare(operator: '<' | '<=' | '>' | '>=', left: Value, right: Value): boolean {
  if (isNumeric(left) && isNumeric(right)) return ordered(operator, left, right);
  if (typeof left === 'string' && typeof right === 'string') return ordered(operator, left, right);
  throw unsupported(operator, left, right);
}

function ordered<T extends bigint | number | string>(
  operator: '<' | '<=' | '>' | '>=',
  left: T,
  right: T,
): boolean {
  if (operator === '<') return left < right;
  if (operator === '<=') return left <= right;
  return operator === '>' ? left > right : left >= right;
}

type Arithmetic = '+' | '-' | '*' | '/' | '//' | '%';

function arithmetic(operator: Arithmetic, left: Value, right: Value): Value {
  if (operator === '+' && typeof left === 'string' && typeof right === 'string') return left + right;
  if (!isNumeric(left) || !isNumeric(right)) throw unsupported(operator, left, right);
  if ((operator === '/' || operator === '//' || operator === '%') && Number(right) === 0) {
    throw failure('ZeroDivisionError', 'division by zero');
  }
  if (typeof left === 'bigint' && typeof right === 'bigint' && operator !== '/') {
    return checked(integers(operator, left, right));
  }
  return doubles(operator, Number(left), Number(right));
}

function unsupported(operator: string, left: Value, right: Value) {
  const types = `'${typeName(left)}' and '${typeName(right)}'`;
  return failure('TypeError', `unsupported operand types for ${operator}: ${types}`);
}

function checked(value: bigint): bigint {
  if (fitsInt64(value)) return value;
  throw failure('ValueError', `integer overflow: ${value} does not fit into 64 bits`);
}

function integers(operator: Exclude<Arithmetic, '/'>, left: bigint, right: bigint): bigint {
  if (operator === '+') return left + right;
  if (operator === '-') return left - right;
  if (operator === '*') return left * right;
  const remainder = left % right;
  const isAcross = remainder !== 0n && remainder < 0n !== right < 0n;
  if (operator === '%') return isAcross ? remainder + right : remainder;
  return left / right - (isAcross ? 1n : 0n);
}

/** `//` floors towards minus infinity, and `%` is what is left then, so it has the sign of the divisor. */
function doubles(operator: Arithmetic, left: number, right: number): number {
  if (operator === '+') return left + right;
  if (operator === '-') return left - right;
  if (operator === '*') return left * right;
  if (operator === '/') return left / right;
  const floored = Math.floor(left / right);
  return operator === '//' ? floored : left - floored * right;
}

export function negate(value: Value): Value {
  if (typeof value === 'bigint') return checked(-value);
  if (typeof value === 'number') return -value;
  throw failure('TypeError', `unsupported operand type for -: '${typeName(value)}'`);
}

/** @param where the operator or place, for the message */
export function requireBoolean(value: Value, where: string): boolean {
  if (typeof value === 'boolean') return value;
  throw failure('TypeError', `${where} must be a boolean; got: ${typeName(value)}`);
}

/** `owner.key` and `owner[key]` */
export function element(owner: Value, key: Value): Value {
  if (isMap(owner)) return memberOf(owner, key);
  if (isList(owner)) return elementOf(owner, key);
  throw failure('TypeError', `a ${typeName(owner)} has no elements; looked for ${describe(key)}`);
}

function memberOf(map: ReadonlyMap<string, Value>, key: Value): Value {
  if (typeof key !== 'string') throw failure('TypeError', `a key must be a string; got: ${typeName(key)}`);
  const value = map.get(key);
  if (value === undefined) throw failure('KeyError', `key not found: ${key}`);
  return value;
}

function elementOf(list: readonly Value[], index: Value): Value {
  return list[checkedIndex(list, index)] ?? null;
}

function checkedIndex(list: readonly Value[], index: Value): number {
  if (typeof index !== 'bigint') {
    throw failure('TypeError', `the index of a list must be an integer; got: ${typeName(index)}`);
  }
  if (index >= 0n && index < BigInt(list.length)) return Number(index);
  throw failure('IndexError', `index out of range: ${index} in a list of ${list.length}`);
}

function describe(key: Value): string {
  return typeof key === 'string' ? `'${key}'` : typeName(key);
}

/** A copy of `owner` in which the element at `path` is `value`. Maps that are missing on the way are made. */
export function withElement(owner: Value | undefined, path: readonly Value[], value: Value): Value {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (isList(owner)) {
    const index = checkedIndex(owner, key);
    return owner.with(index, withElement(owner[index], rest, value));
  }
  if (owner !== undefined && owner !== null && !isMap(owner)) {
    throw failure('TypeError', `a ${typeName(owner)} has no elements; cannot assign to ${describe(key)}`);
  }
  if (typeof key !== 'string') throw failure('TypeError', `a key must be a string; got: ${typeName(key)}`);
  const copy = new Map(isMap(owner) ? owner : []);
  copy.set(key, withElement(copy.get(key), rest, value));
  return copy;
}

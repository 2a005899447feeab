/**
 * What a workflow computes with. Integers are `bigint` (64 bit, signed) and doubles are `number`, so the two never mix by
 * accident. Values are immutable: assigning to a path makes a new list or map, which gives the language its copy semantics.
 */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | readonly Value[]
  | ReadonlyMap<string, Value>;

export type ValueMap = ReadonlyMap<string, Value>;

export type TypeName = 'null' | 'boolean' | 'integer' | 'double' | 'string' | 'bytes' | 'list' | 'map';

export function isMap(value: Value | undefined): value is ValueMap {
  return value instanceof Map;
}

export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

export function isBytes(value: Value | undefined): value is Uint8Array {
  return value instanceof Uint8Array;
}

export function isNumeric(value: Value | undefined): value is bigint | number {
  return typeof value === 'bigint' || typeof value === 'number';
}

export function mapOf(entries: Readonly<Record<string, Value>>): ValueMap {
  return new Map(Object.entries(entries));
}

export function typeName(value: Value): TypeName {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'bigint') return 'integer';
  if (typeof value === 'number') return 'double';
  if (typeof value === 'string') return 'string';
  if (isBytes(value)) return 'bytes';
  return isList(value) ? 'list' : 'map';
}

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;

export function fitsInt64(value: bigint): boolean {
  return value >= INT_MIN && value <= INT_MAX;
}

/** Deep equality; an integer equals a double of the same size, other types are never equal to each other. */
export function equals(left: Value, right: Value): boolean {
  if (isNumeric(left) && isNumeric(right)) return left >= right && left <= right;
  if (isList(left) && isList(right)) return equalLists(left, right);
  if (isMap(left) && isMap(right)) return equalMaps(left, right);
  if (isBytes(left) && isBytes(right)) return Buffer.compare(left, right) === 0;
  return left === right;
}

function equalLists(left: readonly Value[], right: readonly Value[]): boolean {
  return left.length === right.length && left.every((item, index) => equals(item, right[index] ?? null));
}

function equalMaps(left: ValueMap, right: ValueMap): boolean {
  if (left.size !== right.size) return false;
  return [...left].every(([key, value]) => {
    const other = right.get(key);
    return other !== undefined && equals(value, other);
  });
}

const sizes = new WeakMap<object, number>();

/** Bytes that the value counts for against the limit on an execution's variables. */
export function sizeOf(value: Value): number {
  if (typeof value === 'string') return 8 + Buffer.byteLength(value);
  if (value === null || typeof value !== 'object') return 8;
  if (isBytes(value)) return 8 + value.length;
  const known = sizes.get(value);
  if (known !== undefined) return known;
  const size = isList(value) ? sizeOfList(value) : sizeOfMap(value);
  sizes.set(value, size);
  return size;
}

function sizeOfList(list: readonly Value[]): number {
  return list.reduce<number>((total, item) => total + sizeOf(item), 8);
}

function sizeOfMap(map: ValueMap): number {
  let total = 8;
  for (const [key, value] of map) total += sizeOf(key) + sizeOf(value);
  return total;
}

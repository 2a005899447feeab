import type { Host } from '../host.ts';
import { failure, type Raised } from '../raised.ts';
import { isBytes, isList, isMap, isNumeric, typeName, type Value, type ValueMap } from '../values.ts';

export interface Parameter {
  readonly name: string;
  readonly isOptional: boolean;
}

interface Signature {
  readonly params: readonly Parameter[];
}

export type StandardFunction =
  /** Usable in expressions. */
  | (Signature & { readonly kind: 'instant'; readonly run: (args: Args, host: Host) => Value })
  /** Takes time or has effects: only as a call step. */
  | (Signature & { readonly kind: 'blocking'; readonly run: (args: Args, host: Host) => Promise<Value> });

/** @param signature names in positional order; `?` marks those that may be left out */
export function instant(signature: string, run: (args: Args, host: Host) => Value): StandardFunction {
  return { kind: 'instant', params: parameters(signature), run };
}

export function blocking(
  signature: string,
  run: (args: Args, host: Host) => Promise<Value>,
): StandardFunction {
  return { kind: 'blocking', params: parameters(signature), run };
}

function parameters(signature: string): readonly Parameter[] {
  return signature
    .split(' ')
    .filter(Boolean)
    .map(word => ({ name: word.replace('?', ''), isOptional: word.endsWith('?') }));
}

/** The arguments of one call by name. Reading one as a type it does not have raises a TypeError of the language. */
export class Args {
  readonly #callee: string;
  readonly #values: ReadonlyMap<string, Value>;

  constructor(callee: string, values: ReadonlyMap<string, Value>) {
    this.#callee = callee;
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Undefined for an argument that was left out or is null. */
  given(name: string): Value | undefined {
    return this.#values.get(name) ?? undefined;
  }

  value(name: string): Value {
    return this.#values.get(name) ?? null;
  }

  string(name: string, fallback?: string): string {
    const value = this.given(name) ?? fallback;
    if (typeof value === 'string') return value;
    throw this.wrongType(name, 'a string');
  }

  boolean(name: string, fallback?: boolean): boolean {
    const value = this.given(name) ?? fallback;
    if (typeof value === 'boolean') return value;
    throw this.wrongType(name, 'a boolean');
  }

  number(name: string, fallback?: number): number {
    const value = this.given(name) ?? fallback;
    if (isNumeric(value)) return Number(value);
    throw this.wrongType(name, 'a number');
  }

  numeric(name: string): bigint | number {
    const value = this.value(name);
    if (isNumeric(value)) return value;
    throw this.wrongType(name, 'a number');
  }

  integer(name: string): number {
    const value = this.value(name);
    if (typeof value === 'bigint') return Number(value);
    throw this.wrongType(name, 'an integer');
  }

  bytes(name: string): Uint8Array {
    const value = this.value(name);
    if (isBytes(value)) return value;
    throw this.wrongType(name, 'bytes');
  }

  list(name: string): readonly Value[] {
    const value = this.value(name);
    if (isList(value)) return value;
    throw this.wrongType(name, 'a list');
  }

  map(name: string): ValueMap {
    const value = this.value(name);
    if (isMap(value)) return value;
    throw this.wrongType(name, 'a map');
  }

  wrongType(name: string, expected: string): Raised {
    const found = typeName(this.value(name));
    return failure('TypeError', `${this.#callee}: argument '${name}' must be ${expected}; got: ${found}`);
  }

  badValue(name: string, problem: string): Raised {
    return failure('ValueError', `${this.#callee}: argument '${name}' ${problem}`);
  }
}

import type { Host } from '../host.ts';
import { failure } from '../raised.ts';
import type { Value } from '../values.ts';
import { DATA } from './data.ts';
import { EVENTS } from './events.ts';
import { Args, type StandardFunction } from './function.ts';
import { HELPERS } from './helpers.ts';
import { HTTP } from './http.ts';
import { PREDICATES } from './predicates.ts';
import { SYS } from './sys.ts';
import { TEXT } from './text.ts';
import { TIME } from './time.ts';

const LIBRARY: ReadonlyMap<string, StandardFunction> = new Map(
  Object.entries({ ...HELPERS, ...DATA, ...EVENTS, ...HTTP, ...PREDICATES, ...SYS, ...TEXT, ...TIME }),
);

export function standardFunction(name: string): StandardFunction | undefined {
  return LIBRARY.get(name);
}

/** A helper such as `len` exists in expressions only; `call` takes what has a module in front. */
export function isCallable(name: string): boolean {
  return LIBRARY.has(name) && !Object.hasOwn(HELPERS, name);
}

export function isPredicate(name: string): boolean {
  return Object.hasOwn(PREDICATES, name);
}

/** Why a name that is not in the library is not there, for the error at deployment. */
export function whyUnknown(name: string): string {
  if (name.startsWith('googleapis.') || name.startsWith('gke.')) {
    return `'${name}' is a connector; connectors are not implemented here: call the API with http.request`;
  }
  if (name.startsWith('experimental.')) return `'${name}' is experimental and not implemented here`;
  return `'${name}' is neither a function of the standard library nor a subworkflow`;
}

/** Positional values to names, in the order of the signature. */
export function bind(
  callee: string,
  { params }: StandardFunction,
  values: readonly Value[],
): ReadonlyMap<string, Value> {
  if (values.length > params.length) {
    throw failure('TypeError', `${callee} takes ${params.length} arguments, not ${values.length}`);
  }
  const bound = new Map<string, Value>();
  params.forEach(({ name }, index) => {
    const value = values[index];
    if (value !== undefined) bound.set(name, value);
  });
  return bound;
}

export function runInstant(
  callee: string,
  called: Extract<StandardFunction, { kind: 'instant' }>,
  values: ReadonlyMap<string, Value>,
  host: Host,
): Value {
  return called.run(new Args(callee, values), host);
}

export function runBlocking(
  callee: string,
  called: Extract<StandardFunction, { kind: 'blocking' }>,
  values: ReadonlyMap<string, Value>,
  host: Host,
): Promise<Value> {
  return called.run(new Args(callee, values), host);
}

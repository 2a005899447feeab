import { LIMITS } from './limits.ts';
import type { Scope } from './program.ts';
import { failure, limitExceeded } from './raised.ts';
import { sizeOf, type Value } from './values.ts';

/** Bytes of all variables of one execution. */
export class Memory {
  #bytes = 0;

  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > LIMITS.variables) throw limitExceeded('Memory usage limit exceeded');
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** The variables of one run of a block, inside those of the block around it. */
export class Variables {
  readonly #scope: Scope;
  readonly #outer: Variables | undefined;
  readonly #memory: Memory;
  readonly #values = new Map<string, Value>();

  constructor(scope: Scope, memory: Memory, outer?: Variables) {
    this.#scope = scope;
    this.#memory = memory;
    this.#outer = outer;
  }

  inner(scope: Scope): Variables {
    return new Variables(scope, this.#memory, this);
  }

  /** Undefined when no step has assigned it yet. */
  peek(name: string): Value | undefined {
    return this.#owner(name).#values.get(name);
  }

  read(name: string): Value {
    const value = this.peek(name);
    if (value === undefined)
      throw failure('KeyError', `the variable '${name}' is read before it is assigned`);
    return value;
  }

  write(name: string, value: Value): void {
    const bytes = typeof value === 'string' ? Buffer.byteLength(value) : 0;
    if (bytes > LIMITS.stringValue) throw limitExceeded(`a string of ${bytes} bytes`);
    this.#owner(name).#set(name, value);
  }

  /** At the end of the block. */
  release(): void {
    for (const [name, value] of this.#values) this.#memory.release(sizeOf(name) + sizeOf(value));
    this.#values.clear();
  }

  #set(name: string, value: Value): void {
    const before = this.#values.get(name);
    if (before !== undefined) this.#memory.release(sizeOf(name) + sizeOf(before));
    this.#values.set(name, value);
    this.#memory.add(sizeOf(name) + sizeOf(value));
  }

  #owner(name: string): Variables {
    if (this.#scope.names.has(name) || !this.#outer) return this;
    return this.#outer.#owner(name);
  }
}

import type { z } from 'zod';
import { applyFieldMask } from '../field-mask.ts';
import { ApiError } from '../http.ts';
import { type Named, parseResource } from './resources.ts';

/** Resources of one kind under their full names, checked on every way in. */
export class Collection<S extends z.ZodType<object>> {
  readonly #schema: S;
  /** Completes and checks what a schema cannot; throws to refuse. */
  readonly #complete: (resource: Named<z.output<S>>) => Named<z.output<S>>;
  readonly #resources = new Map<string, Named<z.output<S>>>();

  constructor(schema: S, complete: (resource: Named<z.output<S>>) => Named<z.output<S>> = same => same) {
    this.#schema = schema;
    this.#complete = complete;
  }

  create(name: string, body: unknown): Named<z.output<S>> {
    if (this.#resources.has(name)) throw new ApiError('ALREADY_EXISTS', `${name} already exists.`);
    return this.#put(name, body);
  }

  find(name: string): Named<z.output<S>> | undefined {
    return this.#resources.get(name);
  }

  get(name: string): Named<z.output<S>> {
    const resource = this.find(name);
    if (!resource) throw new ApiError('NOT_FOUND', `${name} was not found.`);
    return resource;
  }

  /** All below a parent: `projects/P` or `projects/P/services/S`. */
  list(parent: string): Named<z.output<S>>[] {
    return [...this.#resources.values()].filter(({ name }) => name.startsWith(`${parent}/`));
  }

  /** Without a mask all fields are replaced. */
  update(name: string, patch: Readonly<Record<string, unknown>>, mask: string): Named<z.output<S>> {
    const current = this.get(name);
    return this.#put(name, mask === '' ? patch : applyFieldMask({ ...current }, patch, mask));
  }

  delete(name: string): void {
    this.get(name);
    this.#resources.delete(name);
  }

  #put(name: string, body: unknown): Named<z.output<S>> {
    const resource = this.#complete(parseResource(name, body, this.#schema));
    this.#resources.set(name, resource);
    return resource;
  }
}

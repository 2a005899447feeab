import type { Clock } from '../clock.ts';
import { ApiError } from '../http.ts';
import { locationName } from './names.ts';

/** google.rpc.Status. */
export interface Status {
  readonly code: number;
  readonly message: string;
}

export interface OperationResource {
  readonly name: string;
  readonly metadata: object;
  readonly done: boolean;
  readonly response?: object;
  readonly error?: Status;
}

export const SERVICE_TYPE = 'type.googleapis.com/google.cloud.run.v2.Service';
export const REVISION_TYPE = 'type.googleapis.com/google.cloud.run.v2.Revision';

/** A long-running operation: it is done when whoever started it says so. */
export class Operation {
  readonly name: string;
  readonly #type: string;
  readonly #resource: () => object;
  #outcome: { readonly response: object } | { readonly error: Status } | undefined;
  #listeners: (() => void)[] = [];

  constructor(name: string, type: string, resource: () => object) {
    this.name = name;
    this.#type = type;
    this.#resource = resource;
  }

  get done(): boolean {
    return this.#outcome !== undefined;
  }

  finish(error?: Status): void {
    if (this.#outcome) return;
    this.#outcome = error ? { error } : { response: this.#described() };
    for (const listener of this.#listeners.splice(0)) listener();
  }

  whenDone(listener: () => void): void {
    if (this.#outcome) listener();
    else this.#listeners.push(listener);
  }

  resource(): OperationResource {
    return { name: this.name, metadata: this.#described(), done: this.done, ...this.#outcome };
  }

  #described(): object {
    return { '@type': this.#type, ...this.#resource() };
  }
}

/** All operations of all locations, by name. */
export class Operations {
  readonly #clock: Clock;
  readonly #byName = new Map<string, Operation>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(place: { project: string; region: string }, type: string, resource: () => object): Operation {
    const id = `op-${String(++this.#count).padStart(6, '0')}`;
    const operation = new Operation(`${locationName(place)}/operations/${id}`, type, resource);
    this.#byName.set(operation.name, operation);
    return operation;
  }

  get(name: string): OperationResource {
    return this.#find(name).resource();
  }

  list(parent: string): readonly OperationResource[] {
    return [...this.#byName.values()]
      .filter(operation => operation.name.startsWith(`${parent}/operations/`))
      .map(operation => operation.resource());
  }

  delete(name: string): void {
    this.#find(name);
    this.#byName.delete(name);
  }

  /** Answers when the operation is done or the time is up, whichever comes first. */
  async wait(name: string, timeoutMs: number): Promise<OperationResource> {
    const operation = this.#find(name);
    await new Promise<void>(resolve => {
      const cancel = this.#clock.after(timeoutMs, resolve);
      operation.whenDone(() => {
        cancel();
        resolve();
      });
    });
    return operation.resource();
  }

  #find(name: string): Operation {
    const operation = this.#byName.get(name);
    if (!operation) throw new ApiError('NOT_FOUND', `Operation '${name}' was not found.`);
    return operation;
  }
}

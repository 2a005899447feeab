import type { Clock } from '../clock.ts';
import { resourceNotFound } from './errors.ts';
import { selfLink } from './resources.ts';

export interface Operation {
  /** `operation-…`: what the operations API is asked for. */
  readonly name: string;
  /** Decimal. The Node client calls this one `name`; the API accepts either. */
  readonly id: string;
  /** `projects/P/global` or `projects/P/regions/R`. */
  readonly scope: string;
  readonly type: 'insert' | 'patch';
  readonly targetPath: string;
  readonly insertedMs: number;
  /** Undefined while it runs. */
  endedMs: number | undefined;
}

/** The real one returns after about two minutes, finished or not. */
const MAX_WAIT_MS = 120_000;

export class Operations {
  readonly #clock: Clock;
  readonly #operationMs: number;
  readonly #operations = new Map<string, Operation>();
  readonly #waiters = new Map<Operation, Set<() => void>>();
  readonly #cancels = new Set<() => void>();

  /** Every operation takes `operationMs`. */
  constructor(clock: Clock, operationMs: number) {
    this.#clock = clock;
    this.#operationMs = operationMs;
  }

  start(scope: string, type: Operation['type'], targetPath: string, onDone: () => void): Operation {
    const number = this.#operations.size + 1;
    const operation: Operation = {
      name: `operation-${this.#clock.nowMs()}-${number.toString(16).padStart(8, '0')}`,
      id: String(4_000_000_000_000_000_000n + BigInt(number)),
      scope,
      type,
      targetPath,
      insertedMs: this.#clock.nowMs(),
      endedMs: undefined,
    };
    this.#operations.set(operation.name, operation);
    const end = () => {
      operation.endedMs = this.#clock.nowMs();
      onDone();
      for (const wake of this.#waiters.get(operation) ?? []) wake();
    };
    if (this.#operationMs <= 0) end();
    else this.#cancels.add(this.#clock.after(this.#operationMs, end));
    return operation;
  }

  get(scope: string, nameOrId: string): Operation {
    const operation = [...this.#operations.values()].find(
      known => known.scope === scope && (known.name === nameOrId || known.id === nameOrId),
    );
    if (!operation) throw resourceNotFound(`${scope}/operations/${nameOrId}`);
    return operation;
  }

  /** Oldest first. */
  list(scope: string): Operation[] {
    return [...this.#operations.values()].filter(operation => operation.scope === scope);
  }

  /** Resolves when the operation has ended, or is still running after two minutes. */
  async wait(scope: string, nameOrId: string): Promise<Operation> {
    const operation = this.get(scope, nameOrId);
    if (operation.endedMs !== undefined) return operation;
    const waiters = this.#waiters.get(operation) ?? new Set();
    this.#waiters.set(operation, waiters);
    await new Promise<void>(resolve => {
      const wake = () => {
        cancel();
        waiters.delete(wake);
        this.#cancels.delete(cancel);
        resolve();
      };
      const cancel = this.#clock.after(MAX_WAIT_MS, wake);
      this.#cancels.add(cancel);
      waiters.add(wake);
    });
    return operation;
  }

  stop(): void {
    for (const cancel of this.#cancels) cancel();
    for (const waiters of this.#waiters.values()) for (const wake of [...waiters]) wake();
  }
}

export function operationJson(operation: Operation): object {
  const { name, id, scope, type, targetPath, insertedMs, endedMs } = operation;
  const isDone = endedMs !== undefined;
  const region = /\/regions\/[^/]+$/.test(scope) ? { region: selfLink(scope) } : {};
  return {
    kind: 'compute#operation',
    id,
    name,
    ...region,
    operationType: type,
    targetLink: selfLink(targetPath),
    selfLink: selfLink(`${scope}/operations/${name}`),
    status: isDone ? 'DONE' : 'RUNNING',
    progress: isDone ? 100 : 0,
    insertTime: new Date(insertedMs).toISOString(),
    startTime: new Date(insertedMs).toISOString(),
    ...(isDone ? { endTime: new Date(endedMs).toISOString() } : {}),
  };
}

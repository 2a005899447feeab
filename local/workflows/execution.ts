import type { Clock } from '../clock.ts';
import { ApiError } from '../http.ts';
import { Callbacks, type Delivery } from './callbacks.ts';
import type { CallbackRequest, Host, IncomingHttp, OutgoingHttp, Send, Severity } from './host.ts';
import { runMain } from './interpret.ts';
import { decodeJson, encodeJson, NotEncodable } from './json.ts';
import type { CallReport, Observer, StackEntry } from './machine.ts';
import { failure, Raised } from './raised.ts';
import type { CallLogLevel, WorkflowRevision } from './revision.ts';
import type { Position } from './source.ts';
import { drive } from './task.ts';
import type { Value } from './values.ts';

export const EXECUTION_STATES = [
  'STATE_UNSPECIFIED',
  'ACTIVE',
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
  'UNAVAILABLE',
  'QUEUED',
] as const;

export type ExecutionState = (typeof EXECUTION_STATES)[number];

/** An execution as the API tells it: times in RFC 3339, argument, result and payload as JSON text. */
export interface Execution {
  readonly name: string;
  readonly state: ExecutionState;
  readonly argument: string;
  readonly result?: string;
  readonly error?: ExecutionError;
  readonly startTime: string;
  readonly endTime?: string;
  readonly duration?: string;
  readonly workflowRevisionId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly callLogLevel: CallLogLevel;
  readonly status: { readonly currentSteps: readonly StackEntry[] };
}

export interface ExecutionError {
  readonly payload: string;
  readonly context: string;
  readonly stackTrace: { readonly elements?: readonly StackTraceElement[] };
}

interface StackTraceElement {
  readonly step: string;
  readonly routine: string;
  readonly position: Readonly<Record<keyof Position, string>>;
}

export interface LogEntry {
  readonly timestampMs: number;
  /** Name of the execution. */
  readonly execution: string;
  readonly severity: Severity;
  readonly textPayload?: string;
  readonly jsonPayload?: unknown;
}

export interface ExecutionOptions {
  readonly name: string;
  readonly revision: WorkflowRevision;
  readonly argument: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly callLogLevel: CallLogLevel;
  /** Built-in and user variables. */
  readonly env: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly send: Send;
  readonly baseUrl: () => string;
  readonly uuid: () => string;
  readonly onLog: (entry: LogEntry) => void;
  /** Before each step, outermost routine first; may kill or cancel this execution. */
  readonly onStep: (execution: string, stack: readonly StackEntry[]) => void;
}

/** Longer delays make the machine's timers fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** One run of a workflow: its state, and the world as its standard library sees it. */
export class RunningExecution implements Host, Observer {
  readonly clock: Clock;
  readonly callbacks = new Callbacks();
  readonly startedMs: number;
  readonly #options: ExecutionOptions;
  #state: ExecutionState = 'ACTIVE';
  #isAbandoned = false;
  #endedMs: number | undefined;
  #result: string | undefined;
  #error: ExecutionError | undefined;
  #currentSteps: readonly StackEntry[] = [];
  /** Timers and requests to give up when the execution ends. */
  readonly #pending = new Set<() => void>();

  constructor(options: ExecutionOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.startedMs = options.clock.nowMs();
    this.#timer(0, () => void this.#run());
  }

  get name(): string {
    return this.#options.name;
  }

  snapshot(): Execution {
    const { name, argument, labels, callLogLevel, revision } = this.#options;
    const ended = this.#endedMs;
    return {
      name,
      state: this.#state,
      argument,
      ...(this.#result === undefined ? {} : { result: this.#result }),
      ...(this.#error === undefined ? {} : { error: this.#error }),
      startTime: new Date(this.startedMs).toISOString(),
      ...(ended === undefined ? {} : { endTime: new Date(ended).toISOString() }),
      duration: `${((ended ?? this.clock.nowMs()) - this.startedMs) / 1000}s`,
      workflowRevisionId: revision.revisionId,
      labels,
      callLogLevel,
      status: { currentSteps: this.#currentSteps },
    };
  }

  cancel(): void {
    if (this.#state !== 'ACTIVE') {
      throw new ApiError('FAILED_PRECONDITION', `${this.name} is ${this.#state} and cannot be cancelled`);
    }
    this.#end('CANCELLED', { error: plainError('Execution cancelled') });
  }

  /** The process behind it is gone: it notices nothing, and nobody runs its `except`. */
  kill(): void {
    this.#end('FAILED', { error: plainError('InternalError: internal error', ['SystemError']) });
  }

  /** Gives up all timers and requests and runs no further step; the state stays what it is. */
  abandon(): void {
    this.#isAbandoned = true;
    for (const giveUp of [...this.#pending]) giveUp();
    this.#pending.clear();
  }

  deliver(callbackId: string, request: CallbackRequest): Delivery {
    return this.isStopped() ? 'unknown' : this.callbacks.deliver(callbackId, request);
  }

  async #run(): Promise<void> {
    try {
      const main = runMain(this.#options.revision.program, this, this, decodeJson(this.#options.argument));
      const result = await drive(main, () => this.isStopped());
      this.#end('SUCCEEDED', { result: resultText(result) });
    } catch (error) {
      const known = error instanceof Raised ? error : undefined;
      if (!known) this.log('CRITICAL', `the engine failed: ${error instanceof Error ? error.stack : error}`);
      const details = known
        ? errorOf(known)
        : plainError(`InternalError: ${error instanceof Error ? error.message : error}`, ['SystemError']);
      this.#end('FAILED', { error: details });
    }
  }

  #end(state: ExecutionState, outcome: { result?: string; error?: ExecutionError }): void {
    if (this.#state !== 'ACTIVE') return;
    this.#state = state;
    this.#endedMs = this.clock.nowMs();
    this.#result = outcome.result;
    this.#error = outcome.error;
    this.abandon();
  }

  // Observer

  isStopped(): boolean {
    return this.#isAbandoned || this.#state !== 'ACTIVE';
  }

  stepStarts(stack: readonly StackEntry[]): void {
    this.#currentSteps = stack;
    this.#options.onStep(this.name, stack);
  }

  callEnds({ routine, step, callee, exception }: CallReport): void {
    const level = this.#options.callLogLevel;
    const isLogged = level === 'LOG_ALL_CALLS' || (level === 'LOG_ERRORS_ONLY' && exception !== undefined);
    if (!isLogged) return;
    const state = exception === undefined ? 'SUCCEEDED' : 'EXCEPTION_RAISED';
    const details = {
      routine,
      step,
      function: callee,
      state,
      ...(exception === undefined ? {} : { exception }),
    };
    this.#emit(exception === undefined ? 'INFO' : 'ERROR', { jsonPayload: details });
  }

  // Host

  env(name: string): string | undefined {
    return Object.hasOwn(this.#options.env, name) ? this.#options.env[name] : undefined;
  }

  uuid(): string {
    return this.#options.uuid();
  }

  log(severity: Severity, payload: string | Value): void {
    if (typeof payload === 'string') this.#emit(severity, { textPayload: payload });
    else this.#emit(severity, { jsonPayload: JSON.parse(encodeJson(payload)) });
  }

  #emit(severity: Severity, payload: Pick<LogEntry, 'textPayload' | 'jsonPayload'>): void {
    this.#options.onLog({ timestampMs: this.clock.nowMs(), execution: this.name, severity, ...payload });
  }

  sleep(seconds: number): Promise<void> {
    return new Promise(resolve => {
      this.#timer(seconds * 1000, resolve);
    });
  }

  send(request: Omit<OutgoingHttp, 'signal'>, timeoutSeconds: number): Promise<IncomingHttp | undefined> {
    const abort = new AbortController();
    return new Promise((resolve, reject) => {
      const giveUp = () => abort.abort();
      this.#pending.add(giveUp);
      const cancelTimer = this.#timer(timeoutSeconds * 1000, () => {
        resolve(undefined);
        abort.abort();
      });
      const settled = () => {
        this.#pending.delete(giveUp);
        cancelTimer();
      };
      this.#options
        .send({ ...request, signal: abort.signal })
        .then(resolve, reject)
        .finally(settled);
    });
  }

  createCallback(method: string): string {
    const id = this.uuid();
    this.callbacks.create(id, method);
    return `${this.#options.baseUrl()}/v1/${this.name}/callbacks/${id}`;
  }

  async awaitCallback(url: string, timeoutSeconds: number): Promise<CallbackRequest | 'unknown' | undefined> {
    const id = url.slice(url.lastIndexOf('/') + 1);
    if (!url.endsWith(`/v1/${this.name}/callbacks/${id}`) || !this.callbacks.has(id)) return 'unknown';
    const kept = this.callbacks.take(id);
    if (kept) return kept;
    return new Promise(resolve => {
      const endWait = this.callbacks.wait(id, request => {
        cancelTimer();
        resolve(request);
      });
      const cancelTimer = this.#timer(timeoutSeconds * 1000, () => {
        endWait();
        resolve(undefined);
      });
    });
  }

  #timer(delayMs: number, task: () => void): () => void {
    const part = Math.min(delayMs, MAX_TIMER_MS);
    let cancel = this.clock.after(part, () => {
      this.#pending.delete(giveUp);
      if (delayMs > part) cancel = this.#timer(delayMs - part, task);
      else task();
    });
    const giveUp = () => cancel();
    this.#pending.add(giveUp);
    return () => {
      this.#pending.delete(giveUp);
      cancel();
    };
  }
}

function resultText(result: Value): string {
  try {
    return encodeJson(result);
  } catch (error) {
    if (!(error instanceof NotEncodable)) throw error;
    throw failure('TypeError', `the result of a workflow must be JSON: ${error.message}`);
  }
}

function errorOf(error: Raised): ExecutionError {
  const elements = error.frames.map(({ step, routine, position }) => ({
    step,
    routine,
    position: {
      line: String(position.line),
      column: String(position.column),
      length: String(position.length),
    },
  }));
  return {
    payload: payloadText(error.value),
    context: error.context(),
    stackTrace: elements.length > 0 ? { elements } : {},
  };
}

function payloadText(value: Value): string {
  try {
    return encodeJson(value);
  } catch (error) {
    return JSON.stringify({ message: String(error), tags: ['TypeError'] });
  }
}

function plainError(message: string, tags?: readonly string[]): ExecutionError {
  const payload = JSON.stringify(tags ? { message, tags } : { message });
  return { payload, context: message, stackTrace: {} };
}

import { AsyncLocalStorage } from 'node:async_hooks';
import { formatTraceparent, type TraceContext } from './trace-context.ts';
import type { Attributes, OpenSpan, SpanOptions, Tracer } from './tracer.ts';

/** What belongs to the request that is being worked on, wherever in the code one is. */
export interface Scope {
  readonly trace: TraceContext;
  /** undefined while nobody traces; the trace's ids are passed on all the same. */
  readonly tracer: Tracer | undefined;
  readonly span: OpenSpan | undefined;
  /** Fields of every log line. */
  readonly fields: Readonly<Record<string, unknown>>;
}

const scopes = new AsyncLocalStorage<Scope>();

/** @returns undefined outside of any request, such as in the command line */
export function currentScope(): Scope | undefined {
  return scopes.getStore();
}

export function within<T>(scope: Scope, work: () => T): T {
  return scopes.run(scope, work);
}

/** For whoever goes on with what this request began. */
export function currentTraceparent(): string | undefined {
  const scope = currentScope();
  return scope && formatTraceparent(scope.trace);
}

/** What only became known while the request was worked on. */
export function annotate(attributes: Attributes): void {
  currentScope()?.span?.set(attributes);
}

/**
 * Runs `work` as a span below the current one; just runs it where nobody traces.
 * @param parent another one, for what belongs to another trace than the request
 */
export async function inSpan<T>(
  options: SpanOptions,
  work: () => Promise<T>,
  parent?: TraceContext,
): Promise<T> {
  const scope = currentScope();
  if (!scope) return work();
  const { tracer } = scope;
  if (!tracer) return parent ? within({ ...scope, trace: parent }, work) : work();
  const span = tracer.start({
    ...options,
    parent: parent ?? scope.trace,
    isLocal: parent === undefined && scope.span !== undefined,
  });
  return run(span, () => within({ ...scope, trace: span.context, span }, work));
}

/** Ends the span with what becomes of `work`. */
export async function run<T>(span: OpenSpan | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    span?.fail(error instanceof Error ? error.message : String(error));
    throw error;
  } finally {
    span?.end();
  }
}

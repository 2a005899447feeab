import type { TraceContext } from './trace-context.ts';

export type Attributes = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface SpanOptions {
  readonly name: string;
  /** Internal unless told. */
  readonly kind?: 'server' | 'client' | 'producer' | 'consumer' | undefined;
  readonly attributes?: Attributes | undefined;
}

export interface SpanStart extends SpanOptions {
  /** A root of its own without. */
  readonly parent: TraceContext | undefined;
  /** Whether the parent is in this process: then what was decided about sampling it holds here, too. */
  readonly isLocal: boolean;
  /** Id of the span where others know it already; a random one without. */
  readonly spanId?: string | undefined;
  /** Now without. */
  readonly startMs?: number | undefined;
}

export interface OpenSpan {
  readonly context: TraceContext;
  set(attributes: Attributes): void;
  event(name: string, atMs: number, attributes: Attributes): void;
  /** Says that something in another trace belongs to this. */
  link(to: TraceContext): void;
  fail(message: string): void;
  /** @param atMs now without */
  end(atMs?: number): void;
}

/** Where spans go. Nothing in it ever fails a request. */
export interface Tracer {
  start(options: SpanStart): OpenSpan;
  /** Hands over every span that has ended, within a second or not at all: a function stands still once it has answered. */
  flush(): Promise<void>;
}

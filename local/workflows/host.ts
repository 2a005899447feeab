import type { Clock } from '../clock.ts';
import type { Value } from './values.ts';

/** A request that a workflow makes. Header names as the workflow wrote them. */
export interface OutgoingHttp {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  /** Aborted when the timeout is over or the execution has ended. */
  readonly signal: AbortSignal;
}

export interface IncomingHttp {
  readonly status: number;
  /** Any case; several values of one name joined with a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Rejects with {@link SendError} when there is no answer; any status is an answer. */
export type Send = (request: OutgoingHttp) => Promise<IncomingHttp>;

/** `ConnectionFailed`: nothing was delivered. `ConnectionBroken`: it may have been. */
export class SendError extends Error {
  override readonly name = 'SendError';
  readonly kind: 'ConnectionFailed' | 'ConnectionBroken';

  constructor(kind: 'ConnectionFailed' | 'ConnectionBroken', message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

export type Severity =
  | 'DEFAULT'
  | 'DEBUG'
  | 'INFO'
  | 'NOTICE'
  | 'WARNING'
  | 'ERROR'
  | 'CRITICAL'
  | 'ALERT'
  | 'EMERGENCY';

/** A request as `events.await_callback` hands it over. */
export interface CallbackRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly receivedMs: number;
}

/** What one execution gives the standard library. Nothing that waits is resumed once the execution is over. */
export interface Host {
  readonly clock: Clock;
  env(name: string): string | undefined;
  uuid(): string;
  log(severity: Severity, payload: string | Value): void;
  sleep(seconds: number): Promise<void>;
  /** Undefined when `timeoutSeconds` were over first. */
  send(request: Omit<OutgoingHttp, 'signal'>, timeoutSeconds: number): Promise<IncomingHttp | undefined>;
  /** The URL of a new callback. */
  createCallback(method: string): string;
  /** Undefined when `timeoutSeconds` were over first; 'unknown' when the URL is none of this execution's callbacks. */
  awaitCallback(url: string, timeoutSeconds: number): Promise<CallbackRequest | 'unknown' | undefined>;
}

/** A request to the console, without its transport. */
export interface Asked {
  readonly method: string;
  /** Percent-encoded, as it came. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** @param name in lower case */
  readonly header: (name: string) => string | undefined;
  /** What the body's JSON says; undefined without one. */
  readonly body: unknown;
  /** IP address at the other end of the connection. */
  readonly peer: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** An answer that goes on: headers first, then whatever is written. */
export interface Stream {
  readonly stream: (outlet: Outlet) => void;
}

/** Where a stream is written to. */
export interface Outlet {
  readonly write: (text: string) => void;
  /** Bytes that were written and not yet taken. */
  readonly pending: () => number;
  /** Ends it in good order. */
  readonly end: () => void;
  /** Ends it at once. */
  readonly destroy: () => void;
  /** Called once when it is over, whoever ended it; at once if it is over already. */
  readonly onClose: (listener: () => void) => void;
}

/** What is said instead of an answer: status and sentence. `cause` is for the log. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    message: string,
    headers: Readonly<Record<string, string>> = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.headers = headers;
  }
}

export function json(status: number, body: object, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify(body),
  };
}

/** Of names and ids that people ask for. What is longer is nobody's, and stores refuse to look for it. */
export const MOST_NAME_LENGTH = 300;

export function bounded(name: string): string {
  if (name.length <= MOST_NAME_LENGTH) return name;
  throw new Refusal(400, `expected a name of at most ${MOST_NAME_LENGTH} characters, found ${name.length}`);
}

/** Calls `callback` once, after so many milliseconds. The returned function cancels it. */
export type After = (ms: number, callback: () => void) => () => void;

export function afterTimeout(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}

import { SlipwayError } from '../errors.ts';
import { type AddressesOf, isForbiddenHost } from './addresses.ts';
import { mayHoldContent, mayIssueTokens } from './known-hosts.ts';
import { harmless } from './reasons.ts';

/** Slower than this on average, after the first `timeoutMs`, and a body counts as hanging: 64 KiB a second. */
const SLOWEST_BYTES_PER_MS = 64;
const MAX_REDIRECTS = 5;
/** What a timer can wait, 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export interface Transport {
  /** One GET that follows redirects. Settles when the answer's headers are there, within the time limit. */
  get(url: URL, headers: Readonly<Record<string, string>>, operation: string): Promise<Answer>;
  /** One POST, which follows none: what is posted is secret. */
  post(url: URL, form: URLSearchParams, operation: string): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Pick<Headers, 'get'>;
  /** Once only. Ending the loop early closes the connection. Fails when the other side is too slow. */
  chunks(): AsyncGenerator<Uint8Array, void>;
  /** @throws SlipwayError `InvalidArgument` when there are more than `maxBytes`. */
  body(maxBytes: number): Promise<Buffer>;
  discard(): void;
}

export interface Guard {
  /** Origins that were configured, and may therefore be anywhere, loopback included. */
  readonly trustedOrigins: ReadonlySet<string>;
  readonly addressesOf: AddressesOf;
}

/** As much of fetch as is used here; it follows no redirect. */
export type Fetch = (url: URL, init: FetchInit) => Promise<Fetched>;

export interface FetchInit {
  readonly method?: 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: URLSearchParams;
  readonly redirect: 'manual';
  readonly signal: AbortSignal;
}

export interface Fetched {
  readonly status: number;
  readonly headers: Pick<Headers, 'get'>;
  readonly body: {
    getReader(): { read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }> };
    cancel(): Promise<void>;
  } | null;
}

export interface TransportOptions extends Guard {
  readonly fetch: Fetch;
  readonly timeoutMs: number;
}

export function transport(options: TransportOptions): Transport {
  async function send(
    operation: string,
    request: (signal: AbortSignal) => Promise<Fetched>,
  ): Promise<Answer> {
    const controller = new AbortController();
    const response = await inTime(request(controller.signal), controller, options.timeoutMs, operation);
    return answerOf(response, controller, options.timeoutMs, operation);
  }
  return {
    get: (url, headers, operation) =>
      send(operation, signal => follow(options, url, headers, signal, operation)),
    post: (url, form, operation) =>
      send(operation, signal =>
        options.fetch(url, { method: 'POST', body: form, redirect: 'manual', signal }),
      ),
  };
}

/**
 * Whether a registry may send us to `url`, for content or for a token: over https, to a host of its own or one that it is
 * known to use, and never to an address that only this machine should be able to reach. What was configured may be used
 * by any registry. The address is looked up once more for the request itself; TLS keeps a name that changed in between
 * from standing for somebody else.
 *
 * @throws SlipwayError `Internal`
 */
export async function checkForeignUrl(
  guard: Guard,
  { url, registry, purpose }: { url: URL; registry: URL; purpose: 'content' | 'token' },
  operation: string,
): Promise<void> {
  if (url.origin === registry.origin || guard.trustedOrigins.has(url.origin)) return;
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && registry.protocol === 'http:')) {
    throw refused(
      operation,
      `${registry.host} sends the client to ${cleanUrl(url.href)}, which is not https`,
    );
  }
  const isAllowed = purpose === 'token' ? mayIssueTokens : mayHoldContent;
  if (!isAllowed(url.hostname, registry.hostname)) {
    throw refused(
      operation,
      `${registry.host} sends the client to ${url.host}, which is not known to belong to it. If it does, add it to the registry mirrors: SLIPWAY_REGISTRY_MIRRORS=${url.host}=${url.origin}`,
    );
  }
  if (await isForbiddenHost(url, guard.addressesOf)) {
    throw refused(
      operation,
      `${registry.host} sends the client to ${url.host}, an address of the client's own machine or link`,
    );
  }
}

/** Without user name and password, which fetch refuses, and repeats in its error. */
export function parseUrl(text: string, base?: string): URL | undefined {
  const url = URL.parse(text, base);
  if (!url) return undefined;
  url.username = '';
  url.password = '';
  return url;
}

/** What the other side says, for an error text: short, without what a terminal would obey and without passwords in URLs. */
export function clean(text: string): string {
  const line = text.replace(/\s+/g, ' ').replace(/([/\\]{2})[^/\\?# ]*@/g, '$1');
  return harmless(line).slice(0, 300);
}

/** The same of a URL, without its query, which may be a signature. */
function cleanUrl(text: string): string {
  return clean(text.replace(/[?#].*$/s, ''));
}

/** Redirects are followed by hand: each new host is checked, and none but the first origin gets the Authorization. */
async function follow(
  options: TransportOptions,
  start: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
  operation: string,
): Promise<Fetched> {
  const { authorization: _, ...anonymous } = headers;
  let url = start;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const response = await options.fetch(url, {
      headers: url.origin === start.origin ? headers : anonymous,
      redirect: 'manual',
      signal,
    });
    const location = response.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    response.body?.cancel().catch(() => undefined);
    const next = parseUrl(location, url.href);
    if (!next)
      throw refused(operation, `${url.host} redirects to "${cleanUrl(location)}", which is not a URL`);
    await checkForeignUrl(options, { url: next, registry: start, purpose: 'content' }, operation);
    url = next;
  }
  throw refused(operation, `${start.host} redirects more than ${MAX_REDIRECTS} times`);
}

function answerOf(
  response: Fetched,
  controller: AbortController,
  timeoutMs: number,
  operation: string,
): Answer {
  const chunks = () => readInTime(response, controller, timeoutMs, operation);
  return {
    status: response.status,
    headers: response.headers,
    chunks,
    async body(maxBytes) {
      const parts: Uint8Array[] = [];
      let length = Number(response.headers.get('content-length') ?? 0);
      if (length <= maxBytes) {
        length = 0;
        for await (const chunk of chunks()) {
          length += chunk.length;
          if (length > maxBytes) break;
          parts.push(chunk);
        }
      }
      controller.abort();
      if (length > maxBytes) {
        throw tooLarge(operation, length, maxBytes);
      }
      return Buffer.concat(parts);
    },
    discard: () => controller.abort(),
  };
}

/** Time the consumer takes does not count: only waiting for the other side does. */
async function* readInTime(
  response: Fetched,
  controller: AbortController,
  timeoutMs: number,
  operation: string,
): AsyncGenerator<Uint8Array, void> {
  if (!response.body) return;
  const reader = response.body.getReader();
  let waitedMs = 0;
  let received = 0;
  try {
    while (true) {
      const sinceMs = performance.now();
      const patienceMs = timeoutMs + received / SLOWEST_BYTES_PER_MS - waitedMs;
      const { done, value } = await inTime(reader.read(), controller, patienceMs, operation);
      waitedMs += performance.now() - sinceMs;
      if (done || value === undefined) return;
      received += value.length;
      yield value;
    }
  } finally {
    controller.abort();
  }
}

async function inTime<T>(
  work: Promise<T>,
  controller: AbortController,
  limitMs: number,
  operation: string,
): Promise<T> {
  const tooLate = () => controller.abort(slow(operation));
  const timer = setTimeout(tooLate, Math.min(LONGEST_TIMER_MS, Math.max(0, limitMs)));
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/** Seconds as the header gives them. Registries do not use its date form. */
export function retryAfterSeconds({ headers }: Answer): number | undefined {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
}

/** The registry's doing, which says nothing about the image and which no retry mends. */
function refused(operation: string, why: string): SlipwayError {
  return new SlipwayError(`${operation}: ${why}.`, { code: 'Internal', operation });
}

function slow(operation: string): SlipwayError {
  return new SlipwayError(`${operation}: no answer in time.`, { code: 'DeadlineExceeded', operation });
}

function tooLarge(operation: string, length: number, maxBytes: number): SlipwayError {
  const message = `${operation}: the answer has ${length} bytes or more, at most ${maxBytes} are read.`;
  return new SlipwayError(message, { code: 'InvalidArgument', operation });
}

import http from 'node:http';
import https from 'node:https';
import type { Clock } from '../clock.ts';

export interface LoadOptions {
  /** `http://127.0.0.1:PORT`; https too. */
  readonly url: string;
  readonly path?: string;
  readonly ratePerSecond: number;
  /** Nothing is sent after so many were due. */
  readonly requests?: number;
  /** Asked anew for every request. */
  readonly headers?: () => Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Requests waiting for an answer; beyond that, requests that are due are left out and counted as skipped. */
  readonly maxInFlight?: number;
  /** 30 s unless told. */
  readonly timeoutMs?: number;
  /** Outcomes kept in `recent`. */
  readonly keepRecent?: number;
  /** Told of every request that has ended. */
  readonly onOutcome?: (outcome: LoadOutcome) => void;
}

export interface Counts {
  good: number;
  bad: number;
}

/** One request that has ended. What neither the body nor the headers `x-slipway-…` tell is undefined. */
export interface LoadOutcome {
  readonly sentMs: number;
  readonly atMs: number;
  /** Undefined when there was no answer; `error` then says why. */
  readonly status: number | undefined;
  readonly error: string | undefined;
  /** `ECONNREFUSED`, `timeout`; with `error`, where the system names it. */
  readonly errorCode?: string | undefined;
  readonly version: string | undefined;
  readonly revision: string | undefined;
  readonly region: string | undefined;
  readonly architecture: string | undefined;
  readonly clientLocation: string | undefined;
}

export interface LoadSnapshot {
  readonly sent: number;
  readonly answered: number;
  /** Answered with 400 or above. */
  readonly bad: number;
  /** Sent and never answered. */
  readonly failures: number;
  readonly skipped: number;
  readonly inFlight: number;
  readonly byRevision: ReadonlyMap<string, Counts>;
  readonly byRegion: ReadonlyMap<string, Counts>;
  readonly byArchitecture: ReadonlyMap<string, Counts>;
  /** Oldest first. */
  readonly recent: readonly LoadOutcome[];
}

export interface Load {
  snapshot(): LoadSnapshot;
  /** Sends nothing new and waits for the answers that are due. */
  stop(): Promise<void>;
  /** Sends nothing new and gives up the requests under way, which then are counted nowhere. */
  giveUp(): void;
}

const TICK_MS = 20;
const REQUEST_TIMEOUT_MS = 30_000;
/** Of an answer's body; who answered is told at its beginning. */
const MOST_BODY_CHARACTERS = 65_536;

/** Sends requests at a steady rate, whatever the answers are, and reads from them who answered. */
export function startLoad(options: LoadOptions): Load {
  const { clock, maxInFlight = 100, requests = Number.POSITIVE_INFINITY } = options;
  const client = clientFor(options.url, maxInFlight);
  const tally = new Tally(options.keepRecent ?? 20_000);
  const inFlight = new Set<Promise<void>>();
  const startMs = clock.nowMs();
  let due = 0;
  let isOver = false;
  let cancelTick = clock.after(0, tick);

  function tick(): void {
    const dueNow = Math.floor(((clock.nowMs() - startMs) * options.ratePerSecond) / 1000) + 1;
    for (; due < Math.min(dueNow, requests); due++) {
      if (inFlight.size >= maxInFlight) tally.skipped++;
      else sendOne();
    }
    if (due < requests) cancelTick = clock.after(TICK_MS, tick);
  }

  function sendOne(): void {
    tally.sent++;
    const request = send(options, client).then(outcome => {
      inFlight.delete(request);
      if (isOver) return;
      tally.add(outcome);
      options.onOutcome?.(outcome);
    });
    inFlight.add(request);
  }

  return {
    snapshot: () => tally.snapshot(inFlight.size),
    async stop() {
      cancelTick();
      await Promise.all(inFlight);
      client.agent.destroy();
    },
    giveUp() {
      isOver = true;
      cancelTick();
      client.agent.destroy();
    },
  };
}

interface Client {
  readonly get: typeof http.get;
  readonly agent: http.Agent;
}

function clientFor(url: string, maxSockets: number): Client {
  const { get, Agent } = url.startsWith('https:') ? https : http;
  return { get, agent: new Agent({ keepAlive: true, maxSockets }) };
}

function send(options: LoadOptions, { get, agent }: Client): Promise<LoadOutcome> {
  const { clock } = options;
  const sentMs = clock.nowMs();
  return new Promise(resolve => {
    const end = (
      answered: Pick<LoadOutcome, 'status' | 'error' | 'errorCode'>,
      who = whoAnswered('', {}),
    ) => {
      cancelTimeout();
      resolve({ sentMs, atMs: clock.nowMs(), ...answered, ...who });
    };
    const fail = (error: Error) => {
      const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
      end({ status: undefined, error: error.message || (code ?? error.name), errorCode: code });
    };
    const request = get(
      `${options.url}${options.path ?? '/'}`,
      { agent, headers: options.headers?.() },
      answer => {
        let body = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          if (body.length < MOST_BODY_CHARACTERS) body += chunk;
        });
        answer.on('end', () => {
          const { statusCode: status, headers } = answer;
          end({ status, error: undefined, errorCode: undefined }, whoAnswered(body, headers));
        });
        answer.on('error', fail);
      },
    );
    const cancelTimeout = clock.after(options.timeoutMs ?? REQUEST_TIMEOUT_MS, () =>
      request.destroy(Object.assign(new Error('no answer in time'), { code: 'timeout' })),
    );
    request.on('error', fail);
  });
}

/** The sample service says it in its body; any other may say it in headers. */
function whoAnswered(body: string, headers: http.IncomingHttpHeaders) {
  const json = parseObject(body);
  const text = (name: string) => {
    const value = json[name] ?? headers[`x-slipway-${name}`];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    version: text('version'),
    revision: text('revision'),
    region: text('region'),
    architecture: text('architecture'),
    clientLocation: text('clientLocation'),
  };
}

function parseObject(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

class Tally {
  sent = 0;
  skipped = 0;
  #answered = 0;
  #bad = 0;
  #failures = 0;
  readonly #byRevision = new Map<string, Counts>();
  readonly #byRegion = new Map<string, Counts>();
  readonly #byArchitecture = new Map<string, Counts>();
  readonly #keepRecent: number;
  #recent: LoadOutcome[] = [];

  constructor(keepRecent: number) {
    this.#keepRecent = keepRecent;
  }

  add(outcome: LoadOutcome): void {
    this.#recent.push(outcome);
    if (this.#recent.length > 2 * this.#keepRecent) this.#recent = this.#recent.slice(-this.#keepRecent);
    if (outcome.status === undefined) {
      this.#failures++;
      return;
    }
    const isBad = outcome.status >= 400;
    this.#answered++;
    if (isBad) this.#bad++;
    count(this.#byRevision, outcome.revision, isBad);
    count(this.#byRegion, outcome.region, isBad);
    count(this.#byArchitecture, outcome.architecture, isBad);
  }

  snapshot(inFlight: number): LoadSnapshot {
    return {
      sent: this.sent,
      answered: this.#answered,
      bad: this.#bad,
      failures: this.#failures,
      skipped: this.skipped,
      inFlight,
      byRevision: copy(this.#byRevision),
      byRegion: copy(this.#byRegion),
      byArchitecture: copy(this.#byArchitecture),
      recent: this.#recent.slice(-this.#keepRecent),
    };
  }
}

function count(counts: Map<string, Counts>, key: string | undefined, isBad: boolean): void {
  if (key === undefined) return;
  const entry = counts.get(key) ?? { good: 0, bad: 0 };
  if (isBad) entry.bad++;
  else entry.good++;
  counts.set(key, entry);
}

function copy(counts: ReadonlyMap<string, Counts>): Map<string, Counts> {
  return new Map([...counts].map(([key, entry]) => [key, { ...entry }]));
}

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { note } from '../../functions/rollout/record.ts';
import { sqliteStore } from '../../functions/store/sqlite.ts';
import type { Store } from '../../functions/store/store.ts';
import { realClock, sleep } from '../../local/clock.ts';
import type { Told } from './console-child.ts';
import { fill, serviceName } from './console-records.ts';
import { median, table } from './report.ts';

const CHILD = fileURLToPath(new URL('./console-child.ts', import.meta.url));

/** Of medians; a person does not wait longer without wondering. */
const MOST_FIRST_BYTE_MS = 500;
/** What a function of the console has. */
const MOST_MEMORY_MB = 512;
const ASKED = 30;
const UPDATES = 10;

/**
 * The console with a store of 1,000 services and 10,000 rollouts and 200 listeners: time to the first byte of what its
 * pages ask for, memory, bytes per update.
 * @returns whether that stays usable
 */
export async function benchConsole(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      services: { type: 'string', default: '1000' },
      rollouts: { type: 'string', default: '10000' },
      listeners: { type: 'string', default: '200' },
    },
  });
  const [services, rollouts, listeners] = [values.services, values.rollouts, values.listeners].map(Number);
  const folder = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  const file = join(folder, 'records.sqlite');
  const store = sqliteStore(file);
  const bytes = await fill(store, services ?? 0, rollouts ?? 0);
  const told = `${services} services, ${rollouts} rollouts of ${(bytes / 1000).toFixed(0)} kB each`;
  const child = await startConsole(folder, file);
  try {
    const middle = serviceName(Math.floor((services ?? 0) / 2));
    const last = Math.floor((rollouts ?? 0) / (services || 1)) - 1;
    const pages = pagesOf(middle, `${middle}-${last}`);
    const quiet = await firstBytes(child.url, pages);
    const idle = await child.memory();
    const crowd = await Crowd.gather(child.url, `${middle}-${last}`, listeners ?? 0);
    const busy = await firstBytes(child.url, pages);
    const updates = await crowd.update(store, UPDATES);
    const full = await child.memory();
    await crowd.leave();
    console.log(
      `${told}; asked ${ASKED} times each, alone and beside ${listeners} listeners to one rollout\n`,
    );
    console.log(
      table([
        ['', 'first byte, median', 'slowest', 'beside listeners', 'slowest', 'bytes'],
        ...rowsOf(pages, quiet, busy),
      ]),
    );
    console.log(
      `\nmemory            ${idle.rssMb.toFixed(0)} MB, with ${listeners} listeners ${full.rssMb.toFixed(0)} MB (heap ${idle.heapMb.toFixed(0)} and ${full.heapMb.toFixed(0)} MB)`,
    );
    console.log(`first event       ${crowd.firstBytes} bytes`);
    console.log(`an update         ${updates.bytes.toFixed(0)} bytes to each listener`);
    console.log(
      `the last has it   ${updates.lateMs.toFixed(0)} ms after it was written, median of ${UPDATES}; the console looks once a second`,
    );
    console.log(`lost              ${updates.lost} of ${UPDATES * (listeners ?? 0)}`);
    const slowest = Math.max(...[...quiet, ...busy].map(({ times }) => median(times)));
    return slowest < MOST_FIRST_BYTE_MS && full.rssMb < MOST_MEMORY_MB && updates.lost === 0;
  } finally {
    child.process.kill('SIGKILL');
    await store.close();
    await rm(folder, { recursive: true });
  }
}

function pagesOf(service: string, rollout: string): readonly (readonly [string, string])[] {
  return [
    ['the page', '/'],
    ['services', '/api/services'],
    ['services, fifth page', '/api/services?after=service-0399'],
    ['services, searched', '/api/services?search=0999'],
    ['all rollouts', '/api/rollouts'],
    ['rollouts of a service', `/api/rollouts?service=${service}`],
    ['a rollout', `/api/rollouts/${rollout}`],
  ];
}

interface FirstBytes {
  readonly times: readonly number[];
  readonly bytes: number;
}

async function firstBytes(url: string, pages: readonly (readonly [string, string])[]): Promise<FirstBytes[]> {
  const measured: FirstBytes[] = [];
  for (const [, path] of pages) {
    const times: number[] = [];
    let bytes = 0;
    for (let count = 0; count < ASKED; count++) {
      const sinceMs = performance.now();
      const answer = await ask(`${url}${path}`);
      times.push(performance.now() - sinceMs);
      if (answer.statusCode !== 200) throw new Error(`${path} answered ${answer.statusCode}`);
      bytes = 0;
      for await (const chunk of answer) bytes += chunk.length;
    }
    measured.push({ times, bytes });
  }
  return measured;
}

function rowsOf(
  pages: readonly (readonly [string, string])[],
  quiet: readonly FirstBytes[],
  busy: readonly FirstBytes[],
): string[][] {
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  return pages.map(([name], index) => {
    const [alone, beside] = [quiet[index], busy[index]];
    const [a, b] = [alone?.times ?? [], beside?.times ?? []];
    return [name, ms(median(a)), ms(Math.max(...a)), ms(median(b)), ms(Math.max(...b)), String(alone?.bytes)];
  });
}

const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

function ask(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, resolve).on('error', reject);
  });
}

/** Listeners to one rollout, each with a connection of its own. */
class Crowd {
  readonly #rollout: string;
  readonly #streams: readonly IncomingMessage[];
  readonly #received: number[];
  #bytes = 0;
  firstBytes = 0;

  private constructor(rollout: string, streams: readonly IncomingMessage[]) {
    this.#rollout = rollout;
    this.#streams = streams;
    this.#received = streams.map(() => 0);
    streams.forEach((stream, index) => {
      stream.on('data', (chunk: Buffer) => {
        this.#bytes += chunk.length;
        this.#received[index] = (this.#received[index] ?? 0) + occurrences(chunk.toString(), 'event: ');
      });
    });
  }

  static async gather(url: string, rollout: string, count: number): Promise<Crowd> {
    const asked = Array.from({ length: count }, () => ask(`${url}/api/watch?rollout=${rollout}`));
    const crowd = new Crowd(rollout, await Promise.all(asked));
    await crowd.#until(1);
    crowd.firstBytes = Math.round(crowd.#bytes / count);
    return crowd;
  }

  async update(store: Store, times: number): Promise<{ bytes: number; lateMs: number; lost: number }> {
    const beforeBytes = this.#bytes;
    const lateMs: number[] = [];
    for (let count = 1; count <= times; count++) {
      const record = await store.read('rollout', this.#rollout);
      if (!record) throw new Error(`no rollout ${this.#rollout}`);
      const changed = note(
        record,
        Date.now(),
        'TrafficWeightUpdated',
        `hello.us canary weight ${count}`,
        'us',
      );
      await store.transact(async transaction => transaction.write('rollout', record.id, changed));
      const sinceMs = performance.now();
      await this.#until(1 + count);
      lateMs.push(performance.now() - sinceMs);
    }
    const received = this.#received.reduce((sum, events) => sum + events - 1, 0);
    const expected = times * this.#streams.length;
    return {
      bytes: (this.#bytes - beforeBytes) / expected,
      lateMs: median(lateMs),
      lost: expected - received,
    };
  }

  async leave(): Promise<void> {
    for (const stream of this.#streams) stream.destroy();
  }

  async #until(events: number): Promise<void> {
    const deadlineMs = performance.now() + 20_000;
    while (this.#received.some(count => count < events) && performance.now() < deadlineMs) {
      await sleep(realClock, 5);
    }
  }
}

function occurrences(text: string, part: string): number {
  return text.split(part).length - 1;
}

interface Served {
  readonly process: ChildProcess;
  readonly url: string;
  memory(): Promise<{ rssMb: number; heapMb: number }>;
}

async function startConsole(folder: string, file: string): Promise<Served> {
  const policyFile = join(folder, 'rollouts.yaml');
  await writeFile(policyFile, 'services: []\n');
  const env = {
    GOOGLE_CLOUD_PROJECT: 'acme',
    SLIPWAY_STORE: `sqlite:${file}`,
    SLIPWAY_POLICY: policyFile,
    SLIPWAY_CONSOLE_IDENTITY: 'local:bench',
    NODE_ENV: 'production',
  };
  const child = fork(CHILD, {
    env,
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const told = async (): Promise<Told> => (await once(child, 'message'))[0];
  const begun = await told();
  if (!('port' in begun)) throw new Error('the console did not tell its port');
  return {
    process: child,
    url: `http://127.0.0.1:${begun.port}`,
    async memory() {
      child.send('memory');
      const memory = await told();
      if ('port' in memory) throw new Error('the console did not tell its memory');
      return memory;
    },
  };
}

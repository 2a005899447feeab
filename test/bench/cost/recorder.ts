import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import type { OutgoingHttp, Send } from '../../../local/workflows/host.ts';
import type { StackEntry } from '../../../local/workflows/machine.ts';
import { sendByFetch } from '../../../local/workflows/send.ts';
import type { ApiProxy } from './proxy.ts';
import type { Tapped } from './tapped.ts';
import type { Use } from './use.ts';

const asked = z.object({ activity: z.string(), target: z.string().nullish() });
const replied = z.looseObject({ status: z.string().default('') });

export interface Call {
  readonly by: string;
  readonly isAgain: boolean;
}

/** What happened between two marks. */
export interface Recorded {
  /** By in whose name: `activity deploy us`, `imagePush`. */
  readonly uses: ReadonlyMap<string, Use>;
  /** By function. */
  readonly served: ReadonlyMap<string, number>;
  readonly calls: readonly Call[];
  /** Each step with those that called it, outermost first: `main.deploy until_done.ask activity.call_function`. */
  readonly steps: ReadonlyMap<string, number>;
  readonly cpuSeconds: number;
  readonly proxies: Readonly<Record<'bytes' | 'messages' | 'series' | 'lists', number>>;
}

interface Mark {
  readonly size: number;
  readonly calls: number;
  readonly steps: ReadonlyMap<string, number>;
  readonly proxies: Recorded['proxies'];
}

/** Collects what the tap, the workflows and the proxies tell. */
export class Recorder {
  readonly #file: string;
  readonly #proxies: { readonly monitoring: ApiProxy; readonly pubsub: ApiProxy };
  readonly #calls: Call[] = [];
  readonly #steps = new Map<string, number>();
  readonly #apis = new Map<string, string>();
  readonly #functions = new Map<number, string>();

  constructor(file: string, proxies: { readonly monitoring: ApiProxy; readonly pubsub: ApiProxy }) {
    this.#file = file;
    this.#proxies = proxies;
  }

  name(urls: Readonly<Record<string, string>>): void {
    for (const [name, url] of Object.entries(urls)) this.#apis.set(new URL(url).port, name);
  }

  nameFunctions(urls: Readonly<Record<string, string>>): void {
    for (const [name, url] of Object.entries(urls)) this.#functions.set(Number(new URL(url).port), name);
  }

  readonly send: Send = async (request: OutgoingHttp) => {
    const reply = await sendByFetch(request);
    const { activity, target } = asked.parse(JSON.parse(String(request.body)));
    const isAgain = reply.status === 200 && replied.parse(JSON.parse(String(reply.body))).status === 'again';
    this.#calls.push({ by: ['activity', activity, ...(target ? [target] : [])].join(' '), isAgain });
    return reply;
  };

  readonly onStep = (_execution: string, stack: readonly StackEntry[]): void => {
    const name = stack.map(({ routine, step }) => `${routine}.${step}`).join(' ');
    this.#steps.set(name, 1 + (this.#steps.get(name) ?? 0));
  };

  /** Of what the tap has written. */
  async size(): Promise<number> {
    return (await stat(this.#file)).size;
  }

  async mark(): Promise<Mark> {
    return {
      size: await this.size(),
      calls: this.#calls.length,
      steps: new Map(this.#steps),
      proxies: this.#proxied(),
    };
  }

  async since(mark: Mark): Promise<Recorded> {
    const text = (await readFile(this.#file)).subarray(mark.size).toString();
    const lines = text.split('\n').filter(line => line !== '').map(line => JSON.parse(line) as Tapped);
    const uses = new Map<string, Record<string, number>>();
    const served = new Map<string, number>();
    for (const line of lines) {
      if (line.what === 'served') {
        const name = this.#functions.get(line.port ?? 0) ?? 'unknown';
        served.set(name, 1 + (served.get(name) ?? 0));
        continue;
      }
      const use = uses.get(line.by) ?? {};
      uses.set(line.by, use);
      const name = this.#nameOf(line);
      use[name] = (use[name] ?? 0) + line.count;
    }
    const cpu = lines.flatMap(({ cpuMs }) => cpuMs ?? []);
    const proxies = this.#proxied();
    return {
      uses,
      served,
      calls: this.#calls.slice(mark.calls),
      steps: new Map([...this.#steps].map(([name, count]) => [name, count - (mark.steps.get(name) ?? 0)])),
      cpuSeconds: ((cpu.at(-1) ?? 0) - (cpu[0] ?? 0)) / 1000,
      proxies: {
        bytes: proxies.bytes - mark.proxies.bytes,
        messages: proxies.messages - mark.proxies.messages,
        series: proxies.series - mark.proxies.series,
        lists: proxies.lists - mark.proxies.lists,
      },
    };
  }

  #proxied(): Recorded['proxies'] {
    const { monitoring, pubsub } = this.#proxies;
    return { bytes: pubsub.bytes, messages: pubsub.messages, series: monitoring.series, lists: monitoring.lists };
  }

  #nameOf({ what, to = '', method = 'GET' }: Tapped): string {
    switch (what) {
      case 'read':
        return 'store.read';
      case 'write':
        return 'store.write';
      case 'log':
        return 'log.bytes';
      default: {
        const api = this.#apis.get(to.split(':')[1] ?? '') ?? 'probe';
        return `${api}.${method === 'GET' || method === 'HEAD' ? 'read' : 'write'}`;
      }
    }
  }
}

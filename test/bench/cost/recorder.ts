import { readFile, stat } from 'node:fs/promises';
import type { StackEntry } from '../../../local/workflows/machine.ts';
import type { ApiProxy } from './proxy.ts';
import type { Tapped } from './tapped.ts';
import type { Use } from './use.ts';

/** One request to a function. */
export interface Served {
  readonly name: string;
  /** Of an activity. */
  readonly activity: string;
  readonly target: string;
  /** The activity answered that it is not yet so. */
  readonly isAgain: boolean;
  /** All that it used, itself included. */
  readonly use: Use;
}

/** What happened between two marks. */
export interface Recorded {
  readonly served: readonly Served[];
  /** Each step behind those that called it: `main.deploy until_done.ask activity.call_function`. */
  readonly steps: ReadonlyMap<string, number>;
  readonly cpuSeconds: number;
  readonly carried: Carried;
}

/** What the proxies counted. */
type Carried = Readonly<Record<'bytes' | 'messages' | 'series' | 'lists', number>>;

interface Mark {
  readonly size: number;
  readonly steps: ReadonlyMap<string, number>;
  readonly carried: Carried;
}

interface Proxies {
  readonly monitoring: ApiProxy;
  readonly pubsub: ApiProxy;
}

/** Collects what the tap, the workflows and the proxies tell. */
export class Recorder {
  readonly #file: string;
  readonly #proxies: Proxies;
  readonly #steps = new Map<string, number>();
  readonly #apis = new Map<string, string>();
  readonly #functions = new Map<number, string>();

  constructor(file: string, proxies: Proxies) {
    this.#file = file;
    this.#proxies = proxies;
  }

  nameApis(urls: Readonly<Record<string, string>>): void {
    for (const [name, url] of Object.entries(urls)) this.#apis.set(new URL(url).port, name);
  }

  nameFunctions(urls: Readonly<Record<string, string>>): void {
    for (const [name, url] of Object.entries(urls)) this.#functions.set(Number(new URL(url).port), name);
  }

  readonly onStep = (_execution: string, stack: readonly StackEntry[]): void => {
    const name = stack.map(({ routine, step }) => `${routine}.${step}`).join(' ');
    this.#steps.set(name, 1 + (this.#steps.get(name) ?? 0));
  };

  /** Of what the tap has written, in bytes. */
  async size(): Promise<number> {
    return (await stat(this.#file)).size;
  }

  async mark(): Promise<Mark> {
    return { size: await this.size(), steps: new Map(this.#steps), carried: this.#carried() };
  }

  async since(mark: Mark): Promise<Recorded> {
    const text = (await readFile(this.#file)).subarray(mark.size).toString();
    const lines = text.split('\n').flatMap(line => (line === '' ? [] : [JSON.parse(line) as Tapped]));
    const cpuMs = lines.flatMap(line => line.cpuMs ?? []);
    const now = this.#carried();
    const { bytes, messages, series, lists } = mark.carried;
    return {
      served: [...Map.groupBy(lines, ({ request }) => request).values()].map(own => this.#served(own)),
      steps: new Map(
        [...this.#steps].map(([name, count]) => [name, count - (mark.steps.get(name) ?? 0)] as const),
      ),
      cpuSeconds: ((cpuMs.at(-1) ?? 0) - (cpuMs[0] ?? 0)) / 1000,
      carried: {
        bytes: now.bytes - bytes,
        messages: now.messages - messages,
        series: now.series - series,
        lists: now.lists - lists,
      },
    };
  }

  #served(lines: readonly Tapped[]): Served {
    const port = lines.find(line => line.what === 'served')?.port ?? 0;
    const by = lines.find(line => line.by !== '')?.by ?? '';
    const [, activity = '', target = ''] = by.split(' ');
    const name = this.#functions.get(port) ?? by.split(' ')[0] ?? '';
    const use: Record<string, number> = {};
    for (const line of lines) {
      const what = this.#nameOf(line, name);
      if (what !== undefined) use[what] = (use[what] ?? 0) + line.count;
    }
    const isAgain = lines.some(({ status }) => status === 'again');
    return { name, activity, target, isAgain, use };
  }

  #carried(): Carried {
    const { monitoring, pubsub } = this.#proxies;
    return {
      bytes: pubsub.bytes,
      messages: pubsub.messages,
      series: monitoring.series,
      lists: monitoring.lists,
    };
  }

  #nameOf({ what, to = '', method = 'GET' }: Tapped, name: string): string | undefined {
    switch (what) {
      case 'read':
      case 'write':
        return `store.${what}`;
      case 'log':
        return 'log.bytes';
      case 'served':
        return `calls.${name}`;
      case 'answered':
        return undefined;
      case 'call': {
        const api = this.#apis.get(to.split(':')[1] ?? '') ?? 'probe';
        return `${api}.${method === 'GET' || method === 'HEAD' ? 'read' : 'write'}`;
      }
    }
  }
}

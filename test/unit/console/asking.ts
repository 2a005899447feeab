import type { Asked, Outlet } from '../../../functions/console/http.ts';

export interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly peer?: string;
}

/** A request of somebody at this machine, with what is different about it. */
export function asks(address: string, { method = 'GET', headers = {}, body, peer }: Asking = {}): Asked {
  const [path = '', query = ''] = address.split('?');
  const sent = new Headers({ host: '127.0.0.1:8080', ...headers });
  return {
    method,
    path,
    query: new URLSearchParams(query),
    header: name => sent.get(name) ?? undefined,
    body,
    peer: peer ?? '127.0.0.1',
  };
}

/** Keeps what was written, and closes when it is told to. */
export class Paper implements Outlet {
  text = '';
  /** What the other side has not taken. */
  backlog = 0;
  isOver: 'ended' | 'destroyed' | undefined;
  readonly #listeners: (() => void)[] = [];

  readonly write = (text: string) => {
    this.text += text;
  };
  readonly pending = () => this.backlog;
  readonly end = () => this.#close('ended');
  readonly destroy = () => this.#close('destroyed');
  readonly onClose = (listener: () => void) => {
    this.#listeners.push(listener);
  };

  /** Names and data of the events so far. */
  events(): { name: string; id: string | undefined; data: unknown }[] {
    return [...this.text.matchAll(/(?:id: (.*)\n)?event: (.*)\ndata: (.*)\n\n/g)].map(
      ([, id, name, data]) => ({
        name: name ?? '',
        id,
        data: JSON.parse(data ?? 'null'),
      }),
    );
  }

  #close(how: 'ended' | 'destroyed'): void {
    if (this.isOver) return;
    this.isOver = how;
    for (const listener of this.#listeners) listener();
  }
}

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { getService, onSignedOut, watch } from '../../../functions/console/page/api.js';
import { VirtualClock } from '../../../local/clock.ts';

/** How the page listens, with a browser's event source in the test's hands. */

class Source extends EventTarget {
  static readonly CLOSED = 2;
  static all: Source[] = [];
  readyState = 0;

  constructor() {
    super();
    Source.all.push(this);
  }

  tell(type: string, data: unknown): void {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data) }));
  }

  /** As a browser does when the answer is no stream of events. */
  refuse(): void {
    this.readyState = Source.CLOSED;
    this.dispatchEvent(new Event('error'));
  }

  close(): void {
    this.readyState = Source.CLOSED;
  }
}

let clock: VirtualClock;
let asked: { url: string; headers: Headers }[];
let status: number;
let said: string[];

beforeEach(() => {
  clock = new VirtualClock();
  [asked, status, said, Source.all] = [[], 200, [], []];
  vi.stubGlobal('EventSource', Source);
  vi.stubGlobal('document', new EventTarget());
  vi.stubGlobal('window', {
    setTimeout: (callback: () => void, ms: number) => clock.after(ms, callback),
    clearTimeout: (cancel?: () => void) => cancel?.(),
  });
  vi.stubGlobal('fetch', async (url: URL, init: RequestInit) => {
    asked.push({ url: url.pathname.replace(/^.*\/api\//, ''), headers: new Headers(init.headers) });
    return new Response('{}', { status });
  });
});
afterEach(() => vi.unstubAllGlobals());

function listen(): Source {
  watch(
    { services: 'hello' },
    {
      line: line => said.push(line),
      problem: message => said.push(`problem "${message}"`),
      services: rows => said.push(`${rows.length} rows`),
    },
  );
  return newest();
}

function newest(): Source {
  const source = Source.all.at(-1);
  if (!source) throw new Error('nobody listens');
  return source;
}

test('trouble is over as soon as something else comes', () => {
  const source = listen();
  source.tell('problem', { message: 'the store is away' });
  source.tell('services', []);
  expect(said).toEqual(['connecting', 'live', 'problem "the store is away"', 'live', 'problem ""', '0 rows']);
});

test('what fails twice in a row asks who is there, and tells when the session is over', async () => {
  let ended = 0;
  onSignedOut(() => ended++);
  status = 401;
  listen().refuse();
  expect(asked).toEqual([]);
  await clock.advance(1000);
  newest().refuse();
  await vi.waitFor(() => expect(ended).toBe(1));
  expect(asked.map(({ url }) => url)).toEqual(['me']);
  await clock.advance(2000);
  newest().refuse();
  expect(asked).toHaveLength(1);
});

test('a line that is back counts its failures anew', async () => {
  listen().refuse();
  await clock.advance(1000);
  newest().dispatchEvent(new Event('open'));
  newest().refuse();
  expect(asked).toEqual([]);
});

test('every question lets the proxy answer 401 instead of leading elsewhere', async () => {
  await getService('a/b');
  expect(asked).toMatchObject([{ url: 'services/a%2Fb' }]);
  expect(asked[0]?.headers.get('x-requested-with')).toBe('XMLHttpRequest');
});

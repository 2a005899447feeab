import { http } from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Dependencies } from '../../../functions/dependencies.ts';
import { SlipwayError } from '../../../functions/errors.ts';
import { console as serveConsole } from '../../../functions/handlers/console.ts';
import { readSettings } from '../../../functions/settings.ts';
import { type HttpServer, listen } from '../../../local/http.ts';
import { aWorld, play, START_MS, UNTIL_GATE } from '../../worlds.ts';
import { anOffice, type Office } from './office.ts';

const LOCAL = { SLIPWAY_CONSOLE_IDENTITY: 'local:you@localhost' };
const { rollout, service } = play(aWorld(), UNTIL_GATE).world;

let server: HttpServer;
let office: Office;
let deps: Dependencies;
let given: object[];

beforeAll(async () => {
  http('consoleOfTests', (request, response) => serveConsole(deps, request, response));
  server = await listen(getTestServer('consoleOfTests'));
});
afterAll(() => server.close());
beforeEach(async () => {
  given = [];
  office = anOffice(settings(LOCAL));
  deps = office.deps;
  await office.put(rollout, service);
});
afterEach(() => office.store.close());

function settings(env: Readonly<Record<string, string>>): Partial<Dependencies> {
  return {
    settings: readSettings({ GOOGLE_CLOUD_PROJECT: 'acme', ...env }),
    async sendCommand(_topic, command) {
      given.push(command);
      return 'm1';
    },
  };
}

const get = (path: string, init: RequestInit = {}) => fetch(`${server.url}${path}`, init);

function give(command: object, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return get('/api/commands', {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: server.url, ...headers },
    body: JSON.stringify(command),
  });
}

const ABORT = { command: 'abort', service: 'hello', rollout: rollout.id };

describe('the page', () => {
  test.each(['/', '/?search=x', '/services/hello', `/rollouts/${rollout.id}`])(
    'is the answer to %s',
    async path => {
      const answer = await get(path);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(await answer.text()).toMatch(/^<!doctype html>/i);
    },
  );

  test('comes with its files, once: whoever has one is told so', async () => {
    const first = await get('/app.js');
    const etag = first.headers.get('etag') ?? '';
    expect(first.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(first.headers.get('cache-control')).toBe('private, no-cache');
    await first.text();
    const again = await get('/app.js', { headers: { 'if-none-match': etag } });
    expect(again.status).toBe(304);
    expect(await again.text()).toBe('');
  });

  test('to a HEAD comes without its text', async () => {
    const answer = await get('/', { method: 'HEAD' });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe('');
  });

  test.each([
    '/nothing',
    '/services',
    '/services/',
    '/..%2fconsole%2froutes.ts',
    '/%2e%2e/routes.ts',
    '/routes.ts',
    '/tsconfig.json',
    '/toString',
    '//127.0.0.1/app.js',
  ])('is not at %s', async path => {
    const answer = await get(path);
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  });

  test('that is not percent-encoded well is refused', async () => {
    expect((await get('/%ff')).status).toBe(400);
  });
});

describe('every answer', () => {
  const PATHS = [
    '/',
    '/app.js',
    '/nothing',
    '/api/me',
    '/api/nothing',
    '/api/rollouts/none',
    '/api/watch?services=a',
  ];
  test.each(PATHS)('to %s keeps others from framing, sniffing and reading it', async path => {
    const answer = await get(path);
    await answer.body?.cancel();
    const header = (name: string) => answer.headers.get(name);
    expect(header('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    );
    expect(header('x-content-type-options')).toBe('nosniff');
    expect(header('referrer-policy')).toBe('no-referrer');
    expect(header('cross-origin-opener-policy')).toBe('same-origin');
    expect(header('cross-origin-resource-policy')).toBe('same-origin');
    expect(header('permissions-policy')).toContain('camera=()');
    expect(header('access-control-allow-origin')).toBeNull();
    expect(header('x-powered-by')).toBeNull();
    if (path.startsWith('/api')) expect(header('cache-control')).toBe('no-store');
  });

  test('of the API is JSON, whatever is in it', async () => {
    const hostile = '<script>alert(1)</script>\u001b[31m\u202e';
    await office.put({ ...rollout, id: 'hello-x', message: hostile, tag: hostile });
    const answer = await get('/api/rollouts/hello-x');
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await answer.json()).toMatchObject({ rollout: { message: hostile, tag: hostile } });
    const missing = await get(`/api/rollouts/${encodeURIComponent(hostile)}`);
    expect(missing.status).toBe(404);
    expect(missing.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await missing.json()).toEqual({ message: expect.stringContaining('there is no such rollout') });
  });
});

describe('without identity', () => {
  beforeEach(() => {
    deps = { ...deps, ...settings({}) };
  });

  test.each([
    '/',
    '/app.js',
    '/rollouts/x',
    '/nothing',
    '/api/me',
    '/api/services',
    '/api/nothing',
    '/api/watch?rollout=x',
  ])('%s is refused, and nothing else is said', async path => {
    const answer = await get(path);
    expect(answer.status).toBe(401);
    const text = await answer.text();
    expect(text).toContain('Set SLIPWAY_CONSOLE_IDENTITY');
    expect(text).not.toContain('acme');
    expect(text).not.toContain('<');
  });

  test('a command is refused', async () => {
    const answer = await give(ABORT);
    expect(answer.status).toBe(401);
    expect(given).toEqual([]);
  });

  test('a forwarded caller is none of this laptop', async () => {
    deps = { ...deps, ...settings(LOCAL) };
    const forwarded = await get('/api/me', { headers: { 'x-forwarded-for': '127.0.0.1' } });
    expect(forwarded.status).toBe(401);
  });
});

describe('a command', () => {
  test('of the page is taken, in the name of who is signed in', async () => {
    const answer = await give(ABORT);
    expect(answer.status).toBe(202);
    const { id } = Object(await answer.json());
    expect(given).toEqual([{ ...ABORT, id, actor: 'you@localhost' }]);
  });

  test.each<[string, Readonly<Record<string, string>>, number]>([
    ['of another site', { origin: 'https://evil.example' }, 403],
    ['that a form can send', { 'content-type': 'text/plain' }, 415],
    ['that the browser calls cross-site', { 'sec-fetch-site': 'cross-site' }, 403],
  ])('%s is refused', async (_what, headers, status) => {
    const answer = await give(ABORT, headers);
    expect(answer.status).toBe(status);
    expect(given).toEqual([]);
  });

  test('is asked about by no other site with success', async () => {
    const answer = await get('/api/commands', {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('POST');
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });

  test.each(['GET', 'PUT', 'DELETE'])('is not given by %s', async method => {
    expect((await get('/api/commands', { method })).status).toBe(405);
  });

  test('beyond thirty a minute has to wait', async () => {
    const answers = await Promise.all(Array.from({ length: 31 }, () => give(ABORT)));
    expect(answers.map(({ status }) => status).filter(status => status === 429)).toHaveLength(1);
    expect(answers.find(({ status }) => status === 429)?.headers.get('retry-after')).toBe('2');
    expect(given).toHaveLength(30);
  });

  test('that cannot be published is told to be so', async () => {
    deps = {
      ...deps,
      async sendCommand() {
        throw new SlipwayError('publish: no answer', { code: 'Unavailable', operation: 'publish' });
      },
    };
    const answer = await give(ABORT);
    expect(answer.status).toBe(503);
    expect(office.logged.at(-1)).toContain('POST /api/commands: publish: no answer');
  });
});

describe('what goes wrong inside', () => {
  test('is said in the log, and not to the caller', async () => {
    deps = {
      ...deps,
      async store() {
        throw new Error('password=hunter2');
      },
    };
    const answer = await get('/api/services');
    expect(answer.status).toBe(500);
    expect(await answer.json()).toEqual({ message: 'the console failed; its log says why' });
    expect(office.logged.at(-1)).toContain('hunter2');
  });
});

test.each([
  `/api/rollouts/${'x'.repeat(301)}`,
  `/api/rollouts/${'x'.repeat(301)}/signals`,
  `/api/rollouts?after=${'x'.repeat(301)}`,
  `/api/services?search=${'x'.repeat(301)}`,
  `/api/services/${'x'.repeat(301)}`,
  `/api/watch?rollout=${'x'.repeat(301)}`,
  `/api/watch?services=a,${'x'.repeat(301)}`,
])('a name that nothing can have is refused before the store is asked: %.30s', async path => {
  const answer = await get(path);
  expect(answer.status).toBe(400);
  expect(await answer.json()).toEqual({ message: 'expected a name of at most 300 characters, found 301' });
});

test('a service is asked for by its name, and one that nobody knows is said to be none', async () => {
  const found = await get('/api/services/hello');
  expect(await found.json()).toMatchObject({ row: { name: 'hello', rollout: { id: rollout.id } } });
  expect((await get('/api/services/nobody')).status).toBe(404);
});

test('rollouts are asked for by phase, and a phase that is none is refused', async () => {
  const ids = async (phases: string) =>
    Object(await (await get(`/api/rollouts?phases=${phases}`)).json()).rollouts.map(Object).length;
  expect(await ids('Paused,RollingBack')).toBe(1);
  expect(await ids('Pending')).toBe(0);
  expect((await get('/api/rollouts?phases=Paused,Nonsense')).status).toBe(400);
});

describe('who watches', () => {
  test('a rollout hears of it until they go', async () => {
    const aborter = new AbortController();
    const answer = await get(`/api/watch?rollout=${rollout.id}`, { signal: aborter.signal });
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.endsWith('\n\n') || !text.includes('event: rollout'))
      text += (await reader?.read())?.value ?? '';
    expect(text).toContain(`"id":"${rollout.id}"`);
    await office.put({ ...rollout, message: 'changed', updatedMs: START_MS + 1 });
    while (!text.includes('event: change')) text += (await reader?.read())?.value ?? '';
    expect(text).toContain('"message":"changed"');
    aborter.abort();
  });

  test.each<[string, number]>([
    ['', 400],
    ['?rollout=a&services=b', 400],
    ['?services=', 400],
    [`?services=${Array.from({ length: 101 }, (_, index) => `s${index}`).join(',')}`, 400],
    ['?rollout=none', 404],
  ])('with "%s" is refused', async (query, status) => {
    expect((await get(`/api/watch${query}`)).status).toBe(status);
  });

  test('by HEAD is refused', async () => {
    expect((await get(`/api/watch?rollout=${rollout.id}`, { method: 'HEAD' })).status).toBe(405);
  });
});

describe('signals', () => {
  const SIGNALS = { sinceMs: 0, untilMs: 1, periodMs: 1, points: [], warnings: [] };

  test('are read once for all who ask within ten seconds, of the targets that were touched', async () => {
    const asked: [string[], number][] = [];
    deps = {
      ...deps,
      async signals(targets, minutes) {
        asked.push([targets.map(({ name }) => name), minutes]);
        return SIGNALS;
      },
    };
    const signals = (query = '') => get(`/api/rollouts/${rollout.id}/signals${query}`);
    const answers = await Promise.all([signals(), signals(), signals('?minutes=30')]);
    for (const answer of answers) expect(await answer.json()).toEqual(SIGNALS);
    office.nowMs += 9_999;
    await signals();
    await signals('?minutes=5');
    office.nowMs += 1;
    await signals();
    expect(asked).toEqual([
      [['us'], 30],
      [['us'], 5],
      [['us'], 30],
    ]);
  });

  test('that cannot be read are asked for again at once', async () => {
    let isDown = true;
    deps = {
      ...deps,
      async signals() {
        if (isDown) throw new SlipwayError('no metrics', { code: 'Unavailable', operation: 'read' });
        return SIGNALS;
      },
    };
    expect((await get(`/api/rollouts/${rollout.id}/signals`)).status).toBe(503);
    isDown = false;
    expect((await get(`/api/rollouts/${rollout.id}/signals`)).status).toBe(200);
  });

  test.each(['0', '-1', '1.5', '1441', 'many', '1e9'])('of %s minutes are refused', async minutes => {
    expect((await get(`/api/rollouts/${rollout.id}/signals?minutes=${minutes}`)).status).toBe(400);
  });
});

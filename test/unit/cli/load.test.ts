import { afterEach, describe, expect, test } from 'vitest';
import { load } from '../../../cli/commands/load.ts';
import { LoadTally } from '../../../cli/load-tally.ts';
import type { LoadOutcome } from '../../../local/dataplane/load.ts';
import { type HttpHandler, type HttpServer, serve } from '../../../local/http.ts';
import { Paper } from './terminal.ts';

const servers: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map(server => server.close()));
});

const OPTIONS = {
  requestsPerSecond: 200,
  durationSeconds: 0.1,
  headers: {},
  concurrency: 50,
  timeoutMs: 5000,
  output: 'text',
} as const;

async function loadOn(handler: HttpHandler, change: Partial<Parameters<typeof load>[1]> = {}) {
  const server = await serve(handler);
  servers.push(server);
  const paper = new Paper();
  const answer = await load(new URL(`${server.url}/path?q=1`), { ...OPTIONS, ...change }, paper);
  return { answer, paper, url: server.url };
}

function outcome(change: Partial<LoadOutcome>): LoadOutcome {
  const who = {
    version: undefined,
    revision: undefined,
    region: undefined,
    architecture: undefined,
    clientLocation: undefined,
  };
  return { sentMs: 0, atMs: 10, status: 200, error: undefined, errorCode: undefined, ...who, ...change };
}

describe('slipway load', () => {
  test('sends as many as asked, with path and headers, and tells revisions and architectures apart', async () => {
    const asked: string[] = [];
    const { answer, paper } = await loadOn(
      ({ path, query, headers }) => {
        asked.push(`${path}?${query} ${headers['x-user']}`);
        const canary = asked.length % 4 === 0;
        const body = canary
          ? { version: 'v2', revision: 'hello-2', architecture: 'arm64', region: 'us-east4' }
          : { version: 'v1', revision: 'hello-1', architecture: 'amd64', region: 'us-east4' };
        return { status: 200, body };
      },
      { headers: { 'x-user': 'ann' } },
    );
    expect(answer).toBe('yes');
    expect(new Set(asked)).toEqual(new Set(['/path?q=1 ann']));
    expect(asked).toHaveLength(20);
    expect(paper.output).toMatch(
      /\/path\?q=1: 20 requests in .* s, 20 answered, 0 bad, 0 without an answer\n/,
    );
    expect(paper.output).toMatch(/^v1 +hello-1 +amd64 +us-east4 +15 +75\.0 % +0 /m);
    expect(paper.output).toMatch(/^v2 +hello-2 +arm64 +us-east4 +5 +25\.0 % +0 /m);
    expect(paper.output).toMatch(/^status 200 +20$/m);
  });

  test('ends with no when an answer is 500 or above, or not the one that was expected', async () => {
    const failing: HttpHandler = () => ({ status: 503, headers: { 'x-slipway-revision': 'web-7' } });
    const failed = await loadOn(failing, { output: 'json' });
    expect(failed.answer).toBe('no');
    expect(JSON.parse(failed.paper.output)).toMatchObject({
      bad: 20,
      statuses: { 503: 20 },
      groups: [{ revision: 'web-7', answered: 20, bad: 20 }],
    });
    expect((await loadOn(failing, { expectStatus: ['5xx'] })).answer).toBe('yes');
    expect((await loadOn(() => ({ status: 404 }))).answer).toBe('yes');
    expect((await loadOn(() => ({ status: 404 }), { expectStatus: ['200', '3xx'] })).answer).toBe('no');
  });

  test('counts requests that get no answer by what went wrong', async () => {
    const { url } = await loadOn(() => ({ status: 200 }));
    await servers.pop()?.close();
    const paper = new Paper();
    expect(await load(new URL(url), { ...OPTIONS, output: 'json' }, paper)).toBe('no');
    expect(JSON.parse(paper.output)).toMatchObject({ errors: 20, errorKinds: { ECONNREFUSED: 20 } });
  });

  test('prints what came so far at Ctrl-C, and leaves out what is still waiting', async () => {
    let interrupt = () => {};
    let asked = 0;
    const server = await serve(() => {
      asked++;
      // The first are answered, the others hang.
      if (asked === 8) setTimeout(() => interrupt(), 50);
      return asked < 5 ? { status: 200 } : new Promise(() => {});
    });
    servers.push(server);
    const paper = Object.assign(new Paper(), {
      onInterrupt: (listener: () => void) => {
        interrupt = listener;
        return () => {};
      },
    });
    const answer = await load(
      new URL(server.url),
      { ...OPTIONS, durationSeconds: 3600, output: 'json' },
      paper,
    );
    expect(answer).toBe('yes');
    const report = JSON.parse(paper.output);
    expect(report).toMatchObject({ answered: 4, bad: 0, errors: 0 });
    expect(report.waiting).toBeGreaterThan(0);
  });

  test('shows a line that is drawn again on a terminal', async () => {
    const server = await serve(() => ({ status: 200, body: { version: 'v1' } }));
    servers.push(server);
    const paper = new Paper({}, true);
    await load(new URL(server.url), { ...OPTIONS, durationSeconds: 0.5 }, paper);
    expect(paper.errors).toContain('\r\u001b[K0 of 0.5 s, ');
    expect(paper.errors).toMatch(/ \d+ sent, 0 bad.*, v1 100 %/);
    expect(paper.errors.endsWith('\r\u001b[K')).toBe(true);
  });

  test('shows hostile names without acting on them', async () => {
    const { paper } = await loadOn(() => ({
      status: 200,
      body: { version: '\u001b[2Jv1\u202e', revision: 'r'.repeat(10_000) },
    }));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(paper.output).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(paper.output.length).toBeLessThan(2000);
  });
});

describe('a tally', () => {
  test('does not grow with names that never come twice', () => {
    const tally = new LoadTally(status => status < 500);
    for (let index = 0; index < 1000; index++) tally.add(outcome({ revision: `r-${index}` }));
    const groups = tally.groups();
    expect(groups).toHaveLength(51);
    expect(groups[0]).toMatchObject({ version: '(others)', answered: 950 });
  });

  test('gives percentiles that are at most 2 % too high', () => {
    const tally = new LoadTally(() => true);
    for (let ms = 1; ms <= 1000; ms++) tally.add(outcome({ atMs: ms }));
    const { p50Ms = 0, p95Ms = 0, p99Ms = 0, maxMs } = tally.latency();
    expect(p50Ms).toBeGreaterThanOrEqual(500);
    expect(p50Ms).toBeLessThanOrEqual(511);
    expect(p95Ms).toBeGreaterThanOrEqual(950);
    expect(p95Ms).toBeLessThanOrEqual(970);
    expect(p99Ms).toBeGreaterThanOrEqual(990);
    expect(maxMs).toBe(1000);
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SlipwayError } from '../../../functions/errors.ts';
import { note } from '../../../functions/rollout/record.ts';
import { decisionFields } from '../../../functions/telemetry/decisions.ts';
import { jsonLog, type Log, problemFields } from '../../../functions/telemetry/log.ts';
import { within } from '../../../functions/telemetry/scope.ts';
import { aWorld, play, START_MS, UNTIL_FIRST_PAUSE } from '../../worlds.ts';

const TRACE = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  isSampled: true,
} as const;

function logged(say: (log: Log) => void, fields: Readonly<Record<string, unknown>> = {}) {
  const lines: string[] = [];
  const log = jsonLog({ project: 'acme', nowMs: () => START_MS, write: line => lines.push(line) });
  within({ trace: TRACE, tracer: undefined, span: undefined, fields }, () => say(log));
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain('\n');
  return JSON.parse(lines[0] ?? '') as Record<string, unknown>;
}

test("a line has Cloud Logging's fields, the decision's own, and those of the request", () => {
  const line = logged(log => log('WARNING', 'no', { target: 'us', epoch: 3 }), { rollout: 'hello-1' });
  expect(line).toEqual({
    severity: 'WARNING',
    time: '2026-01-05T09:00:00.000Z',
    message: 'no',
    rollout: 'hello-1',
    service: 'hello',
    target: 'us',
    epoch: 3,
    'logging.googleapis.com/trace': `projects/acme/traces/${TRACE.traceId}`,
    'logging.googleapis.com/spanId': TRACE.spanId,
    'logging.googleapis.com/trace_sampled': true,
    'logging.googleapis.com/labels': { rollout: 'hello-1', service: 'hello', target: 'us', epoch: '3' },
  });
});

test('the example in the documentation is such a line', () => {
  const { world } = play(aWorld(), UNTIL_FIRST_PAUSE);
  const { judgement } = aJudgement();
  const judged = { ...world.rollout, judgement };
  const rollout = note(judged, START_MS, 'AnalysisRunFailed', judgement.message);
  const entry = rollout.history.at(-1);
  if (!entry) throw new Error('no history');
  const request = { function: 'activity', activity: 'look', execution: 'e1' };
  const line = logged(log => log('WARNING', entry.message, decisionFields(rollout, entry)), request);
  const page = readFileSync(new URL('../../../docs/observability.md', import.meta.url), 'utf8');
  const [, example = ''] = /```json\n(.*?)\n```/s.exec(page) ?? [];
  expect(JSON.parse(example)).toEqual(line);
});

function aJudgement() {
  const canary = { good: 95, bad: 12 };
  const stable = { good: 1998, bad: 2 };
  const message = 'success rate 88.79% (107 requests), stable 99.90% (2000): below 98.90%';
  const numbers = { canary, stable, limit: 0.011, because: 'worse', scopes: [] } as const;
  return { judgement: { verdict: 'Failed', message, atMs: START_MS, ...numbers } as const };
}

test('nothing that anybody wrote breaks a line, forges a field or makes it too long', () => {
  const loop: Record<string, unknown> = {};
  loop['self'] = loop;
  const hostile = `\n{"severity":"DEBUG"}\u2028\ud800${'x'.repeat(20_000)}`;
  const line = logged(log => log('ERROR', hostile, { severity: 'DEBUG', message: 'other', count: 1n }));
  expect(line).toMatchObject({ severity: 'ERROR', count: '1' });
  expect(String(line['message'])).toHaveLength(10_000);
  expect(String(line['message']).isWellFormed()).toBe(true);
  const long = '\u0000'.repeat(20_000);
  const fields = { service: long, actor: long, rollout: long, target: long, phase: long };
  const cut = logged(log => log('INFO', long, fields));
  expect(Object.keys(cut)).toEqual(expect.arrayContaining(Object.keys(fields)));
  expect(Buffer.byteLength(JSON.stringify(cut))).toBeLessThan(256 * 1024);
  const list = Array.from({ length: 20_000 }, () => 'x'.repeat(100));
  expect(logged(log => log('INFO', long, { list }))).toEqual({
    severity: 'INFO',
    message: '\u0000'.repeat(1000),
  });
  expect(logged(log => log('ERROR', 'still told', { loop }))).toEqual({
    severity: 'ERROR',
    message: 'still told',
  });
});

test('outside of a request there is no trace', () => {
  const lines: string[] = [];
  jsonLog({ project: 'acme', nowMs: () => START_MS, write: line => lines.push(line) })('INFO', 'hello');
  expect(lines.join()).not.toContain('/traces/');
});

test('an error tells its code, or where in the code it is from', () => {
  const error = new SlipwayError('full', { code: 'ResourceExhausted', operation: 'write' });
  expect(problemFields(error)).toEqual({ code: 'ResourceExhausted', operation: 'write', canRetry: true });
  expect(String(problemFields(new TypeError('oops'))['stack_trace'])).toContain('log.test.ts');
});

test('every field and reason that the documentation asks for is one that the functions write', () => {
  const page = readFileSync(new URL('../../../docs/observability.md', import.meta.url), 'utf8');
  const sources = sourcesOf(new URL('../../../functions/', import.meta.url));
  const fields = [...page.matchAll(/jsonPayload\.(\w+)/g)].map(([, name]) => name);
  const reasons = [...page.matchAll(/jsonPayload\.reason="(\w+)"/g)].map(([, name]) => name);
  expect(reasons.length).toBeGreaterThan(3);
  for (const name of new Set(fields)) expect(sources).toMatch(new RegExp(`\\b${name}\\b[:,]`));
  for (const name of new Set(reasons)) expect(sources).toContain(`'${name}'`);
  const own = [...page.matchAll(/^\| `([A-Z][a-z]\w+)` \|/gm)].map(([, name]) => name);
  expect(own).toEqual(['Fenced', 'AlertDecided', 'ExecutionGone', 'HandedOver']);
  for (const name of own) expect(sources).toContain(`reason: '${name}'`);
});

function sourcesOf(folder: URL): string {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const sources = files.filter(name => name.endsWith('.ts'));
  return sources.map(name => readFileSync(new URL(name, folder), 'utf8')).join('\n');
}

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { apply } from '../../../functions/orchestrator.ts';
import type { Rollout } from '../../../functions/rollout/record.ts';
import { type RolloutEvent, transition } from '../../../functions/rollout/state.ts';
import { jsonLog } from '../../../functions/telemetry/log.ts';
import { outcomeOf } from '../../../functions/telemetry/outcome.ts';
import { parseFilter, type Predicate, type Tokens } from '../../../local/filter-expression.ts';
import { aWorld, play, START_MS, UNTIL_HEALTHY } from '../../worlds.ts';
import { anOffice } from '../handlers/office.ts';

const ROOT = new URL('../../../', import.meta.url);

const { metrics } = z
  .object({
    metrics: z.record(
      z.string(),
      z.object({
        filter: z.string(),
        labels: z.record(z.string(), z.string()),
        value: z.string().nullable(),
        buckets: z.object({ count: z.number(), growth_factor: z.number(), scale: z.number() }).nullable(),
      }),
    ),
  })
  .parse(
    JSON.parse(readFileSync(new URL('terraform/modules/orchestrator/metrics.tf.json', ROOT), 'utf8')).locals,
  );

/** An entry as Cloud Logging makes it of a line. */
type LogEntry = Readonly<Record<string, unknown>>;

function entryOf(line: string): LogEntry {
  const labels = { service_name: 'slipway-activity' };
  return { resource: { type: 'cloud_run_revision', labels }, jsonPayload: JSON.parse(line) };
}

function field(entry: LogEntry, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => {
    return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  }, entry);
}

/** Of https://cloud.google.com/logging/docs/view/logging-query-language what the metrics use. */
function comparison(tokens: Tokens): Predicate<LogEntry> {
  const names = [tokens.requireKind('word')];
  while (tokens.take('.')) names.push(tokens.requireKind('word'));
  const path = names.join('.');
  if (tokens.take('>=')) {
    const least = Number(tokens.requireKind('number'));
    return entry => Number(field(entry, path) ?? Number.NaN) >= least;
  }
  const isPart = tokens.take(':');
  if (!isPart) tokens.require('=');
  const wanted = tokens.takeKind('string') ?? tokens.requireKind('number');
  return entry => {
    const found = field(entry, path);
    return found !== undefined && (isPart ? String(found).includes(wanted) : String(found) === wanted);
  };
}

interface Point {
  readonly metric: string;
  readonly value: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** What Cloud Logging would count of a line. */
function pointsOf(line: string): Point[] {
  const entry = entryOf(line);
  const extract = (how: string) => field(entry, /^EXTRACT\((.*)\)$/.exec(how)?.[1] ?? '');
  return Object.entries(metrics).flatMap(([metric, { filter, labels, value }]) => {
    const text = filter.replaceAll('$' + '{var.name}', 'slipway');
    if (!parseFilter(text, { comparison, implicitAnd: false })(entry)) return [];
    const told = Object.entries(labels).map(([label, how]) => [label, String(extract(how) ?? '')]);
    return [{ metric, value: value === null ? 1 : Number(extract(value)), labels: Object.fromEntries(told) }];
  });
}

/** Plays a rollout with the real orchestrator, a second per event, and gives what it counts. */
async function counted(events: readonly RolloutEvent[]): Promise<Point[]> {
  const lines: string[] = [];
  const office = anOffice();
  const deps = {
    ...office.deps,
    log: jsonLog({ project: 'acme', nowMs: office.deps.nowMs, write: line => lines.push(line) }),
  };
  const { rollout, service } = aWorld();
  await office.put(rollout, service);
  for (const event of events) {
    office.nowMs += 1000;
    await apply(deps, rollout.id, (world, nowMs) => transition(world, event, nowMs));
  }
  await office.store.close();
  return lines.flatMap(pointsOf);
}

const TROUBLE: RolloutEvent = { type: 'troubled', cause: { kind: 'Alert', message: 'burns' } };

describe('the metrics', () => {
  test('are documented, each with its type', () => {
    const page = readFileSync(new URL('docs/observability.md', ROOT), 'utf8');
    for (const name of Object.keys(metrics)) expect(page).toContain(`| \`${name}\``);
  });

  test('of a rollout that goes all the way are its duration and its phase', async () => {
    expect(await counted(UNTIL_HEALTHY)).toEqual([
      { metric: 'rollouts_total', value: 1, labels: { phase: 'Healthy', service: 'hello', cause: '' } },
      {
        metric: 'rollout_duration_seconds',
        value: UNTIL_HEALTHY.length,
        labels: { phase: 'Healthy', service: 'hello' },
      },
    ]);
  });

  test('of a rollback say how long it took since the trouble, and count the rollout no second time', async () => {
    const points = await counted([
      ...UNTIL_HEALTHY,
      TROUBLE,
      { type: 'begun', workflow: 'rollback', execution: 'two' },
      { type: 'restored' },
    ]);
    expect(points.slice(2)).toEqual([
      { metric: 'rollouts_total', value: 1, labels: { phase: 'Degraded', service: 'hello', cause: 'Alert' } },
      { metric: 'rollback_duration_seconds', value: 2, labels: { service: 'hello', cause: 'Alert' } },
    ]);
  });

  test('cover from the fastest to a day and an hour', () => {
    const largest = (name: string) => {
      const { count = 0, growth_factor: growth = 0, scale = 0 } = metrics[name]?.buckets ?? {};
      return scale * growth ** count;
    };
    expect(largest('rollout_duration_seconds')).toBeGreaterThan(24 * 3600);
    expect(largest('rollback_duration_seconds')).toBeGreaterThan(3600);
  });
});

describe('an outcome', () => {
  const { rollout: healthy } = play(aWorld(), UNTIL_HEALTHY).world;
  const ended = (change: Partial<Rollout>): Rollout => ({ ...healthy, ...change });

  test('is told once', () => {
    expect(outcomeOf(healthy, healthy)).toBeUndefined();
    expect(outcomeOf(healthy, ended({ phase: 'RollingBack' }))).toBeUndefined();
  });

  test('of another attempt counts from when that was asked for', () => {
    const again = ended({ attempt: 2, attemptMs: healthy.updatedMs - 3000 });
    expect(outcomeOf(ended({ phase: 'Progressing' }), again)).toEqual({
      rollouts_total: 1,
      rollout_duration_seconds: 3,
    });
  });

  test('of what goes out in place of a bad digest is a rollback', () => {
    const back = ended({ undoes: 'hello-2', attemptMs: healthy.updatedMs - 7000 });
    expect(outcomeOf(ended({ phase: 'Progressing' }), back)).toEqual({
      rollouts_total: 1,
      rollback_duration_seconds: 7,
    });
  });

  test('of a record of old counts from its creation', () => {
    const { attemptMs: _, ...old } = healthy;
    expect(outcomeOf(undefined, { ...old, updatedMs: START_MS + 500 })).toMatchObject({
      rollout_duration_seconds: 0.5,
    });
  });
});

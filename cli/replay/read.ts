import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import type { Service } from '../../functions/rollout/policy.ts';
import { locate, type Problem, type Source } from '../../functions/rollout/policy-problems.ts';
import { csvRows } from './csv.ts';
import { refuse, rowsFor, type WrittenRow } from './rows.ts';
import { recorded, type Stretch, type Traffic, type WrittenSide, written } from './traffic.ts';

const UNIT_SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };

const duration = z
  .string('expected a duration such as 90s, 10m or 1h')
  .regex(/^(\d+(?:\.\d+)?)(ms|s|m|h)$/, 'expected a duration such as 90s, 10m or 1h')
  .transform(text => Number.parseFloat(text) * (UNIT_SECONDS[text.replace(/^[\d.]+/, '')] ?? 1));

const rate = z.number('expected requests per second').min(0, 'expected requests per second, 0 or more');
const share = z
  .number('expected a share from 0 to 1')
  .min(0, 'expected a share from 0 to 1')
  .max(1, 'expected a share from 0 to 1');
const side = z.strictObject({ rps: rate.optional(), errorRatio: share.optional() });

const writtenSchema = z.strictObject({
  rps: rate.default(0),
  traffic: z
    .array(
      z.strictObject({
        for: duration.optional(),
        canary: side.prefault({}),
        stable: side.prefault({}),
        targets: z
          .record(z.string(), z.strictObject({ canary: side.optional(), stable: side.optional() }))
          .default({}),
      }),
      'expected a list of what canary and stable do, one after the other',
    )
    .min(1, 'expected at least one entry'),
});

const rowSchema = z.strictObject({
  time: z.union(
    [z.string(), z.number()],
    'expected 90s, 10m, seconds, or a time such as 2026-01-05T09:00:00Z',
  ),
  target: z.string('expected the name of a target').optional(),
  side: z.string('expected canary or stable'),
  requests: z.number('expected a whole number from 0'),
  bad: z.number('expected a whole number from 0'),
});
const rowsSchema = z.array(rowSchema);

/**
 * What users got, recorded or written down: CSV, or YAML or JSON by what is in it.
 *
 * @throws SlipwayError with every problem, a line each, with file, line and column
 */
export function readTraffic(source: string, file: string, service: Service): Traffic {
  if (/\.csv$/i.test(file)) return readCsv(source, file, service);
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines });
  if (document.errors.length > 0)
    throw refuse(
      document.errors.map(error => yamlProblem(file, error)),
      file,
    );
  const place: Source = { document, lines, file };
  const value: unknown = document.toJS({ maxAliasCount: 100 });
  if (Array.isArray(value)) return rowsOf(value, [], place, service);
  if (isObject(value) && 'rows' in value) {
    const unknown = Object.keys(value).filter(key => key !== 'rows');
    if (unknown.length > 0)
      throw refuse([locate(place, [unknown[0] ?? ''], 'unknown key beside "rows"', true)], file);
    return rowsOf(value['rows'], ['rows'], place, service);
  }
  if (isObject(value) && 'traffic' in value) return writtenOf(value, place, service);
  const expected = 'expected "rows" (what was recorded), or "traffic" (what canary and stable do)';
  throw refuse([{ ...locate(place, [], expected), message: `${expected}; docs/tools.md shows both` }], file);
}

function readCsv(source: string, file: string, service: Service): Traffic {
  const { rows, problems } = csvRows(source, file);
  if (problems.length > 0) throw refuse(problems, file);
  return recordedFrom(rows, service, file);
}

function recordedFrom(rows: readonly WrittenRow[], service: Service, file: string): Traffic {
  if (rows.length === 0) {
    throw refuse(
      [{ file, line: 1, column: 1, path: '', message: 'expected at least one line of requests' }],
      file,
    );
  }
  return recorded(
    rowsFor(rows, service, file),
    rows.length === 1 ? '1 recorded line' : `${rows.length} recorded lines`,
  );
}

function rowsOf(value: unknown, path: readonly PropertyKey[], place: Source, service: Service): Traffic {
  const parsed = rowsSchema.safeParse(value);
  if (!parsed.success) throw refuse(problemsOf(parsed.error, path, place), place.file);
  const rows = parsed.data.map(
    (row, index): WrittenRow => ({
      ...row,
      target: row.target,
      at: (field, message) => locate(place, [...path, index, field], message),
    }),
  );
  return recordedFrom(rows, service, place.file);
}

function writtenOf(value: object, place: Source, service: Service): Traffic {
  const parsed = writtenSchema.safeParse(value);
  if (!parsed.success) throw refuse(problemsOf(parsed.error, [], place), place.file);
  const { rps, traffic } = parsed.data;
  const problems = traffic.flatMap((entry, index) =>
    contradictions(entry, index, traffic.length, rps, place, service),
  );
  if (problems.length > 0) throw refuse(problems, place.file);
  const stretches = traffic.map(
    (entry): Stretch => ({
      seconds: entry.for,
      canary: sideOf(entry.canary),
      stable: sideOf(entry.stable),
      targets: Object.fromEntries(
        Object.entries(entry.targets).map(([name, { canary = {}, stable = {} }]) => [
          name,
          { canary: sideOf(canary), stable: sideOf(stable) },
        ]),
      ),
    }),
  );
  return written(
    stretches,
    rps,
    service.targets.length,
    `steady requests, written in ${stretches.length === 1 ? '1 part' : `${stretches.length} parts`}`,
  );
}

type Entry = z.output<typeof writtenSchema>['traffic'][number];

function contradictions(
  entry: Entry,
  index: number,
  entries: number,
  rps: number,
  place: Source,
  { targets }: Service,
): Problem[] {
  const found: Problem[] = [];
  const names = targets.map(({ name }) => name);
  if (entry.for === undefined && index < entries - 1) {
    found.push(
      locate(place, ['traffic', index], 'expected "for", as another one follows: a duration such as 10m'),
    );
  }
  for (const side of ['canary', 'stable'] as const) {
    if (rps > 0 || entry[side].rps !== undefined) continue;
    found.push(
      locate(
        place,
        ['traffic', index, side],
        `expected rps, for ${side} here or for the whole service at the top`,
      ),
    );
  }
  for (const name of Object.keys(entry.targets).filter(name => !names.includes(name))) {
    const message = `expected a target of the service: ${names.join(', ')}`;
    found.push(locate(place, ['traffic', index, 'targets', name], message, true));
  }
  return found;
}

/** Only what is said: what a target does not say is as on the others. */
function sideOf({ rps, errorRatio }: z.output<typeof side>): WrittenSide {
  return {
    ...(rps === undefined ? {} : { requestsPerSecond: rps }),
    ...(errorRatio === undefined ? {} : { errorRatio }),
  };
}

function problemsOf(error: z.ZodError, base: readonly PropertyKey[], place: Source): Problem[] {
  return error.issues.flatMap(issue => {
    const path = [...base, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map(key =>
        locate(place, [...path, key], 'unknown key; docs/tools.md has those there are', true),
      );
    }
    const isPlain = issue.code === 'invalid_type' && issue.message.startsWith('Invalid input');
    return [locate(place, path, isPlain ? `expected ${issue.expected}` : issue.message)];
  });
}

function yamlProblem(
  file: string,
  error: { message: string; linePos?: readonly { line: number; col: number }[] },
): Problem {
  const [start] = error.linePos ?? [];
  const [message = ''] = error.message.split('\n', 1);
  return {
    file,
    line: start?.line ?? 1,
    column: start?.col ?? 1,
    path: '',
    message: message.replace(/ at line \d+, column \d+:?$/, ''),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

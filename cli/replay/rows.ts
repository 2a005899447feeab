import { SlipwayError } from '../../functions/errors.ts';
import type { Service } from '../../functions/rollout/policy.ts';
import { type Problem, printProblem } from '../../functions/rollout/policy-problems.ts';
import { periodMs, type Row } from './traffic.ts';

/** A line of a recording as it is written, with where each of its fields stands. */
export interface WrittenRow {
  readonly time: string | number;
  readonly target: string | undefined;
  readonly side: string;
  readonly requests: number;
  readonly bad: number;
  readonly at: (field: string, message: string) => Problem;
}

interface TimedRow extends WrittenRow {
  readonly target: string;
  readonly endMs: number;
}

/** Problems that are told at once. */
const MOST_PROBLEMS = 20;

export function refuse(problems: readonly Problem[], file: string): SlipwayError {
  const told = problems.slice(0, MOST_PROBLEMS).map(printProblem);
  const more = problems.length - told.length;
  return new SlipwayError([...told, ...(more > 0 ? [`${file}: and ${more} more problems`] : [])].join('\n'), {
    code: 'InvalidArgument',
    operation: `read ${file}`,
  });
}

/** Checks what lines say about each other and about the service, and counts their times from where each wave begins. */
export function rowsFor(written: readonly WrittenRow[], service: Service, file: string): Row[] {
  const problems: Problem[] = [];
  const timed = written.flatMap(row => timedRow(row, service, problems));
  problems.push(...mixedTimes(written), ...repeats(timed));
  if (problems.length > 0) throw refuse(problems, file);
  const starts = startsOf(timed, service);
  return timed.map(({ target, side, endMs, requests, bad }) => ({
    target,
    side: side === 'canary' ? 'canary' : 'stable',
    endMs: endMs - (starts.get(target) ?? 0),
    counts: { good: requests - bad, bad },
  }));
}

function timedRow(row: WrittenRow, { targets }: Service, problems: Problem[]): TimedRow[] {
  const names = targets.map(({ name }) => name);
  const target = row.target ?? (names.length === 1 ? names[0] : undefined);
  const before = problems.length;
  const check = (isRight: boolean, field: string, message: string) => {
    if (!isRight) problems.push(row.at(field, message));
  };
  const endMs = typeof row.time === 'number' ? row.time * 1000 : timeMs(row.time);
  check(
    endMs !== undefined,
    'time',
    'expected 90s, 10m, 1h30m, seconds, or a time such as 2026-01-05T09:00:00Z',
  );
  check(
    target !== undefined && names.includes(target),
    'target',
    `expected a target of the service: ${names.join(', ')}`,
  );
  check(row.side === 'canary' || row.side === 'stable', 'side', 'expected canary or stable');
  check(isCount(row.requests), 'requests', 'expected a whole number from 0');
  check(isCount(row.bad), 'bad', 'expected a whole number from 0');
  check(!(row.bad > row.requests), 'bad', `expected no more than the ${row.requests} requests`);
  if (problems.length > before || endMs === undefined || target === undefined) return [];
  return [{ ...row, target, endMs }];
}

function isCount(number: number): boolean {
  return Number.isSafeInteger(number) && number >= 0;
}

const PARTS = /^(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?$/;
const INSTANT = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/;

/** Of an offset or of an instant; undefined when it is neither. */
function timeMs(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d+(?:\.\d+)?$/.test(trimmed)) return Number(trimmed) * 1000;
  if (isInstant(trimmed)) {
    const ms = Date.parse(trimmed);
    return Number.isNaN(ms) ? undefined : ms;
  }
  const [whole = '', hours = 0, minutes = 0, seconds = 0] = PARTS.exec(trimmed) ?? [];
  return whole === '' ? undefined : (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
}

function isInstant(text: string): boolean {
  return INSTANT.test(text);
}

/** Offsets and instants cannot be compared. */
function mixedTimes(rows: readonly WrittenRow[]): Problem[] {
  const [first] = rows;
  if (!first) return [];
  const odd = rows.find(row => isInstant(String(row.time)) !== isInstant(String(first.time)));
  return odd ? [odd.at('time', 'expected all times to be offsets, or all of them to be instants')] : [];
}

function repeats(rows: readonly TimedRow[]): Problem[] {
  const known = new Set<string>();
  return rows.flatMap(row => {
    const key = `${row.endMs} ${row.target} ${row.side}`;
    if (!known.has(key)) {
      known.add(key);
      return [];
    }
    return [
      row.at('time', `expected one line for ${row.target}, ${row.side} and this time: there is another one`),
    ];
  });
}

/** An offset counts from where the wave begins to serve; of instants the first period with a canary begins there. */
function startsOf(rows: readonly TimedRow[], { strategy }: Service): Map<string, number> {
  const starts = new Map<string, number>();
  for (const members of strategy.waves) {
    const ends = rows.filter(({ target, time }) => members.includes(target) && isInstant(String(time)));
    const served = ends.filter(({ side, requests }) => side === 'canary' && requests > 0);
    const times = (served.length > 0 ? served : ends).map(({ endMs }) => endMs);
    if (times.length === 0) continue;
    const startMs =
      times.reduce((least, endMs) => Math.min(least, endMs)) - periodMs(ends.map(({ endMs }) => endMs));
    for (const name of members) starts.set(name, startMs);
  }
  return starts;
}

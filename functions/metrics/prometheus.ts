import { z } from 'zod';
import { SlipwayError } from '../errors.ts';
import type { GoogleClients } from '../google/clients.ts';
import { calling, codeOfHttpStatus } from '../google/errors.ts';
import {
  ceilTo,
  floorTo,
  type GkeTarget,
  type MetricTarget,
  type PrometheusQueries,
  type Sample,
  type Side,
  type Span,
} from './reading.ts';

export type PrometheusAccess = Pick<GoogleClients, 'accessToken' | 'monitoringUrl'>;

/** A target whose policy says in PromQL what to count. */
export type PrometheusTarget = GkeTarget & { readonly prometheus: PrometheusQueries };

export interface PrometheusAnswer {
  readonly samples: readonly Sample[];
  readonly warnings: readonly string[];
}

const TIMEOUT_MS = 20_000;

export function hasQueries(target: MetricTarget): target is PrometheusTarget {
  return target.kind === 'gke' && target.prometheus !== undefined;
}

/**
 * Requests of canary and stable as Managed Prometheus counts them, with one request per project and span. Each block is
 * one evaluation at its end: `$interval` is its length, `$deployment` the Deployment of canary or stable.
 *
 * Several series of an answer add up. Where `requests` has no series there is no point: no requests, or no metrics, and
 * Prometheus does not tell which. `bad` without one is 0, since many counters start with the first error.
 */
export async function readPrometheus(
  access: PrometheusAccess,
  targets: readonly PrometheusTarget[],
  spans: readonly Span[],
): Promise<PrometheusAnswer> {
  const byProject = Map.groupBy(targets, ({ project }) => project);
  const answers = await Promise.all(
    [...byProject].flatMap(([project, group]) => spans.map(span => readSpan(access, project, group, span))),
  );
  return {
    samples: answers.flatMap(({ samples }) => samples),
    warnings: [...new Set(answers.flatMap(({ warnings }) => warnings))],
  };
}

interface Question {
  readonly target: string;
  readonly side: Side;
  readonly what: keyof PrometheusQueries;
  readonly text: string;
}

async function readSpan(
  access: PrometheusAccess,
  project: string,
  targets: readonly PrometheusTarget[],
  span: Span,
): Promise<PrometheusAnswer> {
  const range = rangeOf(span);
  const questions = targets.flatMap(target => questionsOf(target, span.periodMs));
  if (!range) return { samples: [], warnings: [] };
  const texts = [...new Set(questions.map(({ text }) => text))];
  const { values, warnings } = await askAll({ access, project, range }, texts, questions);
  const valuesOf = (target: string, side: Side, what: keyof PrometheusQueries) => {
    const question = questions.find(one => one.target === target && one.side === side && one.what === what);
    return (question && values.get(question.text)) ?? new Map<number, number>();
  };
  const samples = targets.flatMap(({ name }) =>
    SIDES.flatMap(side =>
      samplesOf(name, side, valuesOf(name, side, 'requests'), valuesOf(name, side, 'bad')),
    ),
  );
  return { samples, warnings };
}

interface Range {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

/** Ends of whole blocks: one that reaches over the start of the span would count what was before. */
function rangeOf({ afterMs, untilMs, periodMs, isSummed }: Span): Range | undefined {
  const firstMs = isSummed ? afterMs : ceilTo(afterMs, periodMs);
  const startMs = firstMs + periodMs;
  const endMs = isSummed ? untilMs : floorTo(untilMs, periodMs);
  return endMs < startMs ? undefined : { startMs, endMs, stepMs: periodMs };
}

const SIDES = ['canary', 'stable'] as const;
const PLACES = ['$deployment', '$interval'] as const;

function questionsOf(target: PrometheusTarget, periodMs: number): Question[] {
  return SIDES.flatMap(side =>
    (['requests', 'bad'] as const).map(what => {
      const query = target.prometheus[what];
      const missing = PLACES.find(place => !query.includes(place));
      if (missing) {
        throw new SlipwayError(
          `Target ${target.name}: expected ${missing} in its Prometheus query "${what}", so that it tells canary from stable and block from block, found: ${query}`,
          { code: 'InvalidArgument', operation: `find the metrics of target ${target.name}` },
        );
      }
      const text = query
        .replaceAll('$deployment', () => target[side])
        .replaceAll('$interval', () => promqlDuration(periodMs));
      return { target: target.name, side, what, text };
    }),
  );
}

/** PromQL takes whole numbers. */
function promqlDuration(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${Math.round(ms)}ms`;
}

function samplesOf(
  target: string,
  side: Side,
  requests: ReadonlyMap<number, number>,
  bad: ReadonlyMap<number, number>,
): Sample[] {
  // A `bad` made with `or vector(0)` has a zero at every moment, also where nothing is measured.
  const measured = [...bad].flatMap(([endMs, count]) => (count > 0 ? [endMs] : []));
  const ends = new Set([...requests.keys(), ...measured]);
  return [...ends].map(endMs => ({
    target,
    side,
    endMs,
    requests: requests.get(endMs) ?? bad.get(endMs) ?? 0,
    bad: bad.get(endMs) ?? 0,
  }));
}

/** Where and about which time to ask. */
interface Place {
  readonly access: PrometheusAccess;
  readonly project: string;
  readonly range: Range;
}

interface Values {
  /** By the query's text; of each what it comes to at the end of each block. */
  readonly values: ReadonlyMap<string, ReadonlyMap<number, number>>;
  readonly warnings: readonly string[];
}

/** The label that tells in one answer which query a series belongs to. */
const MARK = 'slipway_query';

/**
 * All queries as one: each marks its series with its number. When that is refused, they are asked one by one, to say
 * whose query it is; Prometheus names a position only.
 */
async function askAll(
  place: Place,
  texts: readonly string[],
  questions: readonly Question[],
): Promise<Values> {
  // On lines of its own: a query may end in a comment.
  const marked = texts.map((text, index) => `label_replace((\n${text}\n), "${MARK}", "${index}", "", "")`);
  try {
    const { data, warnings = [] } = await ask(place, marked.join(' or '));
    const values = new Map(texts.map(text => [text, new Map<number, number>()]));
    for (const { metric, values: points } of data.result) {
      const sums = values.get(texts[Number(metric[MARK])] ?? '');
      if (sums) addPoints(sums, points);
    }
    return { values, warnings };
  } catch (error) {
    if (error instanceof SlipwayError && error.code === 'InvalidArgument') await singleOut(place, questions);
    throw error;
  }
}

/** NaN, as of 0 / 0, is no value. */
function addPoints(sums: Map<number, number>, points: readonly (readonly [number, string])[]): void {
  for (const [seconds, text] of points) {
    const value = Number(text);
    if (!Number.isFinite(value)) continue;
    const endMs = Math.round(seconds * 1000);
    sums.set(endMs, (sums.get(endMs) ?? 0) + Math.max(0, value));
  }
}

/** Throws about the first query that is refused by itself. */
async function singleOut(place: Place, questions: readonly Question[]): Promise<void> {
  const firstOfEach = questions.filter(
    ({ text }, index) => questions.findIndex(other => other.text === text) === index,
  );
  for (const { target, what, text } of firstOfEach) {
    try {
      await ask(place, text);
    } catch (error) {
      if (!(error instanceof SlipwayError) || error.code !== 'InvalidArgument') throw error;
      throw new SlipwayError(
        `Target ${target}: its Prometheus query "${what}" is refused: ${error.message}. The query was: ${text}`,
        { code: 'InvalidArgument', operation: error.operation, cause: error },
      );
    }
  }
}

const answerSchema = z.object({
  data: z.object({
    resultType: z.literal('matrix'),
    result: z
      .array(
        z.object({
          metric: z.record(z.string(), z.string()).default({}),
          values: z.array(z.tuple([z.number(), z.string()])).default([]),
        }),
      )
      .nullish()
      .transform(result => result ?? []),
  }),
  warnings: z.array(z.string()).optional(),
});

/** https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries; a form, since queries may be long. */
async function ask({ access, project, range }: Place, query: string): Promise<z.output<typeof answerSchema>> {
  const operation = `prometheus.query_range in ${project}`;
  const url = `${access.monitoringUrl}/v1/projects/${encodeURIComponent(project)}/location/global/prometheus/api/v1/query_range`;
  const token = await calling(operation, () => access.accessToken('monitoring'));
  const { status, body } = await calling(operation, async () => {
    const response = await fetch(url, {
      method: 'POST',
      headers: token ? { authorization: `Bearer ${token}` } : {},
      body: new URLSearchParams({
        query,
        start: String(range.startMs / 1000),
        end: String(range.endMs / 1000),
        step: String(range.stepMs / 1000),
      }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return { status: response.status, body: await response.text() };
  });
  const json = parseJson(body);
  const { error } = errorSchema.parse(json);
  if (status < 200 || status > 299 || error !== undefined) {
    throw new SlipwayError(`${operation}: ${error ?? `status ${status}: ${body.slice(0, 200)}`}`, {
      code: codeOfHttpStatus(status > 299 ? status : 422),
      operation,
    });
  }
  const answer = answerSchema.safeParse(json);
  if (answer.success) return answer.data;
  throw new SlipwayError(
    `${operation}: expected a matrix, found: ${body.slice(0, 200)} (${z.prettifyError(answer.error)})`,
    { code: 'InvalidArgument', operation },
  );
}

/** Prometheus says `{"error": "…"}`, Google's front `{"error": {"message": "…"}}`. */
const errorSchema = z
  .object({
    error: z
      .union([z.string(), z.object({ message: z.string() }).transform(({ message }) => message)])
      .optional(),
  })
  .catch({});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

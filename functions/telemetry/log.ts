import { SlipwayError } from '../errors.ts';
import { currentScope } from './scope.ts';

/** One JSON line per decision, in Cloud Logging's fields. */
export type Log = (
  severity: 'INFO' | 'WARNING' | 'ERROR',
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

export interface LogOptions {
  readonly project: string;
  readonly nowMs: () => number;
  /** Gets one line, without its end. */
  readonly write: (line: string) => void;
}

/** What entries can be found by, also of other functions of the same project. */
const LABELS = ['rollout', 'service', 'target', 'epoch', 'activity', 'messageId'] as const;

/** An entry is at most 256 KiB; a longer one is cut in pieces, which are no JSON. */
const MOST_BYTES = 250_000;
/** Of one text; the next shorter one where that is too much. */
const MOST_CHARACTERS = [10_000, 1000, 100] as const;

/**
 * Every line says what the request is about and which trace it belongs to. For the special fields see
 * https://cloud.google.com/logging/docs/structured-logging#special-payload-fields.
 */
export function jsonLog({ project, nowMs, write }: LogOptions): Log {
  return (severity, message, given = {}) => {
    const scope = currentScope();
    const fields = withService({ ...scope?.fields, ...given });
    const first = { severity, time: new Date(nowMs()).toISOString(), message };
    const line = {
      // For people's eyes at the beginning, and whatever the fields say.
      ...first,
      ...fields,
      ...first,
      ...(scope && {
        'logging.googleapis.com/trace': `projects/${project}/traces/${scope.trace.traceId}`,
        'logging.googleapis.com/spanId': scope.trace.spanId,
        'logging.googleapis.com/trace_sampled': scope.trace.isSampled,
      }),
      'logging.googleapis.com/labels': labelsOf(fields),
    };
    write(stringify(line) ?? JSON.stringify({ severity, message: shortened(message, 1000) }));
  };
}

/** A rollout's id begins with its service: some requests name no more than the rollout. */
function withService(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { service, rollout } = fields;
  if (service !== undefined || typeof rollout !== 'string' || !rollout.includes('-')) return fields;
  return { ...fields, service: rollout.slice(0, rollout.lastIndexOf('-')) };
}

function labelsOf(fields: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    LABELS.flatMap(name => (fields[name] === undefined ? [] : [[name, String(fields[name])]])),
  );
}

/** @returns undefined for what is no JSON, or too much: a log line must not be why a rollout stops */
function stringify(line: object): string | undefined {
  try {
    for (const most of MOST_CHARACTERS) {
      const text = JSON.stringify(line, (_, value: unknown) => {
        if (typeof value === 'bigint') return String(value);
        return typeof value === 'string' ? shortened(value, most) : value;
      });
      if (Buffer.byteLength(text) <= MOST_BYTES) return text;
    }
  } catch {
    // Such as one that contains itself.
  }
  return undefined;
}

function shortened(text: string, most: number): string {
  return text.slice(0, most).toWellFormed();
}

/** What Error Reporting groups by is the stack. */
export function problemFields(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof SlipwayError) {
    const { code, operation, canRetry } = error;
    return { code, operation, canRetry };
  }
  return error instanceof Error ? { stack_trace: error.stack } : {};
}

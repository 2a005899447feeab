import type { Dependencies } from '../dependencies.ts';
import type { Log } from './log.ts';
import { run, within } from './scope.ts';
import { newTrace, type TraceContext } from './trace-context.ts';
import type { SpanOptions, Tracer } from './tracer.ts';

export interface Telemetry {
  /** undefined while nobody traces. */
  readonly tracer: () => Promise<Tracer | undefined>;
  readonly log: Log;
}

/**
 * Traces if OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT says where to; otherwise nothing of
 * OpenTelemetry is loaded.
 */
export function telemetryFrom(
  env: NodeJS.ProcessEnv,
  { settings, log, nowMs }: Pick<Dependencies, 'settings' | 'log' | 'nowMs'>,
): Telemetry {
  let tracer: Promise<Tracer | undefined> | undefined;
  async function open(): Promise<Tracer | undefined> {
    const endpoint = endpointOf(env);
    if (!endpoint) return undefined;
    try {
      const { otlpTracer } = await import('./otlp.ts');
      return otlpTracer({ project: settings.project, env, endpoint, log, nowMs });
    } catch (error) {
      log('ERROR', `nothing is traced: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }
  return {
    log,
    tracer: () => {
      tracer ??= open();
      return tracer;
    },
  };
}

/** https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ */
function endpointOf(env: NodeJS.ProcessEnv): string | undefined {
  const { OTEL_SDK_DISABLED: disabled, OTEL_TRACES_EXPORTER: exporter } = env;
  if (disabled?.toLowerCase() === 'true' || exporter === 'none') return undefined;
  return env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] || env['OTEL_EXPORTER_OTLP_ENDPOINT'];
}

/** A request, as it comes in. */
export interface Entry extends SpanOptions {
  readonly parent: TraceContext | undefined;
  /** Fields of every log line. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Works on a request as one span. When this resolves, the answer may be sent: the spans are on their way. */
export async function entered<T>(telemetry: Telemetry, entry: Entry, work: () => Promise<T>): Promise<T> {
  const { fields, parent } = entry;
  const tracer = await telemetry.tracer();
  const span = tracer?.start({ ...entry, isLocal: false });
  const trace = span?.context ?? parent ?? newTrace();
  try {
    return await run(span, () => within({ trace, tracer, span, fields }, work));
  } finally {
    await tracer?.flush();
  }
}

/** The same without a span: for what people look at, which nobody wants in traces. */
export function watched<T>({ parent, fields }: Entry, work: () => T): T {
  return within({ trace: parent ?? newTrace(), tracer: undefined, span: undefined, fields }, work);
}

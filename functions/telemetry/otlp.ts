import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
  type IdGenerator,
  ParentBasedSampler,
  RandomIdGenerator,
} from '@opentelemetry/sdk-trace-base';
import { GoogleAuth } from 'google-auth-library';
import type { Log } from './log.ts';
import type { TraceContext } from './trace-context.ts';
import type { OpenSpan, SpanOptions, Tracer } from './tracer.ts';

export interface OtlpOptions {
  readonly project: string;
  readonly env: NodeJS.ProcessEnv;
  /** Where spans go. */
  readonly endpoint: string;
  readonly log: Log;
  readonly nowMs: () => number;
}

const FLUSH_MS = 1000;
/** While the receiver does not answer nobody waits for it, least of all a rollback. */
const REST_MS = 60_000;

/** Spans go out as OTLP over HTTP. The SDK itself reads the OTEL_* variables that this does not mention. */
export function otlpTracer({ project, env, endpoint, log, nowMs }: OtlpOptions): Tracer {
  const ids = new Ids();
  const exporter = new OTLPTraceExporter(authorization(endpoint));
  const provider = new BasicTracerProvider({
    resource: resourceOf(project, env),
    idGenerator: ids,
    spanProcessors: [new BatchSpanProcessor(exporter)],
    ...(env['OTEL_TRACES_SAMPLER'] ? {} : { sampler: everything() }),
  });
  const tracer = provider.getTracer('slipway');
  let restsUntilMs = 0;
  return {
    start({ name, kind, attributes, parent, isLocal, spanId, startMs }) {
      const context = parent
        ? trace.setSpanContext(ROOT_CONTEXT, spanContext(parent, isLocal))
        : ROOT_CONTEXT;
      const options = { ...kindOf(kind), ...(startMs === undefined ? {} : { startTime: startMs }) };
      const span = ids.with(spanId, () => tracer.startSpan(name, options, context));
      return openSpan(span.setAttributes(mutable(attributes)));
    },
    async flush() {
      if (nowMs() < restsUntilMs) return;
      try {
        await provider.forceFlush({ timeoutMillis: FLUSH_MS });
      } catch (error) {
        restsUntilMs = nowMs() + REST_MS;
        const why = [error].flat().map(one => (one instanceof Error ? one.message : String(one)));
        log('WARNING', `spans are not handed over for ${REST_MS / 1000} s: ${why.join('; ')}`);
      }
    },
  };
}

/** Google's own endpoint wants a token, which nobody else gets. */
function authorization(endpoint: string): { headers?: () => Promise<Record<string, string>> } {
  const { protocol, hostname } = new URL(endpoint);
  if (protocol !== 'https:' || !hostname.endsWith('.googleapis.com')) return {};
  const auth = new GoogleAuth({ scopes: ['https://www.googleapis.com/auth/cloud-platform'] });
  return {
    async headers() {
      // Whatever this returns must not be a rejection; a request without a token is refused and told of.
      // The library names a project to charge only where the credentials do: others would need a right to name one.
      const headers = await auth.getRequestHeaders(endpoint).catch(() => undefined);
      return Object.fromEntries(headers ?? []);
    },
  };
}

/** https://opentelemetry.io/docs/specs/semconv/resource/; what the environment says goes before. */
function resourceOf(project: string, env: NodeJS.ProcessEnv) {
  const { K_SERVICE: name, K_REVISION: version } = env;
  const own = resourceFromAttributes({
    'service.name': 'slipway',
    'cloud.provider': 'gcp',
    'cloud.account.id': project,
    // Google's endpoint puts the spans into the project of this name.
    'gcp.project_id': project,
    ...(name ? { 'faas.name': name } : {}),
    ...(version ? { 'faas.version': version } : {}),
  });
  return defaultResource()
    .merge(own)
    .merge(detectResources({ detectors: [envDetector] }));
}

/**
 * Rollouts are few and each one counts, whereas the servers in front of a function sample requests at random: what they
 * decided holds only if OTEL_TRACES_SAMPLER says so.
 */
function everything(): ParentBasedSampler {
  return new ParentBasedSampler({
    root: new AlwaysOnSampler(),
    remoteParentNotSampled: new AlwaysOnSampler(),
  });
}

/** Random ids, but for a span whose id others know already. */
class Ids implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  #spanId: string | undefined;

  with<T>(spanId: string | undefined, start: () => T): T {
    this.#spanId = spanId;
    try {
      return start();
    } finally {
      this.#spanId = undefined;
    }
  }

  generateTraceId(): string {
    return this.#random.generateTraceId();
  }

  generateSpanId(): string {
    return this.#spanId ?? this.#random.generateSpanId();
  }
}

function openSpan(span: Span): OpenSpan {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return {
    context: { traceId, spanId, isSampled: (traceFlags & TraceFlags.SAMPLED) !== 0 },
    set: attributes => void span.setAttributes(mutable(attributes)),
    event: (name, atMs, attributes) => void span.addEvent(name, mutable(attributes), atMs),
    link: to => void span.addLink({ context: spanContext(to, false) }),
    fail: message => void span.setStatus({ code: SpanStatusCode.ERROR, message: message.slice(0, 1000) }),
    end: atMs => span.end(atMs),
  };
}

function spanContext({ traceId, spanId, isSampled }: TraceContext, isLocal: boolean) {
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return { traceId, spanId, traceFlags, isRemote: !isLocal };
}

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

function kindOf(kind: SpanOptions['kind']): { kind?: SpanKind } {
  return kind ? { kind: KINDS[kind] } : {};
}

function mutable(attributes: SpanOptions['attributes'] = {}) {
  const known = Object.entries(attributes).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, typeof value === 'object' ? [...value] : value] as const],
  );
  return Object.fromEntries(known);
}

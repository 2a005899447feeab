import { randomBytes } from 'node:crypto';

/** Where in which trace something happens, as https://www.w3.org/TR/trace-context/ has it. */
export interface TraceContext {
  /** 32 lowercase hex digits, not all 0. */
  readonly traceId: string;
  /** 16 lowercase hex digits, not all 0. */
  readonly spanId: string;
  /** Whether the span is recorded somewhere. */
  readonly isSampled: boolean;
}

const TRACEPARENT =
  /^(?!ff)(?<version>[0-9a-f]{2})-(?<traceId>[0-9a-f]{32})-(?<spanId>[0-9a-f]{16})-(?<flags>[0-9a-f]{2})(?<more>-.*)?$/;

/** @returns undefined for whatever is no traceparent: it may come from anybody, and no request fails for it */
export function parseTraceparent(text: unknown): TraceContext | undefined {
  if (typeof text !== 'string' || text.length > 512) return undefined;
  const groups = TRACEPARENT.exec(text.trim())?.groups;
  const { version, traceId = '', spanId = '', flags = '', more } = groups ?? {};
  // Versions to come may append something; this one does not.
  if (version === '00' && more !== undefined) return undefined;
  return valid({ traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 });
}

/** `TRACE_ID/SPAN_ID;o=1`, the span's id in decimal: https://cloud.google.com/trace/docs/trace-context#legacy-http-header */
export function parseCloudTrace(text: unknown): TraceContext | undefined {
  if (typeof text !== 'string' || text.length > 512) return undefined;
  const [, trace = '', span = '', option] =
    /^([0-9a-f]{32})\/(\d{1,20})(?:;o=(\d))?$/i.exec(text.trim()) ?? [];
  if (!trace) return undefined;
  const spanId = BigInt(span).toString(16).padStart(16, '0');
  return valid({ traceId: trace.toLowerCase(), spanId, isSampled: option === '1' });
}

function valid(context: TraceContext): TraceContext | undefined {
  const isId = (id: string, digits: number) => id.length === digits && /[^0]/.test(id);
  return isId(context.traceId, 32) && isId(context.spanId, 16) ? context : undefined;
}

export function formatTraceparent({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

/** Of a request that nobody traces: it ties its log lines together. */
export function newTrace(): TraceContext {
  return {
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    isSampled: false,
  };
}

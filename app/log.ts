/** One line for Cloud Logging, https://cloud.google.com/logging/docs/structured-logging. */
export interface LogEntry {
  readonly severity: 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL';
  readonly message: string;
  readonly [field: string]: unknown;
}

export type WriteLog = (entry: LogEntry) => void;

export function writeToStdout(entry: LogEntry): void {
  process.stdout.write(`${JSON.stringify(entry)}\n`);
}

/** An answered request. */
export interface Exchange {
  readonly method: string;
  readonly url: string;
  readonly status: number;
  readonly latencyMs: number;
  readonly responseBytes: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly remoteIp: string | undefined;
  readonly protocol: string;
}

export function requestEntry(exchange: Exchange, project: string | undefined): LogEntry {
  return {
    severity: exchange.status >= 500 ? 'ERROR' : exchange.status >= 400 ? 'WARNING' : 'INFO',
    message: `${exchange.method} ${exchange.url} ${exchange.status}`,
    httpRequest: {
      requestMethod: exchange.method,
      requestUrl: exchange.url,
      status: exchange.status,
      latency: `${(exchange.latencyMs / 1000).toFixed(6)}s`,
      responseSize: String(exchange.responseBytes),
      userAgent: exchange.headers['user-agent'],
      remoteIp: exchange.headers['x-forwarded-for']?.split(',')[0]?.trim() ?? exchange.remoteIp,
      protocol: exchange.protocol,
    },
    ...traceFields(exchange.headers, project),
  };
}

interface Trace {
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string | undefined;
  readonly sampled: boolean;
}

/** The fields that make Cloud Logging show a line under its trace. */
export function traceFields(
  headers: Readonly<Record<string, string | undefined>>,
  project: string | undefined,
): Record<string, unknown> {
  const trace = fromTraceparent(headers['traceparent']) ?? fromCloudTrace(headers['x-cloud-trace-context']);
  if (!trace) return {};
  return {
    'logging.googleapis.com/trace': project ? `projects/${project}/traces/${trace.traceId}` : trace.traceId,
    ...(trace.spanId ? { 'logging.googleapis.com/spanId': trace.spanId } : {}),
    'logging.googleapis.com/trace_sampled': trace.sampled,
  };
}

/** https://www.w3.org/TR/trace-context/#traceparent-header */
function fromTraceparent(header: string | undefined): Trace | undefined {
  const [, traceId, spanId, flags] =
    /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/.exec(header ?? '') ?? [];
  if (!traceId || !spanId || !flags) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** `TRACE_ID/SPAN_ID;o=OPTIONS`, with the span in decimal. */
function fromCloudTrace(header: string | undefined): Trace | undefined {
  const [, traceId, span, options] = /^([0-9a-f]{32})(?:\/(\d{1,20}))?(?:;o=(\d))?/i.exec(header ?? '') ?? [];
  if (!traceId) return undefined;
  const spanId = span && span !== '0' ? BigInt(span).toString(16).padStart(16, '0') : undefined;
  return { traceId: traceId.toLowerCase(), spanId, sampled: options === '1' };
}

import { z } from 'zod';
import { type HttpServer, serve } from '../local/http.ts';

const value = z.looseObject({
  stringValue: z.string().optional(),
  intValue: z.union([z.number(), z.string()]).optional(),
  doubleValue: z.number().optional(),
  boolValue: z.boolean().optional(),
  arrayValue: z.unknown().optional(),
});
const attributes = z
  .array(z.object({ key: z.string(), value }))
  .default([])
  .transform(pairs => Object.fromEntries(pairs.map(({ key, value: of }) => [key, plain(of)])));

const context = { traceId: z.string(), spanId: z.string() };
const span = z.object({
  ...context,
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.number(),
  startTimeUnixNano: z.string(),
  endTimeUnixNano: z.string(),
  attributes,
  events: z.array(z.object({ name: z.string(), attributes })).default([]),
  links: z.array(z.object(context)).default([]),
  status: z.object({ code: z.number().optional(), message: z.string().optional() }).default({}),
});

const request = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(z.object({ spans: z.array(span) })),
    }),
  ),
});

export type ReceivedSpan = z.output<typeof span> & { readonly resource: Readonly<Record<string, unknown>> };

function plain(of: z.output<typeof value>): unknown {
  const { stringValue, intValue, doubleValue, boolValue, arrayValue } = of;
  return (
    stringValue ?? (intValue === undefined ? (doubleValue ?? boolValue ?? arrayValue) : Number(intValue))
  );
}

/** What takes OTLP's JSON over HTTP, https://opentelemetry.io/docs/specs/otlp/#otlphttp, and keeps every span. */
export interface OtlpReceiver extends HttpServer {
  readonly spans: ReceivedSpan[];
  readonly headers: Readonly<Record<string, string>>[];
}

/** @param answer what the sender gets, for one that is not well */
export async function otlpReceiver(answer: () => Promise<number> = async () => 200): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const headers: Readonly<Record<string, string>>[] = [];
  const server = await serve(async ({ path, body, headers: sent }) => {
    if (path !== '/v1/traces') return { status: 404 };
    headers.push(sent);
    const { resourceSpans } = request.parse(JSON.parse(body.toString()));
    for (const { resource, scopeSpans } of resourceSpans) {
      for (const one of scopeSpans.flatMap(scope => scope.spans)) {
        spans.push({ ...one, resource: resource.attributes });
      }
    }
    return { status: await answer(), body: {} };
  });
  return { ...server, spans, headers };
}

import { describe, expect, test } from 'vitest';
import {
  formatTraceparent,
  newTrace,
  parseCloudTrace,
  parseTraceparent,
} from '../../../functions/telemetry/trace-context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('a traceparent', () => {
  test('is read and written as W3C has it', () => {
    const context = { traceId: TRACE, spanId: SPAN, isSampled: true };
    expect(parseTraceparent(`00-${TRACE}-${SPAN}-01`)).toEqual(context);
    expect(formatTraceparent(context)).toBe(`00-${TRACE}-${SPAN}-01`);
    expect(parseTraceparent(`00-${TRACE}-${SPAN}-00`)).toEqual({ ...context, isSampled: false });
  });

  test('of a version to come may have more in it', () => {
    expect(parseTraceparent(`01-${TRACE}-${SPAN}-03-more`)).toMatchObject({ isSampled: true });
  });

  test.each([
    ['nothing', undefined],
    ['an empty header', ''],
    ['two headers', [`00-${TRACE}-${SPAN}-01`]],
    ['an unknown version', `ff-${TRACE}-${SPAN}-01`],
    ['more than its version has', `00-${TRACE}-${SPAN}-01-more`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['capitals', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['a line break', `00-${TRACE}-${SPAN}-01\r\nx-evil: 1`],
    ['markup', '00-<script>alert(1)</script>-01'],
    ['10 KB', `00-${'a'.repeat(10_000)}-${SPAN}-01`],
    ['10 KB behind a version to come', `01-${TRACE}-${SPAN}-01-${'-'.repeat(10_000)}`],
  ])('that is %s is none', (_, text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });
});

describe("Google's older header", () => {
  test('has the id of the span in decimal', () => {
    const spanId = BigInt(`0x${SPAN}`).toString();
    const context = { traceId: TRACE, spanId: SPAN, isSampled: true };
    expect(parseCloudTrace(`${TRACE}/${spanId};o=1`)).toEqual(context);
    expect(parseCloudTrace(`${TRACE.toUpperCase()}/1`)).toEqual({
      traceId: TRACE,
      spanId: '0000000000000001',
      isSampled: false,
    });
  });

  test.each([
    ['a trace alone', TRACE],
    ['the span 0', `${TRACE}/0;o=1`],
    ['a span that is too large', `${TRACE}/99999999999999999999;o=1`],
    ['nonsense', `${TRACE}/one;o=yes`],
    ['nothing', undefined],
  ])('is ignored when it is %s', (_, text) => {
    expect(parseCloudTrace(text)).toBeUndefined();
  });
});

test('a trace that begins here is one that others accept', () => {
  const trace = newTrace();
  expect(parseTraceparent(formatTraceparent(trace))).toEqual(trace);
});

import { describe, expect, it } from 'vitest';
import { type Exchange, requestEntry, traceFields } from '../../../app/log.ts';

const exchange: Exchange = {
  method: 'GET',
  url: '/?a=b',
  status: 200,
  latencyMs: 12.5,
  responseBytes: 126,
  headers: { 'user-agent': 'curl', 'x-forwarded-for': '203.0.113.7, 35.191.0.1' },
  remoteIp: '169.254.1.1',
  protocol: 'HTTP/1.1',
};

it('tells a request in fields of Cloud Logging', () => {
  expect(requestEntry(exchange, 'acme')).toEqual({
    severity: 'INFO',
    message: 'GET /?a=b 200',
    httpRequest: {
      requestMethod: 'GET',
      requestUrl: '/?a=b',
      status: 200,
      latency: '0.012500s',
      responseSize: '126',
      userAgent: 'curl',
      remoteIp: '203.0.113.7',
      protocol: 'HTTP/1.1',
    },
  });
});

it.each([
  [200, 'INFO'],
  [404, 'WARNING'],
  [500, 'ERROR'],
])('status %d has severity %s', (status, severity) => {
  expect(requestEntry({ ...exchange, status }, undefined).severity).toBe(severity);
});

describe('the trace', () => {
  const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

  it('comes from traceparent', () => {
    expect(traceFields({ traceparent: `00-${TRACE}-00f067aa0ba902b7-01` }, 'acme')).toEqual({
      'logging.googleapis.com/trace': `projects/acme/traces/${TRACE}`,
      'logging.googleapis.com/spanId': '00f067aa0ba902b7',
      'logging.googleapis.com/trace_sampled': true,
    });
  });

  it('or else from X-Cloud-Trace-Context, whose span is decimal', () => {
    expect(traceFields({ 'x-cloud-trace-context': `${TRACE}/18446744073709551615;o=0` }, 'acme')).toEqual({
      'logging.googleapis.com/trace': `projects/acme/traces/${TRACE}`,
      'logging.googleapis.com/spanId': 'ffffffffffffffff',
      'logging.googleapis.com/trace_sampled': false,
    });
  });

  it('is the bare id where the project is not known', () => {
    expect(traceFields({ 'x-cloud-trace-context': TRACE }, undefined)).toEqual({
      'logging.googleapis.com/trace': TRACE,
      'logging.googleapis.com/trace_sampled': false,
    });
  });

  it('is left out when the header is no trace', () => {
    expect(traceFields({ traceparent: 'nonsense', 'x-cloud-trace-context': '' }, 'acme')).toEqual({});
    expect(traceFields({}, 'acme')).toEqual({});
  });
});

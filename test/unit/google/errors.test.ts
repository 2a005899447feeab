import { describe, expect, test } from 'vitest';
import { SlipwayError } from '../../../functions/errors.ts';
import { calling, codeOfHttpStatus, normalise } from '../../../functions/google/errors.ts';

function thrown(fields: object, message = 'boom'): Error {
  return Object.assign(new Error(message), fields);
}

describe('one error for all clients', () => {
  test.each([
    ['a gRPC code', thrown({ code: 5 }), 'NotFound', false],
    ['gRPC ABORTED', thrown({ code: 10 }), 'Conflict', true],
    ['gRPC UNAVAILABLE', thrown({ code: 14 }), 'Unavailable', true],
    ['gRPC INTERNAL, which an HTTP 500 becomes', thrown({ code: 13 }), 'Unavailable', true],
    ['an HTTP status', thrown({ code: 412 }), 'Conflict', true],
    ['HTTP 403', thrown({ code: 403 }), 'PermissionDenied', false],
    ['HTTP 429', thrown({ code: 429 }), 'ResourceExhausted', true],
    ['a refused connection', thrown({ code: 'ECONNREFUSED' }), 'Unavailable', true],
    [
      'a fetch that failed',
      new TypeError('fetch failed', { cause: new Error('socket hang up') }),
      'Unavailable',
      true,
    ],
    [
      'a timeout, whose DOMException has a number of its own',
      AbortSignal.timeout(0).reason ?? new DOMException('late', 'TimeoutError'),
      'DeadlineExceeded',
      true,
    ],
    ['a bug', new Error('undefined is no function'), 'Internal', false],
  ])('%s', (_, error, code, canRetry) => {
    expect(normalise(error, 'do it')).toMatchObject({ code, canRetry, operation: 'do it' });
  });

  test('takes the sentence out of Kubernetes and Google bodies', () => {
    const kubernetes = thrown({
      code: 404,
      body: JSON.stringify({ kind: 'Status', message: 'deployments "x" not found' }),
    });
    expect(normalise(kubernetes, 'read x').message).toBe('read x: deployments "x" not found');
    const google = thrown({ code: 403 }, JSON.stringify({ error: { code: 403, message: 'no permission' } }));
    expect(normalise(google, 'read x').message).toBe('read x: no permission');
  });

  test('keeps what the other side said about when to come back', () => {
    expect(normalise(thrown({ code: 429, headers: { 'retry-after': '7' } }), 'x').retryAfterSeconds).toBe(7);
    const fetched = thrown({ code: 503, headers: new Headers({ 'Retry-After': '9' }) });
    expect(normalise(fetched, 'x').retryAfterSeconds).toBe(9);
  });

  test('leaves an error that is one already as it is', async () => {
    const error = new SlipwayError('mine', { code: 'Fenced', operation: 'x' });
    await expect(calling('y', () => Promise.reject(error))).rejects.toBe(error);
  });

  test.each([
    [401, 'Unauthenticated'],
    [404, 'NotFound'],
    [409, 'Conflict'],
    [500, 'Unavailable'],
    [501, 'Internal'],
    [504, 'DeadlineExceeded'],
  ])('HTTP %i is %s', (status, code) => {
    expect(codeOfHttpStatus(status)).toBe(code);
  });
});

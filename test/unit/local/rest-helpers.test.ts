import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { applyFieldMask } from '../../../local/field-mask.ts';
import { pageOf } from '../../../local/paging.ts';
import { check, duration, millisOf, protoEnum } from '../../../local/proto-json.ts';

describe('a field mask', () => {
  test('replaces, adds and removes what it names, and leaves the rest', () => {
    const current = { kept: 1, changed: 1, removed: 1 };
    const patch = { kept: 2, changed: 2, addedField: 2 };
    expect(applyFieldMask(current, patch, 'changed,added_field,removed')).toEqual({
      kept: 1,
      changed: 2,
      addedField: 2,
    });
  });

  test('takes a path below a field for the field', () => {
    expect(applyFieldMask({ push: { a: 1 } }, { push: { b: 2 } }, 'push.b')).toEqual({ push: { b: 2 } });
  });
});

describe('a page', () => {
  const letters = ['a', 'b', 'c'];
  const page = (query: Record<string, string>) => pageOf(letters, new URLSearchParams(query), 10);

  test('names the next one until the last', () => {
    expect(page({ pageSize: '2' })).toEqual({ items: ['a', 'b'], nextPageToken: '2' });
    expect(page({ pageSize: '2', pageToken: '2' })).toEqual({ items: ['c'], nextPageToken: '' });
  });

  test('holds the default number of items when nothing else was asked for', () => {
    expect(page({})).toEqual({ items: letters, nextPageToken: '' });
    expect(pageOf(letters, new URLSearchParams({ pageSize: '100' }), 2).items).toEqual(['a', 'b']);
  });

  test('with a token of somebody else is refused', () => {
    expect(() => page({ pageToken: 'abc' })).toThrow('pageToken "abc" is not a number');
  });
});

describe('Protocol Buffers as JSON', () => {
  test('enumerations come as name or number and are kept as name', () => {
    const schema = protoEnum(['NONE', 'ONE', '', 'THREE']);
    expect([1, 'THREE'].map(value => schema.parse(value))).toEqual(['ONE', 'THREE']);
    expect(() => check({ of: 2 }, z.object({ of: schema }))).toThrow(
      "Invalid value at 'of': expected one of NONE, ONE, THREE",
    );
  });

  test('durations are seconds', () => {
    expect(millisOf(duration.parse('1.5s'))).toBe(1500);
    expect(() => check('1m', duration)).toThrow('expected a duration in seconds');
  });
});

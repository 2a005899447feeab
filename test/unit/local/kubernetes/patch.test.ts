import { describe, expect, test } from 'vitest';
import { jsonPatch, mergePatch, strategicMergePatch } from '../../../../local/kubernetes/patch.ts';

describe('a JSON merge patch', () => {
  test('sets, removes and replaces lists as a whole', () => {
    const target = { a: 1, b: { c: [1, 2], d: 'x' } };

    expect(mergePatch(target, { a: null, b: { c: [3] } })).toEqual({ b: { c: [3], d: 'x' } });
  });
});

describe('a strategic merge patch', () => {
  const pod = {
    containers: [
      { name: 'web', image: 'a' },
      { name: 'proxy', image: 'p' },
    ],
    args: ['x'],
  };

  test('merges containers by name', () => {
    expect(strategicMergePatch(pod, { containers: [{ name: 'web', image: 'b' }] })).toEqual({
      containers: [
        { name: 'web', image: 'b' },
        { name: 'proxy', image: 'p' },
      ],
      args: ['x'],
    });
  });

  test('removes a list item that it marks for deletion', () => {
    expect(strategicMergePatch(pod, { containers: [{ name: 'proxy', $patch: 'delete' }] })).toMatchObject({
      containers: [{ name: 'web', image: 'a' }],
    });
  });

  test('replaces lists of plain values', () => {
    expect(strategicMergePatch(pod, { args: ['y'] })).toMatchObject({ args: ['y'] });
  });

  test('keeps only the fields that it says to retain', () => {
    const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } };

    expect(strategicMergePatch(strategy, { $retainKeys: ['type'], type: 'Recreate' })).toEqual({
      type: 'Recreate',
    });
  });
});

describe('a JSON patch', () => {
  test('adds, replaces, moves and removes', () => {
    const operations = [
      { op: 'add', path: '/list/-', value: 3 },
      { op: 'replace', path: '/name', value: 'b' },
      { op: 'move', from: '/old', path: '/new' },
      { op: 'remove', path: '/list/0' },
    ];

    expect(jsonPatch({ list: [1, 2], name: 'a', old: true }, operations)).toEqual({
      list: [2, 3],
      name: 'b',
      new: true,
    });
  });

  test('reads ~1 in a path as a slash', () => {
    const operation = { op: 'add', path: '/annotations/slipway.dev~1epoch', value: '2' };

    expect(jsonPatch({ annotations: {} }, [operation])).toEqual({
      annotations: { 'slipway.dev/epoch': '2' },
    });
  });

  test('is refused as a whole when a test does not hold', () => {
    expect(() => jsonPatch({ a: 1 }, [{ op: 'test', path: '/a', value: 2 }])).toThrow(
      'testing path /a failed',
    );
  });
});

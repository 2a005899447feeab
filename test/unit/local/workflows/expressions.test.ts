// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are expressions of the workflow language
import { describe, expect, test } from 'vitest';
import { createWorld, evaluated, PARENT, raisedBy, WORKFLOW } from './support.ts';

describe('operators', () => {
  test.each<[string, unknown]>([
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['-2 * 3', -6],
    ['10 / 4', 2.5],
    ['7 // 2', 3],
    ['-7 // 2', -4],
    ['7 % 3', 1],
    ['-7 % 3', 2],
    ['1 + 0.5', 1.5],
    ['"a" + "b"', 'ab'],
    ['\'a\' + "b"', 'ab'],
    ['2 > 1 and not(1 > 2)', true],
    ['1 > 2 OR 2 > 1', true],
    ['1 == 1.0', true],
    ['"1" == 1', false],
    ['[1, {"a": 2}] == [1, {"a": 2.0}]', true],
    ['"k" in {"k": 1}', true],
    ['429 in [429, 503]', true],
    ['"b" >= "a"', true],
    ['[1, 2, 3][1]', 2],
    ['{"a": {"b": [5]}}.a.b[0]', 5],
    ['"\\"quoted\\"\\n\\\\"', '"quoted"\n\\'],
    ['true and TRUE and True', true],
    ['null', null],
    ['-9223372036854775807 - 1 == -9223372036854775808', true],
  ])('%s', async (expression, expected) => {
    expect(await evaluated(expression)).toEqual(expected);
  });

  test('not binds tighter than a comparison', async () => {
    expect(await evaluated('not args == true', false)).toBe(true);
    expect(await evaluated('not args == false', false)).toBe(false);
  });

  test('and and or do not look at what they do not need', async () => {
    expect(await evaluated('false and args.missing', {})).toBe(false);
    expect(await evaluated('true or args.missing', {})).toBe(true);
  });

  test('integers beyond 2^53 survive, in JSON and in arithmetic', async () => {
    const world = createWorld();
    world.core.deploy(PARENT, 'tested', 'main:\n  params: [n]\n  steps: [{s: {return: "${[n, n + 2]}"}}]');
    const { name } = world.core.createExecution(WORKFLOW, { argument: '9007199254740993' });
    await world.clock.advance(0);
    expect(world.core.getExecution(name).result).toBe('[9007199254740993,9007199254740995]');
  });

  test.each<[string, string, string]>([
    ['1 + "a"', 'TypeError', "TypeError: unsupported operand types for +: 'integer' and 'string'"],
    ['1 / 0', 'ZeroDivisionError', 'ZeroDivisionError: division by zero'],
    ['1 % 0', 'ZeroDivisionError', 'ZeroDivisionError: division by zero'],
    ['1 and true', 'TypeError', "TypeError: the operand of 'and' must be a boolean; got: integer"],
    ['1 < "a"', 'TypeError', "TypeError: unsupported operand types for <: 'integer' and 'string'"],
    ['[1][1]', 'IndexError', 'IndexError: index out of range: 1 in a list of 1'],
    ['[1][-1]', 'IndexError', 'IndexError: index out of range: -1 in a list of 1'],
    ['[1]["a"]', 'TypeError', 'TypeError: the index of a list must be an integer; got: string'],
    ['{"a": 1}[1]', 'TypeError', 'TypeError: a key must be a string; got: integer'],
    ['"text"[0]', 'TypeError', 'TypeError: a string has no elements; looked for integer'],
    [
      '9223372036854775807 + 1',
      'ValueError',
      'ValueError: integer overflow: 9223372036854775808 does not fit into 64 bits',
    ],
  ])('%s raises %s', async (expression, tag, message) => {
    const error = await raisedBy(expression);
    expect(error.tags).toContain(tag);
    expect(error.message).toBe(message);
  });
});

describe('helpers', () => {
  test.each<[string, unknown]>([
    ['int("42") + int(2.9)', 44],
    ['double("2.5")', 2.5],
    ['string(1.5) + string(true) + string(7)', '1.5true7'],
    ['keys({"b": 1, "a": 2})', ['a', 'b']],
    ['len("äö") + len([1, 2]) + len({"a": 1})', 5],
    ['default(null, "x") + default("y", "x")', 'xy'],
    ['if(1 > 2, "a", "b")', 'b'],
    [
      '[get_type(1), get_type(1.5), get_type("a"), get_type(true), get_type(null), get_type([]), get_type({})]',
      ['integer', 'double', 'string', 'boolean', 'null', 'list', 'map'],
    ],
    ['get_type(text.encode("a"))', 'bytes'],
  ])('%s', async (expression, expected) => {
    expect(await evaluated(expression)).toEqual(expected);
  });

  test('if() evaluates both alternatives', async () => {
    expect((await raisedBy('if(true, 1, args.missing)', {})).tags).toContain('KeyError');
  });

  test('int() of text that is no number raises a ValueError', async () => {
    expect((await raisedBy('int("4x")')).tags).toEqual(['ValueError']);
  });
});

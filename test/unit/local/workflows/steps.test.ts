// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are expressions of the workflow language
import { describe, expect, test } from 'vitest';
import { createWorld, execute, json, resultOf, start } from './support.ts';

describe('assign', () => {
  test('later entries see earlier ones, and paths reach into maps and lists', async () => {
    const source = `
- init:
    assign:
      - i: 1
      - list: [1, 2, 3]
      - map: {}
      - key: dynamic
- change:
    assign:
      - list[i + 1]: 30
      - map.a.b: \${list[2]}
      - map["x y"]: 1
      - map[key + "3"]: 2
      - copy: \${map}
      - map.a.b: changed
- out:
    return:
      list: \${list}
      map: \${map}
      copy: \${copy.a.b}
      \${key}: value`;
    expect(await resultOf(source)).toEqual({
      list: [1, 2, 30],
      map: { a: { b: 'changed' }, 'x y': 1, dynamic3: 2 },
      copy: 30,
      dynamic: 'value',
    });
  });

  test('a list element has to exist to be assigned', async () => {
    const { error } = await execute('- s:\n    assign: [{list: []}, {"list[0]": 1}]\n');
    expect(error?.payload).toContain('IndexError');
  });
});

describe('switch and next', () => {
  const source = `
main:
  params: [n]
  steps:
    - choose:
        switch:
          - condition: \${n == 1}
            next: one
          - condition: \${n == 2}
            steps:
              - nested:
                  switch:
                    - condition: true
                      next: two
          - condition: \${n == 3}
            return: three
          - condition: \${n == 4}
            next: end
        next: other
    - one:
        return: one
    - two:
        return: two
    - other:
        return: other`;

  test.each([
    [1, 'one'],
    [2, 'two'],
    [3, 'three'],
    [4, null],
    [5, 'other'],
  ])('%i leads to %s', async (n, expected) => {
    expect(await resultOf(source, n)).toBe(expected);
  });

  test('without a match and without next the following step runs', async () => {
    expect(await resultOf('- a:\n    switch: [{condition: false, return: 1}]\n- b:\n    return: 2\n')).toBe(
      2,
    );
  });

  test('a condition has to be a boolean', async () => {
    const { error } = await execute('- a:\n    switch: [{condition: "${1}", return: 1}]\n');
    expect(error?.payload).toContain('TypeError: a condition must be a boolean; got: integer');
  });

  test('an except can jump to an outer step', async () => {
    const jump = `
- init:
    assign: [{tries: 0}]
- work:
    try:
      steps:
        - count: {assign: [{tries: "\${tries + 1}"}]}
        - check: {switch: [{condition: "\${tries < 3}", raise: not yet}]}
    except:
      steps:
        - again: {next: work}
- out:
    return: \${tries}`;
    expect(await resultOf(jump)).toBe(3);
  });
});

describe('for', () => {
  test('over a list with index, break and continue', async () => {
    const source = `
- init:
    assign: [{seen: []}]
- loop:
    for:
      value: v
      index: i
      in: [a, b, c, d]
      steps:
        - skip: {switch: [{condition: '\${v == "b"}', next: continue}]}
        - stop: {switch: [{condition: '\${v == "d"}', next: break}]}
        - add: {assign: [{seen: "\${list.concat(seen, v + string(i))}"}]}
- out: {return: "\${seen}"}`;
    expect(await resultOf(source)).toEqual(['a0', 'c2']);
  });

  test('over ranges with both ends, and over the keys of a map', async () => {
    const source = `
- init:
    assign: [{sum: 0}, {map: {1: 10, 2: 50}}]
- first: {for: {value: n, range: [1, 4], steps: [{a: {assign: [{sum: "\${sum + n}"}]}}]}}
- second: {for: {value: n, range: "\${[5, 5]}", steps: [{b: {assign: [{sum: "\${sum + n}"}]}}]}}
- empty: {for: {value: n, range: [2, 1], steps: [{c: {assign: [{sum: -1}]}}]}}
- third: {for: {value: k, in: "\${keys(map)}", steps: [{d: {assign: [{sum: "\${sum + map[k]}"}]}}]}}
- out: {return: "\${sum}"}`;
    expect(await resultOf(source)).toBe(75);
  });

  test('return inside a loop ends the routine', async () => {
    expect(await resultOf('- l:\n    for: {value: v, in: [1, 2], steps: [{r: {return: "${v}"}}]}\n')).toBe(1);
  });

  test('what is no list cannot be looped over', async () => {
    const { error } = await execute('- l:\n    for: {value: v, in: "${{}}", steps: [{r: {return: 1}}]}\n');
    expect(error?.payload).toContain("'in' of a for must be a list; got: map");
  });
});

describe('subworkflows', () => {
  test('named, positional and default arguments, as a step and in an expression', async () => {
    const source = `
main:
  steps:
    - a: {call: greet, args: {first: Ada}, result: x}
    - b: {call: greet, args: [Grace, Hopper], result: y}
    - c: {return: '\${[x, y, greet("Alan", "T.")]}'}
greet:
  params: [first, last: Unknown]
  steps:
    - s: {return: '\${first + " " + last}'}`;
    expect(await resultOf(source)).toEqual(['Ada Unknown', 'Grace Hopper', 'Alan T.']);
  });

  test('a default stands in only for an argument that was not given, not for null', async () => {
    const source = `
main:
  steps:
    - a: {call: sub, args: {x: null}, result: given}
    - b: {call: sub, result: left_out}
    - c: {return: "\${[given, left_out]}"}
sub:
  params: [x: 1]
  steps:
    - s: {return: "\${x}"}`;
    expect(await resultOf(source)).toEqual([null, 1]);
  });

  test('without a return the result is null, and variables are its own', async () => {
    const source = `
main:
  steps:
    - a: {assign: [{x: 1}]}
    - b: {call: sub, result: r}
    - c: {return: "\${[x, r]}"}
sub:
  steps:
    - s: {assign: [{x: 2}]}
    - t: {next: end}
    - u: {return: never}`;
    expect(await resultOf(source)).toEqual([1, null]);
  });

  test('main gets null when the execution has no argument', async () => {
    expect(await resultOf('main:\n  params: [args]\n  steps: [{s: {return: "${args}"}}]')).toBeNull();
  });
});

describe('time', () => {
  test('fractions of a second are slept', async () => {
    const world = createWorld();
    const { name } = start(
      world,
      '- a:\n    call: sys.sleep\n    args: {seconds: 1.25}\n- b:\n    return: ${sys.now()}\n',
    );
    await world.clock.advance(1249);
    expect(world.core.getExecution(name).state).toBe('ACTIVE');
    await world.clock.advance(1);
    expect(world.core.getExecution(name)).toMatchObject({ state: 'SUCCEEDED', duration: '1.25s' });
  });

  test('sleeping until a time that has passed takes no time', async () => {
    const { duration } = await execute(
      '- a:\n    call: sys.sleep_until\n    args: {time: "2020-01-01T00:00:00Z"}\n',
    );
    expect(duration).toBe('0s');
  });

  test('a sleep longer than the machine can time in one go', async () => {
    const world = createWorld();
    const { name } = start(world, '- a:\n    call: sys.sleep\n    args: {seconds: 5000000}\n');
    await world.clock.advance(4_999_999_000);
    expect(world.core.getExecution(name).state).toBe('ACTIVE');
    await world.clock.advance(1000);
    expect(world.core.getExecution(name).state).toBe('SUCCEEDED');
  });
});

describe('try and except', () => {
  test('an except sees tags, code and body of an HTTP error', async () => {
    const world = createWorld();
    world.answer = async () => json(409, { status: 'fenced' });
    const source = `
- ask:
    try: {call: http.post, args: {url: "http://x"}, result: r}
    except:
      as: e
      steps:
        - known:
            switch:
              - condition: \${"HttpError" in e.tags and e.code == 409}
                return: \${e.body.status}
        - unknown: {raise: "\${e}"}`;
    expect(await resultOf(source, undefined, world)).toBe('fenced');
  });

  test('an except may be a single action', async () => {
    expect(
      await resultOf('- a:\n    try: {raise: {code: 7}}\n    except: {as: e, return: "${e.code}"}\n'),
    ).toBe(7);
  });
});

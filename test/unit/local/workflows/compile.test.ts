// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are expressions of the workflow language
import { describe, expect, test } from 'vitest';
import { CompileError } from '../../../../local/workflows/compile.ts';
import { createWorld, PARENT, problemsOf } from './support.ts';

/** Steps of main, with the first line of `steps` on line 3 and names from column 7. */
function main(steps: string, rest = ''): string {
  return `main:\n  steps:\n${steps.replace(/^\n/, '')}\n${rest.replace(/^\n/, '')}`;
}

describe('names', () => {
  test('an unknown variable is told as the service tells it', () => {
    const source = main(`
    - step1:
        assign:
          - varA: 1
    - step2:
        return: \${varA + varC}`);
    expect(problemsOf(source)).toEqual([
      "7:17 error in step step2: error evaluating return value: symbol 'varC' is neither a variable nor a sub-workflow name",
    ]);
  });

  test('everything wrong is reported at once, in the order of the source', () => {
    const source = main(`
    - a:
        assign: [{x: "\${unknown1}"}]
        next: nowhere
    - a:
        call: missing.function
    - b:
        cal: sys.log`);
    expect(problemsOf(source).map(problem => problem.split(' ')[0])).toEqual([
      '4:23',
      '5:15',
      '7:9',
      '7:9',
      '8:7',
      '9:9',
    ]);
  });

  test('a jump must lead to a step of its list or of one around it', () => {
    const source = main(`
    - outer:
        steps:
          - inner:
              next: later
    - later:
        next: inner`);
    expect(problemsOf(source)).toEqual([
      "8:15 error in step later: 'next: inner' leads nowhere: it must be a step of this list or of one around it",
    ]);
  });

  test('step names are unique in a routine, also across nesting', () => {
    const source = main(`
    - twice:
        steps:
          - twice:
              return: 1`);
    expect(problemsOf(source)).toEqual([
      "6:15 error in step twice: there is a second step 'twice' in 'main'; names are unique",
    ]);
  });

  test('the same step name in two subworkflows is fine', () => {
    expect(problemsOf('main:\n  steps: [{s: {call: sub}}]\nsub:\n  steps: [{s: {return: 1}}]\n')).toEqual([]);
  });

  test('arguments of calls are checked against the parameters', () => {
    const source = main(
      `
    - a:
        call: sub
        args: {one: 1, tow: 2}
    - b:
        call: http.get
        args: {uri: "http://x"}
    - c:
        assign: [{x: '\${text.split("a")}'}]
    - d:
        call: sub
        args: [1]`,
      'sub:\n  params: [one, two, three: 3]\n  steps: [{s: {return: 1}}]',
    );
    expect(problemsOf(source)).toEqual([
      "4:9 error in step a: 'sub' needs the argument 'two'",
      "5:29 error in step a: 'sub' has no parameter 'tow'; expected one, two, three",
      "7:9 error in step b: 'http.get' needs the argument 'url'",
      expect.stringContaining("8:22 error in step b: 'http.get' has no parameter 'uri'"),
      "10:23 error in step c: 'text.split' takes 2 arguments, not 1",
      "12:9 error in step d: 'sub' takes 2 to 3 arguments, not 1",
    ]);
  });
});

describe('scopes', () => {
  test('a variable first written in a for cannot be read after it', () => {
    const source = main(`
    - loop:
        for:
          value: v
          in: [1, 2]
          steps:
            - s:
                assign: [{inside: "\${v}"}]
    - after:
        return: \${inside}`);
    expect(problemsOf(source)).toEqual([
      "11:17 error in step after: error evaluating return value: the variable 'inside' is local to the 'for' that assigns it first and cannot be read outside",
    ]);
  });

  test('the caught error and what except writes first stay in the except', () => {
    const source = main(`
    - s:
        try: {raise: "x"}
        except:
          as: e
          steps: [{t: {assign: [{inside: 1}]}}]
    - after:
        return: \${[e, inside]}`);
    expect(problemsOf(source)).toHaveLength(2);
  });

  test('a branch may write only what is shared', () => {
    const source = main(`
    - init:
        assign: [{total: 0}, {free: 0}]
    - fork:
        parallel:
          shared: [free]
          branches:
            - one: {steps: [{a: {assign: [{free: 1}, {own: 1}]}}]}
            - two: {steps: [{b: {assign: [{total: 2}]}}]}`);
    expect(problemsOf(source)).toEqual([
      "10:44 error in step b: the variable 'total' belongs to the outside of the parallel step: list it under 'shared' to write it",
    ]);
  });

  test('a branch cannot read what another branch writes first', () => {
    const source = main(`
    - fork:
        parallel:
          branches:
            - one: {steps: [{a: {assign: [{own: 1}]}}]}
            - two: {steps: [{b: {return: "\${own}"}}]}`);
    expect(problemsOf(source)).toEqual([
      expect.stringContaining("'return' cannot leave a parallel step"),
      expect.stringContaining("the variable 'own' is local to the parallel branch"),
    ]);
  });

  test('a shared variable has to exist', () => {
    const source = main(`
    - fork:
        parallel:
          shared: [total]
          for: {value: v, in: [1], steps: [{a: {assign: [{total: 1}]}}]}`);
    expect(problemsOf(source)).toEqual([
      "4:9 error in step fork: the shared variable 'total' is not assigned before the parallel step",
    ]);
  });

  test('break and continue need a for around them and cannot leave a parallel step', () => {
    const source = main(`
    - a:
        next: break
    - fork:
        parallel:
          for:
            value: v
            in: [1]
            steps:
              - b: {next: continue}
              - c: {next: break}`);
    expect(problemsOf(source)).toEqual([
      "4:15 error in step a: 'next: break' stands in no 'for'",
      "12:27 error in step c: 'next: break' cannot leave a parallel step",
    ]);
  });
});

describe('what is not implemented is refused', () => {
  test.each([
    ['a connector', 'call: googleapis.run.v2.projects.locations.services.get', 'is a connector'],
    ['experimental functions', 'call: experimental.executions.run', 'is experimental'],
    ['an unknown function', 'call: text.reverse', 'neither a function of the standard library'],
    ['a blocking function in an expression', 'return: \'${http.get("http://x")}\'', "'http.get' blocks"],
    ['a helper as a call', 'call: len', "'len' is for expressions"],
    [
      'an unknown policy',
      'parallel: {exception_policy: stop, for: {value: v, in: [1], steps: [{t: {next: continue}}]}}',
      'continueAll',
    ],
    ['a subworkflow as a value', 'return: ${main}', "'main' is a subworkflow"],
    ['interpolation', 'return: "${1} and ${2}"', 'error parsing expression'],
    ['not in', 'return: ${1 not in [2]}', "there is no operator 'not in'"],
    ['a single =', 'return: ${1 = 2}', "'=' "],
    ['YAML anchors', 'return: &x 1', 'YAML tags and anchors'],
    ['YAML tags', 'return: !!str 1', 'YAML tags and anchors'],
    [
      'retry without a limit',
      'try: {raise: x}\n        retry: {predicate: "${retry.always}", backoff: "${retry.default_backoff}"}',
      'needs predicate, max_retries and backoff',
    ],
    [
      'an unknown predicate',
      'try: {raise: x}\n        retry: {predicate: "${nobody}", max_retries: 1, backoff: "${retry.default_backoff}"}',
      "predicate 'nobody'",
    ],
    ['args without call', 'args: {a: 1}\n        return: 1', "'args' needs 'call'"],
    ['two actions', 'return: 1\n        raise: x', 'does one thing, not raise and return'],
    ['a condition that is text', 'switch: [{condition: "yes", next: end}]', "'condition' must be"],
    ['an unknown key', 'call: sys.log\n        args: {text: a}\n        results: r', "unknown key 'results'"],
    ['an empty step', '{}', 'does nothing'],
    ['next after return', 'return: 1\n        next: end', 'never reached'],
  ])('%s', (_what, body, message) => {
    expect(problemsOf(main(`    - s:\n        ${body}`)).join('\n')).toContain(message);
  });

  test('limits of the language', () => {
    const assignments = Array.from({ length: 51 }, (_, index) => `{v${index}: 1}`).join(', ');
    expect(problemsOf(main(`    - s:\n        assign: [${assignments}]`)).join()).toContain(
      '1 to 50 variables, not 51',
    );
    expect(problemsOf(main(`    - s:\n        return: \${${'1 + '.repeat(120)}1}`)).join()).toContain(
      'the limit is 400',
    );
    expect(
      problemsOf(`main:\n  steps:\n    - s:\n        return: "${'x'.repeat(132_000)}"`).join(),
    ).toContain('131072');
    expect(problemsOf('main:\n  params: [a, b]\n  steps: [{s: {return: 1}}]').join()).toContain(
      '2 params; the limit here is 1',
    );
  });

  test('text that is not YAML is told with its place', () => {
    expect(problemsOf('main:\n  steps: [')).toEqual([expect.stringMatching(/^\d+:\d+ not valid YAML/)]);
    expect(problemsOf('')).toEqual(['1:1 the source is empty']);
    expect(problemsOf('sub:\n  steps: [{s: {return: 1}}]')).toEqual(["1:1 there is no 'main'"]);
  });

  test('a key written twice is an error', () => {
    expect(problemsOf('main:\n  steps:\n    - s:\n        return: 1\n        return: 2')).toHaveLength(1);
  });
});

test('a deployment that fails says everything in one message', () => {
  const deploy = () => createWorld().core.deploy(PARENT, 'tested', '- s:\n    return: ${x}\n');
  expect(deploy).toThrow(CompileError);
  expect(deploy).toThrow(
    "failed to build: 2:13: error in step s: error evaluating return value: symbol 'x' is neither",
  );
});

test('a list of steps is an implicit main, and JSON is a source like YAML', () => {
  expect(problemsOf('- s:\n    return: 1\n')).toEqual([]);
  expect(problemsOf('{"main": {"steps": [{"s": {"return": "${1 + 1}"}}]}}')).toEqual([]);
});

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are expressions of the workflow language
import { describe, expect, test } from 'vitest';
import { createWorld, execute, json } from './support.ts';

describe('errors have the shape and text of the service', () => {
  test("'in' on null, with the position of the whole expression", async () => {
    const source = `main:
  params: [input]
  steps:
    - first:
        assign:
          - ignored: 1
    - second:
        assign:
          - ignored: 2
    - checkSearchTermInInput:
        switch:
          - condition: \${"searchTerm" in input}
            next: end`;
    const { state, error, status } = await execute(source);
    expect(state).toBe('FAILED');
    expect(error).toEqual({
      context:
        'The argument of \'in\' must be a dict or an array; got: null\nin step "checkSearchTermInInput", routine "main", line: 12',
      payload:
        '{"message":"The argument of \'in\' must be a dict or an array; got: null","tags":["TypeError"]}',
      stackTrace: {
        elements: [
          {
            step: 'checkSearchTermInInput',
            routine: 'main',
            position: { line: '12', column: '24', length: '24' },
          },
        ],
      },
    });
    expect(status.currentSteps).toEqual([{ routine: 'main', step: 'checkSearchTermInInput' }]);
  });

  test('HTTP 503, with the position of the word call', async () => {
    const world = createWorld();
    world.answer = async () => ({
      status: 503,
      headers: { 'content-type': 'text/html', 'x-cloud-trace-context': 'abc' },
      body: Buffer.from('unavailable'),
    });
    const source = `main:
  steps:
    - invoke:
        call: http.get
        args:
          url: https://example.com/x`;
    const { error } = await execute(source, undefined, world);
    expect(error?.context).toBe(
      'HTTP server responded with error code 503\nin step "invoke", routine "main", line: 4',
    );
    expect(error?.payload).toBe(
      '{"body":"unavailable","code":503,"headers":{"Content-Type":"text/html","X-Cloud-Trace-Context":"abc"},"message":"HTTP server responded with error code 503","tags":["HttpError"]}',
    );
    expect(error?.stackTrace.elements?.[0]?.position).toEqual({ line: '4', column: '9', length: '4' });
  });

  test('a raised string stays a string', async () => {
    const { error } = await execute('- raise_error:\n    raise: "Error with iteration 2"\n');
    expect(error?.context).toBe(
      'RuntimeError: "Error with iteration 2"\nin step "raise_error", routine "main", line: 2',
    );
    expect(error?.payload).toBe('"Error with iteration 2"');
  });

  test('a missing key', async () => {
    const { error } = await execute('main:\n  params: [a]\n  steps: [{s: {return: "${a.taskCount}"}}]', {});
    expect(error?.payload).toBe(
      '{"message":"KeyError: key not found: taskCount","tags":["KeyError","LookupError"]}',
    );
  });

  test('too much memory ends the execution past every except', async () => {
    const source = `
- fill:
    assign:
      - list: []
      - piece: "0123456789012345678901234567890123456789012345678901234567890123456789"
- more:
    try:
      steps:
        - add:
            assign: [{list: "\${list.concat(list, piece)}"}]
            next: add
    except:
      as: e
      steps: [{caught: {return: caught}}]`;
    const { state, error } = await execute(source);
    expect(state).toBe('FAILED');
    expect(error?.payload).toBe(
      '{"message":"ResourceLimitError: Memory usage limit exceeded","tags":["ResourceLimitError"]}',
    );
    expect(error?.stackTrace).toEqual({});
  });

  test('a request without an answer in time', async () => {
    const world = createWorld();
    world.answer = () => new Promise(() => {});
    const { error, duration } = await execute(
      '- s:\n    call: http.get\n    args: {url: "http://x", timeout: 7.5}\n',
      undefined,
      world,
    );
    expect(error?.payload).toBe('{"message":"request timed out","tags":["TimeoutError","OSError"]}');
    expect(duration).toBe('7.5s');
  });

  test('string() of a map', async () => {
    const { error } = await execute('- s:\n    return: ${string({})}\n');
    expect(error?.context.split('\n')[0]).toBe(
      "TypeError: unsupported operand type for string(): 'dict' (expecting number, string, or boolean)",
    );
  });

  test('an error in a subworkflow has a frame per routine, innermost first', async () => {
    const source = `main:
  steps:
    - outer:
        call: sub
        args: {n: 0}
sub:
  params: [n]
  steps:
    - wrapped:
        steps:
          - inner:
              return: \${1 / n}`;
    const { error } = await execute(source);
    expect(error?.context).toBe(
      [
        'ZeroDivisionError: division by zero',
        'in step "inner", routine "sub", line: 12',
        'in step "outer", routine "main", line: 4',
      ].join('\n'),
    );
    expect(JSON.parse(error?.payload ?? '').tags).toEqual(['ZeroDivisionError', 'ArithmeticError']);
  });

  test('a rethrown error is told from where it was rethrown', async () => {
    const world = createWorld();
    world.answer = async () => json(404, { reason: 'gone' });
    const source = `
- ask:
    try:
      call: http.get
      args: {url: "http://x"}
    except:
      as: e
      steps:
        - rethrow:
            raise: \${e}`;
    const { error } = await execute(source, undefined, world);
    expect(error?.context).toBe(
      'HTTP server responded with error code 404\nin step "rethrow", routine "main", line: 10',
    );
  });

  test('recursion ends at twenty calls', async () => {
    const source = 'main:\n  steps: [{s: {call: deeper}}]\ndeeper:\n  steps: [{s: {call: deeper}}]\n';
    const { error } = await execute(source);
    expect(JSON.parse(error?.payload ?? '').tags).toEqual(['RecursionError']);
  });

  test('an endless loop ends at the limit of steps', async () => {
    const { state, error } = await execute('- again:\n    next: again\n');
    expect(state).toBe('FAILED');
    expect(error?.payload).toContain('more than 100000 steps');
  });

  test('a variable that no step has assigned yet cannot be read', async () => {
    const { error } = await execute(
      '- a:\n    switch: [{condition: false, next: b}]\n    next: c\n- b:\n    assign: [{x: 1}]\n- c:\n    return: ${x}\n',
    );
    expect(error?.payload).toContain("the variable 'x' is read before it is assigned");
  });

  test('bytes cannot be the result', async () => {
    const { error } = await execute('- s:\n    return: ${text.encode("a")}\n');
    expect(error?.payload).toContain('TypeError: the result of a workflow must be JSON');
  });
});

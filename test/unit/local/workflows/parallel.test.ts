// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are expressions of the workflow language
import { describe, expect, test } from 'vitest';
import { createWorld, execute, json, resultOf, start } from './support.ts';

describe('parallel', () => {
  test('iterations wait at the same time and add up in a shared variable', async () => {
    const source = `
- init: {assign: [{total: 0}]}
- all:
    parallel:
      shared: [total]
      for:
        value: n
        range: [1, 10]
        steps:
          - wait: {call: sys.sleep, args: {seconds: "\${11 - n}"}}
          - add: {assign: [{total: "\${total + n}"}]}
- out: {return: "\${total}"}`;
    const { result, duration } = await execute(source);
    expect(result).toBe('55');
    expect(duration).toBe('10s');
  });

  test('concurrency_limit holds, and so does the cap of the service', async () => {
    const source = (limit: string) => `
- all:
    parallel:
      ${limit}
      for: {value: n, range: [1, 40], steps: [{wait: {call: sys.sleep, args: {seconds: 1}}}]}`;
    expect((await execute(source('concurrency_limit: 10'))).duration).toBe('4s');
    expect((await execute(source('concurrency_limit: "${4 + 4}"'))).duration).toBe('5s');
    expect((await execute(source('exception_policy: continueAll'))).duration).toBe('2s');
  });

  test('branches run to their ends, then the failures are raised together', async () => {
    const world = createWorld();
    world.answer = async request => json(request.url.endsWith('/bad') ? 500 : 200, {});
    const source = `
main:
  steps:
    - init: {assign: [{done: []}]}
    - fork:
        try:
          parallel:
            shared: [done]
            branches:
              - text: {steps: [{t: {raise: "how odd!"}}]}
              - http: {steps: [{h: {call: http.get, args: {url: "http://x/bad"}}}]}
              - fine: {steps: [{w: {call: sys.sleep, args: {seconds: 5}}}, {f: {assign: [{done: ["fine"]}]}}]}
        except: {as: e, assign: [{done: "\${[done, e]}"}], next: out}
    - out: {return: "\${done}"}`;
    const [done, error] = (await resultOf(source, undefined, world)) as [unknown, Record<string, unknown>];
    expect(done).toEqual(['fine']);
    expect(error).toEqual({
      message:
        'UnhandledBranchError: One or more branches or iterations encountered an unhandled runtime error',
      tags: ['UnhandledBranchError', 'RuntimeError'],
      truncated: false,
      branches: [
        {
          id: 'text',
          error: {
            context: 'RuntimeError: "how odd!"\nin step "t", routine "main", line: 10',
            payload: 'how odd!',
          },
        },
        {
          id: 'http',
          error: {
            context: expect.stringContaining('error code 500'),
            payload: expect.objectContaining({ code: 500 }),
          },
        },
      ],
    });
  });

  test('an iteration is told by its number, and at most 100 are told', async () => {
    const { error } = await execute(
      '- p:\n    parallel: {for: {value: n, range: [1, 120], steps: [{r: {raise: "${n}"}}]}}\n',
    );
    const payload = JSON.parse(error?.payload ?? '');
    expect(payload.truncated).toBe(true);
    expect(payload.branches).toHaveLength(100);
    expect(payload.branches[3]).toMatchObject({ id: '3', error: { payload: 4 } });
  });

  test('locals of an iteration are its own', async () => {
    const source = `
- init: {assign: [{seen: []}]}
- all:
    parallel:
      shared: [seen]
      for:
        value: n
        in: [1, 2, 3]
        steps:
          - own: {assign: [{local: "\${n * 10}"}]}
          - wait: {call: sys.sleep, args: {seconds: 1}}
          - add: {assign: [{seen: "\${list.concat(seen, local)}"}]}
- out: {return: "\${seen}"}`;
    expect(await resultOf(source)).toEqual([10, 20, 30]);
  });

  test('parallel steps nest two deep, counted through subworkflows', async () => {
    const source = `
main:
  steps: [{a: {parallel: {for: {value: x, in: [1], steps: [{b: {call: second}}]}}}}]
second:
  steps: [{c: {parallel: {for: {value: x, in: [1], steps: [{d: {call: third}}]}}}}]
third:
  steps: [{e: {parallel: {for: {value: x, in: [1], steps: [{f: {next: continue}}]}}}}]`;
    const { error } = await execute(source);
    expect(error?.payload).toContain('ParallelNestingError');
  });

  test('an exhausted limit in one branch ends the execution at once', async () => {
    const world = createWorld();
    const { name } = start(
      world,
      `
- p:
    parallel:
      branches:
        - endless: {steps: [{e: {next: e}}]}
        - slow: {steps: [{s: {call: sys.sleep, args: {seconds: 1000}}}]}`,
    );
    await world.clock.advance(1);
    expect(world.core.getExecution(name).state).toBe('FAILED');
  });
});

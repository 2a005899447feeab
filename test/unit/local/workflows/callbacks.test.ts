// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are expressions of the workflow language
import { describe, expect, test } from 'vitest';
import type { Delivery } from '../../../../local/workflows/callbacks.ts';
import { createWorld, resultOf, start, type World } from './support.ts';

const WAITING = `
- create: {call: events.create_callback_endpoint, args: {http_callback_method: POST}, result: callback}
- announce: {call: sys.log, args: {text: "\${callback.url}"}}
- busy: {call: sys.sleep, args: {seconds: 10}}
- first: {call: events.await_callback, args: {callback: "\${callback}", timeout: 60}, result: one}
- second: {call: events.await_callback, args: {callback: "\${callback}", timeout: 60}, result: two}
- out: {return: "\${[one.http_request.body, two.http_request.body]}"}`;

function poke(world: World, body: unknown, method = 'POST'): Delivery {
  const url = new URL(world.logs[0]?.textPayload ?? '');
  const [, execution = '', id = ''] = /^\/v1\/(.*)\/callbacks\/(.*)$/.exec(url.pathname) ?? [];
  return world.core.deliverCallback(execution, id, {
    method,
    url: url.pathname,
    headers: { 'content-type': 'application/json' },
    query: {},
    body: Buffer.from(JSON.stringify(body)),
    receivedMs: world.clock.nowMs(),
  });
}

describe('callbacks', () => {
  test('a request before the wait is kept, a second one is refused, a later one is received', async () => {
    const world = createWorld();
    const { name } = start(world, WAITING);
    await world.clock.advance(1000);
    expect(poke(world, 'early')).toBe('accepted');
    expect(poke(world, 'too many')).toBe('full');
    await world.clock.advance(10_000);
    expect(world.core.getExecution(name).state).toBe('ACTIVE');
    expect(poke(world, 'late')).toBe('accepted');
    await world.clock.advance(0);
    expect(world.core.getExecution(name).result).toBe('["early","late"]');
    expect(poke(world, 'after the end')).toBe('unknown');
  });

  test('two requests in a row are both received when the wait takes the first', async () => {
    const world = createWorld();
    const { name } = start(world, WAITING);
    await world.clock.advance(11_000);
    expect(poke(world, 1)).toBe('accepted');
    expect(poke(world, 2)).toBe('accepted');
    await world.clock.advance(0);
    expect(world.core.getExecution(name).result).toBe('[1,2]');
  });

  test('another method is refused, and nobody is woken', async () => {
    const world = createWorld();
    const { name } = start(world, WAITING);
    await world.clock.advance(11_000);
    expect(poke(world, 1, 'GET')).toBe('wrong method');
    expect(world.core.getExecution(name).state).toBe('ACTIVE');
  });

  test('a wait that is over raises a TimeoutError, and a kept request is not lost by it', async () => {
    const world = createWorld();
    const source = `
- create: {call: events.create_callback_endpoint, result: callback}
- announce: {call: sys.log, args: {text: "\${callback.url}"}}
- wait:
    try: {call: events.await_callback, args: {callback: "\${callback}", timeout: 0.5}, result: got}
    except:
      as: e
      steps:
        - expected: {switch: [{condition: '\${"TimeoutError" in e.tags}', next: wait}]}
        - other: {raise: "\${e}"}
- out: {return: "\${got.http_request.method}"}`;
    const { name } = start(world, source);
    await world.clock.advance(1250);
    expect(poke(world, null)).toBe('accepted');
    await world.clock.advance(0);
    expect(world.core.getExecution(name)).toMatchObject({
      state: 'SUCCEEDED',
      result: '"POST"',
      duration: '1.25s',
    });
  });

  test('what await_callback gives', async () => {
    const world = createWorld();
    const { name } = start(world, WAITING.replace(/- second:.*\n.*$/, '- out: {return: "${one}"}'));
    await world.clock.advance(11_000);
    poke(world, { n: 1 });
    await world.clock.advance(0);
    expect(JSON.parse(world.core.getExecution(name).result ?? '')).toEqual({
      http_request: {
        body: { n: 1 },
        headers: { 'content-type': 'application/json' },
        method: 'POST',
        query: {},
        url: expect.stringMatching(/^\/v1\/projects\/acme\/.*\/callbacks\//),
      },
      received_time: '2026-01-05T09:00:11.000Z',
      type: 'HTTP',
    });
  });

  test('created outside and awaited inside parallel branches, each gets its own', async () => {
    const world = createWorld();
    const source = `
- create: {assign: [{url: null}, {seen: []}]}
- one: {call: events.create_callback_endpoint, result: callback}
- announce: {call: sys.log, args: {text: "\${callback.url}"}}
- fork:
    parallel:
      shared: [seen]
      branches:
        - a: {steps: [{wa: {call: events.await_callback, args: {callback: "\${callback}"}, result: r}}, {sa: {assign: [{seen: '\${list.concat(seen, "a")}'}]}}]}
        - b: {steps: [{wb: {call: events.await_callback, args: {callback: "\${callback}"}, result: r}}, {sb: {assign: [{seen: '\${list.concat(seen, "b")}'}]}}]}
- out: {return: "\${seen}"}`;
    const { name } = start(world, source);
    await world.clock.advance(1);
    poke(world, 1);
    await world.clock.advance(1);
    expect(world.core.getExecution(name).state).toBe('ACTIVE');
    poke(world, 2);
    await world.clock.advance(1);
    expect(world.core.getExecution(name).result).toBe('["a","b"]');
  });

  test('a URL of no callback of this execution is a ValueError', async () => {
    const source = `
- wait:
    try: {call: events.await_callback, args: {callback: {url: "http://workflows.test/v1/other"}}}
    except: {as: e, return: "\${e.tags}"}`;
    expect(await resultOf(source)).toEqual(['ValueError']);
  });
});
